"""How N, D and the loss came about, step by step, and what a ladder would cost, as facts of a plan's report."""

import math
from typing import Any

from sixnd.reports import format as fmt
from sixnd.reports.documents import Figure, Pair
from sixnd.reports.figures import estimated, exact
from sixnd.reports.link_text import end_text, value_text
from sixnd.reports.plan_documents import Derivation, DerivedStep, LadderOffer
from sixnd.specs.ladder import Expected, Ladder
from sixnd.specs.plan import Plan
from sixnd.specs.reasoning import Chain, Link, Reasoning

_LEVEL = "80 %"
_SHORT = 45
"""Columns of a source that is told again rather than referred to."""
_TITLES = {"model.params": "params", "data.tokens": "tokens", "estimates.loss": "loss"}
_HEADS = {
    "params": "From the budget to N",
    "tokens": "From N to D",
    "loss": "From N and D to the loss",
}


def reasoned(plan: Plan, reasoning: Reasoning | None) -> dict[str, Any]:
    """The fields of ``PlanFacts`` that the planner's reasoning fills; none of them where there is none."""
    if reasoning is None:
        return {}
    return {
        "derivations": _derivations(reasoning.chains, of_base=plan.continual is not None),
        "ladder": None if reasoning.ladder is None else ladder_offer(plan, reasoning.ladder),
        "no_ladder": reasoning.no_ladder,
        "untold": reasoning.untold,
    }


def _derivations(chains: list[Chain], *, of_base: bool) -> list[Derivation]:
    """Steps are counted through; one that an earlier chain has found is not told again."""
    seen: list[Link] = []
    found, sources = [], _Sources()
    for chain in chains:
        key = _TITLES[chain.name]
        if of_base and key == "loss":
            continue
        new = [link for link in chain.steps if link not in seen]
        steps = [_step(len(seen) + i, link, sources) for i, link in enumerate(new, 1)]
        seen += new
        pinned = ", which the spec pins" if chain.pinned else ""
        found.append(Derivation(key=key, title=f"{_HEADS[key]}{pinned}", steps=steps))
    return found


class _Sources:
    """A long source is told in full once, then by the step that told it."""

    def __init__(self) -> None:
        self._told: dict[str, int] = {}

    def of(self, number: int, link: Link) -> str:
        """The source of that step; what is to be held against a law is told beside its curve."""
        source = link.source.partition(". Weakness: ")[0] or "arithmetic"
        first = self._told.setdefault(source, number)
        return source if first == number or len(source) <= _SHORT else f"as step {first}"


def _step(number: int, link: Link, sources: _Sources) -> DerivedStep:
    source = sources.of(number, link)
    return DerivedStep(number=number, step=link.step, value=_value(link), formula=link.formula, source=source)


def _value(link: Link) -> Figure:
    text = value_text(link.value, link.unit)
    value = link.value if isinstance(link.value, float | int) and math.isfinite(link.value) else None
    ends = (link.intervals or {}).get(_LEVEL)
    if ends is None:
        return Figure(value=value, text=text, full=text)
    between = "–".join(end_text(end, link.unit) for end in ends)
    return Figure(value=value, low=ends[0], high=ends[1], text=text, interval=between, full=f"{text} ({between})")


def ladder_offer(plan: Plan, ladder: Ladder) -> LadderOffer:
    """What the runs cost, and what a fit to them would tell."""
    sizes, tokens = [rung.params for rung in ladder.rungs], [rung.tokens for rung in ladder.rungs]
    longest = max(ladder.rungs, key=lambda rung: rung.wall_time_s.value)
    money, hours = estimated("money", ladder.money_usd), estimated("hours", ladder.accelerator_hours)
    spent = exact("percent", ladder.spent_share)
    numbers = [
        ("Runs", f"{len(ladder.rungs)}, {fmt.count(min(sizes))} to {fmt.count(max(sizes))} parameters on "
                 f"{fmt.count(min(tokens))} to {fmt.count(max(tokens))} tokens"),
        ("Compute", f"{spent.text} of the plan's, of {fmt.percent(ladder.share)} allowed"),
        ("Cost", money.full),
        ("Accelerator-hours", hours.full),
        ("Longest run", f"{estimated('duration', longest.wall_time_s).full} on {longest.accelerators:,} accelerators"),
        ("Optimal N before", _expected("count", ladder.before, "params_80")),
        ("Optimal N after a fit", _expected("count", ladder.after, "params_80")),
        ("Its loss before", _expected("nats", ladder.before, "loss_80")),
        ("Its loss after a fit", _expected("nats", ladder.after, "loss_80")),
    ]  # fmt: skip
    return LadderOffer(
        command=f"sixnd ladder {plan.name}.yaml --share {100 * ladder.share:g}% -o ladder",
        numbers=[Pair(label=label, text=text) for label, text in numbers],
        money=money,
        accelerator_hours=hours,
        spent=spent,
        basis=ladder.basis,
    )


def _expected(kind: str, found: Expected, field: str) -> str:
    low, high = getattr(found, field)
    return fmt.interval(kind, low, low, high)
