"""What is wrong with a spec's annealing, each mistake with its place."""

import difflib

from sixnd.specs import catalog
from sixnd.specs.annealing import UPWEIGHTED_KINDS
from sixnd.specs.budget import BudgetSpec, Data, Source
from sixnd.specs.errors import Path, Problem

_PLACE: Path = ("data", "anneal")


def anneal_problems(spec: BudgetSpec) -> list[Problem]:
    """Every contradiction between `data.anneal` and the sources."""
    return [*_unread(spec.data), *_blend(spec.data)]


def _unread(data: Data) -> list[Problem]:
    """Sources of weight 0 that annealing does not read either, and a main phase without any."""
    weights = [source.weight for source in data.sources]
    if not any(weight is None or weight for weight in weights):
        message = "every source has weight 0, so the main phase would read nothing"
        return [Problem(("data", "sources", len(weights) - 1, "weight"), message, "give one a weight")]
    message = "weight 0 is for a source that annealing alone reads, and it does not read this one"
    do = "give it a weight, or name it in data.anneal.weights"
    return [
        Problem(("data", "sources", i, "weight"), message, do, also=(() if data.anneal is None else (_PLACE,)))
        for i, source in enumerate(data.sources)
        if source.weight == 0 and not _is_annealed(data, source)
    ]


def _is_annealed(data: Data, source: Source) -> bool:
    """Whether annealing reads a source that has no weight in the main phase."""
    anneal = data.anneal
    if anneal is None or (anneal.weights is None and anneal.mix is None):
        return False
    if anneal.weights is not None:
        return anneal.weights.get(source.name, 0) > 0
    assert anneal.mix is not None
    return catalog.mix(anneal.mix).domain_of(source.name, source.kind) is not None


def _blend(data: Data) -> list[Problem]:
    anneal = data.anneal
    if anneal is None:
        return []
    if anneal.mix is not None and anneal.weights is not None:
        message = "mix and weights both decide the blend of annealing"
        return [Problem((*_PLACE, "mix"), message, "keep one of them", also=((*_PLACE, "weights"),))]
    if anneal.weights is not None:
        return _weights(data, anneal.weights)
    return _mix(data, anneal.mix) if anneal.mix is not None else _default(data)


def _weights(data: Data, weights: dict[str, float]) -> list[Problem]:
    known, problems = [source.name for source in data.sources], []
    for name in weights:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.4)
            hint = f"did you mean '{near[0]}'?" if near else f"the sources are {', '.join(known)}"
            problems.append(Problem((*_PLACE, "weights", name), f"no source is named '{name}'", hint))
    if not sum(weights.values()):
        message = "these weights sum to 0, so annealing would read nothing"
        problems.append(Problem((*_PLACE, "weights"), message, "give one source a weight"))
    return problems


def _mix(data: Data, name: str) -> list[Problem]:
    mix = catalog.mix(name)
    if any(mix.domain_of(source.name, source.kind) is not None for source in data.sources):
        return []
    message = (
        f"no source is of a kind that mix {name} has ({', '.join(mix.weights())}), so annealing would read nothing"
    )
    do = "say kind at the sources, or give weights"
    return [Problem((*_PLACE, "mix"), message, do, also=(("data", "sources"),))]


def _default(data: Data) -> list[Problem]:
    if any(source.kind in UPWEIGHTED_KINDS for source in data.sources):
        return []
    message = (
        f"without mix and weights annealing reads more of kind {', '.join(UPWEIGHTED_KINDS)}, and no source says that "
        "it is of one"
    )
    do = "say kind at the sources, or give annealing a mix or weights"
    return [Problem(_PLACE, message, do, also=(("data", "sources"),))]
