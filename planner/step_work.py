"""What one training step of any decoder asks of a rank: FLOPs, bytes and messages, no seconds yet.

Counts are of one layer and micro-batch, forward, one entry a layout. Matrix products are counted with the idle
multiprocessors of their last wave and the padding of their last tiles.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sixnd.planner import model as counts
from sixnd.planner.candidates import Bools, Floats, Layouts
from sixnd.planner.model_flops import forward_flops
from sixnd.planner.runtime import Runtime
from sixnd.specs.families import Architecture
from sixnd.specs.lora import Target

TILE = 128
"""Side of one tile of a matrix product; larger tiles waste more at the edges, smaller ones re-read more."""
_EXPERT_WEIGHT_PASSES = 2
"""Routed experts' weights are read forward and backward, and their FP32 gradients, of twice the bytes, read and written
each micro-batch: in all six passes over the weights, two for each pass of a layer. The gradients of dense products are
added up where the product is written, which the rows show no cost of."""
_LEARNING_PASSES = 3 / 2
"""Passes of a product that learns, which has a gradient by its weights, over those of one whose weights stand still."""
_SCORE_PASSES = 6
"""Unfused attention: scores written by QKᵀ, read and written by mask and softmax, read by the product with V."""


class Module(NamedTuple):
    """Forward work of one part of a layer."""

    products: Floats
    """FLOPs of matrix products, idle tiles included."""
    moved: Floats
    """Bytes of memory-bound work and of weights read."""


@dataclass(frozen=True)
class Work:
    """Counts of one micro-batch's forward pass on one rank; of one layer unless said otherwise."""

    tokens: Floats
    attention: Module
    """Queries, keys, values and the projection; rotary positions, biases."""
    up_projection: Floats
    """Part of the attention's products: from latents to heads."""
    scores: Floats
    """FLOPs of attention's two products; all of the matrix where attention is not fused."""
    score_bytes: Floats
    norms: Floats
    """Bytes of norms and residual additions."""
    ffn: Module
    """Feed-forward of a dense layer."""
    shared: Module
    """Shared experts of a layer with experts."""
    experts: Module
    """Routed experts; their bytes are weights read, and tokens sorted and put back."""
    activation: Floats
    """Bytes of the routed experts' activation function."""
    head: Floats
    """FLOPs of the logits, whole."""
    logits: Floats
    """Logits on this rank."""
    prediction: Floats
    """FLOPs of joining two inputs for a further prediction (MTP), beside its layer and its logits."""
    tensor_bytes: Floats
    """A rank's bytes of tensor-parallel collectives in one pass."""
    expert_scale_up_bytes: Floats
    """Bytes of tokens sent to experts and back in one pass, inside the NVLink domain."""
    expert_network_bytes: Floats
    """The same across domains; a token is sent once to each domain."""
    context_bytes: Floats
    """Bytes of keys and values passed around the ring in one pass."""
    stage_bytes: Floats
    """Bytes handed to the next stage."""
    dense_params: Floats
    """Parameters of a dense layer on the rank."""
    sparse_params: Floats
    """Of a layer with experts, without the routed ones."""
    expert_params: Floats
    """Routed experts' parameters of a layer on the rank."""
    embedding_params: Floats
    """Of the embedding, or of the head."""
    predictions: Floats | int
    """Modules that predict further tokens."""
    has_experts: Bools | bool
    tied: Bools | bool


class _Sizes(NamedTuple):
    """Widths of a model that do not depend on the layout."""

    hidden: int
    query: int
    key: int
    """Width of all keys, or values, as attention reads them; latent ones are expanded to every head."""
    value: int
    ffn: int
    shared: int
    matrices: int
    """Of the feed-forward: gate, up and down, or up and down."""
    attention: int
    """Weights."""
    up: int
    """Weights from latents to heads."""


class _Case(NamedTuple):
    model: Architecture
    sizes: _Sizes
    layouts: Layouts
    sequence: int
    runtime: Runtime
    tokens: Floats
    """Tokens of a micro-batch on one rank, before tensor parallelism."""

    @property
    def element(self) -> int:
        return self.runtime.element_bytes


