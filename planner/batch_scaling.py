"""The learning rate that goes with another batch than the one it was chosen for."""

from typing import Literal

BatchScaling = Literal["square-root", "linear", "none"]

_POWER: dict[BatchScaling, float] = {"square-root": 0.5, "linear": 1.0, "none": 0.0}

SOURCES: dict[BatchScaling, str] = {
    "square-root": (
        "square-root rule for Adam: Malladi et al. 2022, arXiv:2205.10287 (of its rule only the learning rate moves "
        "here, β and ε stay); that it ends above some batch: Li et al. 2024, arXiv:2405.14578"
    ),
    "linear": "linear rule: Goyal et al. 2017, arXiv:1706.02677 (derived and tried for SGD)",
    "none": "spec: training.batch_scaling",
}


def scale_factor(rule: BatchScaling, batch_tokens: float, lawful_batch_tokens: float) -> float:
    """What the learning rate is multiplied with when the batch is another than the law's."""
    return float((batch_tokens / lawful_batch_tokens) ** _POWER[rule])
