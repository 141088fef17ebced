"""Whether a claim about a training run can be true: the compute it needs, the MFU it implies, the loss it may expect.

Compute is counted by C = 6ND, with the active parameters of a mixture of experts, and MFU against the accelerator's
dense BF16 peak (FP32 where it has none).
"""

from dataclasses import dataclass

import numpy as np

from sixnd.planner import laws
from sixnd.planner.allocation import Question, compute_for_loss, tokens_for_loss
from sixnd.planner.claim_solver import CLAIMED, Disagreement, Known, Name, Values, disagreements, solve
from sixnd.planner.laws import CHINCHILLA_RATIO, Interval, Surface
from sixnd.planner.published import highest_mfu, typical_mfu
from sixnd.planner.verdict import Verdict, judged
from sixnd.specs import catalog
from sixnd.specs.claim import Claim, IncompleteClaimError
from sixnd.specs.errors import InfeasibleError
from sixnd.specs.laws import NamedLaw, SurfaceLaw

_ROUNDING = 0.05
_OTHER_CORPUS = "losses on another corpus or tokenizer cannot be compared"


@dataclass(frozen=True)
class Run:
    """What the law expects of N parameters on D tokens."""

    params: float
    tokens: float
    tokens_per_param: float
    over_training: float
    """Tokens a parameter over the rule of 20."""
    loss: float
    loss_interval: Interval | None
    """80 %."""
    decades_outside: float
    """Decades outside the range the law was fitted on."""
    least_compute: float
    """FLOPs in which the law's best N and D reach the same loss."""


@dataclass(frozen=True)
class Best:
    """What the law would buy with the same compute."""

    params: float
    params_interval: Interval | None
    """80 %."""
    tokens: float
    tokens_per_param: float
    loss: float
    loss_interval: Interval | None


@dataclass(frozen=True)
class Duration:
    """How long the compute takes at some MFU."""

    at: str
    mfu: float
    accelerator_hours: float
    time_s: float | None
    """Wall-clock, where the number of accelerators is known."""


@dataclass(frozen=True)
class Audit:
    """Everything that is to be said of a claim."""

    name: str
    values: Values
    accelerator: str | None
    peak_flops: float | None
    """Dense peak of one accelerator, FLOP/s."""
    mfu_needed: float | None
    """C over what the peak would do in the accelerator-hours; none where either is not known."""
    verdict: Verdict
    disagreements: list[Disagreement]
    law: str
    run: Run | None
    best: Best
    durations: list[Duration]
    notes: list[str]


def audit(claim: Claim, law: NamedLaw) -> Audit:
    """Hold a claim against arithmetic, a scaling law and published runs.

    Raises ``IncompleteClaimError`` where no compute follows from it, ``InfeasibleError`` where the law reaches the
    claimed loss with nothing that is left open.
    """
    peak = peak_flops(claim)
    values, notes = _solved(claim, law.law, peak)
    needed = _mfu_needed(values, peak)
    found = disagreements(values, peak)
    run = _run(values, law.law)
    compute = values["compute"].value
    return Audit(
        name=claim.name,
        values=values,
        accelerator=claim.accelerator_name,
        peak_flops=peak,
        mfu_needed=needed,
        verdict=judged(claim.accelerator_name, needed, claim.mfu, found),
        disagreements=[*found, *_about_price(claim, values), *_about_loss(claim, law, run)],
        law=law.name,
        run=run,
        best=_best(law.law, compute),
        durations=_durations(claim, values, peak),
        notes=[*notes, *_about_counting(claim, run)],
    )


def peak_flops(claim: Claim) -> float | None:
    """Dense peak of one claimed accelerator in BF16, or in FP32 where it has none; none where none is claimed."""
    if claim.accelerator_name is None:
        return None
    found = catalog.accelerator(claim.accelerator_name)
    sharers = claim.accelerators.count if found.shared_host and claim.accelerators else 1
    return (found.peak_flops.get("bf16") or found.peak_flops["fp32"]) / sharers


def _solved(claim: Claim, law: SurfaceLaw, peak: float | None) -> tuple[Values, list[str]]:
    """All that follows from the claim, and what had to be assumed for it."""
    values = solve(_claimed(claim), peak)
    if "compute" not in values and claim.loss is not None:
        values = solve(values | _by_law(values, law, claim.loss), peak)
    notes = []
    if "price_usd" not in values and claim.accelerator_name is not None:
        price = catalog.accelerator(claim.accelerator_name).price
        if price.usd_per_hour > 0:
            values = solve(values | {"price_usd": Known(price.usd_per_hour, f"catalog, {price.date}")}, peak)
            notes.append(f"no price was claimed: the catalog's of {price.date}, {price.usd_per_hour:g} USD an hour")
    if "compute" not in values:
        raise IncompleteClaimError(*_missing(claim, values, peak))
    return values, notes


def _claimed(claim: Claim) -> Values:
    given: dict[Name, float | None] = {
        "params": claim.active_params or claim.params,
        "tokens": claim.tokens,
        "compute": claim.compute,
        "count": None if claim.accelerators is None else claim.accelerators.count,
        "time_s": claim.time,
        "accelerator_hours": claim.accelerator_hours,
        "money_usd": claim.money,
        "price_usd": claim.price,
        "mfu": claim.mfu,
    }
    return {name: Known(value, CLAIMED) for name, value in given.items() if value is not None}


