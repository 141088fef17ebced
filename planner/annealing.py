"""Annealing: the last steps of training read another blend, richer in what is scarce and good."""

import numpy as np

from sixnd.planner.laws import Array
from sixnd.planner.mix import Chosen, chosen, lost_in_words, repetition, shares_in_mix
from sixnd.planner.repetition import worth_of
from sixnd.specs import catalog
from sixnd.specs.annealing import UPWEIGHTED_KINDS, UPWEIGHTED_SHARE, Anneal, held_for_annealing
from sixnd.specs.budget import BudgetSpec, Data
from sixnd.specs.errors import InfeasibleError, Problem
from sixnd.specs.plan import PhaseName, PhaseShare, PlannedAnneal, PlannedData, PlannedPhase, PlannedSource

DEFAULT_SOURCE = (
    "rule: 70 % of the main blend and 30 % of what is good, the shares by which Llama 3's authors judged data by "
    "annealing (Llama Team 2024, arXiv:2407.21783, §3.1.3)"
)


def annealing_shares(data: Data, anneal: Anneal) -> Chosen:
    """Shares of the sources in annealing, in their order, and how they came about."""
    if anneal.weights is not None:
        given = np.array([anneal.weights.get(source.name, 0.0) for source in data.sources])
        return Chosen(given / given.sum(), "weights as given, over their sum", "spec: data.anneal.weights", {})
    if anneal.mix is not None:
        mix = catalog.mix(anneal.mix)
        shares, lost = shares_in_mix(mix, data.counted_sources)
        how = f"mix {anneal.mix}, sources matched by kind{lost_in_words(lost)}"
        return Chosen(shares, how, mix.source, lost)
    main = chosen(data).shares
    good = main * np.array([source.kind in UPWEIGHTED_KINDS for source in data.sources])
    how = (
        f"{1 - UPWEIGHTED_SHARE:.0%} the main blend and {UPWEIGHTED_SHARE:.0%} its sources of kind "
        f"{', '.join(UPWEIGHTED_KINDS)}"
    )
    shares = (1 - UPWEIGHTED_SHARE) * main + UPWEIGHTED_SHARE * good / good.sum()
    return Chosen(shares, how, DEFAULT_SOURCE, {})


def overall_shares(data: Data) -> Array:
    """Shares of the sources over the whole of training, both phases together."""
    main = chosen(data).shares
    if data.anneal is None:
        return main
    part = data.anneal.share
    return (1 - part) * main + part * annealing_shares(data, data.anneal).shares


def with_annealing(spec: BudgetSpec, data: PlannedData, steps: int) -> PlannedData:
    """``data`` of one phase of so many steps in two phases, where the spec asks for it.

    Raises ``InfeasibleError`` where there are not two steps to share.
    """
    anneal = spec.data.anneal
    if anneal is None:
        return data
    if steps < 2:
        message = (
            "data.anneal needs a step of each blend, and training is one step; leave it out, or lower global_batch"
        )
        raise InfeasibleError(message, (Problem(("data", "anneal"), "two phases in one step"),))
    last = min(max(round(anneal.share * steps), 1), steps - 1)
    main = np.array([source.weight for source in data.sources])
    annealing = annealing_shares(spec.data, anneal).shares
    planned = in_two_phases(data.sources, main, annealing, (steps - last, last), data.tokens // steps, anneal.repeat)
    read = [sum(part.tokens for part in parts) for parts in zip(*(p.sources for p in planned.phases), strict=True)]
    repeated = repetition(spec.planning_law).repeated_tokens
    sources = [
        _over_both(source, tokens, data.tokens, repeated) for source, tokens in zip(data.sources, read, strict=True)
    ]
    return data.model_copy(update={"sources": sources, "anneal": planned})


def in_two_phases(
    sources: list[PlannedSource], main: Array, annealing: Array, steps: tuple[int, int], step_tokens: int, repeat: bool
) -> PlannedAnneal:
    """The phases of so many ``steps`` each, by the sources' shares in them."""
    tokens = main * steps[0] * step_tokens, annealing * steps[1] * step_tokens
    unique = [_unique(s.unique_tokens, m, a, repeat) for s, m, a in zip(sources, *tokens, strict=True)]
    names = [source.name for source in sources]
    first = _phase("main", (1, steps[0]), step_tokens, names, main, [each[0] for each in unique])
    span = (steps[0] + 1, steps[0] + steps[1])
    second = _phase("annealing", span, step_tokens, names, annealing, [each[1] for each in unique])
    return PlannedAnneal(repeat=repeat, phases=[first, second])


def _unique(unique: float | None, main: float, annealing: float, repeat: bool) -> tuple[float | None, float | None]:
    """Unique tokens of a source that the main phase may read, and that annealing may."""
    if unique is None or repeat:
        return unique, unique
    apart = held_for_annealing(unique, main, annealing)
    return unique - apart, apart


def _phase(
    name: PhaseName,
    span: tuple[int, int],
    step_tokens: int,
    sources: list[str],
    shares: Array,
    unique: list[float | None],
) -> PlannedPhase:
    tokens = step_tokens * (span[1] - span[0] + 1)
    parts = [
        PhaseShare(
            name=source,
            share=float(share),
            tokens=float(share) * tokens,
            unique_tokens=held,
            epochs=float(share) * tokens / held if held else held,
        )
        for source, share, held in zip(sources, shares, unique, strict=True)
    ]
    return PlannedPhase(name=name, first_step=span[0], last_step=span[1], tokens=tokens, sources=parts)


def _over_both(source: PlannedSource, seen: float, tokens: int, repeated_tokens: float) -> PlannedSource:
    """What is read of a source in both phases together."""
    changes: dict[str, float] = {"weight": seen / tokens, "tokens": seen}
    unique = source.unique_tokens
    if unique is not None:
        changes |= {"epochs": seen / unique, "tokens_worth": float(worth_of(seen, unique, repeated_tokens))}
    return source.model_copy(update=changes)
