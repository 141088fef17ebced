"""What one layer keeps for its backward pass, by module, and what passes through memory while it runs.

Counted tensor by tensor as Megatron-core 0.16 saves them; for the dense GPT with dropout and unfused attention this is
Korthikanti et al. 2022, eq. 1 to 5. Bytes on one rank, for one micro-batch.
"""

from dataclasses import dataclass

from sixnd.planner import model as counts
from sixnd.planner.split import Software, Split
from sixnd.specs.families import Architecture, Experts

_FP32 = 4
_ROUTER_BYTES = 20
"""Bytes a token and expert that routing keeps: 12 that Megatron-core 0.16's TopKRouter saves (FP32 probabilities twice,
masks and indices; measured with torch's saved-tensor hooks), 8 of the fused permutation's row map."""


@dataclass(frozen=True)
class Tokens:
    """A layer's setting: model, split, software and the sequence a rank sees of it."""

    model: Architecture
    split: Split
    software: Software
    sequence: int

    @property
    def count(self) -> float:
        """Tokens of one micro-batch on one rank, before sequence parallelism splits them again."""
        return self.sequence * self.split.micro_batch / self.split.context

    @property
    def hidden_bytes(self) -> float:
        """One tensor of tokens × hidden, whole on a tensor-parallel rank."""
        return self.count * self.model.hidden * self.software.element_bytes

    @property
    def layer_input(self) -> float:
        """One tensor of tokens × hidden as residuals and norms hold it: split by sequence parallelism."""
        return self.hidden_bytes / self.split.sequence_shards

    @property
    def dropout_mask(self) -> float:
        """Mask of one dropout on the residual path."""
        return self.layer_input / self.software.element_bytes if self.software.dropout else 0.0

    def recomputes(self, module: str) -> bool:
        """Whether that module alone runs again in the backward pass."""
        return module in self.split.recomputation.modules


def layer_bytes(at: Tokens, with_experts: bool) -> dict[str, float]:
    """Bytes a layer keeps without full recomputation, by module; they sum to the whole."""
    kept = {
        "norms": 2 * _norm(at),
        "qkv": _qkv(at),
        "core attention": 0.0 if at.recomputes("core_attn") else _scores(at),
        "attention output": _attention_output(at),
        "dropout": 2 * at.dropout_mask,
    }
    return kept | (_mixture(at) if with_experts else {"ffn": 0.0 if at.recomputes("mlp") else _ffn(at)})


def _norm(at: Tokens) -> float:
    """A norm keeps its input; its output is kept by the matrix products it feeds unless it is made again."""
    return at.layer_input * (1 if at.recomputes("layernorm") else 2)


def _qkv(at: Tokens) -> float:
    model, size = at.model, at.software.element_bytes
    latent = model.latent_attention
    if latent is None:
        made = counts.query_width(model) + 2 * counts.kv_width(model)
        normed = counts.query_width(model) + counts.kv_width(model) if model.query_key_norm else 0
        return at.count * (made + normed) * size / at.split.tensor
    latents = 2 * (latent.query_rank or 0) + 2 * latent.kv_rank + latent.rotary
    made = 2 * counts.query_width(model) + model.heads * latent.value  # keys are as wide as queries
    up = 0.0 if at.recomputes("mla_up_proj") else made / at.split.tensor
    return at.count * size * (latents / at.split.sequence_shards + up)


def _scores(at: Tokens) -> float:
    """What core attention keeps beside its inputs and output.

    Flash attention: the FP32 log-sum-exp of each row. Unfused: the softmax, and with dropout its mask and output.
    """
    size, rows = at.software.element_bytes, at.count * at.model.heads / at.split.tensor
    if at.software.fused_attention:
        return rows * _FP32
    per_score = 2 * size + 1 if at.software.dropout else size
    return rows * at.sequence * per_score


def _attention_output(at: Tokens) -> float:
    """The projection's input; under context parallelism by all-to-all the kernel keeps its own copy before it."""
    width = counts.value_width(at.model) * (2 if at.split.context > 1 else 1)
    return at.count * width * at.software.element_bytes / at.split.tensor


def _ffn(at: Tokens) -> float:
    return _hidden_units(at, at.model.ffn) / at.split.tensor


def _hidden_units(at: Tokens, width: int, *, kept_product: bool = True) -> float:
    """Gate and up, or up alone, and the activation's output."""
    tensors = (2 if at.model.gated else 1) + int(kept_product)
    return at.count * tensors * width * at.software.element_bytes