def _by_law(values: Values, law: SurfaceLaw, loss: float) -> Values:
    """What the claimed loss adds: D at the claimed N, N at the claimed D, or where neither is claimed the least C.

    Raises ``InfeasibleError`` where the law reaches the loss with nothing that is left open.
    """
    own = laws.surface(law)
    if "params" in values:
        return {"tokens": _reaching(own, values["params"].value, loss, "parameters")}
    if "tokens" in values:  # the law with N and D exchanged
        return {"params": _reaching(own.mirrored(), values["tokens"].value, loss, "tokens")}
    return {"compute": Known(float(compute_for_loss(Question(own), loss)), "the least by the law for the claimed loss")}


def _reaching(surface: Surface, given: float, loss: float, what: str) -> Known:
    found = float(tokens_for_loss(Question(surface), np.array([given]), loss)[0])
    if not np.isfinite(found):
        raise InfeasibleError(
            f"by the law no run on {given:.4g} {what} reaches a loss of {loss:g}, however large it is",
            "claim a higher loss, or more of them",
        )
    return Known(found, "the law at the claimed loss")


def _missing(claim: Claim, values: Values, peak: float | None) -> tuple[str, str]:
    said = ", ".join(sorted(claim.model_fields_set - {"version", "name"})) or "nothing"
    message = f"no compute follows from this claim ({said} claimed)"
    do = "give params and tokens, or compute, or loss, or accelerators with mfu and time (accelerator_hours, money)"
    hours = values.get("accelerator_hours")
    if hours is not None and peak is not None:
        do += f"; at 100 % MFU these {hours.value:,.4g} accelerator-hours hold {hours.value * 3600 * peak:.3g} FLOPs"
    return message, do


def _mfu_needed(values: Values, peak: float | None) -> float | None:
    hours = values.get("accelerator_hours")
    if hours is None or peak is None:
        return None
    return values["compute"].value / (hours.value * 3600 * peak)


def _run(values: Values, law: SurfaceLaw) -> Run | None:
    if "params" not in values or "tokens" not in values:
        return None
    params, tokens = values["params"].value, values["tokens"].value
    expected = laws.loss(law, params, tokens)
    return Run(
        params=params,
        tokens=tokens,
        tokens_per_param=tokens / params,
        over_training=tokens / params / CHINCHILLA_RATIO,
        loss=expected,
        loss_interval=laws.loss_interval(law, params, tokens),
        decades_outside=laws.decades_outside(law, params, tokens),
        least_compute=float(compute_for_loss(Question(laws.surface(law)), expected)),
    )


def _best(law: SurfaceLaw, compute: float) -> Best:
    found = laws.optimum(law, compute)
    return Best(
        params=found.params,
        params_interval=laws.params_interval(law, compute),
        tokens=found.tokens,
        tokens_per_param=found.tokens / found.params,
        loss=found.loss,
        loss_interval=laws.loss_interval(law, found.params, found.tokens),
    )


def _durations(claim: Claim, values: Values, peak: float | None) -> list[Duration]:
    """How long the compute takes at peak, at the highest published MFU and at that of published runs."""
    if peak is None:
        return []
    speeds = [
        ("100 % MFU", 1.0),
        ("the highest MFU found published", highest_mfu(claim.accelerator_name).mfu),
        ("the median MFU of published runs", typical_mfu().median),
    ]
    return [_duration(at, mfu, values, peak) for at, mfu in speeds]


def _duration(at: str, mfu: float, values: Values, peak: float) -> Duration:
    hours = values["compute"].value / (mfu * peak * 3600)
    count = values.get("count")
    return Duration(at, mfu, hours, None if count is None else hours * 3600 / count.value)


def _about_price(claim: Claim, values: Values) -> list[Disagreement]:
    """A price that is claimed, or follows from money and hours, against what the catalog found offered."""
    found = values.get("price_usd")
    if found is None or claim.accelerator_name is None:
        return []
    price = catalog.accelerator(claim.accelerator_name).price
    if not price.usd_per_hour or price.low * (1 - _ROUNDING) <= found.value <= price.high * (1 + _ROUNDING):
        return []
    sentence = (
        f"{found.value:.3g} USD an accelerator-hour ({found.how}) lies outside what was offered: {price.low:g} to "
        f"{price.high:g} USD ({price.date})"
    )
    return [Disagreement(sentence, refutes=False)]


def _about_loss(claim: Claim, law: NamedLaw, run: Run | None) -> list[Disagreement]:
    if claim.loss is None or run is None:
        return []
    if claim.loss <= law.law.E:
        reason = f"lies below {law.name}'s irreducible loss of {law.law.E:.4f}, which no run of its corpus goes under"
    else:
        sure = laws.loss_interval(law.law, run.params, run.tokens, 0.95)
        if sure is None or sure.low <= claim.loss <= sure.high:
            return []
        reason = f"lies outside what {law.name} expects at these N and D, {sure.low:.3f} to {sure.high:.3f} (95 %)"
    return [Disagreement(f"a loss of {claim.loss:g} {reason}; {_OTHER_CORPUS}", refutes=False)]


def _about_counting(claim: Claim, run: Run | None) -> list[str]:
    notes = [
        "C = 6ND leaves out attention's scores: every matrix product counted, a run needs somewhat more, so the MFU "
        "it needs is at least the one told here"
    ]
    if claim.accelerator_name is not None and "bf16" not in catalog.accelerator(claim.accelerator_name).peak_flops:
        notes.append("its peak is that of FP32, while the published MFUs are of accelerators in BF16")
    if claim.active_params is not None:
        notes.append("a mixture of experts: N is the active parameters, and the laws of dense models say little of it")
    if run is not None and run.decades_outside:
        notes.append(
            f"the law is extrapolated {run.decades_outside:.1f} decades outside the range it was fitted on; its "
            "intervals are widened by rule, which is a guide, not a measurement"
        )
    return notes
