"""What is wrong with a spec's continual pre-training, each mistake with its place."""

import difflib

from sixnd.specs.budget import BudgetSpec
from sixnd.specs.continual import Continual, Origin
from sixnd.specs.errors import Path, Problem
from sixnd.specs.replay import general_names, new_data

_REPLAY: Path = ("continual", "replay")
_REWARM: Path = ("continual", "rewarm")
_RATE: Path = ("training", "learning_rate")


def continual_problems(spec: BudgetSpec) -> list[Problem]:
    """Every contradiction between `continual` and the rest of a spec."""
    asked = spec.continual
    if asked is None:
        return []
    if asked.origin is None:
        do = "load the spec from its file, which reads what the base says of itself"
        return [Problem(("continual", "base"), "the base has not been read", do)]
    return [*_general(spec, asked), *_rate(spec, asked, asked.origin), *_elsewhere(spec)]


def _general(spec: BudgetSpec, asked: Continual) -> list[Problem]:
    known, problems = [source.name for source in spec.data.sources], []
    for i, name in enumerate(general_names(spec)):
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.4)
            hint = f"did you mean '{near[0]}'?" if near else f"the sources are {', '.join(known)}"
            problems.append(Problem(("continual", "general", i), f"no source is named '{name}'", hint))
    if not general_names(spec) and asked.replay > 0:
        message = f"{asked.replay:.3g} of the tokens are to be general text, and the base's folder has none"
        do = "name sources that stand for it under continual.general, or say `replay: 0%`"
        problems.append(Problem(_REPLAY, message, do))
    if not new_data(spec).sources:
        do = "add what the model is to learn, or leave some out of general"
        place: Path = ("continual", "general")
        problems.append(Problem(place, "every source is general text", do, also=(("data", "sources"),)))
    return problems


def _rate(spec: BudgetSpec, asked: Continual, origin: Origin) -> list[Problem]:
    if spec.training.learning_rate is not None:
        if "rewarm" not in asked.model_fields_set:
            return []
        message = "rewarm and training.learning_rate both decide the peak learning rate"
        return [Problem(_REWARM, message, "keep one of them", also=(_RATE,))]
    if asked.rewarm == "none":
        needed, known = "final_learning_rate", asked.final_learning_rate or origin.final_learning_rate
    else:
        needed, known = "peak_learning_rate", asked.peak_learning_rate or origin.peak_learning_rate
    if known is not None:
        return []
    whose = f"{origin.name} after step {origin.step:,}" if origin.step else origin.name
    message = f"rewarm {asked.rewarm} needs the base's {needed.replace('_', ' ')}, and {whose} does not say it"
    return [Problem(_REWARM, message, f"give continual.{needed}, or training.learning_rate")]


def _elsewhere(spec: BudgetSpec) -> list[Problem]:
    problems = []
    if spec.budget.loss is not None:
        message, do = (
            "no law here speaks of the loss of continual training",
            "give compute, hours, money or time instead",
        )
        problems.append(Problem(("budget", "loss"), message, do, also=(("continual",),)))
    if spec.training.parametrization == "mup":
        message = "muP's factors are part of a model from its start, and the base has none"
        place = ("training", "parametrization")
        problems.append(Problem(place, message, "leave parametrization out", also=(("continual",),)))
    return problems
