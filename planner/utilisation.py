"""MFU and HFU under both conventions of counting attention: what is computed, and what is computed twice.

PaLM's appendix B (Chowdhery et al. 2022, arXiv:2204.02311) defines both: MFU counts each FLOP of the model once, HFU
also what recomputation repeats. What fused attention computes again inside its backward kernel counts as neither.
"""

from typing import get_args

from sixnd.planner import model as counts
from sixnd.planner.cost import scaled
from sixnd.planner.model_flops import Convention, forward_flops, training_flops
from sixnd.planner.transformer import Transformer
from sixnd.specs.families import Architecture
from sixnd.specs.plan import Estimate, PlannedLayout

PALM = "Chowdhery et al. 2022, PaLM, appendix B, arXiv:2204.02311"
_LAYERS = ("qkv", "scores", "projection", "ffn", "router", "experts")
"""What whole layers are made of."""
_COUNTED = {
    "causal": "causal attention as half",
    "full": "attention's whole score matrix",
}


def utilisations(mfu: Estimate, model: Transformer, layout: PlannedLayout) -> dict[str, Estimate]:
    """``mfu_full``, ``hfu`` and ``hfu_full`` from the MFU that counts causal attention as half."""
    counted = _model(model, "causal")
    found: dict[str, Estimate] = {}
    for convention in get_args(Convention):
        whole = _model(model, convention)
        twice = recomputed_flops(model.architecture, model.sequence, convention, layout)
        suffix = "_full" if convention == "full" else ""
        found |= {
            f"mfu{suffix}": _times(mfu, whole / counted, f"exact model FLOPs, {_COUNTED[convention]}, over dense peak"),
            f"hfu{suffix}": _times(
                mfu,
                (whole + twice) / counted,
                f"exact FLOPs with what is recomputed, {_COUNTED[convention]}, over dense peak",
            ),
        }
    return {name: found[name] for name in ("mfu_full", "hfu", "hfu_full")}


def _model(model: Transformer, convention: Convention) -> float:
    return training_flops(model.architecture, model.sequence, convention, adapters=model.adapters).model


def _times(mfu: Estimate, factor: float, basis: str) -> Estimate:
    return scaled(mfu, factor, mfu.unit, basis)


def forward_share(model: Transformer, layout: PlannedLayout) -> float:
    """Share of a micro-batch's FLOPs that its forward pass is; what is recomputed runs in the backward pass."""
    counted = training_flops(model.architecture, model.sequence, "causal", adapters=model.adapters)
    forward = sum(counted.forward.values())
    twice = recomputed_flops(model.architecture, model.sequence, "causal", layout)
    return forward / (_model(model, "causal") + twice)


def recomputed_flops(model: Architecture, sequence: int, convention: Convention, layout: PlannedLayout) -> float:
    """FLOPs a token that run forward twice under a layout; norms and activations have none."""
    forward = forward_flops(model, sequence, convention)
    if layout.recompute == "full":
        return _share_of_layers(model, layout) * sum(forward.get(name, 0.0) for name in _LAYERS)
    shared = 2.0 * counts.expert_layers(model) * _shared_weights(model)
    modules = {
        "core_attn": forward["scores"],
        "mla_up_proj": 2.0 * model.layers * _up_weights(model),
        "mlp": forward["ffn"] - shared,
        "shared_experts": shared,
        "moe": shared + forward.get("router", 0.0) + forward.get("experts", 0.0),
    }
    again = set(layout.recompute_modules)
    again -= {"shared_experts"} if "moe" in again else set()
    return sum(modules.get(name, 0.0) for name in again)


def _share_of_layers(model: Architecture, layout: PlannedLayout) -> float:
    if not layout.recompute_layers:
        return 1.0
    return min(1.0, layout.recompute_layers * layout.pipeline * layout.virtual_pipeline / model.layers)


def _shared_weights(model: Architecture) -> int:
    if model.experts is None:
        return 0
    return (3 if model.gated else 2) * model.hidden * model.experts.shared_ffn


def _up_weights(model: Architecture) -> int:
    """Weights that expand latents to heads; queries that have no latent are projected, not expanded."""
    latent = model.latent_attention
    if latent is None:
        return 0
    keys = latent.kv_rank * model.heads * (latent.query_key + latent.value)
    return keys + counts.query_width(model) * (latent.query_rank or 0)
