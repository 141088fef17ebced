"""Exact training FLOPs of any catalogued decoder by module, forward, backward and recomputed. A multiply-add is two.

Causal attention needs half of the score matrix; whether the other half is counted is a convention, and sources differ
(Megatron-Bridge counts half; PaLM's appendix B, Megatron-LM's and llm-foundry's formulas count all of it), so every
function asks for it. Norms, activations, softmax and routing's sorting are not counted, as in all of these.
"""

from dataclasses import dataclass
from typing import Literal

from sixnd.planner import model as counts
from sixnd.planner.lora import Adapters
from sixnd.specs.families import Architecture

Convention = Literal["causal", "full"]
"""Scores counted: those a causal mask leaves, or the whole matrix."""
Recomputed = Literal["none", "attention", "full"]
"""What runs forward twice: nothing, the scores and their product with V, or every layer."""

_BACKWARD = 2.0
"""The backward pass multiplies twice for each multiplication of the forward: by inputs and by weights."""


@dataclass(frozen=True)
class TrainingFlops:
    """FLOPs a token by module."""

    forward: dict[str, float]
    backward: dict[str, float]
    recomputed: dict[str, float]

    @property
    def model(self) -> float:
        """Forward and backward once: what MFU counts (PaLM, appendix B)."""
        return sum(self.forward.values()) + sum(self.backward.values())

    @property
    def hardware(self) -> float:
        """With what runs twice: what HFU counts."""
        return self.model + sum(self.recomputed.values())


def utilisation(flops_per_token: float, tokens_per_s: float, peak_flops: float) -> float:
    """Share of peak: MFU of ``TrainingFlops.model``, HFU of ``TrainingFlops.hardware``."""
    return flops_per_token * tokens_per_s / peak_flops


def training_flops(
    model: Architecture,
    sequence: int,
    convention: Convention,
    recomputed: Recomputed = "none",
    adapters: Adapters | None = None,
) -> TrainingFlops:
    """FLOPs of training on one token of a sequence, modules of multi-token prediction included.

    With adapters every matrix stands still: its backward pass multiplies by itself alone, and theirs by both.
    """
    forward = forward_flops(model, sequence, convention)
    if adapters is None:
        backward = {name: _BACKWARD * value for name, value in forward.items()}
    else:
        backward = {name: value * (_BACKWARD if name == "scores" else 1.0) for name, value in forward.items()}
        forward["adapters"] = 2.0 * adapters.params(model)
        backward["adapters"] = _BACKWARD * forward["adapters"]
    again = {"none": (), "attention": ("scores",), "full": ("qkv", "scores", "projection", "ffn", "router", "experts")}
    return TrainingFlops(forward, backward, {name: forward[name] for name in again[recomputed] if name in forward})


def forward_flops(model: Architecture, sequence: int, convention: Convention) -> dict[str, float]:
    """Forward matrix-product FLOPs a token, by module of the whole model; ``mtp`` holds further predictions."""
    sparse, h = counts.expert_layers(model), model.hidden
    dense = model.layers - sparse
    found = {
        "qkv": 2.0 * model.layers * _qkv_weights(model),
        "scores": sum(_scores(model, _keys(model, i, sequence, convention)) for i in range(model.layers)),
        "projection": 2.0 * model.layers * counts.value_width(model) * h,
        "ffn": 2.0 * (dense * _ffn(model, model.ffn) + sparse * _shared(model)),
        "head": 2.0 * counts.embedding_params(model),
    }
    if model.experts is not None:
        experts = model.experts
        found["router"] = 2.0 * sparse * h * (experts.routed + int(experts.shared_gate))
        found["experts"] = 2.0 * sparse * experts.top_k * _ffn(model, experts.ffn)
    if model.mtp_layers:
        found["mtp"] = model.mtp_layers * _mtp(model, sequence, convention)
    return found


def _qkv_weights(model: Architecture) -> int:
    """Weights that make queries, keys and values, latent or not."""
    latent, h = model.latent_attention, model.hidden
    if latent is None:
        return h * (counts.query_width(model) + 2 * counts.kv_width(model))
    queries = counts.query_width(model) * (latent.query_rank or h) + h * (latent.query_rank or 0)
    keys = h * (latent.kv_rank + latent.rotary) + latent.kv_rank * model.heads * (latent.query_key + latent.value)
    return queries + keys


def _scores(model: Architecture, keys: float) -> float:
    """QKᵀ and the product with V, for a token that sees so many keys."""
    return 2.0 * keys * (counts.query_width(model) + counts.value_width(model))


def _keys(model: Architecture, layer: int, sequence: int, convention: Convention) -> float:
    """Keys a token's scores are counted with, on average over the sequence; a window of w sees at most w."""
    window = model.window
    seen = sequence
    if window is not None and (layer + 1) % window.full_every:
        seen = min(sequence, window.tokens)
    return seen if convention == "full" else seen - seen**2 / (2 * sequence)


def _ffn(model: Architecture, width: int) -> int:
    return (3 if model.gated else 2) * model.hidden * width


def _shared(model: Architecture) -> int:
    return _ffn(model, model.experts.shared_ffn) if model.experts is not None else 0


def _mtp(model: Architecture, sequence: int, convention: Convention) -> float:
    """One further prediction: its projection of 2h to h, its layer, and the head again (DeepSeek-V3, §2.2)."""
    weights = 2 * model.hidden**2 + _qkv_weights(model) + counts.value_width(model) * model.hidden
    experts = model.experts
    if experts is None:
        weights += _ffn(model, model.ffn)
    else:
        weights += model.hidden * experts.routed + _shared(model) + experts.top_k * _ffn(model, experts.ffn)
    scores = _scores(model, _keys(model, model.layers - 1, sequence, convention))
    return 2.0 * (weights + counts.embedding_params(model)) + scores
