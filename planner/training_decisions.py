"""Why batch, learning rate, schedule and optimizer are as they are, and what other laws would choose."""

from sixnd.planner import hyperparameters, mup
from sixnd.planner.batch_scaling import SOURCES
from sixnd.planner.draft import Draft, Drafter
from sixnd.planner.hyperparameter_laws import Choice, Point, choices
from sixnd.planner.hyperparameters import CUT_SOURCE, LARGEST_RATE, PeakRate, peak_rate
from sixnd.planner.practice import practice_decisions
from sixnd.planner.ramp_decisions import ramp_decisions
from sixnd.planner.schedule import schedule_decisions
from sixnd.specs import catalog
from sixnd.specs.plan import Decision, PlannedTraining

_TIMESCALE_SOURCE = "Wang and Aitchison 2024, arXiv:2405.13698; Bergsma et al. 2025, arXiv:2505.13738"


def training_decisions(drafter: Drafter, draft: Draft, trained: PlannedTraining) -> list[Decision]:
    """Every choice of the optimizer with its reason and source."""
    return [
        _batch(drafter, draft),
        *ramp_decisions(trained, draft.candidate.model.sequence),
        _learning_rate(drafter, draft),
        *schedule_decisions(drafter.spec.training, trained),
        _adam(drafter, trained),
        _init(trained),
        *_parametrization(draft, trained),
        *practice_decisions(trained),
    ]


def decided(what: str, value: str, pinned: bool, reason: str, source: str, field: str = "") -> Decision:
    """A decision; where the spec made it, the spec's field is its source and its reason."""
    if not pinned:
        return Decision(what=what, value=value, reason=reason, source=source)
    field = field or what
    return Decision(what=what, value=value, reason=f"{field} says so", source=f"spec: {field}", pinned=True)


def _batch(drafter: Drafter, draft: Draft) -> Decision:
    spec, batch = drafter.spec, draft.batch
    pinned, length = spec.training.global_batch is not None, spec.model.sequence_length
    asked = "the spec" if pinned else spec.hyperparameter_law
    point = drafter.point(draft.candidate, draft.tokens)
    return Decision(
        what="training.global_batch",
        value=f"{batch.sequences:,} sequences = {batch.sequences * length:,} tokens",
        reason=(
            f"{asked} asks for {batch.wanted_tokens:,.0f} tokens; {batch.deviation(length):+.1%} to whole sequences"
            + ("" if pinned else " that divide over replicas and micro-batches")
            + f"; by law: {_spread(point, 'batch_tokens')}"
        ),
        source="spec: training.global_batch" if pinned else catalog.hyperparameter_law(spec.hyperparameter_law).source,
        pinned=pinned,
    )


def _learning_rate(drafter: Drafter, draft: Draft) -> Decision:
    spec, model = drafter.spec, draft.candidate.model
    point = drafter.point(draft.candidate, draft.tokens)
    rate = peak_rate(spec, point, draft.batch.sequences * model.sequence)
    spread = f"by law: {_spread(point, 'learning_rate')}"
    value = f"{rate.value:.4g}"
    if rate.lawful is None:
        pinned = decided("training.learning_rate", value, True, "", "")
        return pinned.model_copy(update={"reason": f"{pinned.reason}; {spread}"})
    law = catalog.hyperparameter_law(spec.hyperparameter_law)
    sources = [law.source] + ([] if rate.lawful_batch_tokens is None else [SOURCES[spec.training.batch_scaling]])
    sources += [] if rate.uncut is None else [CUT_SOURCE]
    return Decision(
        what="training.learning_rate",
        value=value,
        reason=f"{_derivation(drafter, draft, point, rate)}{_cut(rate)}; {spread}; {law.weakness}",
        source="; ".join(sources),
    )


def _cut(rate: PeakRate) -> str:
    return "" if rate.uncut is None else f"; {rate.uncut:.4g} is cut to {LARGEST_RATE:g}"


