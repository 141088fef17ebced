"""What one training step of any catalogued decoder asks of a rank: FLOPs, bytes and messages, no seconds yet.

Counts are of one micro-batch on a stage of mean size, so that a stage's layers may be a fraction. Matrix products are
counted with the idle multiprocessors of their last wave and the padding of their last tiles.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

from sixnd.planner import model as counts
from sixnd.planner.model_flops import forward_flops
from sixnd.planner.split import Split
from sixnd.specs.families import Architecture
from sixnd.specs.step_family import Device

TILE = 128
"""Side of one tile of a matrix product; larger tiles waste more at the edges, smaller ones re-read more."""
_BF16 = 2
_SCORE_PASSES = 6
"""Unfused attention: scores written by QKᵀ, read and written by mask and softmax, read by the product with V."""


@dataclass(frozen=True)
class Habits:
    """What a training program does that costs or saves time."""

    fused_attention: bool = True
    flash2: bool = False
    """Attention by FlashAttention 2 instead of cuDNN's."""
    sharded_weights: bool = False
    """Weights are gathered for each layer's pass and let go (FSDP, ZeRO 3)."""
    overlaps: bool = True
    """Collectives of gradients and parameters run behind compute."""
    gradient_bytes: int = 4
    """Bytes of one gradient on the wire."""
    adapters: bool = False
    """Only low-rank adapters learn: no gradients of weights, nothing to reduce."""


@dataclass(frozen=True)
class Work:
    """Counts of one micro-batch on one rank of a mean stage, forward pass, unless said otherwise."""

    layers: float
    """Layers of the stage."""
    expert_layers: float
    products: float
    """FLOPs of dense matrix products, idle tiles included."""
    expert_products: float
    scores: float
    """FLOPs of attention's two products; all of the matrix where attention is not fused."""
    score_bytes: float
    moved: float
    """Bytes of memory-bound modules and of weights read."""
    expert_moved: float
    """Bytes of experts' weights read, and of tokens sorted and activated."""
    head: float
    """FLOPs of the logits, whole."""
    logits: float
    """Logits on this rank."""
    predictions: float
    """FLOPs of further predictions (MTP), whole."""
    tensor_bytes: float
    """A rank's bytes of tensor-parallel collectives in one pass."""
    expert_scale_up_bytes: float
    """Bytes of tokens sent to experts and back in one pass, inside the NVLink domain."""
    expert_network_bytes: float
    """The same across domains; a token is sent once to each domain."""
    context_bytes: float
    """Bytes of keys and values passed around the ring in one pass."""
    stage_bytes: float
    """Bytes handed to the next stage."""
    params: float
    """Dense parameters of the rank."""
    expert_params: float
    misaligned: bool


class _Context(NamedTuple):
    model: Architecture
    split: Split
    sequence: int
    device: Device
    habits: Habits

    @property
    def tokens(self) -> float:
        return self.sequence * self.split.micro_batch / self.split.context


def quantised(rows: float, columns: float, multiprocessors: int) -> float:
    """How much longer a matrix product takes for tiles that its edges cut and multiprocessors idle in the last wave."""
    tiles = math.ceil(rows / TILE) * math.ceil(columns / TILE)
    waves = tiles / multiprocessors
    return tiles * TILE**2 / (rows * columns) * math.ceil(waves) / waves


def work(model: Architecture, split: Split, sequence: int, device: Device, habits: Habits) -> Work:
    """Count one micro-batch's work on one rank."""
    c = _Context(model, split, sequence, device, habits)
    flops = forward_flops(model, sequence, "causal")
    tokens, t, p, h = c.tokens, split.tensor, split.pipeline, model.hidden
    layers = model.layers / p
    fused = habits.fused_attention
    scale_up, network = _expert_bytes(c)
    dense_params = layers * _dense_weights(model) / t
    return Work(
        layers=layers,
        expert_layers=counts.expert_layers(model) / p,
        products=_products(c, flops),
        expert_products=_expert_products(c, flops),
        scores=tokens * flops["scores"] / t / p * (1 if fused else 2),
        score_bytes=0.0 if fused else layers * tokens * model.heads * sequence / t * _SCORE_PASSES * _BF16,
        moved=(tokens * layers * _elements_per_token(c) + dense_params) * _BF16,
        expert_moved=_expert_moved(c) * _BF16,
        head=tokens * flops["head"] / t * quantised(tokens, model.vocab / t, device.multiprocessors),
        logits=tokens * model.vocab / t,
        predictions=tokens * flops.get("mtp", 0.0) / t,
        tensor_bytes=layers * 4 * (t - 1) / t * tokens * h * _BF16,
        expert_scale_up_bytes=scale_up,
        expert_network_bytes=network,
        context_bytes=layers * 2 * _key_width(model) / t * tokens * _BF16 * (split.context - 1),
        stage_bytes=tokens * h * _BF16 / t,
        params=dense_params + model.vocab * h / t,
        expert_params=_expert_params(c),
        misaligned=bool(counts.head_dim(model) % 8) if model.latent_attention is None else False,
    )


