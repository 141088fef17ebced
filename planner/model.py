"""Exact parameters of any decoder a catalog of models describes, by what they are part of.

``Transformer`` is the dense decoder that the planner shapes; this counts the general one: grouped-query or latent
attention, plain or gated feed-forward, experts, biases, learned positions, multi-token prediction.
"""

from dataclasses import dataclass

from sixnd.specs.families import Architecture, Experts


@dataclass(frozen=True)
class LayerParams:
    """Parameters of one layer, by how parallelism splits them."""

    attention: int
    """Matrices and biases that tensor parallelism splits."""
    attention_whole: int
    """Latent down-projections, norms inside the attention: whole on every tensor-parallel rank."""
    norms: int
    ffn: int
    """Dense feed-forward or shared experts."""
    router: int
    experts: int
    """All routed experts."""

    @property
    def total(self) -> int:
        """All parameters of the layer."""
        return self.attention + self.attention_whole + self.norms + self.ffn + self.router + self.experts


def head_dim(model: Architecture) -> int:
    """Width of one query (and key) head without its rotary part where that is apart."""
    if model.latent_attention is not None:
        return model.latent_attention.query_key
    return model.head_dim or model.hidden // model.heads


def query_width(model: Architecture) -> int:
    """Width of all queries together."""
    latent = model.latent_attention
    return model.heads * (head_dim(model) + (latent.rotary if latent else 0))


def value_width(model: Architecture) -> int:
    """Width of the attention's output before its projection."""
    latent = model.latent_attention
    return model.heads * (latent.value if latent else head_dim(model))


def kv_width(model: Architecture) -> int:
    """Width of all keys, or values, of grouped-query attention."""
    assert model.kv_heads is not None
    return model.kv_heads * head_dim(model)


def norm_params(model: Architecture, width: int) -> int:
    """Parameters of a norm over so many channels."""
    return width * (2 if model.norm == "layer" else 1)


def has_experts(model: Architecture, layer: int) -> bool:
    """Whether the layer of that index (from 0) holds experts."""
    return model.experts is not None and layer >= model.experts.dense_layers


def ffn_params(model: Architecture, width: int) -> int:
    """Parameters of a feed-forward of so many hidden units."""
    matrices = (3 if model.gated else 2) * model.hidden * width
    biases = (2 if model.gated else 1) * width + model.hidden
    return matrices + (biases if model.biases == "all" else 0)


def layer_params(model: Architecture, with_experts: bool) -> LayerParams:
    """Parameters of a dense layer, or of one with experts."""
    attention, whole = _latent(model) if model.latent_attention else _grouped(model)
    experts = model.experts if with_experts else None
    if experts is None:
        ffn, router, routed = ffn_params(model, model.ffn), 0, 0
    else:
        ffn = ffn_params(model, experts.shared_ffn) if experts.shared_ffn else 0
        router = _router(model, experts)
        routed = experts.routed * ffn_params(model, experts.ffn)
    norms = model.norms_per_layer * norm_params(model, model.hidden)
    return LayerParams(attention, whole, norms, ffn, router, routed)


def _router(model: Architecture, experts: Experts) -> int:
    gate = model.hidden if experts.shared_gate else 0
    return experts.routed * (model.hidden + int(experts.router_bias)) + gate


def _grouped(model: Architecture) -> tuple[int, int]:
    """(split, whole) parameters of grouped-query attention."""
    q, kv, h = query_width(model), kv_width(model), model.hidden
    biases = {"none": 0, "qkv": q + 2 * kv, "all": q + 2 * kv + h}[model.biases]
    norms = 2 * norm_params(model, head_dim(model)) if model.query_key_norm else 0
    return 2 * h * q + 2 * h * kv + biases, norms


def _latent(model: Architecture) -> tuple[int, int]:
    """(split, whole) parameters of multi-head latent attention (DeepSeek-V2, §2.1.2 and appendix C)."""
    latent, h = model.latent_attention, model.hidden
    assert latent is not None
    q, rank = query_width(model), latent.query_rank
    up = model.heads * latent.kv_rank * (latent.query_key + latent.value)
    down = h * (latent.kv_rank + latent.rotary) + norm_params(model, latent.kv_rank)
    split = up + (rank or h) * q + value_width(model) * h
    return split, down + (h * rank + norm_params(model, rank) if rank else 0)


def embedding_params(model: Architecture) -> int:
    """Parameters of the token embedding, or of the head: vocabulary × hidden."""
    return model.vocab * model.hidden


def position_params(model: Architecture) -> int:
    """Parameters of the table of learned positions."""
    return model.learned_positions * model.hidden


def expert_layers(model: Architecture) -> int:
    """Layers that hold experts."""
    return sum(has_experts(model, i) for i in range(model.layers))


def params(model: Architecture) -> int:
    """Total parameters N, without modules of multi-token prediction."""
    sparse = expert_layers(model)
    dense = model.layers - sparse
    layers = dense * layer_params(model, False).total if dense else 0
    layers += sparse * layer_params(model, True).total if sparse else 0
    ends = (1 if model.tied else 2) * embedding_params(model) + position_params(model)
    return layers + ends + norm_params(model, model.hidden)


def active_params(model: Architecture) -> int:
    """Parameters a token passes through: all but the experts that it is not sent to."""
    experts = model.experts
    if experts is None:
        return params(model)
    idle = (experts.routed - experts.top_k) * ffn_params(model, experts.ffn)
    return params(model) - expert_layers(model) * idle


def mtp_params(model: Architecture) -> int:
    """Parameters that multi-token prediction adds; embedding and head are the main model's (DeepSeek-V3, §2.2).

    Each module has a projection of 2h to h, norms of its two inputs and of its output, and one layer.
    """
    layer = layer_params(model, model.experts is not None).total
    each = 2 * model.hidden * model.hidden + 3 * norm_params(model, model.hidden) + layer
    return model.mtp_layers * each


def summary(model: Architecture) -> str:
    """The sizes in a line."""
    experts, latent = model.experts, model.latent_attention
    keys = f"latent keys of {latent.kv_rank}" if latent else f"{model.kv_heads} key-value heads"
    parts = [f"{model.layers} layers, hidden {model.hidden}, {model.heads} heads, {keys}"]
    parts += [f"FFN {model.ffn}"] if model.ffn else []
    if experts is not None:
        shared = f" and shared ones of width {experts.shared_ffn}" if experts.shared_ffn else ""
        dense = f" after {experts.dense_layers} dense layers" if experts.dense_layers else ""
        parts.append(f"{experts.top_k} of {experts.routed} experts of width {experts.ffn}{shared}{dense}")
    parts += [f"{model.mtp_layers} further predictions"] if model.mtp_layers else []
    return ", ".join(parts)
