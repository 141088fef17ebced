"""What one layer keeps for its backward pass, tensor by tensor, and what passes through memory while it runs.

Counted as Megatron-core 0.16 saves them; for the dense GPT with dropout and unfused attention this is Korthikanti et
al. 2022, eq. 1 to 5. Bytes on one rank, for one micro-batch, one entry a layout.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from sixnd.planner import model as counts
from sixnd.planner.candidates import Bools, Floats, Ints, Layouts, module_bits
from sixnd.planner.lora import Adapters
from sixnd.planner.split import Offloaded, Software
from sixnd.specs.families import Architecture, Experts
from sixnd.specs.lora import Target
from sixnd.specs.plan import Module

_FP32 = 4
_ROUTER_BYTES = 20
"""Bytes a token and expert that routing keeps: 12 that Megatron-core 0.16's TopKRouter saves (FP32 probabilities twice,
masks and indices; measured with torch's saved-tensor hooks), 8 of the fused permutation's row map."""


class Kept(NamedTuple):
    """One or more tensors that a layer keeps."""

    name: str
    bytes: Floats
    again: tuple[Module, ...] = ()
    """Modules that make it again in the backward pass where they are recomputed alone."""
    host: Offloaded | None = None
    """The module whose offloading moves it to host memory."""


@dataclass(frozen=True)
class Tokens:
    """A layer's setting: model, layouts, software and the sequence, of which context parallelism leaves a rank part."""

    model: Architecture
    layouts: Layouts
    software: Software
    sequence: int
    offload: frozenset[Offloaded] = frozenset()
    """Modules whose input waits for the backward pass in host memory."""
    adapters: Adapters | None = None
    """What alone learns: matrices that stand still have no gradient."""

    @cached_property
    def count(self) -> Floats:
        """Tokens of one micro-batch on one rank, before sequence parallelism splits them again."""
        return np.asarray(self.sequence * self.layouts.micro_batch / self.layouts.context)

    @cached_property
    def shards(self) -> Ints:
        """Ranks over which norms and residuals are split."""
        return self.layouts.sequence_shards

    @cached_property
    def hidden_bytes(self) -> Floats:
        """One tensor of tokens × hidden, whole on a tensor-parallel rank."""
        return np.asarray(self.count * (self.model.hidden * self.software.element_bytes))

    @cached_property
    def layer_input(self) -> Floats:
        """One tensor of tokens × hidden as residuals and norms hold it: split by sequence parallelism."""
        return np.asarray(self.hidden_bytes / self.shards)

    @cached_property
    def split_bytes(self) -> Floats:
        """One activation of every token, in a tensor whose width tensor parallelism splits."""
        return np.asarray(self.count * self.software.element_bytes / self.layouts.tensor)

    @property
    def product_share(self) -> float:
        """Bytes of an input of a matrix product over those of another activation."""
        return 1 / self.software.element_bytes if self.software.quantised_products else 1.0

    @cached_property
    def sent_bytes(self) -> Floats:
        """One tensor of all copies of tokens × hidden that a rank sends to experts."""
        experts = self.model.experts
        return self.layer_input * (experts.top_k if experts else 0)

    def learns(self, target: Target) -> bool:
        """Whether something that reads the input of a target's matrices has a gradient by its weights."""
        return self.adapters is None or target in self.adapters.targets

    def recomputes(self, modules: tuple[Module, ...]) -> Bools:
        """Whether one of them runs again alone; full recomputation knows no modules."""
        alone = np.where(self.layouts.recompute_full, 0, self.layouts.recompute_modules)
        return np.asarray(alone & module_bits(modules) != 0)


def layer_tensors(at: Tokens, with_experts: bool) -> list[Kept]:
    """Everything a layer keeps where nothing is recomputed or offloaded."""
    last = _mixture(at) if with_experts else _feed_forward(at, at.model.ffn, ("mlp",))
    return [*_norms(at, at.model.experts if with_experts else None), *_attention(at), *last, *_adapters(at)]


def bytes_kept(at: Tokens, tensors: list[Kept]) -> Floats:
    """Bytes kept of them with what runs again alone, or waits in host memory, left out."""
    stays = [t for t in tensors if t.host is None or t.host not in at.offload]
    kept: Floats = np.zeros(1)
    for modules in dict.fromkeys(t.again for t in stays):
        held = _sum(t.bytes for t in stays if t.again == modules)
        kept = kept + (np.where(at.recomputes(modules), 0.0, held) if modules else held)
    return kept


def bytes_whole(tensors: list[Kept]) -> Floats:
    """Bytes of all of them."""
    return _sum(t.bytes for t in tensors)


def _sum(parts: Iterator[Floats]) -> Floats:
    total: Floats = next(parts)
    for part in parts:
        total = total + part
    return total


def _norms(at: Tokens, experts: Experts | None) -> Iterator[Kept]:
    """A norm keeps its input, and what it feeds keeps its output; plain PyTorch's keeps the normed input too.

    A router keeps that output as it is, shared experts keep it quantised where their products are.
    """
    shares = at.product_share
    if experts is not None and shares < 1:
        shares = 1.0 + (shares if experts.shared_ffn else 0.0)
    yield Kept("attention norm's input", at.layer_input, (), "attn_norm")
    if at.learns("attention"):
        yield Kept("attention norm's output", at.layer_input * at.product_share, ("layernorm",), "qkv_linear")
    yield Kept("feed-forward norm's input", at.layer_input, (), "mlp_norm")
    if at.learns("feed-forward"):
        yield Kept("feed-forward norm's output", at.layer_input * shares, ("layernorm",))
    if at.software.plain_layers and at.adapters is None:  # for the gradient of the norm's weights
        yield Kept("normed inputs", 2 * at.layer_input, ("layernorm",))
    if at.software.dropout:
        yield Kept("masks of dropout", 2 * at.layer_input / at.software.element_bytes)


