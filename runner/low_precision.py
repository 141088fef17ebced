"""Products in FP8: what they need of the machine that trains, and what Megatron-core is told.

Forward products take E4M3, gradients E5M2 (Micikevicius et al. 2022, arXiv:2209.05433). Weights, optimizer, head, norms
and the products of queries, keys and values stay as in BF16 training.
"""

import importlib.util
from typing import Any

from sixnd.specs.errors import SixndError
from sixnd.specs.plan import Plan

FORMAT = "hybrid"
"""Megatron-core's name of E4M3 forward and E5M2 backward (``TransformerConfig.fp8``)."""
FIRST_CAPABILITY = (8, 9)
"""Compute capability from which GPUs multiply FP8: Ada, Hopper, Blackwell."""
FIRST_TRANSFORMER_ENGINE = "2.2.0"
"""That scales by the tensor at hand (``megatron/core/fp8_utils.py``)."""


def fp8_options(plan: Plan) -> dict[str, Any]:
    """Megatron's configuration of them; empty in another precision."""
    recipe = plan.training.fp8_recipe
    return {"fp8": FORMAT, "fp8_recipe": recipe} if recipe else {}


def check_low_precision(plan: Plan) -> None:
    """A plan in FP8 is refused, on the machine that is to train it, with what that lacks."""
    if plan.training.precision == "fp8" and (lack := _lack()):
        raise SixndError(
            f"the plan trains in FP8, and {lack}", "run it where there is, or plan with training.precision bf16"
        )


def _lack() -> str:
    """In words; empty where nothing is lacking. Without it all Megatron would train in BF16 and not say so."""
    import torch

    if not torch.cuda.is_available():
        return "there is no GPU here"
    capability = torch.cuda.get_device_capability()
    if capability < FIRST_CAPABILITY:
        has, needs = (f"{major}.{minor}" for major, minor in (capability, FIRST_CAPABILITY))
        return f"the GPU here, of compute capability {has}, has no products in it: there are from {needs} on"
    if importlib.util.find_spec("transformer_engine") is None:
        return "Transformer Engine, which has the products, is not installed here"
    from megatron.core.utils import get_te_version, is_te_min_version

    if not is_te_min_version(FIRST_TRANSFORMER_ENGINE):
        return f"Transformer Engine here is {get_te_version()}, older than {FIRST_TRANSFORMER_ENGINE}"
    return ""
