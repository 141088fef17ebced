"""What may turn out other than planned, how much it weighs, and what to do: read off a plan, by stated thresholds."""

import math

from sixnd.reports import format as fmt
from sixnd.reports.figures import exact
from sixnd.reports.law_curve import known_law
from sixnd.reports.plan_documents import Risk, Severity
from sixnd.specs.plan import Estimate, LayoutOption, Plan

_ORDER: tuple[Severity, ...] = ("high", "medium", "not known", "low", "none")
_NEAR_NEW, _DECAYED = 4.0, 16.0
"""Epochs up to which repeated text is nearly as good as new, and beyond which more of it hardly helps (Muennighoff et
al. 2023, arXiv:2305.16264, figures 1 and 5)."""
_FAR = 10.0
"""Times the law's largest run: beyond that its interval is a rule, not a measurement."""
_THIN = 0.95
"""Share of a rank's memory that the upper end may fill before the margin is called thin."""
_MUCH_LOST = 0.8
"""Goodput below which failures cost more than any published run has told."""


def risks(plan: Plan) -> list[Risk]:
    """The gravest first; those that were looked at and found safe last."""
    found = [_extrapolation(plan), _repetition(plan), _memory(plan), *_limits(plan), _stops(plan)]
    told = [risk for risk in found if risk is not None]
    return sorted(told, key=lambda risk: _ORDER.index(risk.severity))


def _extrapolation(plan: Plan) -> Risk:
    def risk(severity: Severity, why: str, advice: str) -> Risk:
        return Risk(key="extrapolation", label="Extrapolation", severity=severity, why=why, advice=advice)

    law = known_law(plan)
    if plan.continual is not None:
        advice = "follow what is forgotten and learnt in the run's report, and stop by that"
        return risk("not known", "no law here speaks of a run that starts from a trained model", advice)
    if law is None:
        return risk("not known", f"{plan.law} has changed in the catalog since the plan", "plan the spec anew")
    spans = (
        ("C", "flops", plan.budget.compute_flops, law.fitted_compute),
        ("N", "count", plan.model.active_params, law.fitted_params),
        ("D", "count", plan.data.tokens, law.fitted_tokens),
    )
    told = [_beyond(name, kind, value, span) for name, kind, value, span in spans if span is not None]
    if not told:
        return risk(
            "not known", f"{plan.law} does not tell which runs it was fitted to", "compare what the laws choose"
        )
    factor, why = max(told)
    if factor <= 1:
        return risk("none", f"within the runs that {plan.law} was fitted to", "")
    advice = (
        "fit a law to a ladder of your own, nearer to this size, and plan by it; read the loss as a guide till then"
    )
    return risk("high" if factor > _FAR else "medium", f"{why} of {plan.law}", advice)


def _beyond(name: str, kind: str, value: float, span: list[float]) -> tuple[float, str]:
    """By which factor it lies outside, and that in words."""
    low, high = span
    below = low / value if value else math.inf
    end, word, factor = (low, "smallest", below) if value < low else (high, "largest", value / high)
    how = "below" if value < low else "times"
    times = fmt.significant(factor)
    told = f"{times} times below" if how == "below" else f"{times} times"
    return factor, f"{name}, {exact(kind, value).text}, is {told} the {word} run's ({exact(kind, end).text})"


def _repetition(plan: Plan) -> Risk:
    epochs = _epochs(plan)
    unknown = [source.name for source in plan.data.sources if source.weight and source.unique_tokens is None]
    most = max(epochs, key=lambda name: epochs[name], default="")
    times = epochs.get(most, 0.0)
    if unknown and times <= 1:
        names = "no source tells" if len(unknown) == len(plan.data.sources) else f"not told of {', '.join(unknown)}:"
        why = f"{names} how much text it has" if names.startswith("no") else f"{names} how much text there is"
        advice = "give unique_tokens, or prepare the data (sixnd data prepare), which counts them"
        return Risk(key="repetition", label="Repetition of data", severity="not known", why=why, advice=advice)
    why = f"{most} is read {fmt.significant(times)} times over" if times > 1 else "no source is read more than once"
    if plan.estimates.tokens_worth is not None and times > 1:
        worth = fmt.count(plan.estimates.tokens_worth.value)
        why += f"; all {fmt.count(plan.data.tokens)} tokens are worth {worth} that are read once"
    severity: Severity = "none" if times <= 1 else "low" if times <= _NEAR_NEW else "medium"
    severity = "high" if times > _DECAYED else severity
    advice = f"more text for {most}, or a smaller weight" if times > _NEAR_NEW else ""
    return Risk(key="repetition", label="Repetition of data", severity=severity, why=why, advice=advice)


