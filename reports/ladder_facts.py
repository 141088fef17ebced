"""A ladder as facts: what the small runs are, what they cost, and what a fit to them would tell."""

import math

from sixnd.reports import format as fmt
from sixnd.reports.documents import Figure, Pair
from sixnd.reports.figures import estimated, exact
from sixnd.reports.ladder_documents import Knowledge, LadderFacts, RungRow
from sixnd.specs.ladder import DesignOption, Expected, Ladder, Rung

_DESIGN = {"optimal": "optimal design", "isoflop": "isoFLOP curves", "grid": "uniform grid"}


def ladder_facts(ladder: Ladder) -> LadderFacts:
    """Everything a report of ``ladder`` shows, as values and as text."""
    return LadderFacts(
        name=ladder.name,
        verdict=_verdict(ladder),
        state=f"For {ladder.target.spec}, designed from {ladder.law}.",
        share=fmt.share(ladder.share),
        cost=_cost(ladder),
        tells=[_knowledge("before", ladder.before), _knowledge("after a fit", ladder.after)],
        designs=[_design(ladder, option) for option in ladder.options],
        rungs=[_rung(rung) for rung in ladder.rungs],
        target_params=ladder.target.params,
        target_tokens=ladder.target.tokens,
        notes=[f"Intervals: {ladder.basis}.", _noise(ladder), *_breaks(ladder), *ladder.notes],
    )


def _verdict(ladder: Ladder) -> str:
    before, after = (_knowledge("", found) for found in (ladder.before, ladder.after))
    return (
        f"{len(ladder.rungs)} runs for {fmt.share(ladder.spent_share)} of the target's compute, "
        f"{estimated('money', ladder.money_usd).full}: they tell the target's N* within a factor {after.factor.text} "
        f"({before.factor.text} before) and its loss within {after.within.text} ({before.within.text})."
    )


def _cost(ladder: Ladder) -> list[Pair]:
    target = exact("hours", ladder.target.accelerator_hours.value).text
    whole = exact("flops", ladder.target.budget_flops).text
    rows = [
        ("Compute", f"{fmt.share(ladder.spent_share)} of {whole}"),
        ("Accelerator-hours", f"{estimated('hours', ladder.accelerator_hours).full}; the target: {target}"),
        ("Money", estimated("money", ladder.money_usd).full),
    ]
    return [Pair(label=label, text=text) for label, text in rows]


def _knowledge(label: str, found: Expected, *, chosen: bool = False) -> Knowledge:
    (low_N, high_N), (low_L, high_L) = found.params_95, found.loss_95
    return Knowledge(
        label=label,
        chosen=chosen,
        params=_between("count", low_N, high_N),
        factor=exact("ratio", (high_N / low_N) ** 0.5),
        loss=_between("nats", low_L, high_L),
        within=exact("percent", (high_L / low_L) ** 0.5 - 1),
    )


def _between(kind: str, low: float, high: float) -> Figure:
    middle, between = math.sqrt(low * high), fmt.interval(kind, low, low, high)
    text = fmt.FORMATS[kind](middle)
    return Figure(value=middle, low=low, high=high, text=text, interval=between, full=f"{text} ({between})")


def _design(ladder: Ladder, option: DesignOption) -> Knowledge:
    chosen = option.design == ladder.design
    label = f"{_DESIGN[option.design]}, {option.runs} runs{' (chosen)' if chosen else ''}"
    return _knowledge(label, option.expected, chosen=chosen)


def _rung(rung: Rung) -> RungRow:
    return RungRow(
        name=rung.name,
        params=exact("count", rung.params),
        tokens=exact("count", rung.tokens),
        tokens_per_param=exact("ratio", rung.tokens / rung.params),
        compute=exact("flops", rung.compute_flops),
        accelerators=exact("integer", rung.accelerators),
        wall_time=estimated("duration", rung.wall_time_s),
        money=estimated("money", rung.money_usd),
    )


def _breaks(ladder: Ladder) -> list[str]:
    return [f"The {_DESIGN[o.design]}: {'; '.join(o.breaks)}." for o in ladder.options if o.breaks]


def _noise(ladder: Ladder) -> str:
    return f"Noise of a run's loss: {fmt.percent(ladder.noise_sd)} ({ladder.noise_source})."
