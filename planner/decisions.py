"""Why each thing in a plan is as it is."""

from sixnd.planner import laws
from sixnd.planner.architecture import ASPECT_SOURCE
from sixnd.planner.cost import goodput_of
from sixnd.planner.draft import Draft, Drafter
from sixnd.planner.flops import training_flops_per_token
from sixnd.planner.layout import MEMORY_MARGIN
from sixnd.planner.training_decisions import decided, training_decisions
from sixnd.planner.vocabulary import VOCAB_RULE
from sixnd.specs import catalog
from sixnd.specs.plan import Decision, PlannedCheckpoints, PlannedEvaluation, PlannedTraining


def decisions(
    drafter: Drafter,
    draft: Draft,
    trained: PlannedTraining,
    checkpoints: PlannedCheckpoints,
    evaluation: PlannedEvaluation,
) -> list[Decision]:
    """Every choice of the plan with its reason and source."""
    return [
        _compute(drafter, draft),
        _law(drafter, draft),
        _flop_convention(draft),
        _params(drafter, draft),
        _shape(drafter, draft),
        _vocabulary(drafter, draft),
        _tied(drafter, draft),
        _tokens(drafter, draft),
        *training_decisions(drafter, draft, trained),
        _precision(drafter),
        _layout(drafter, draft),
        _checkpoints(drafter, checkpoints),
        _evaluation(drafter, evaluation),
        _goodput(drafter),
    ]


def _compute(drafter: Drafter, draft: Draft) -> Decision:
    given = drafter.spec.budget.compute is not None
    reason = "the budget" if given else "what the hours buy at the predicted throughput"
    settled = f"; model, layout and throughput settled after {draft.rounds} rounds" if draft.rounds > 1 else ""
    return Decision(
        what="budget.compute_flops",
        value=f"{draft.compute_flops:.4g} FLOPs",
        reason=f"{reason}, spent in {draft.steps:,} whole steps{settled}",
        source="spec: budget.compute" if given else "C = 6ND (Kaplan et al. 2020, §2.1)",
        pinned=given,
    )


def _law(drafter: Drafter, draft: Draft) -> Decision:
    compute = drafter.spec.budget.compute or draft.compute_flops
    choices = "; ".join(_law_choice(name, compute) for name in catalog.names("laws"))
    return Decision(
        what="law",
        value=drafter.spec.law,
        reason=f"what each law would choose for {compute:.4g} FLOPs: {choices}",
        source=drafter.law.source,
        pinned="law" in drafter.spec.model_fields_set,
    )


def _law_choice(name: str, compute: float) -> str:
    best, sure = laws.optimum(catalog.law(name), compute), laws.params_interval(name, compute)
    return (
        f"{name}: N {best.params:.3g} (80 % {sure.low:.3g} to {sure.high:.3g}), D {best.tokens:.3g}, "
        f"{best.tokens / best.params:.3g} tokens a parameter, loss {best.loss:.4f}"
    )


def _flop_convention(draft: Draft) -> Decision:
    exact, params = training_flops_per_token(draft.candidate.model), draft.candidate.model.params
    return Decision(
        what="model.flops_per_token",
        value=f"{exact:.4g} FLOPs",
        reason=(
            f"exact matrix products, forward and backward, causal attention as half: {exact / (6 * params):.3f} × 6N; "
            "time and MFU count these, the budget counts 6ND"
        ),
        source="counted by module; MFU as in PaLM, appendix B (Chowdhery et al. 2022)",
    )


def _params(drafter: Drafter, draft: Draft) -> Decision:
    request, params = drafter.spec.model, draft.candidate.model.params
    if request.shape is not None:
        reason, source = "the parameters of the spec's shape", "spec: model.shape"
    elif request.params is not None:
        reason = f"nearest shape of the lattice, {params / request.params - 1:+.1%} from what was asked"
        source = "spec: model.params"
    elif drafter.spec.data.tokens is not None:
        reason, source = "largest shape whose 6ND on the pinned tokens stays within the budget", "spec: data.tokens"
    else:
        reason, source = "shape of the lattice with the least predicted loss at D = C/(6N)", drafter.law.source
    inner = draft.candidate.model.params_non_embedding
    value = f"{params:,} ({inner:,} without embeddings)"
    return Decision(what="model.params", value=value, reason=reason, source=source, pinned=drafter.model_pinned)