def _epochs(plan: Plan) -> dict[str, float]:
    """How often each source whose size is known is read, over all phases or in the one that reads it most."""
    phases = plan.data.anneal.phases if plan.data.anneal else []
    told = [(source.name, source.epochs) for source in plan.data.sources]
    told += [(share.name, share.epochs) for phase in phases for share in phase.sources]
    found: dict[str, float] = {}
    for name, epochs in told:
        if epochs is not None:
            found[name] = max(epochs, found.get(name, 0.0))
    return found


def _memory(plan: Plan) -> Risk:
    e, room = plan.estimates.memory_bytes, plan.cluster.memory_bytes
    severity: Severity = "high" if e.high > room else "medium" if e.high > _THIN * room else "none"
    share = f"{fmt.percent(e.high / room)} of a" if room else "more than a"
    why = f"the upper end, {fmt.memory(e.high)}, is {share} rank's {fmt.memory(room)}"
    advice = "" if severity == "none" else _leaner(plan)
    return Risk(key="memory", label="Memory", severity=severity, why=why, advice=advice)


def _leaner(plan: Plan) -> str:
    """The next layout on the front that leaves more memory, and what it costs."""
    chosen = next((one for one in plan.pareto if one.chosen), None)
    more = [one for one in plan.pareto if chosen is not None and _spare(one) > _spare(chosen)]
    if not more or chosen is None or not chosen.step_time_s:
        return "pin a layout that recomputes or splits more (layout: in the spec)"
    best = more[0]
    slower = (best.step_time_s or 0.0) / chosen.step_time_s - 1
    layout = best.layout.label()
    return f"{layout} leaves {fmt.memory(_spare(best))} of what may be filled, at {fmt.percent(slower)} more step time"


def _spare(option: LayoutOption) -> float:
    return option.headroom_bytes if option.headroom_bytes is not None else float("-inf")


def _limits(plan: Plan) -> list[Risk]:
    """Time, money and hours against what the spec allows; time and money also where it does not say."""
    given, e = plan.spec.budget, plan.estimates
    rows = [
        ("time", "Time", "duration", given.time, e.wall_time_s, True),
        ("money", "Money", "money", given.money, e.money_usd, True),
        ("accelerator_hours", "Accelerator-hours", "hours", given.accelerator_hours, e.accelerator_hours, False),
    ]
    return [
        _limit(key, label, kind, limit, estimate)
        for key, label, kind, limit, estimate, always in rows
        if always or limit is not None
    ]


def _limit(key: str, label: str, kind: str, limit: float | None, e: Estimate) -> Risk:
    upper = exact(kind, e.high).text
    if limit is None:
        above = f", {fmt.percent(e.high / e.value - 1)} above the estimate" if e.value else ""
        why = f"the budget sets no limit; the upper end is {upper}{above}"
        return Risk(key=key, label=label, severity="none", why=why, advice="")
    if e.high <= limit:
        why = f"the upper end, {upper}, is within the budget's {exact(kind, limit).text}"
        return Risk(key=key, label=label, severity="none", why=why, advice="")
    over = fmt.percent(e.high / limit - 1)
    why = f"the upper end, {upper}, exceeds the budget's {exact(kind, limit).text}, which the estimate fills, by {over}"
    surer = exact(kind, limit * e.value / e.high).text
    advice = f"to end within it at the upper end too, plan for {surer}"
    return Risk(key=key, label=label, severity="medium", why=why, advice=advice)


def _stops(plan: Plan) -> Risk | None:
    goodput, stops = plan.estimates.goodput, plan.estimates.failures
    if goodput is None or stops is None:
        return None
    severity: Severity = "high" if goodput.value < _MUCH_LOST else "medium" if goodput.low < _MUCH_LOST else "low"
    severity = "none" if stops.high < 1 else severity
    between = fmt.interval("ratio", stops.value, stops.low, stops.high)
    why = (
        f"{fmt.significant(stops.value)} unplanned stops are expected ({between}); "
        f"they leave a goodput of {fmt.percent(goodput.value)}, at the lower end {fmt.percent(goodput.low)}"
    )
    advice = "" if severity in ("none", "low") else "restart faster (cluster.restart_time), or hold spare machines"
    return Risk(key="stops", label="Stops", severity=severity, why=why, advice=advice)
