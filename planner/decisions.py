"""Why each thing in a plan is as it is."""

from sixnd.planner import laws
from sixnd.planner.anneal_decisions import anneal_decision
from sixnd.planner.architecture import ASPECT_SOURCE
from sixnd.planner.document_masks import document_masks_decision
from sixnd.planner.draft import Draft, Drafter
from sixnd.planner.evaluation import task_decisions
from sixnd.planner.failures import DALY
from sixnd.planner.goodput import known_stops
from sixnd.planner.layout_search import MEMORY_MARGIN
from sixnd.planner.lora_decisions import lora_decisions
from sixnd.planner.mix_decisions import sources_decision
from sixnd.planner.model import summary
from sixnd.planner.sites import sites_decisions
from sixnd.planner.training_decisions import decided, training_decisions
from sixnd.planner.vocabulary import VOCAB_RULE, vocabulary_source
from sixnd.planner.vocabulary_law import vocabulary_sizes
from sixnd.specs import catalog
from sixnd.specs.checkpoint_policy import PlannedCheckpoints
from sixnd.specs.laws import VocabularyLaw
from sixnd.specs.plan import Decision, PlannedData, PlannedEvaluation, PlannedTraining

_VOCABULARY_LAW = "tao-2024"
SERVING_SOURCE = "Sardana et al. 2024 (arXiv:2401.00448), eq. 3 to 6"


def decisions(
    drafter: Drafter,
    draft: Draft,
    data: PlannedData,
    trained: PlannedTraining,
    checkpoints: PlannedCheckpoints,
    evaluation: PlannedEvaluation,
    precisions: str,
) -> list[Decision]:
    """Every choice of the plan with its reason and source."""
    clock = drafter.clock(draft)
    return [
        _compute(drafter, draft),
        _law(drafter, draft),
        _flop_convention(draft),
        _params(drafter, draft),
        _shape(drafter, draft),
        _vocabulary(drafter, draft),
        _tied(drafter, draft),
        _tokens(drafter, draft),
        sources_decision(drafter.spec, data),
        *anneal_decision(drafter.spec, data, trained),
        *document_masks_decision(data, draft.candidate.model),
        *lora_decisions(drafter.spec, draft.candidate.model.architecture, draft.candidate.model.params),
        *training_decisions(drafter, draft, trained),
        _precision(drafter, precisions),
        _layout(drafter, draft),
        _checkpoints(drafter, draft, checkpoints),
        _evaluation(drafter, evaluation),
        *task_decisions(drafter.spec, evaluation, trained, draft.candidate.model.sequence, clock.evaluated_share),
        _goodput(drafter, draft),
        *sites_decisions(drafter.spec, draft.candidate.model.params, draft.step_time_s),
    ]


def _compute(drafter: Drafter, draft: Draft) -> Decision:
    budget = drafter.spec.budget
    settled = f"; model, layout and throughput settled after {draft.rounds} rounds" if draft.rounds > 1 else ""
    reason, source = "what the hours buy at the predicted throughput", "C = 6ND (Kaplan et al. 2020, §2.1)"
    if budget.compute is not None:
        reason, source = f"the budget, counted as {budget.counting}", "spec: budget.compute"
    elif budget.loss is not None:
        reason, source = f"the least that reaches a loss of {budget.loss:g} by {drafter.law_name}", "spec: budget.loss"
    return Decision(
        what="budget.compute_flops",
        value=f"{draft.compute_flops:.4g} FLOPs",
        reason=f"{reason}, spent in {draft.steps:,} whole steps{settled}",
        source=source,
        pinned=budget.compute is not None,
    )


def _law(drafter: Drafter, draft: Draft) -> Decision:
    best = laws.optimum(drafter.law, draft.compute_flops)
    sure = laws.params_interval(drafter.law, draft.compute_flops)
    assert sure is not None, "a spec only takes laws that give an interval"
    return Decision(
        what="law",
        value=drafter.law_name,
        reason=(
            f"at {draft.compute_flops:.4g} FLOPs its optimum is N {best.params:.3g} (80 % {sure.low:.3g} to "
            f"{sure.high:.3g}), D {best.tokens:.3g}; what other laws would choose stands in the table of laws"
        ),
        source=drafter.law.source,
        pinned="law" in drafter.spec.model_fields_set,
    )