def _shape(drafter: Drafter, draft: Draft) -> Decision:
    m = draft.candidate.model
    value = f"{m.layers} layers, hidden {m.hidden}, {m.heads} heads, {m.kv_heads} key-value heads, FFN {m.ffn}"
    reason = "a width and depth of the lattice; SwiGLU width 8/3 of hidden; heads that split over tensor-parallel ranks"
    source = f"{ASPECT_SOURCE}; SwiGLU: Shazeer 2020; shared key-value heads: Ainslie et al. 2023"
    return decided("model.shape", value, drafter.spec.model.shape is not None, reason, source)


def _vocabulary(drafter: Drafter, draft: Draft) -> Decision:
    c, pinned = draft.candidate, drafter.spec.model.vocab_size is not None
    return Decision(
        what="model.vocab_size",
        value=f"{c.vocab_size:,}, padded to {c.model.vocab:,}",
        reason=f"padded to a multiple of {drafter.multiple:,}, so that every tensor-parallel rank holds as many rows",
        source="spec: model.vocab_size" if pinned else VOCAB_RULE,
        pinned=pinned,
    )


def _tied(drafter: Drafter, draft: Draft) -> Decision:
    tied, pinned = draft.candidate.model.tied, drafter.spec.model.tied_embeddings is not None
    reason = f"two embeddings would {'' if tied else 'not '}exceed a fifth of N"
    value = "tied" if tied else "untied"
    return decided("model.tied_embeddings", value, pinned, reason, "rule: tie above a fifth of N")


def _tokens(drafter: Drafter, draft: Draft) -> Decision:
    pinned = drafter.spec.data.tokens is not None
    ratio = draft.tokens / draft.candidate.model.params
    return Decision(
        what="data.tokens",
        value=f"{draft.tokens:,}",
        reason=f"{'asked for' if pinned else 'C/(6N)'}, in whole steps; {ratio:.3g} a parameter",
        source="spec: data.tokens" if pinned else "C = 6ND",
        pinned=pinned,
    )


def _precision(drafter: Drafter) -> Decision:
    reason = "BF16 where the catalog gives the accelerator a BF16 peak, else FP32"
    pinned = drafter.spec.training.precision != "auto"
    return decided("training.precision", drafter.machine.precision, pinned, reason, "catalog: peak_flops")


def _layout(drafter: Drafter, draft: Draft) -> Decision:
    found = draft.found
    pins = [name for name, value in drafter.spec.layout.plain().items() if value != "auto"]
    fixed = f"; the spec fixes {', '.join(pins)}" if pins else ""
    return Decision(
        what="layout",
        value=found.layout.label(),
        reason=(
            f"fastest of {found.fitting:,} layouts that fit, of {found.allowed:,} that obey every rule, "
            f"of {found.considered:,} considered; {MEMORY_MARGIN:.0%} of memory kept free{fixed}"
        ),
        source="exhaustive search with the step-time and memory models; rules of Megatron-core 0.16",
        pinned=bool(pins),
    )


def _checkpoints(drafter: Drafter, planned: PlannedCheckpoints) -> Decision:
    between = drafter.machine.accelerator.hours_between_failures
    reason, source = "ten times in a run", "rule: ten, as the catalog knows no failure rate"
    if between is not None:
        reason = f"√(2 · write time · time between failures) with a stop each {between:,.0f} accelerator-hours"
        reason += ", and at least ten times in a run"
        source = f"Young 1974; catalog: {drafter.spec.accelerators.name}"
    pinned = drafter.spec.checkpoints.every_steps is not None
    return decided("checkpoints.every_steps", f"{planned.every_steps:,}", pinned, reason, source)


def _evaluation(drafter: Drafter, planned: PlannedEvaluation) -> Decision:
    pinned = drafter.spec.evaluation.every_steps is not None
    reason = "about ten validations in a run"
    return decided("evaluation.every_steps", f"{planned.every_steps:,}", pinned, reason, "rule: ten")


def _goodput(drafter: Drafter) -> Decision:
    spec, pinned = drafter.spec, drafter.spec.cluster.goodput is not None
    value = f"{goodput_of(drafter.machine, spec.cluster.goodput):g}"
    reason = "share of wall-clock that trains, by published runs"
    return decided("cluster.goodput", value, pinned, reason, f"catalog: {spec.accelerators.name}")
