"""What is wrong with a spec's annealing, each mistake with its place."""

import difflib

from sixnd.specs import catalog
from sixnd.specs.annealing import UPWEIGHTED_KINDS
from sixnd.specs.budget import BudgetSpec, Data
from sixnd.specs.errors import Path, Problem

_PLACE: Path = ("data", "anneal")


def anneal_problems(spec: BudgetSpec) -> list[Problem]:
    """Every contradiction between `data.anneal` and the sources."""
    anneal = spec.data.anneal
    if anneal is None:
        return []
    if anneal.mix is not None and anneal.weights is not None:
        message = "mix and weights both decide the blend of annealing; keep one of them"
        return [Problem((*_PLACE, "mix"), message, also=((*_PLACE, "weights"),))]
    if anneal.weights is not None:
        return _weights(spec.data, anneal.weights)
    return _mix(spec.data, anneal.mix) if anneal.mix is not None else _default(spec.data)


def _weights(data: Data, weights: dict[str, float]) -> list[Problem]:
    known, problems = [source.name for source in data.sources], []
    for name in weights:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.4)
            hint = f"did you mean '{near[0]}'?" if near else f"the sources are {', '.join(known)}"
            problems.append(Problem((*_PLACE, "weights", name), f"no source is named '{name}'; {hint}"))
    if not sum(weights.values()):
        message = "these weights sum to 0, so annealing would read nothing; give one source a weight"
        problems.append(Problem((*_PLACE, "weights"), message))
    return problems


def _mix(data: Data, name: str) -> list[Problem]:
    mix = catalog.mix(name)
    if any(mix.domain_of(source.name, source.kind) is not None for source in data.sources):
        return []
    message = (
        f"no source is of a kind that mix {name} has ({', '.join(mix.weights())}), so annealing would read nothing; "
        "say kind at the sources, or give weights"
    )
    return [Problem((*_PLACE, "mix"), message, also=(("data", "sources"),))]


def _default(data: Data) -> list[Problem]:
    if any(source.kind in UPWEIGHTED_KINDS for source in data.sources):
        return []
    message = (
        f"without mix and weights annealing reads more of kind {', '.join(UPWEIGHTED_KINDS)}, and no source says that "
        "it is of one; say kind at the sources, or give annealing a mix or weights"
    )
    return [Problem(_PLACE, message, also=(("data", "sources"),))]