def _mixture(at: Tokens) -> dict[str, float]:
    experts = at.model.experts
    assert experts is not None
    if at.recomputes("moe"):
        return {"router": 0.0, "shared experts": 0.0, "experts": 0.0}
    router = at.count / at.split.sequence_shards * experts.routed * _ROUTER_BYTES
    shared = 0.0 if at.recomputes("shared_experts") else _hidden_units(at, experts.shared_ffn) / at.split.tensor
    return {"router": router, "shared experts": shared, "experts": _routed(at, experts)}


def _routed(at: Tokens, experts: Experts) -> float:
    """Experts keep their permuted input, gate and up, and the product, for every token sent to them.

    Load is balanced: a rank's experts get as many tokens as its own tokens send out. Tensor parallelism inside experts
    gathers the tokens of its ranks and splits the hidden units.
    """
    units = (2 if at.model.gated else 1) + (0 if at.recomputes("moe_act") else 1)
    per_token = at.model.hidden + units * experts.ffn / at.split.expert_tensor
    return _sent(at, experts) * at.split.expert_tensor * per_token * at.software.element_bytes


def _sent(at: Tokens, experts: Experts) -> float:
    """Copies of tokens that one rank sends to experts."""
    return at.count / at.split.sequence_shards * experts.top_k


def offloaded_bytes(at: Tokens, with_experts: bool) -> float:
    """Bytes of a layer that wait in host memory; what recomputation makes again is not offloaded too."""
    model, size = at.model, at.software.element_bytes
    keys = counts.query_width(model) if model.latent_attention else counts.kv_width(model)
    values = model.heads * model.latent_attention.value if model.latent_attention else counts.kv_width(model)
    inputs = {
        "attn_norm": at.layer_input,
        "qkv_linear": 0.0 if at.recomputes("layernorm") else at.layer_input,
        "core_attn": at.count * (counts.query_width(model) + keys + values) * size / at.split.tensor,
        "attn_proj": _attention_output(at),
        "mlp_norm": at.layer_input,
    }
    if at.recomputes("mla_up_proj"):
        inputs["core_attn"] = 0.0
    experts = model.experts if with_experts and not at.recomputes("moe") else None
    if experts is not None:
        sent = _sent(at, experts) * at.split.expert_tensor * size
        inputs["expert_fc1"] = sent * model.hidden
        inputs["moe_act"] = sent * (2 if model.gated else 1) * experts.ffn / at.split.expert_tensor
    return sum(inputs.get(module, 0.0) for module in at.split.offload)


def forward_extra(at: Tokens, with_experts: bool) -> float:
    """Bytes alive at once in a layer's forward pass beside what it keeps.

    In Megatron's MoE layer the permuted tokens, the dispatched ones, the experts' output and its copy in the senders'
    order are all still referenced when the tokens are combined; the last needs no copy with one expert a rank.
    """
    experts = at.model.experts
    if not with_experts or experts is None:
        return 0.0
    copies = 4 if experts.routed > at.split.expert else 2
    out = at.layer_input if experts.shared_ffn else 0.0
    return copies * _sent(at, experts) * at.model.hidden * at.software.element_bytes + out


def backward_extra(at: Tokens, with_experts: bool) -> float:
    """Bytes alive at once in a layer's backward pass beside what it keeps, when its feed-forward's gradient is made.

    The gradient of gate and up replaces that of the product; under sequence parallelism the gradient and the
    feed-forward's input are gathered. Experts hold their gradient before and after the all-to-all.
    """
    gathered = 2 if at.split.sequence_shards > 1 else 0
    flow = at.layer_input + gathered * at.hidden_bytes
    experts = at.model.experts
    if with_experts and experts is not None:
        return flow + 2 * _sent(at, experts) * at.model.hidden * at.software.element_bytes
    made = _hidden_units(at, at.model.ffn, kept_product=False) / at.split.tensor
    units = (2 if at.model.gated else 1) * at.model.ffn / at.split.tensor
    return flow + made + weight_gradient(at, units)


def weight_gradient(at: Tokens, rows: float) -> float:
    """The gradient of one weight of so many rows of the hidden width, where it is not accumulated as it is made."""
    if at.software.weight_gradient_placeholders:
        return 0.0
    return rows * at.model.hidden * at.software.element_bytes
