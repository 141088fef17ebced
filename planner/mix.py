"""The data mix: shares of the sources by the spec's rule, and the tokens, epochs and worth they amount to."""

from dataclasses import dataclass

import numpy as np

from sixnd.planner.laws import Array
from sixnd.planner.repetition import worth_of
from sixnd.specs import catalog
from sixnd.specs.budget import BudgetSpec, Data, Source
from sixnd.specs.data_stages import resolved
from sixnd.specs.errors import InfeasibleError, Problem
from sixnd.specs.laws import NamedLaw, RepetitionConstants, RepetitionLaw
from sixnd.specs.mix_checks import autos, known_mix, mix_name
from sixnd.specs.mixes import Mix, MixLaw
from sixnd.specs.plan import PlannedData, PlannedSource

EPOCHS_AS_GOOD_AS_NEW = 4
"""Up to four epochs, repeated data is almost as good as new (Muennighoff et al. 2023, §6)."""
REPETITION_LAW = "muennighoff-2023"
TEMPERATURE_SOURCE = "Xue et al. 2021 (mT5, arXiv:2010.11934), §3.2: p ∝ n^(1/T)"
_HAIR = 1e-9


@dataclass(frozen=True)
class Chosen:
    """Shares of the sources, in their order, and how they came about."""

    shares: Array
    """They sum to 1."""
    how: str
    """The rule in words."""
    source: str
    """Where the rule or its weights come from."""
    lost: dict[str, float]
    """Domains of the mix that no source has, with the share that went to the others."""


def chosen(data: Data) -> Chosen:
    """The shares of a spec's sources: as given, or by the rule of `data.mix` where they are `auto`."""
    places = autos(data)
    given = np.array([np.nan if source.weight is None else source.weight for source in data.sources], dtype=float)
    if not places:
        return Chosen(given / given.sum(), "weights as given, over their sum", "spec: data.sources", {})
    rest = 1.0 - np.nansum(given)
    mix, sources = known_mix(data), [data.counted_sources[i] for i in places]
    found = _by_size(data, sources) if mix is None else _by_mix(data, mix, sources)
    given[places] = rest * found.shares
    kept = "" if len(places) == len(given) else f", on the {rest:.4g} that the given shares leave"
    return Chosen(given, found.how + kept, found.source, found.lost)


def shares_by_size(unique: Array, temperature: float) -> Array:
    """Shares proportional to n^(1/T): T = 1 proportional to what there is, T = ∞ the same for all."""
    logs = np.log(unique) / temperature
    parts: Array = np.exp(logs - logs.max())
    return np.asarray(parts / parts.sum())


def _by_size(data: Data, sources: list[Source]) -> Chosen:
    unique = np.array([source.unique_tokens for source in sources], dtype=float)
    T = data.temperature
    if T is None:
        how = "proportional to unique tokens, so that every source is read equally often"
        return Chosen(shares_by_size(unique, 1.0), how, "rule: weights are sizes", {})
    how = f"unique tokens to the power 1/{T:g} (temperature {T:g}; 1 is proportional, larger lifts small sources)"
    return Chosen(shares_by_size(unique, T), how, TEMPERATURE_SOURCE, {})


def _by_mix(data: Data, mix: Mix | MixLaw, sources: list[Source]) -> Chosen:
    shares, lost = shares_in_mix(mix, sources)
    by = "kind" if isinstance(mix, Mix) else "name or kind"
    how = f"mix {mix_name(data)}, sources matched by {by}" + lost_in_words(lost)
    return Chosen(shares, how, mix.source, lost)


def shares_in_mix(mix: Mix | MixLaw, sources: list[Source]) -> tuple[Array, dict[str, float]]:
    """Shares by the weights of the sources' domains, and the weights of domains that no source has.

    Those go to all in proportion. A source of no domain gets nothing; checks have seen to it that one has some.
    """
    weights, groups = mix.weights(), dict[str, list[int]]()
    for i, source in enumerate(sources):
        domain = mix.domain_of(source.name, source.kind)
        if domain is not None:
            groups.setdefault(domain, []).append(i)
    found = np.zeros(len(sources))
    for domain, members in groups.items():
        found[members] = weights[domain] * _within([sources[i] for i in members])
    lost = {name: weight for name, weight in weights.items() if name not in groups and weight > 0}
    return found / found.sum(), lost