def _sizes(model: Architecture) -> _Sizes:
    latent, experts = model.latent_attention, model.experts
    key = model.heads * latent.value if latent else counts.kv_width(model)
    up = 0
    if latent:
        up = model.heads * latent.kv_rank * (latent.query_key + latent.value)
        up += counts.query_width(model) * (latent.query_rank or 0)
    return _Sizes(
        hidden=model.hidden,
        query=counts.query_width(model),
        key=key,
        value=counts.value_width(model),
        ffn=model.ffn,
        shared=experts.shared_ffn if experts else 0,
        matrices=3 if model.gated else 2,
        attention=counts.layer_params(model, False).attention,
        up=up,
    )


def quantised(rows: Floats | float, columns: Floats | float, multiprocessors: int | None) -> Floats:
    """How much longer a matrix product takes for tiles that its edges cut and multiprocessors idle in the last wave.

    A device without multiprocessors (a CPU) is taken to lose nothing.
    """
    if multiprocessors is None:
        return np.ones(np.broadcast(rows, columns).shape)
    waves = np.ceil(np.ceil(np.asarray(rows) / TILE) * np.ceil(np.asarray(columns) / TILE) / multiprocessors)
    return np.asarray(waves * (multiprocessors * TILE**2) / (rows * columns))


def work(model: Architecture, layouts: Layouts, sequence: int, runtime: Runtime) -> Work:
    """Count one micro-batch's work on one rank of every layout."""
    tokens = sequence * layouts.micro_batch / layouts.context
    c = _Case(model, _sizes(model), layouts, sequence, runtime, tokens)
    sizes, t, element = c.sizes, layouts.tensor, c.element
    seen = min(sequence, runtime.habits.document_tokens or sequence)
    flops = forward_flops(model, seen, "causal")
    fused = runtime.habits.fused_attention
    score_bytes = tokens * model.heads * sequence / t * _SCORE_PASSES * element
    near, far = _expert_bytes(c)
    vocab = model.vocab / t
    return Work(
        tokens=tokens,
        attention=_attention(c),
        up_projection=2.0 * tokens * sizes.up / t * _rate(c, sizes.query + 2 * sizes.key),
        scores=tokens * (flops["scores"] / model.layers * (1 if fused else 2)) / t,
        score_bytes=np.zeros(len(layouts)) if fused else score_bytes,
        norms=tokens * (10.0 * sizes.hidden * element) / layouts.sequence_shards,
        ffn=_with_adapters(c, "feed-forward", _feed_forward(c, sizes.ffn)),
        shared=_feed_forward(c, sizes.shared),
        experts=_experts(c),
        activation=_sent(c) * (4.0 * model.experts.ffn * element) if model.experts else np.zeros(len(layouts)),
        head=tokens * flops["head"] / t * quantised(tokens, vocab, runtime.device.multiprocessors),
        logits=tokens * vocab,
        prediction=tokens * (4.0 * sizes.hidden**2) / t,
        tensor_bytes=4.0 * (t - 1) / t * tokens * (sizes.hidden * element),
        expert_scale_up_bytes=near,
        expert_network_bytes=far,
        context_bytes=2.0 * sizes.key / t * tokens * element * (layouts.context - 1),
        stage_bytes=tokens * (sizes.hidden * element) / t,
        dense_params=(sizes.attention + sizes.matrices * sizes.hidden * sizes.ffn) / t,
        sparse_params=(sizes.attention + sizes.matrices * sizes.hidden * sizes.shared) / t,
        expert_params=_expert_params(c),
        embedding_params=vocab * sizes.hidden,
        predictions=model.mtp_layers,
        has_experts=model.experts is not None,
        tied=model.tied,
    )


def _rate(c: _Case, columns: float) -> Floats:
    """Quantisation of a product whose columns are split over tensor-parallel ranks."""
    return quantised(c.tokens, columns / c.layouts.tensor, c.runtime.device.multiprocessors)


def _attention(c: _Case) -> Module:
    """Products of queries, keys, values and projection; what they and rotary positions move; weights."""
    s, t = c.sizes, c.layouts.tensor
    projection = s.value * s.hidden
    into, out = _rate(c, s.query + 2 * s.key), quantised(c.tokens, s.hidden, c.runtime.device.multiprocessors)
    products = 2.0 * c.tokens / t * ((s.attention - projection) * into + projection * out)
    elements = 2.0 * s.hidden + (2 * (s.query + s.key) + 2 * s.query + 2 * s.key + (s.query + 2 * s.key) + s.query) / t
    return _with_adapters(c, "attention", Module(products, (c.tokens * elements + s.attention / t) * c.element))