def _derivation(drafter: Drafter, draft: Draft, point: Point, rate: PeakRate) -> str:
    spec = drafter.spec
    said = (
        f"{spec.hyperparameter_law} says {rate.lawful:.4g} at {point.params:.3g} non-embedding parameters and "
        f"{point.tokens:.3g} tokens"
    )
    if rate.lawful_batch_tokens is None:
        return said
    rule, length = spec.training.batch_scaling, draft.candidate.model.sequence
    pinned = draft.batch.sequences * length
    moved = f"{said}, for its own batch of {rate.lawful_batch_tokens:,.0f} tokens; the spec pins {pinned:,}, "
    if rule == "none":
        return moved + "and training.batch_scaling leaves the rate as it is"
    larger = "; above the law's batch the rule may ask for too much: the best rate rises with the batch, then falls"
    factor = (rate.uncut or rate.value) / (rate.lawful or 1)
    return (
        f"{moved}so the rate is multiplied by {factor:.4g} ({rule} of the batches' ratio"
        f"{larger if pinned > rate.lawful_batch_tokens else ''})"
    )


def _spread(point: Point, what: str) -> str:
    """What each law would choose, those outside the range they were checked on marked."""
    found = choices(point.params, point.tokens, point.loss)
    return "; ".join(_one_law(each, what) for each in found if getattr(each, what) is not None or _breaks(each, what))


def _breaks(found: Choice, what: str) -> bool:
    """Whether the law has a form for it that cannot be used here."""
    return getattr(catalog.hyperparameter_law(found.law), what) is not None


def _one_law(found: Choice, what: str) -> str:
    value = getattr(found, what)
    if value is None:
        return f"{found.law} nothing: {found.why_not}"
    shown = f"{value:.3g}" if what == "learning_rate" else f"{value / 1e6:.3g}M"
    outside = f" ({found.decades_outside:.1f} decades outside its range)" if found.decades_outside else ""
    return f"{found.law} {shown}{outside}"


def _adam(drafter: Drafter, trained: PlannedTraining) -> Decision:
    fields = {"weight_decay", "clip_grad_norm"}
    return Decision(
        what="training.adam",
        value=(
            f"β {trained.adam_beta1}, {trained.adam_beta2}, ε {trained.adam_eps:g}, "
            f"weight decay {trained.weight_decay:g}, clip {trained.clip_grad_norm:g}"
        ),
        reason=f"settings of published runs{_timescale(trained)}",
        source=f"{hyperparameters.ADAM_SOURCE}; timescale: {_TIMESCALE_SOURCE}",
        pinned=bool(fields & drafter.spec.training.model_fields_set),
    )


def _timescale(trained: PlannedTraining) -> str:
    """τ = B / (η λ D) = 1 / (η λ steps), in runs, at the peak learning rate."""
    decay = trained.learning_rate * trained.weight_decay
    if not decay:
        return "; without weight decay the weights average over the whole run"
    tau = 1 / (decay * trained.steps)
    return f"; weights average their updates over τ = B/(lr·decay·D) = {tau:.3g} of the run at the peak learning rate"


def _init(trained: PlannedTraining) -> Decision:
    value, source = f"{trained.init_std:.4g}", hyperparameters.INIT_SOURCE
    return Decision(what="training.init_std", value=value, reason="smaller for wider models", source=source)


def _parametrization(draft: Draft, trained: PlannedTraining) -> list[Decision]:
    m, hidden = trained.mup, draft.candidate.model.hidden
    if m is None:
        return []
    return [
        Decision(
            what="training.parametrization",
            value=f"mup, {hidden / m.base_width:.4g} times the base width {m.base_width}",
            reason=(
                f"hidden matrices: learning rate × {m.hidden_lr_multiplier:.4g}, weight decay × "
                f"{m.hidden_weight_decay_multiplier:.4g}, initial std {trained.init_std:.4g}; embedding and head: "
                f"initial std {m.embedding_init_std:.4g}; logits × {m.logit_multiplier:.4g}; query · key × "
                f"{m.attention_scale:.4g}; depth and batch are not transferred"
            ),
            source=mup.SOURCE,
            pinned=True,
        )
    ]
