"""Annealing: the last steps of training read another blend, richer in what is scarce and good."""

from dataclasses import dataclass

import numpy as np

from sixnd.planner.laws import Array
from sixnd.planner.mix import Chosen, chosen, lost_in_words, repetition, shares_in_mix
from sixnd.planner.repetition import worth_of
from sixnd.specs import catalog
from sixnd.specs.annealing import UPWEIGHTED_KINDS, UPWEIGHTED_SHARE, Anneal, held_for_annealing
from sixnd.specs.budget import BudgetSpec, Data
from sixnd.specs.errors import InfeasibleError, Problem
from sixnd.specs.plan import PhaseName, PhaseShare, PlannedAnneal, PlannedData, PlannedPhase, PlannedSource
from sixnd.specs.step_batches import StepBatches

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


def with_annealing(spec: BudgetSpec, data: PlannedData, steps: int, batches: StepBatches) -> PlannedData:
    """``data`` of one phase of so many steps in two phases, where the spec asks for it.

    Raises ``InfeasibleError`` where there are not two steps to share.
    """
    anneal = spec.data.anneal
    if anneal is None:
        return data
    if steps < 2:
        message, do = (
            "data.anneal needs a step of each blend, and training is one step",
            "leave it out, or lower global_batch",
        )
        raise InfeasibleError(message, do, (Problem(("data", "anneal"), "two phases in one step", "leave it out"),))
    last = annealing_steps(anneal.share, steps, batches)
    main = np.array([source.weight for source in data.sources])
    annealing = annealing_shares(spec.data, anneal).shares
    of_phases = PhaseSteps(steps - last, last, batches, data.tokens // batches.samples_after(steps))
    planned = in_two_phases(data.sources, main, annealing, of_phases, anneal.repeat)
    read = [sum(part.tokens for part in parts) for parts in zip(*(p.sources for p in planned.phases), strict=True)]
    repeated = repetition(spec.planning_law).repeated_tokens
    sources = [
        _over_both(source, tokens, data.tokens, repeated) for source, tokens in zip(data.sources, read, strict=True)
    ]
    return data.model_copy(update={"sources": sources, "anneal": planned})


def annealing_steps(share: float, steps: int, batches: StepBatches) -> int:
    """Steps that read the nearest to so large a share of all samples; both phases have one at least."""
    samples = batches.samples_after(steps)
    last = round(share * (samples / batches.full))
    if batches.stages and last > batches.stages[-1].steps:  # it begins while the batch still grows
        last = steps - batches.step_reaching((1 - share) * samples)
    return min(max(last, 1), steps - 1)


@dataclass(frozen=True)
class PhaseSteps:
    """Steps of the two phases, and what they read."""

    main: int
    annealing: int
    batches: StepBatches
    length: int
    """Tokens in a sequence."""

    @property
    def samples(self) -> tuple[int, int]:
        """Sequences that each phase reads."""
        main = self.batches.samples_after(self.main)
        return main, self.batches.samples_after(self.main + self.annealing) - main

    def of_sources(self, shares: Array, samples: int) -> Array:
        """Tokens of each source."""
        return shares * (samples / self.batches.full) * (self.batches.full * self.length)


def in_two_phases(
    sources: list[PlannedSource], main: Array, annealing: Array, steps: PhaseSteps, repeat: bool
) -> PlannedAnneal:
    """The phases of so many ``steps`` each, by the sources' shares in them."""
    samples, names = steps.samples, [source.name for source in sources]
    tokens = steps.of_sources(main, samples[0]), steps.of_sources(annealing, samples[1])
    unique = [_unique(s.unique_tokens, m, a, repeat) for s, m, a in zip(sources, *tokens, strict=True)]
    first = _phase("main", (1, steps.main), samples[0] * steps.length, names, main, [each[0] for each in unique])
    span = (steps.main + 1, steps.main + steps.annealing)
    second = _phase("annealing", span, samples[1] * steps.length, names, annealing, [each[1] for each in unique])
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
    tokens: int,
    sources: list[str],
    shares: Array,
    unique: list[float | None],
) -> PlannedPhase:
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
