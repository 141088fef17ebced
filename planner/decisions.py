"""Why each thing in a plan is as it is."""

from sixnd.planner import hyperparameters, laws
from sixnd.planner.architecture import ASPECT_SOURCE
from sixnd.planner.cost import goodput_of
from sixnd.planner.draft import Draft, Drafter
from sixnd.planner.flops import training_flops_per_token
from sixnd.planner.layout import MEMORY_MARGIN
from sixnd.planner.vocabulary import VOCAB_RULE
from sixnd.specs import catalog
from sixnd.specs.plan import Decision, PlannedTraining


def decisions(drafter: Drafter, draft: Draft, trained: PlannedTraining) -> list[Decision]:
    """Every choice of the plan with its reason and source."""
    return [
        *_budget(drafter, draft),
        *_model(drafter, draft),
        *_vocabulary(drafter, draft),
        *_tokens(drafter, draft),
        *_optimizer(drafter, draft, trained),
        *_layout(drafter, draft),
        *_intervals(drafter),
    ]


def _budget(drafter: Drafter, draft: Draft) -> list[Decision]:
    spec, settled = drafter.spec, draft.rounds
    reason = "given" if spec.budget.compute is not None else "what the hours buy at the predicted throughput"
    if settled > 1:
        reason += f"; model, layout and throughput settled after {settled} rounds"
    compute = Decision(
        what="budget.compute_flops",
        value=f"{draft.compute_flops:.4g} FLOPs",
        reason=f"{reason}; spent in {draft.steps:,} whole steps",
        source="spec: budget" if spec.budget.compute is not None else "C = 6ND (Kaplan et al. 2020, §2.1)",
        pinned=spec.budget.compute is not None,
    )
    return [compute, _law_comparison(drafter, draft), _flop_convention(draft)]


def _law_comparison(drafter: Drafter, draft: Draft) -> Decision:
    compute = drafter.spec.budget.compute or draft.compute_flops
    parts = []
    for name in catalog.names("laws"):
        best, sure = laws.optimum(catalog.law(name), compute), laws.params_interval(name, compute)
        parts.append(
            f"{name}: N {best.params:.3g} (80 % {sure.low:.3g} to {sure.high:.3g}), D {best.tokens:.3g}, "
            f"{best.tokens / best.params:.3g} tokens a parameter, loss {best.loss:.4f}"
        )
    return Decision(
        what="law",
        value=drafter.spec.law,
        reason=f"what each law would choose for {compute:.4g} FLOPs: " + "; ".join(parts),
        source=drafter.law.source,
        pinned="law" in drafter.spec.model_fields_set,
    )


def _flop_convention(draft: Draft) -> Decision:
    m = draft.candidate.model
    exact = training_flops_per_token(m)
    return Decision(
        what="model.flops_per_token",
        value=f"{exact:.4g} FLOPs",
        reason=(
            f"exact matrix products, forward and backward, causal attention as half; {exact / (6 * m.params):.3f} × 6N, "
            "so time and MFU count these, the budget counts 6ND"
        ),
        source="counted by module; convention of PaLM, appendix B (Chowdhery et al. 2022)",
    )


def _model(drafter: Drafter, draft: Draft) -> list[Decision]:
    spec, m = drafter.spec, draft.candidate.model
    if spec.model.shape is not None:
        reason, source = "the spec gives the shape", "spec: model.shape"
    elif spec.model.params is not None:
        off = m.params / spec.model.params - 1
        reason, source = f"nearest shape of the lattice, {off:+.1%} from what was asked", "spec: model.params"
    elif spec.data.tokens is not None:
        reason, source = "largest shape whose 6ND stays within the budget on the pinned tokens", "spec: data.tokens"
    else:
        reason, source = "shape of the lattice with the least predicted loss at D = C/(6N)", drafter.law.source
    shape = Decision(
        what="model.shape",
        value=f"{m.layers} layers, hidden {m.hidden}, {m.heads} heads, {m.kv_heads} key-value heads, FFN {m.ffn}",
        reason="the spec gives it"
        if spec.model.shape
        else "SwiGLU width 8/3 of hidden, head width by size, heads that split over TP",
        source=source
        if spec.model.shape
        else f"{ASPECT_SOURCE}; SwiGLU width: Shazeer 2020; shared key-value heads: Ainslie et al. 2023",
        pinned=spec.model.shape is not None,
    )
    params = Decision(
        what="model.params",
        value=f"{m.params:,} ({m.params_non_embedding:,} without embeddings)",
        reason=reason,
        source=source,
        pinned=drafter.model_pinned,
    )
    return [params, shape]


def _vocabulary(drafter: Drafter, draft: Draft) -> list[Decision]:
    request, c = drafter.spec.model, draft.candidate
    pinned, tie_pinned = request.vocab_size is not None, request.tied_embeddings is not None
    vocab = Decision(
        what="model.vocab_size",
        value=f"{c.vocab_size:,}, padded to {c.model.vocab:,}",
        reason=f"padded to a multiple of {drafter.multiple:,}, so that every tensor-parallel rank holds as many rows",
        source="spec: model.vocab_size" if pinned else VOCAB_RULE,
        pinned=pinned,
    )
    tied = Decision(
        what="model.tied_embeddings",
        value="tied" if c.model.tied else "untied",
        reason="the spec says so"
        if tie_pinned
        else "two embeddings would " + ("" if c.model.tied else "not ") + "exceed a fifth of N",
        source="spec: model.tied_embeddings" if tie_pinned else "rule: tie above a fifth of N",
        pinned=tie_pinned,
    )
    return [vocab, tied]