def _flop_convention(draft: Draft) -> Decision:
    exact, convention = draft.candidate.model.training_flops, draft.candidate.model.convention_flops
    name = "6N" if draft.candidate.model.adapters is None else "(4N + 6n)"
    return Decision(
        what="model.flops_per_token",
        value=f"{exact:.4g} FLOPs",
        reason=(
            f"exact matrix products, forward and backward, causal attention as half: {exact / convention:.3f} × "
            f"{name}; time and MFU count these, the budget counts {name}D unless budget.counting says exact"
        ),
        source="counted by module; MFU as in PaLM, appendix B (Chowdhery et al. 2022)",
    )


def _params(drafter: Drafter, draft: Draft) -> Decision:
    reason, source = _why_params(drafter, draft)
    m = draft.candidate.model
    active = f"{m.active_params:,} for each token, " if m.active_params != m.params else ""
    value = f"{m.params:,} ({active}{m.params_non_embedding:,} without embeddings)"
    return Decision(what="model.params", value=value, reason=reason, source=source, pinned=drafter.model_pinned)


def _why_params(drafter: Drafter, draft: Draft) -> tuple[str, str]:
    spec, params = drafter.spec, draft.candidate.model.params
    if spec.model.shape is not None:
        return "the parameters of the spec's shape", "spec: model.shape"
    if spec.model.family is not None:
        return f"the parameters of {spec.model.family}", "spec: model.family"
    if spec.model.params is not None:
        off = params / spec.model.params - 1
        return f"nearest shape of the lattice, {off:+.1%} from what was asked", "spec: model.params"
    if spec.budget.loss is not None:
        return "shape of the lattice that reaches the loss with the least compute", drafter.law.source
    if spec.data.tokens is not None:
        return "largest shape whose compute on the pinned tokens stays within the budget", "spec: data.tokens"
    if spec.inference is not None:
        return _for_serving(drafter, draft), SERVING_SOURCE
    return "shape of the lattice with the least predicted loss for the compute", drafter.law.source


def _for_serving(drafter: Drafter, draft: Draft) -> str:
    free = laws.optimum(drafter.law, draft.compute_flops)
    return (
        "cheapest over its life for the loss it reaches: serving costs as much as "
        f"{drafter.question.served_tokens:.3g} tokens at 2N training FLOPs; without it the law would "
        f"choose {free.params:.3g}"
    )


def _shape(drafter: Drafter, draft: Draft) -> Decision:
    m = draft.candidate.model
    if drafter.spec.model.family is not None:
        family = catalog.model_family(drafter.spec.model.family)
        return decided(
            "model.shape", summary(m.architecture), True, f"as published: {family.description}", family.source
        )
    value = summary(m.architecture)
    reason = "a width and depth of the lattice; SwiGLU width 8/3 of hidden; heads that split over tensor-parallel ranks"
    source = f"{ASPECT_SOURCE}; SwiGLU: Shazeer 2020; shared key-value heads: Ainslie et al. 2023"
    return decided("model.shape", value, drafter.spec.model.shape is not None, reason, source)


def _vocabulary(drafter: Drafter, draft: Draft) -> Decision:
    c, source = draft.candidate, vocabulary_source(drafter.spec)
    return Decision(
        what="model.vocab_size",
        value=f"{c.vocab_size:,}, padded to {c.model.vocab:,}",
        reason=(
            f"padded to a multiple of {drafter.multiple:,}, so that every tensor-parallel rank holds as many rows; "
            + _lawful_vocabulary(draft)
        ),
        source=source,
        pinned=source != VOCAB_RULE,
    )


def _lawful_vocabulary(draft: Draft) -> str:
    """What the vocabulary law would choose for this model and compute."""
    law, m = catalog.law(_VOCABULARY_LAW), draft.candidate.model
    assert isinstance(law, VocabularyLaw)
    sizes = vocabulary_sizes(law, m.params_non_embedding, m.hidden, draft.compute_flops)
    found = sorted((sizes.by_isoflops, sizes.by_derivative, sizes.by_loss))
    assert law.fitted_params is not None
    inside = law.fitted_params[0] <= m.params_non_embedding <= law.fitted_params[1]
    beyond = "" if inside else ", outside the range of its runs"
    return f"{_VOCABULARY_LAW} would choose {found[0]:,.0f} to {found[-1]:,.0f} entries{beyond}"


def _tied(drafter: Drafter, draft: Draft) -> Decision:
    tied, pinned = draft.candidate.model.tied, drafter.spec.model.tied_embeddings is not None
    reason = f"two embeddings would {'' if tied else 'not '}exceed a fifth of N"
    value = "tied" if tied else "untied"
    return decided("model.tied_embeddings", value, pinned, reason, "rule: tie above a fifth of N")