def _key_width(model: Architecture) -> int:
    """Width of all keys, or values, as attention reads them; latent ones are expanded to every head."""
    latent = model.latent_attention
    return model.heads * latent.value if latent else counts.kv_width(model)


def _products(c: _Context, flops: dict[str, float]) -> float:
    """Dense products of a mean stage: queries, keys and values; projection; the feed-forward's two steps."""
    model, t = c.model, c.split.tensor
    inner = (2 if model.gated else 1) / (3 if model.gated else 2)
    width = _dense_width(model)
    query = counts.query_width(model) + 2 * _key_width(model)
    products = [(flops["qkv"], query / t), (flops["projection"], model.hidden)]
    if width:
        wide = width * (2 if model.gated else 1) / t
        products += [(flops["ffn"] * inner, wide), (flops["ffn"] * (1 - inner), model.hidden)]
    spread = [f * quantised(c.tokens, columns, c.device.multiprocessors) for f, columns in products]
    return c.tokens * sum(spread) / t / c.split.pipeline


def _dense_width(model: Architecture) -> int:
    """Width of the feed-forward that every token passes: the dense one, else the shared experts."""
    shared = model.experts.shared_ffn if model.experts else 0
    return model.ffn if counts.expert_layers(model) < model.layers and not shared else shared


def _mean_width(model: Architecture) -> float:
    """Width of what every token passes, on average over layers."""
    sparse = counts.expert_layers(model)
    shared = model.experts.shared_ffn if model.experts else 0
    return ((model.layers - sparse) * model.ffn + sparse * shared) / model.layers


def _dense_weights(model: Architecture) -> float:
    """Weights of a mean layer without routed experts."""
    matrices = 3 if model.gated else 2
    return counts.layer_params(model, False).attention + matrices * model.hidden * _mean_width(model)


def _elements_per_token(c: _Context) -> float:
    """Elements a mean layer's forward pass moves a token, as ``steptime`` counts them."""
    model, t = c.model, c.split.tensor
    q, kv, h = counts.query_width(model), _key_width(model), model.hidden
    whole = 4 * h + 10 * h / c.split.sequence_shards
    matrices = 3 if model.gated else 2
    attention = 2 * (q + kv) + 2 * q + 2 * kv + (q + 2 * kv) + q
    return whole + (attention + 2 * matrices * _mean_width(model)) / t


def _tokens_per_expert(c: _Context) -> float:
    """Rows of one expert's products: tokens of all ranks that share the experts, spread evenly."""
    experts = c.model.experts
    assert experts is not None
    return c.tokens / c.split.tensor * experts.top_k * c.split.expert / experts.routed


def _expert_products(c: _Context, flops: dict[str, float]) -> float:
    """FLOPs of routed experts; each expert's rows are padded to whole tiles."""
    if c.model.experts is None:
        return 0.0
    rows = _tokens_per_expert(c)
    return c.tokens * flops["experts"] / c.split.tensor / c.split.pipeline * math.ceil(rows / TILE) * TILE / rows


def _expert_params(c: _Context) -> float:
    """Parameters of the routed experts on a rank of a mean stage."""
    model = c.model
    if model.experts is None:
        return 0.0
    each = (3 if model.gated else 2) * model.hidden * model.experts.ffn
    held = model.experts.routed / (c.split.expert * c.split.expert_tensor)
    return counts.expert_layers(model) / c.split.pipeline * held * each


def _expert_moved(c: _Context) -> float:
    """Elements: experts' weights read once; tokens sorted, un-sorted, and activated between the two products."""
    model, experts = c.model, c.model.experts
    if experts is None:
        return 0.0
    layers = counts.expert_layers(model) / c.split.pipeline
    sent = layers * c.tokens / c.split.tensor * experts.top_k
    return _expert_params(c) + sent * (6 * model.hidden + 4 * experts.ffn)


def _expert_bytes(c: _Context) -> tuple[float, float]:
    """Bytes of one pass's two all-to-alls: inside NVLink domains, and across them.

    A token goes to a rank once, however many of its experts live there, and to a domain once: ranks are hit with
    probability 1 - (1 - 1/n)^k for n of them and top-k routing.
    """
    model, experts, ranks = c.model, c.model.experts, c.split.expert
    if experts is None or ranks == 1:
        return 0.0, 0.0
    inside = min(ranks, c.device.scale_up_ranks)
    domains = math.ceil(ranks / c.device.scale_up_ranks)
    sent = 2 * counts.expert_layers(model) / c.split.pipeline * c.tokens / c.split.tensor * model.hidden * _BF16
    near = inside * domains * (1 - (1 - 1 / ranks) ** experts.top_k) * (inside - 1) / inside
    far = domains * (1 - (1 - 1 / domains) ** experts.top_k) * (domains - 1) / domains
    return sent * near, sent * far