def _attention(at: Tokens) -> Iterator[Kept]:
    model, each = at.model, at.split_bytes
    query, latent = counts.query_width(model), model.latent_attention
    if latent is None:
        key = query if at.software.plain_layers else counts.kv_width(model)  # plain layers repeat them for every head
        yield Kept("queries, keys and values", each * (query + 2 * key), (), "core_attn")
        if model.query_key_norm:
            yield Kept("queries and keys before their norms", each * (query + counts.kv_width(model)))
    else:
        ranks = (latent.query_rank or 0) + latent.kv_rank
        latents = ranks + latent.rotary + ranks * at.product_share  # before and after their norms
        yield Kept("latents", at.layer_input * (latents / model.hidden))
        made = 2 * query + model.heads * latent.value  # keys are as wide as queries
        yield Kept("queries, keys and values", each * made, ("mla_up_proj",), "core_attn")
    yield Kept("core attention", _scores(at), ("core_attn",))
    # The kernel's and the projection's are apart under context parallelism by all-to-all, or in different precisions.
    copies = 1.0 + at.product_share if at.product_share < 1 else 1 + (at.layouts.context > 1)
    yield Kept("attention's output", each * counts.value_width(model) * copies, (), "attn_proj")


def _scores(at: Tokens) -> Floats:
    """What core attention keeps beside its inputs and output.

    Flash attention: the FP32 log-sum-exp of each row. Unfused: the softmax, and with dropout its mask and output.
    """
    size, rows = at.software.element_bytes, at.count * at.model.heads / at.layouts.tensor
    if at.software.fused_attention:
        return rows * _FP32
    return rows * (at.sequence * (2 * size + 1 if at.software.dropout else size))


def _feed_forward(at: Tokens, width: int, again: tuple[Module, ...]) -> Iterator[Kept]:
    """Gate and up, or up alone, and the activation's output; plain layers keep the opened gate too."""
    product = at.product_share if at.learns("feed-forward") else 0
    tensors = fused_matrices(at.model) + product + (1 if at.software.plain_layers else 0)
    yield Kept("hidden units", at.split_bytes * (tensors * width), again)


def fused_matrices(model: Architecture) -> int:
    """Matrices into the hidden units: gate and up, or up alone."""
    return 2 if model.gated else 1


def _mixture(at: Tokens) -> Iterator[Kept]:
    """Router, shared experts, and what routed experts keep for every token sent to them.

    Load is balanced: a rank's experts get as many tokens as its own tokens send out. Tensor parallelism inside experts
    gathers the tokens of its ranks and splits the hidden units.
    """
    experts = at.model.experts
    assert experts is not None
    yield Kept("router", at.count / at.shards * (experts.routed * _ROUTER_BYTES), ("moe",))
    if experts.shared_ffn:
        yield from _feed_forward(at, experts.shared_ffn, ("shared_experts", "moe"))
    yield Kept("experts' input", at.sent_bytes * at.product_share * at.layouts.expert_tensor, ("moe",), "expert_fc1")
    units = at.sent_bytes * (experts.ffn / at.model.hidden)
    yield Kept("experts' hidden units", units * fused_matrices(at.model), ("moe",), "moe_act")
    yield Kept("experts' products", units * at.product_share, ("moe_act", "moe"))


def _adapters(at: Tokens) -> Iterator[Kept]:
    """Between A and B an adapter is as wide as its rank; A's input is kept for it, not for the frozen matrix."""
    if at.adapters is None:
        return
    for target in at.adapters.targets:
        kept = at.count * at.adapters.kept_elements(at.model, target, at.shards)
        again: tuple[Module, ...] = ("mlp",) if target == "feed-forward" else ()
        yield Kept(f"adapters of {target}", kept * at.software.element_bytes, again)


def forward_extra(at: Tokens, experts: Experts | None) -> Floats:
    """Bytes alive at once in a layer's forward pass beside what it keeps.

    In Megatron's MoE layer the permuted tokens, the dispatched ones, the experts' output and its copy in the senders'
    order are all still referenced when the tokens are combined; the last needs no copy with one expert a rank.
    """
    if experts is None:
        # The output of the widest matrix and of its adapter, beside their sum, which is kept.
        return np.zeros(1) if at.adapters is None else 2 * at.split_bytes * at.adapters.widest(at.model)
    copies = np.where(at.layouts.expert < experts.routed, 4, 2)
    return copies * at.sent_bytes + (at.layer_input if experts.shared_ffn else 0.0)


def backward_extra(at: Tokens, experts: Experts | None) -> Floats:
    """Bytes alive at once in a layer's backward pass beside what it keeps, when its feed-forward's gradient is made.

    The gradient of gate and up replaces that of the product; under sequence parallelism the gradient and the
    feed-forward's input are gathered. Experts hold their gradient before and after the all-to-all.
    """
    flow = at.layer_input + np.where(at.shards > 1, 2 * at.hidden_bytes, 0.0)
    if experts is not None:
        return np.asarray(flow + 2 * at.sent_bytes)
    units = fused_matrices(at.model) * at.model.ffn
    return np.asarray(flow + at.split_bytes * units + weight_gradient(at, units))


def weight_gradient(at: Tokens, rows: int) -> Floats:
    """The gradient of one weight of so many rows of the hidden width, where it is not accumulated as it is made.

    None where only adapters learn: theirs are small beside what the layer keeps.
    """
    if at.software.weight_gradient_placeholders or at.adapters is not None:
        return np.zeros(1)
    return rows * at.model.hidden * at.software.element_bytes / at.layouts.tensor
