"""Our weights under the names that Hugging Face's Llama gives them, and back.

What Megatron keeps in one matrix (query, key and value of a group of heads; gate and up) stands in several there. The
rest is the same model: RMSNorm, rotary positions in halves, SwiGLU, no biases. muP's two factors have no place in a
Llama and are folded into weights that only they pass through.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from sixnd.specs.errors import SixndError
from sixnd.specs.plan import Plan, PlannedMup

ROTARY_BASE, NORM_EPSILON = 10000.0, 1e-5
"""As Megatron has them where a plan cannot say otherwise."""

Weights = dict[str, Tensor]

_WHOLE = {
    "embedding.word_embeddings.weight": "model.embed_tokens.weight",
    "decoder.final_layernorm.weight": "model.norm.weight",
    "output_layer.weight": "lm_head.weight",
}
_OF_A_LAYER = {
    "input_layernorm.weight": "input_layernorm.weight",
    "pre_mlp_layernorm.weight": "post_attention_layernorm.weight",
    "self_attention.linear_proj.weight": "self_attn.o_proj.weight",
    "mlp.linear_fc2.weight": "mlp.down_proj.weight",
}
_QKV, _GATE_UP = "self_attention.linear_qkv.weight", "mlp.linear_fc1.weight"
_ROWS_ARE_ENTRIES = ("embedding.word_embeddings.weight", "output_layer.weight")


@dataclass(frozen=True)
class Llama:
    """The sizes of a model that both sides can have."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    vocab_size: int
    """Entries of the tokenizer: rows that only pad the embedding are not among them."""
    sequence_length: int
    """Tokens that it was trained to see at once."""
    tied: bool
    """Whether one matrix is embedding and head."""

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Every tensor of the Llama and its shape."""
        heads, kv_heads = self.heads * self.head_dim, self.kv_heads * self.head_dim
        layer = {
            "input_layernorm.weight": (self.hidden,),
            "post_attention_layernorm.weight": (self.hidden,),
            "self_attn.q_proj.weight": (heads, self.hidden),
            "self_attn.k_proj.weight": (kv_heads, self.hidden),
            "self_attn.v_proj.weight": (kv_heads, self.hidden),
            "self_attn.o_proj.weight": (self.hidden, heads),
            "mlp.gate_proj.weight": (self.ffn, self.hidden),
            "mlp.up_proj.weight": (self.ffn, self.hidden),
            "mlp.down_proj.weight": (self.hidden, self.ffn),
        }
        entries = (self.vocab_size, self.hidden)
        whole: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": entries, "model.norm.weight": (self.hidden,)}
        whole |= {} if self.tied else {"lm_head.weight": entries}
        layers = {f"model.layers.{i}.{name}": shape for i in range(self.layers) for name, shape in layer.items()}
        return whole | layers


def llama_of(plan: Plan) -> Llama:
    """The sizes of a plan's model; raises ``SixndError`` for one that is no Llama."""
    model, shape = plan.model, plan.model.shape
    if model.architecture is not None:
        raise SixndError(
            "the plan's model has an architecture of its own, which is no Llama", "models of model.shape are exported"
        )
    return Llama(
        layers=shape.layers,
        hidden=shape.hidden,
        heads=shape.heads,
        kv_heads=shape.kv_heads,
        head_dim=model.head_dim,
        ffn=shape.ffn,
        vocab_size=model.vocab_size,
        sequence_length=model.sequence_length,
        tied=model.tied_embeddings,
    )


def to_llama(weights: Weights, llama: Llama, mup: PlannedMup | None) -> Weights:
    """Megatron's whole weights (of one rank that holds the model) as a Llama's, padding rows cut off."""
    kept = {ours: weights[ours] for ours in _WHOLE if not (llama.tied and ours == "output_layer.weight")}
    if mup is not None:
        # Without a bias the head's logits grow with its input, and the norm before it feeds nothing else.
        kept["decoder.final_layernorm.weight"] = _times(kept["decoder.final_layernorm.weight"], mup.logit_multiplier)
    found = {
        _WHOLE[ours]: tensor[: llama.vocab_size] if ours in _ROWS_ARE_ENTRIES else tensor
        for ours, tensor in kept.items()
    }
    for i in range(llama.layers):
        ours, theirs = f"decoder.layers.{i}.", f"model.layers.{i}."
        found |= {theirs + name: weights[ours + key] for key, name in _OF_A_LAYER.items()}
        query, key, value = _split_qkv(weights[ours + _QKV], llama)
        if mup is not None:  # a Llama divides query · key by √(head dimension)
            query = _times(query, mup.attention_scale * math.sqrt(llama.head_dim))
        found |= {f"{theirs}self_attn.{n}_proj.weight": t for n, t in zip("qkv", (query, key, value), strict=True)}
        gate, up = weights[ours + _GATE_UP].chunk(2)
        found |= {f"{theirs}mlp.gate_proj.weight": gate, f"{theirs}mlp.up_proj.weight": up}
    return {name: tensor.contiguous() for name, tensor in found.items()}


def from_llama(tensors: Weights, llama: Llama, rows: int | None = None) -> Weights:
    """A Llama's weights under Megatron's names; embedding and head are padded by zeros to so many ``rows``."""
    found = {
        ours: _padded(tensors[theirs], rows or llama.vocab_size) if ours in _ROWS_ARE_ENTRIES else tensors[theirs]
        for ours, theirs in _WHOLE.items()
        if theirs in tensors
    }
    for i in range(llama.layers):
        ours, theirs = f"decoder.layers.{i}.", f"model.layers.{i}."
        found |= {ours + key: tensors[theirs + name] for key, name in _OF_A_LAYER.items()}
        found[ours + _QKV] = _joined_qkv([tensors[f"{theirs}self_attn.{n}_proj.weight"] for n in "qkv"], llama)
        found[ours + _GATE_UP] = torch.cat([tensors[f"{theirs}mlp.{n}_proj.weight"] for n in ("gate", "up")])
    return found


def _split_qkv(joined: Tensor, llama: Llama) -> list[Tensor]:
    """``[groups · (heads/group + 2) · head_dim, hidden]``, group by group, as three matrices."""
    share = llama.heads // llama.kv_heads
    groups = joined.reshape(llama.kv_heads, share + 2, llama.head_dim, llama.hidden)
    return [part.reshape(-1, llama.hidden) for part in groups.split([share, 1, 1], dim=1)]


def _joined_qkv(parts: list[Tensor], llama: Llama) -> Tensor:
    grouped = [part.reshape(llama.kv_heads, -1, llama.head_dim, llama.hidden) for part in parts]
    return torch.cat(grouped, dim=1).reshape(-1, llama.hidden)


def _times(tensor: Tensor, factor: float) -> Tensor:
    return (tensor.float() * factor).to(tensor.dtype)


def _padded(tensor: Tensor, rows: int) -> Tensor:
    return torch.cat([tensor, tensor.new_zeros(rows - len(tensor), tensor.shape[1])])
