"""What a plan holds of adapters, and why: what learns, at which rate, and what the other weights then cost."""

from sixnd.planner.hyperparameters import LARGEST_RATE
from sixnd.planner.lora import SOURCE, Adapters
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.errors import ContradictionError, Path, Problem
from sixnd.specs.families import Architecture
from sixnd.specs.lora import Lora, PlannedLora
from sixnd.specs.plan import Decision

BIDERMAN = "Biderman et al. 2024, arXiv:2405.09673"
SCHULMAN = "Schulman et al. 2025, LoRA Without Regret (thinkingmachines.ai/blog/lora)"
_RANK: Path = ("continual", "lora", "rank")


def planned_lora(spec: BudgetSpec, model: Architecture) -> PlannedLora | None:
    """What a plan holds of adapters; none where all weights learn.

    Raises ``ContradictionError`` where the rank is not below that of a matrix: the adapter would be larger than it.
    """
    asked, adapters = spec.continual.lora if spec.continual else None, Adapters.of(spec)
    if asked is None or adapters is None:
        return None
    sides = [min(matrix.outputs, matrix.inputs) for matrix in adapters.matrices(model)]
    if asked.rank >= min(sides):
        message = f"a rank of {asked.rank} is not low: the narrowest matrix that is adapted has rank {min(sides)}"
        raise ContradictionError(Problem(_RANK, message, f"give at most {min(sides) - 1}", also=(("model",),)))
    return PlannedLora(
        rank=asked.rank,
        alpha=asked.alpha or 2.0 * asked.rank,
        targets=asked.targets,
        params=adapters.params(model),
    )


def adapter_rate(of_all: float, asked: Lora | None) -> float:
    """The peak learning rate of what learns, from that of all weights."""
    if asked is None:
        return of_all
    return min(asked.learning_rate_times * of_all, LARGEST_RATE)


def why_adapter_rate(of_all: float, asked: Lora) -> tuple[str, str]:
    """(reason, source) of the learning rate of adapters."""
    found = asked.learning_rate_times * of_all
    cut = f"; {found:.4g} is cut to {LARGEST_RATE:g}" if found > LARGEST_RATE else ""
    reason = (
        f"adapters take {asked.learning_rate_times:g} times the rate of all weights, {of_all:.4g}{cut}. Best rates "
        "were about ten times as high in fine-tuning, and less so in longer continued pre-training, so this is worth "
        "a sweep"
    )
    return reason, f"{SCHULMAN}; {BIDERMAN}, appendix B"


def lora_decisions(spec: BudgetSpec, model: Architecture, params: int) -> list[Decision]:
    """What learns of ``params`` parameters; none where all do."""
    asked = spec.continual.lora if spec.continual else None
    planned = planned_lora(spec, model)
    if asked is None or planned is None:
        return []
    given = ", ".join(sorted(asked.model_fields_set & {"rank", "alpha", "targets"}))
    return [
        Decision(
            what="continual.lora",
            value=(
                f"rank {planned.rank}, alpha {planned.alpha:g}, on {' and '.join(planned.targets)}: {planned.params:,} "
                f"parameters learn beside {params:,} that stand still"
            ),
            reason=(
                "forgets less than training all weights, and learns less, the lower the rank. Gradients and the "
                "optimizer's state are the adapters' alone; frozen matrices have no weight gradient, so that a token "
                "costs 4N + 6n FLOPs instead of 6N (n: what learns)"
            ),
            source=f"{SOURCE}; {BIDERMAN}" + (f"; spec: {given}" if given else ""),
            pinned=True,
        )
    ]
