"""What a plan tells of its data mix: the decision and the warnings."""

from sixnd.planner.anneal_decisions import anneal_warnings
from sixnd.planner.mix import EPOCHS_AS_GOOD_AS_NEW, chosen
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.mix_checks import autos, known_mix, mix_name
from sixnd.specs.mixes import Mix
from sixnd.specs.plan import Decision, Estimates, PlannedData

_MUENNIGHOFF = "Muennighoff et al. 2023"


def sources_decision(spec: BudgetSpec, data: PlannedData) -> Decision:
    """The shares, why they are so, and how often each source is read."""
    found = chosen(spec.data)
    read = ", ".join(f"{s.name} {s.epochs:.2g}" for s in data.sources if s.epochs is not None)
    shares = [source.weight for source in data.sources]
    phase = ""
    if data.anneal is not None:
        shares, phase = [part.share for part in data.anneal.phases[0].sources], " (main phase)"
    epochs = f"; epochs: {read}" if read else "; no source says how much it holds, so epochs are not known"
    return Decision(
        what="data.sources",
        value=", ".join(f"{s.name} {share:.4g}" for s, share in zip(data.sources, shares, strict=True)) + phase,
        reason=f"{found.how}{epochs}{_measured(spec)}",
        source=found.source,
        pinned=not autos(spec.data),
    )


def _measured(spec: BudgetSpec) -> str:
    """Where unique tokens come from, where they were counted."""
    prepared = spec.data.prepared
    if prepared is None:
        return ""
    return (
        f"; unique tokens measured after deduplication (data.prepared: {prepared.name}), less the "
        f"{spec.data.validation_fraction:.3g} of them for what is held out"
    )


def mix_warnings(spec: BudgetSpec, data: PlannedData, estimates: Estimates) -> list[str]:
    """Domains that no source has, guessed mixes, limits that cannot be checked, quality, and repetition."""
    return [
        *_of_the_mix(spec),
        *_unknown_sizes(spec),
        *_declared_otherwise(spec),
        *_quality(spec),
        *_repetition(data, estimates),
        *anneal_warnings(spec, data),
    ]


def _of_the_mix(spec: BudgetSpec) -> list[str]:
    data, found = spec.data, []
    lost, mix = chosen(data).lost, known_mix(data) if autos(data) else None
    if lost:
        names = ", ".join(f"{name} {weight:.3g}" for name, weight in lost.items())
        fitted = "" if isinstance(mix, Mix) else "; what is left is no longer the best mix by the law"
        found.append(
            f"data.mix {mix_name(data)}: no source has its {names}; their weight of {sum(lost.values()):.3g} went to "
            f"the others in proportion{fitted}"
        )
    if isinstance(mix, Mix) and mix.estimate:
        found.append(f"data.mix {mix_name(data)} is an estimate, not a publication: {mix.weakness}")
    return found


def _unknown_sizes(spec: BudgetSpec) -> list[str]:
    unknown = [source.name for source in spec.data.counted_sources if source.unique_tokens is None]
    if spec.data.max_epochs is None or not unknown:
        return []
    return [f"data.max_epochs cannot be held against {', '.join(unknown)}: unique_tokens is not told"]


def _declared_otherwise(spec: BudgetSpec) -> list[str]:
    """Sources of which the spec says that they hold more or less than was counted."""
    measured = spec.data.measured_tokens
    return [
        f"source '{source.name}': unique_tokens is declared as {source.unique_tokens:.4g}, and "
        f"{measured[source.name]:.4g} were measured after deduplication, by which is planned"
        for source in spec.data.sources
        if source.unique_tokens is not None and source.name in measured
        if f"{source.unique_tokens:.4g}" != f"{measured[source.name]:.4g}"
    ]


def _quality(spec: BudgetSpec) -> list[str]:
    if all(source.quality is None for source in spec.data.sources):
        return []
    return [
        "quality is what you hold a token to be worth, not what a law knows: the predicted loss does not count it; "
        "`sixnd explain SPEC mix` says what it would make of the shares"
    ]


def _repetition(data: PlannedData, estimates: Estimates) -> list[str]:
    worth = estimates.tokens_worth
    told = (
        ""
        if worth is None
        else f"; the {data.tokens:.3g} tokens read are worth {worth.value:.3g} unique ones (80 % {worth.low:.3g} to "
        f"{worth.high:.3g})"
    )
    unseen = ", which the law's loss does not see as not every source says how much it holds" if worth is None else told
    return [
        f"source '{source.name}' is read {source.epochs:.1f} times; beyond {EPOCHS_AS_GOOD_AS_NEW} epochs repeated "
        f"data is worth clearly less than new data ({_MUENNIGHOFF}){unseen}"
        for source in data.sources
        if source.epochs is not None and source.epochs > EPOCHS_AS_GOOD_AS_NEW
    ]