def _tokens(drafter: Drafter, draft: Draft) -> Decision:
    pinned, asked_loss = drafter.spec.data.tokens is not None, drafter.spec.budget.loss is not None
    counted = "C/(6N)" if draft.candidate.model.adapters is None else "C/(4N + 6n)"
    counting = counted if drafter.spec.budget.counting == "6ND" else "C over the exact FLOPs a token"
    how = "asked for" if pinned else "what the loss needs" if asked_loss else counting
    ratio = draft.tokens / draft.candidate.model.active_params
    return Decision(
        what="data.tokens",
        value=f"{draft.tokens:,}",
        reason=f"{how}, in whole steps; {ratio:.3g} a parameter, {ratio / laws.CHINCHILLA_RATIO:.2g}× the rule of "
        f"{laws.CHINCHILLA_RATIO:g}",
        source="spec: data.tokens" if pinned else "C = 6ND; 20 tokens a parameter: Hoffmann et al. 2022, Table 3",
        pinned=pinned,
    )


def _precision(drafter: Drafter, precisions: str) -> Decision:
    asked, chosen = drafter.spec.training.precision, drafter.machine.precision
    reason = "BF16 where the catalog gives the accelerator a BF16 peak, else FP32"
    if asked == "fastest":
        reason = f"takes the budget furthest: {precisions}" if precisions else "the only one with a peak and constants"
    return decided("training.precision", chosen, asked not in ("auto", "fastest"), reason, "catalog: peak_flops")


def _layout(drafter: Drafter, draft: Draft) -> Decision:
    found = draft.found
    pins = [name for name, value in drafter.spec.layout.plain().items() if value != "auto"]
    fixed = f"; the spec fixes {', '.join(pins)}" if pins else ""
    fastest = (
        f"fastest of {found.allowed:,} layouts that obey every rule, {found.fitting:,} of which fit with some "
        "recomputation"
        if found.allowed > 1
        else "the only layout that obeys every rule"
    )
    return Decision(
        what="layout",
        value=found.layout.label(),
        reason=(
            f"{fastest}, of {found.considered:,} splits considered; {MEMORY_MARGIN:.0%} of memory kept free{fixed}"
        ),
        source="exhaustive search with the step-time and memory models; rules of Megatron-core 0.16",
        pinned=bool(pins),
    )


def _checkpoints(drafter: Drafter, draft: Draft, planned: PlannedCheckpoints) -> Decision:
    stops = known_stops(drafter.spec, drafter.machine, draft.candidate.model.params)
    reason, source = "ten times in a run", "rule: ten, as the catalog knows no failure rate"
    if stops is not None:
        reason = (
            f"loses least with a stop each {stops.between_s / 3600:,.3g} h and {stops.write_s:.3g} s to write a "
            f"checkpoint, {stops.stall_s:.3g} s of which training waits; and at least ten times in a run"
        )
        source = f"{DALY}; catalog: {drafter.spec.accelerators.name}"
    pinned = drafter.spec.checkpoints.every_steps is not None
    return decided("checkpoints.every_steps", f"{planned.every_steps:,}", pinned, reason, source)


def _evaluation(drafter: Drafter, planned: PlannedEvaluation) -> Decision:
    pinned = drafter.spec.evaluation.every_steps is not None
    reason = "about ten validations in a run"
    return decided("evaluation.every_steps", f"{planned.every_steps:,}", pinned, reason, "rule: ten")


def _goodput(drafter: Drafter, draft: Draft) -> Decision:
    clock, pinned = drafter.clock(draft), drafter.spec.cluster.goodput is not None
    name = drafter.spec.accelerators.name
    if clock.stops is None:
        reason = "share of wall-clock that trains; the catalog knows no failures of this machine"
        return decided("cluster.goodput", f"{clock.goodput:g}", pinned, reason, f"catalog: {name}")
    parts = clock.parts
    spent = {
        "work done again": parts.lost_work,
        "restarts": parts.restarts,
        "checkpoints": parts.checkpoints,
        "waiting for machines": parts.waiting,
    }
    shares = ", ".join(f"{what} {seconds / parts.total:.2%}" for what, seconds in spent.items() if seconds)
    reason = (
        f"a stop each {clock.stops.between_s / 3600:,.3g} h and {clock.stops.restart_s:,.0f} s to restart; {shares}"
    )
    return decided("cluster.goodput", f"{clock.goodput:.4f}", pinned, reason, f"{DALY}; catalog: {name}")
