"""What is wrong with a spec's data mix, each mistake with its place."""

from sixnd.specs import catalog
from sixnd.specs.budget import BudgetSpec, Data
from sixnd.specs.errors import Path, Problem
from sixnd.specs.mixes import MIX_RULES, Mix, MixLaw
from sixnd.specs.replay import new_data


def mix_problems(spec: BudgetSpec) -> list[Problem]:
    """Every contradiction between the sources' weights and the rule that chooses them."""
    data = new_data(spec)
    return [*_temperature(data), *(_chosen(data) if autos(data) else _nothing_to_choose(data))]


def autos(data: Data) -> list[int]:
    """Positions of the sources whose weight is `auto`."""
    return [i for i, source in enumerate(data.sources) if source.weight is None]


def known_mix(data: Data) -> Mix | MixLaw | None:
    """The published or fitted mix that `data.mix` names; none where a rule by unique tokens chooses."""
    if data.mix is None or data.mix in MIX_RULES:
        return None
    return catalog.mix(data.mix) if isinstance(data.mix, str) else data.mix


def mix_name(data: Data) -> str:
    """What the rule is called."""
    return data.mix.name if isinstance(data.mix, MixLaw) else data.mix or MIX_RULES[0]


def _nothing_to_choose(data: Data) -> list[Problem]:
    if data.mix is None:
        return []
    message = f"mix {mix_name(data)} chooses the weights of sources that say `weight: auto`, and none does"
    do = "say so at each that it may choose, or leave mix out"
    return [Problem(("data", "mix"), message, do, also=(("data", "sources"),))]


def _temperature(data: Data) -> list[Problem]:
    asked = data.mix == "temperature"
    if asked == (data.temperature is not None):
        return []
    if asked:
        do = (
            "give data.temperature: 1 is proportional to unique tokens, mT5's 3.33 lifts small sources, and the larger "
            "it is the more alike all weigh"
        )
        return [Problem(("data", "mix"), "mix temperature needs a temperature", do, also=(("data", "temperature"),))]
    message, do = "temperature means nothing without 'mix: temperature'", "say that, or leave temperature out"
    return [Problem(("data", "temperature"), message, do, also=(("data", "mix"),))]


def _chosen(data: Data) -> list[Problem]:
    mix = known_mix(data)
    return [*_shares_leave_room(data), *(_sizes_are_told(data) if mix is None else _domains_are_there(data, mix))]


def _shares_leave_room(data: Data) -> list[Problem]:
    given = [(i, source.weight) for i, source in enumerate(data.sources) if source.weight is not None]
    total = sum(weight for _, weight in given)
    if total < 1:
        return []
    message = (
        f"beside sources of `weight: auto` a number is the share itself (1 where none is given), and these sum to "
        f"{total:g}, which leaves nothing to the others"
    )
    also = tuple(_source(i, "weight") for i, _ in given[:-1])
    return [
        Problem(_source(given[-1][0], "weight"), message, "give shares below 1 in all, or make them auto", also=also)
    ]


def _sizes_are_told(data: Data) -> list[Problem]:
    return [
        Problem(
            _source(i, "weight"),
            f"source '{data.sources[i].name}': mix {mix_name(data)} weighs by unique tokens",
            "say unique_tokens, or give a weight",
            also=(_source(i, "unique_tokens"),),
        )
        for i in autos(data)
        if data.counted_sources[i].unique_tokens is None
    ]


def _domains_are_there(data: Data, mix: Mix | MixLaw) -> list[Problem]:
    weights, problems = mix.weights(), []
    for i in autos(data):
        source = data.sources[i]
        domain = mix.domain_of(source.name, source.kind)
        if domain is not None and weights[domain] > 0:
            continue
        kinds = ", ".join(name for name, weight in weights.items() if weight > 0)
        of = f"of kind '{source.kind}'" if source.kind else "of no kind"
        lacks = "gives it nothing" if domain is not None else "has no domain for it, so nothing would be read of it"
        message = f"source '{source.name}' {of}: mix {mix_name(data)} {lacks}. Its domains are {kinds}"
        do = "name one as kind, give the source a share of its own (e.g. weight: 0.05), or leave it out"
        problems.append(Problem(_source(i, "kind"), message, do, also=(("data", "mix"),)))
    return problems


def _source(i: int, field: str) -> Path:
    return ("data", "sources", i, field)