def _with_adapters(c: _Case, target: Target, module: Module) -> Module:
    """The module with its adapters, whose products take three passes where a frozen matrix takes two."""
    adapters = c.runtime.habits.lora
    if adapters is None or target not in adapters.targets:
        return module
    adapters = adapters.only(target)
    products = 2.0 * c.tokens * adapters.layer_params(c.model, c.layouts.tensor) * _LEARNING_PASSES
    moved = c.tokens * adapters.moved_elements(c.model, c.layouts.tensor) * c.element
    return Module(module.products + products, module.moved + moved)


def _feed_forward(c: _Case, width: int) -> Module:
    """A feed-forward of so many hidden units, the same for every token."""
    if not width:
        return Module(np.zeros(len(c.tokens)), np.zeros(len(c.tokens)))
    s, t = c.sizes, c.layouts.tensor
    matrix = s.hidden * width
    into, out = _rate(c, (s.matrices - 1) * width), quantised(c.tokens, s.hidden, c.runtime.device.multiprocessors)
    products = 2.0 * c.tokens / t * (matrix * (s.matrices - 1) * into + matrix * out)
    elements = 2.0 * s.hidden + 2.0 * s.matrices * width / t
    return Module(products, (c.tokens * elements + s.matrices * matrix / t) * c.element)


def _sent(c: _Case) -> Floats:
    """Token copies that a rank's experts work on: its own tokens times top-k, routing being even."""
    assert c.model.experts is not None
    return c.tokens / c.layouts.tensor * c.model.experts.top_k


def _experts(c: _Case) -> Module:
    """Routed experts; each expert's rows are padded to whole tiles."""
    experts, s, layouts = c.model.experts, c.sizes, c.layouts
    if experts is None:
        return Module(np.zeros(len(layouts)), np.zeros(len(layouts)))
    sent = _sent(c)
    rows = sent * layouts.expert * layouts.expert_tensor / experts.routed
    padded = np.ceil(rows / TILE) * TILE / rows if c.runtime.device.multiprocessors else 1.0
    products = sent * padded * (2.0 * s.matrices * s.hidden * experts.ffn)
    return Module(products, (_EXPERT_WEIGHT_PASSES * _expert_params(c) + sent * (6.0 * s.hidden)) * c.element)


def _expert_params(c: _Case) -> Floats:
    experts, layouts = c.model.experts, c.layouts
    if experts is None:
        return np.zeros(len(layouts))
    each = c.sizes.matrices * c.sizes.hidden * experts.ffn
    return np.asarray(experts.routed * each / (layouts.expert * layouts.expert_tensor))


def _expert_bytes(c: _Case) -> tuple[Floats, Floats]:
    """Bytes of one pass's two all-to-alls in a layer: inside NVLink domains, and across them.

    Where tokens are sent once to a rank, however many of their experts live there, and once to a domain, ranks are hit
    with probability 1 - (1 - 1/n)^k for n of them and top-k routing; a node limit is taken as one of domains. Experts
    that are split over ranks exchange whole rows.
    """
    experts, ranks, split = c.model.experts, c.layouts.expert, c.layouts.expert_tensor
    if experts is None:
        return np.zeros(len(c.layouts)), np.zeros(len(c.layouts))
    k = experts.top_k
    domain = np.maximum(1, c.runtime.device.scale_up_ranks // split)
    inside, domains = np.minimum(ranks, domain), np.ceil(ranks / domain)
    sent = c.tokens / c.layouts.tensor * (2.0 * c.sizes.hidden * c.element)
    if c.runtime.habits.sends_copies:
        near, far = k * (inside - 1) / ranks, k * (ranks - inside) / ranks
    else:
        near = domains * (1 - (1 - 1 / ranks) ** k) * (inside - 1)
        reached = np.minimum(domains * (1 - (1 - 1 / domains) ** k), experts.node_limit or k)
        far = reached * (domains - 1) / domains
    return sent * (near + k * (split - 1)), sent * far
