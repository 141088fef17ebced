"""From a run's record to what it forgot of its base's text and learnt of the new."""

import math
from collections.abc import Sequence

from sixnd.reports.documents import Figure
from sixnd.reports.figures import exact
from sixnd.reports.forgetting_documents import ForgettingFacts, HeldOutChange, Kind
from sixnd.specs.evaluation_record import SourceLoss, SourceLosses
from sixnd.specs.plan import Plan
from sixnd.specs.record import RunRecord

_DIGITS = 6
"""Beyond what is shown; forward passes on other layouts agree to fewer."""


def forgetting_facts(plan: Plan, record: RunRecord) -> ForgettingFacts | None:
    """What a run forgot; none where it started from no base, or its base was not measured yet."""
    measured = record.source_losses()
    if plan.continual is None or not measured or measured[0].step != 0:
        return None
    general = {source.name for source in plan.continual.general}
    names = sorted((source.name for source in plan.data.sources), key=lambda name: name not in general)
    old, new = [n for n in names if n in general], [n for n in names if n not in general]
    return ForgettingFacts(
        base=base_name(plan),
        replay=exact("share", plan.continual.replay),
        steps=[each.step for each in measured],
        tokens=[plan.tokens_after(each.step) for each in measured],
        curves={name: [_finite(_of(each, [name])[0]) for each in measured] for name in names},
        sources=[*_rows(plan, measured, "general", old), *_rows(plan, measured, "new", new)],
    )


def base_name(plan: Plan) -> str:
    """The base in words."""
    assert plan.continual is not None, "asked of plans with a base"
    step = plan.continual.step
    return plan.continual.name + (f" after step {step:,}" if step else "")


def _rows(plan: Plan, measured: list[SourceLosses], kind: Kind, names: list[str]) -> list[HeldOutChange]:
    found = [_change(plan, measured, kind, name, [name]) for name in names]
    if len(names) > 1:
        found.append(_change(plan, measured, kind, f"all {kind} text", names))
    return found


def _change(plan: Plan, measured: list[SourceLosses], kind: Kind, label: str, names: Sequence[str]) -> HeldOutChange:
    curve = [_of(each, names) for each in measured]
    losses = [loss for loss, _ in curve]
    # a loss that is no number is the highest there can be
    highest = max(range(1, len(losses)), key=lambda i: math.inf if math.isnan(losses[i]) else losses[i], default=0)
    share = sum(source.weight for source in plan.data.sources if source.name in names)
    return HeldOutChange(
        name=label,
        kind=kind,
        replayed=exact("share", share),
        before=_nats(losses[0]),
        highest=_nats(losses[highest]),
        highest_step=measured[highest].step,
        after=_nats(losses[-1]),
        change=signed(_nats(losses[-1] - losses[0])),
        bits_before=_bits(curve[0][1]),
        bits_after=_bits(curve[-1][1]),
        bits_change=signed(_bits(curve[-1][1] - curve[0][1])),
        held_out_tokens=exact("integer", sum(one.tokens for one in _sources(measured[0], names))),
        together=len(names) > 1,
    )


def signed(figure: Figure) -> Figure:
    """The figure of a change, with a plus where it is above zero."""
    if figure.value is None or figure.value <= 0:
        return figure
    return figure.model_copy(update={"text": f"+{figure.text}", "full": f"+{figure.full}"})


def _nats(value: float) -> Figure:
    return exact("nats", round(value, _DIGITS) + 0.0)  # no -0.000


def _bits(value: float) -> Figure:
    """Bits per byte, to as many digits as nats."""
    figure = exact("nats", round(value, _DIGITS) + 0.0)
    text = figure.text.removesuffix(" nats")
    return figure.model_copy(update={"text": text, "full": text})


def _of(each: SourceLosses, names: Sequence[str]) -> tuple[float, float]:
    """Nats per token and bits per byte of all text of these sources."""
    found = _sources(each, names)
    nats = sum(one.loss * one.tokens for one in found)
    return nats / sum(one.tokens for one in found), nats / sum(one.bytes for one in found) / math.log(2)


def _sources(each: SourceLosses, names: Sequence[str]) -> list[SourceLoss]:
    return [one for one in each.sources if one.name in names]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