def _tokens(drafter: Drafter, draft: Draft) -> list[Decision]:
    pinned = drafter.spec.data.tokens is not None
    return [
        Decision(
            what="data.tokens",
            value=f"{draft.tokens:,}",
            reason=("asked for" if pinned else "C/(6N)")
            + f", in whole steps; {draft.tokens / draft.candidate.model.params:.3g} a parameter",
            source="spec: data.tokens" if pinned else "C = 6ND",
            pinned=pinned,
        )
    ]


def _optimizer(drafter: Drafter, draft: Draft, trained: PlannedTraining) -> list[Decision]:
    spec, law = drafter.spec, catalog.hyperparameter_law(drafter.spec.hyperparameter_law)
    pinned_batch, pinned_rate = spec.training.global_batch is not None, spec.training.learning_rate is not None
    deviation = draft.batch.deviation(spec.model.sequence_length)
    wanted = "the spec" if pinned_batch else spec.hyperparameter_law
    batch = Decision(
        what="training.global_batch",
        value=f"{draft.batch.sequences:,} sequences = {draft.batch.sequences * spec.model.sequence_length:,} tokens",
        reason=f"{wanted} asks for {draft.batch.wanted_tokens:,.0f} tokens; {deviation:+.1%} to whole sequences that divide over the replicas",
        source="spec: training.global_batch" if pinned_batch else law.source,
        pinned=pinned_batch,
    )
    rate = Decision(
        what="training.learning_rate",
        value=f"{trained.learning_rate:.4g}",
        reason="the spec gives it"
        if pinned_rate
        else f"{spec.hyperparameter_law} at {draft.candidate.model.params_non_embedding:.3g} non-embedding "
        f"parameters and {draft.tokens:.3g} tokens; {law.weakness}",
        source="spec: training.learning_rate" if pinned_rate else law.source,
        pinned=pinned_rate,
    )  # fmt: skip
    adam = Decision(
        what="training.adam",
        value=f"β {trained.adam_beta1}, {trained.adam_beta2}, ε {trained.adam_eps:g}, weight decay {trained.weight_decay:g}, "
        f"clip {trained.clip_grad_norm:g}",
        reason="settings of published runs",
        source=hyperparameters.ADAM_SOURCE,
    )
    init = Decision(
        what="training.init_std",
        value=f"{trained.init_std:.4g}",
        reason="smaller for wider models",
        source=hyperparameters.INIT_SOURCE,
    )
    precision = Decision(
        what="training.precision",
        value=trained.precision,
        reason="BF16 where the catalog gives the accelerator a BF16 peak, else FP32",
        source="spec: training.precision" if spec.training.precision != "auto" else "catalog: peak_flops",
        pinned=spec.training.precision != "auto",
    )
    return [batch, rate, adam, init, precision]


def _layout(drafter: Drafter, draft: Draft) -> list[Decision]:
    found, spec = draft.found, drafter.spec
    pins = [name for name, value in spec.layout.plain().items() if value != "auto"]
    fixed = f"; the spec fixes {', '.join(pins)}" if pins else ""
    layout = Decision(
        what="layout",
        value=found.layout.label(),
        reason=(
            f"fastest of {found.fitting:,} layouts that fit, of {found.allowed:,} that obey every rule, of {found.considered:,} "
            f"considered; {MEMORY_MARGIN:.0%} of memory kept free{fixed}"
        ),
        source="exhaustive search with the step-time and memory models; rules of Megatron-core 0.16",
        pinned=bool(pins),
    )
    return [layout]


def _intervals(drafter: Drafter) -> list[Decision]:
    spec, machine = drafter.spec, drafter.machine
    known = machine.accelerator.hours_between_failures is not None
    young = (
        f"Young 1974, with a stop each {machine.accelerator.hours_between_failures:,.0f} accelerator-hours (catalog), at least "
        if known
        else ""
    )
    saving, measuring = spec.checkpoints.every_steps is not None, spec.evaluation.every_steps is not None
    checkpoints = Decision(
        what="checkpoints.every_steps",
        value=f"about every {young and 'Young interval' or 'tenth of the run'}",
        reason="the spec gives it" if saving else f"{young}ten times in a run",
        source="spec: checkpoints.every_steps" if saving else "Young 1974" if known else "rule",
        pinned=saving,
    )
    evaluation = Decision(
        what="evaluation.every_steps",
        value="about ten times",
        reason="the spec gives it" if measuring else "enough points to see the loss fall",
        source="spec: evaluation.every_steps" if measuring else "rule",
        pinned=measuring,
    )
    goodput = goodput_of(machine, spec.cluster.goodput)
    pinned = spec.cluster.goodput is not None
    share = Decision(
        what="cluster.goodput",
        value=f"{goodput:g}",
        reason="share of wall-clock that trains",
        source="spec: cluster.goodput" if pinned else f"catalog: {spec.accelerators.name}",
        pinned=pinned,
    )
    return [checkpoints, evaluation, share]
