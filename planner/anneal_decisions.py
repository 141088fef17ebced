"""What a plan tells of annealing: the decision and the warnings."""

import math

from sixnd.planner.annealing import annealing_shares
from sixnd.planner.schedule import root_share
from sixnd.specs import catalog
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.plan import Decision, PhaseShare, PlannedAnneal, PlannedData, PlannedTraining

PRACTICE = (
    "published practice: MiniCPM mixes better data into the cooldown, for which a tenth of the tokens was enough (Hu "
    "et al. 2024, arXiv:2404.06395); Llama 3 anneals on code and mathematics of high quality (Llama Team 2024, "
    "arXiv:2407.21783); OLMo 2 (arXiv:2501.00656) and SmolLM3 end on richer blends (`sixnd catalog mixes`)"
)


def anneal_decision(spec: BudgetSpec, data: PlannedData, trained: PlannedTraining) -> list[Decision]:
    """The blend of the last steps, why it is so, and how its start stands to the learning rate."""
    anneal, planned = spec.data.anneal, data.anneal
    if anneal is None or planned is None:
        return []
    found, phase = annealing_shares(spec.data, anneal), planned.phases[1]
    read = ", ".join(f"{part.name} {part.share:.4g}" for part in phase.sources if part.share > 0)
    documents = "may read documents of the main phase again" if planned.repeat else "reads documents of its own"
    decision = Decision(
        what="data.anneal",
        value=f"from step {phase.first_step:,} of {trained.steps:,}, {phase.tokens:.4g} tokens: {read}",
        reason=f"{found.how}; {_rate(trained, phase.first_step)}; it {documents}{_epochs(planned)}",
        source=f"{found.source}; {PRACTICE}",
        pinned=anneal.mix is not None or anneal.weights is not None,
    )
    return [decision]


def _rate(trained: PlannedTraining, first: int) -> str:
    """Where the learning rate stands when annealing starts."""
    if trained.schedule == "cosine":
        share = (first - 1 - trained.warmup_steps) / (trained.steps - trained.warmup_steps)
        low = trained.final_learning_rate / trained.learning_rate
        rate = low + (1 - low) * (1 + math.cos(math.pi * max(share, 0.0))) / 2
        return f"the cosine has fallen to {rate:.0%} of its peak by then"
    if not trained.decay_steps:
        low = root_share(trained.warmup_steps, first, trained.final_learning_rate / trained.learning_rate)
        return f"the learning rate, an inverse square root, has fallen to {low:.0%} of its peak by then"
    cooldown = trained.steps - trained.decay_steps + 1
    if cooldown == first:
        return "it starts with the cooldown of the learning rate"
    where = f"{abs(first - cooldown):,} steps {'after' if first > cooldown else 'before'}"
    return f"it starts {where} the cooldown of the learning rate; share = training.decay_fraction makes them one"


def _epochs(planned: PlannedAnneal) -> str:
    told = [part for part in planned.phases[1].sources if part.epochs]
    return f"; its epochs: {', '.join(f'{part.name} {part.epochs:.2g}' for part in told)}" if told else ""


def anneal_warnings(spec: BudgetSpec, data: PlannedData) -> list[str]:
    """Domains that no source has, guessed mixes, and sources that hold too little for both phases."""
    anneal, planned = spec.data.anneal, data.anneal
    if anneal is None or planned is None:
        return []
    parts = zip(*(phase.sources for phase in planned.phases), strict=True)
    scarce = [] if planned.repeat else [_scarce(main, annealing) for main, annealing in parts if _repeats(annealing)]
    return [*_of_the_mix(spec), *scarce]


def _of_the_mix(spec: BudgetSpec) -> list[str]:
    anneal, told = spec.data.anneal, []
    if anneal is None or anneal.mix is None:
        return []
    lost, mix = annealing_shares(spec.data, anneal).lost, catalog.mix(anneal.mix)
    if lost:
        names = ", ".join(f"{name} {weight:.3g}" for name, weight in lost.items())
        told.append(
            f"data.anneal.mix {anneal.mix}: no source has its {names}; their weight of {sum(lost.values()):.3g} went "
            "to the others in proportion"
        )
    if mix.estimate:
        told.append(f"data.anneal.mix {anneal.mix} is an estimate, not a publication: {mix.weakness}")
    return told


def _repeats(annealing: PhaseShare) -> bool:
    return annealing.tokens > 0 and (annealing.epochs or 0.0) > 1 + 1e-9


def _scarce(main: PhaseShare, annealing: PhaseShare) -> str:
    held = (main.unique_tokens or 0.0) + (annealing.unique_tokens or 0.0)
    return (
        f"source '{main.name}' holds {held:.3g} unique tokens, too few for the {main.tokens:.3g} that the main phase "
        f"reads and the {annealing.tokens:.3g} of annealing: its documents are held apart, so each phase reads its own "
        f"{annealing.epochs:.2g} times; `data.anneal.repeat: true` lets annealing read all of them"
    )