def _within(sources: list[Source]) -> Array:
    """Shares of one domain's sources: by size where all sizes are told, else alike."""
    sizes = [source.unique_tokens for source in sources]
    if any(size is None for size in sizes):
        return np.full(len(sources), 1 / len(sources))
    return shares_by_size(np.array(sizes, dtype=float), 1.0)


def lost_in_words(lost: dict[str, float]) -> str:
    """The same for a sentence, from its semicolon on."""
    if not lost:
        return ""
    names = ", ".join(f"{name} ({weight:.3g})" for name, weight in lost.items())
    return f"; no source has its {names}, and their {sum(lost.values()):.3g} went to the others in proportion"


def repetition(named: NamedLaw) -> RepetitionLaw | RepetitionConstants:
    """What repeated data is worth: by the law's own runs, else by the catalog."""
    found = named.repetition or catalog.law(REPETITION_LAW)
    assert isinstance(found, RepetitionLaw | RepetitionConstants)
    return found


def planned_data(spec: BudgetSpec, tokens: int) -> PlannedData:
    """Shares that sum to 1, and the tokens, epochs and worth they amount to."""
    repeated = repetition(spec.planning_law).repeated_tokens
    shares, measured, prepared = chosen(spec.data).shares, spec.data.measured_tokens, spec.data.prepared
    return PlannedData(
        sources=[
            _planned(source, float(share), tokens, repeated, source.name in measured)
            for source, share in zip(spec.data.counted_sources, shares, strict=True)
        ],
        tokens=tokens,
        validation_fraction=0.0 if spec.evaluation.tokens is not None else spec.data.validation_fraction,
        across=resolved(spec.data.across or []),
        tokenizer=spec.data.tokenizer,
        prepared_sha256=None if prepared is None else prepared.content_sha256(),
        document_masks=spec.data.document_masks,
    )


def _planned(source: Source, share: float, tokens: int, repeated_tokens: float, measured: bool) -> PlannedSource:
    seen, unique = tokens * share, source.unique_tokens
    return PlannedSource(
        name=source.name,
        recipe=source.recipe,
        path=source.path,
        weight=share,
        tokens=seen,
        unique_tokens=unique,
        measured=measured,
        epochs=None if unique is None else seen / unique,
        kind=source.kind,
        tokens_worth=None if unique is None else float(worth_of(np.array(seen), np.array(unique), repeated_tokens)),
        text_field=source.text_field,
        licence=source.licence,
        stages=resolved(source.stages or []),
    )


def check_epochs(spec: BudgetSpec, data: PlannedData) -> None:
    """Raise ``InfeasibleError`` where a source would be read more often than `data.max_epochs` allows."""
    limit = spec.data.max_epochs
    if limit is None:
        return
    told = [(i, s, s.unique_tokens, s.epochs) for i, s in enumerate(data.sources) if s.unique_tokens and s.epochs]
    over = [(i, s, unique, epochs) for i, s, unique, epochs in told if epochs > limit * (1 + _HAIR)]
    if not over:
        return
    lines = [
        f"  {s.name}: {s.tokens:.4g} tokens are {epochs:.3g} epochs of {unique:.4g} unique ones; it would need "
        f"{s.tokens / limit:.4g}, or a share of at most {limit * unique / data.tokens:.3g} in place of {s.weight:.3g}"
        for _, s, unique, epochs in over
    ]
    most = min(limit * unique / s.weight for _, s, unique, _ in told)
    needed = max(epochs for *_, epochs in over)
    message = f"this mix needs more tokens than there are within data.max_epochs {limit:g}:\n" + "\n".join(lines)
    do = (
        f"feasible with data.tokens of at most {most:.4g} (a larger model, or a smaller budget), with max_epochs of at "
        f"least {needed:.4g}, with those unique tokens, or with those shares"
    )
    problems = [
        Problem(("data", "max_epochs"), f"at most {limit:g} epochs of each source", f"raise it to {needed:.4g}")
    ]
    problems += [
        Problem(("data", "sources", i), f"{s.name} is read {epochs:.3g} times", "lower its weight, or add text")
        for i, s, _, epochs in over
    ]
    raise InfeasibleError(message, do, tuple(problems))
