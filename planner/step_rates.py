"""What a device reaches: seconds a FLOP, a byte and a launch, from a family's constants and a device's peaks."""

from dataclasses import dataclass

from sixnd.planner import model as counts
from sixnd.planner.candidates import Bools, Floats
from sixnd.planner.runtime import Habits, Runtime
from sixnd.specs.families import Architecture

Number = Floats | float
Flag = Bools | bool

_FUSED_BACKWARD = 2.5
"""Fused attention recomputes its scores: five products in the backward pass for two in the forward (Dao 2023)."""


@dataclass(frozen=True)
class Rates:
    """Numbers of one runtime, or columns of several."""

    product: Number
    """Seconds a FLOP of dense matrix products."""
    wide_product: Number
    """The same of products that are never quantised."""
    expert_product: Number
    """The same of the grouped products of experts."""
    score: Number
    """The same of attention's products."""
    score_backward: Number
    """Backward pass of attention, in forward passes."""
    product_passes: Number
    """Forward, and gradients by inputs and by weights; adapters do without the last."""
    byte: Number
    """Seconds a byte of memory-bound work."""
    dense_byte: Number
    """The same outside of experts, with what quantising moves."""
    bytes_per_logit: Number
    near: Number
    """Bytes a second inside an NVLink domain."""
    far: Number
    """Bytes a second that one rank sends across nodes."""
    domain: Number
    """Ranks of an NVLink domain."""
    collective_s: Number
    """Latency of one all-reduce inside a domain."""
    exposed_tensor: Number
    exposed_dispatch: Number
    exposed_data: Number
    exposed_gather: Number
    layer_overhead_s: Number
    expert_overhead_s: Number
    launch_s: Number
    """Least seconds of a layer's pass."""
    step_overhead_s: Number
    element_bytes: Number
    gradient_bytes: Number
    sharded_weights: Flag
    sharded_optimizer: Flag
    overlaps: Flag
    hides_dispatch: Flag
    learning: Number
    """Share of the parameters that learn: what has gradients to reduce and an optimizer's state."""
    shared: Flag
    """Whether ranks share one device."""


def misaligned(model: Architecture) -> bool:
    """Whether matrix products meet head widths that no tensor core is made for."""
    return model.latent_attention is None and counts.head_dim(model) % 8 > 0


def _learning(model: Architecture, habits: Habits) -> float:
    if habits.lora is not None:
        return habits.lora.params(model) / counts.params(model)
    return 0.0 if habits.adapters else 1.0


def rates_of(model: Architecture, runtime: Runtime) -> Rates:
    """The rates of one model on one runtime; the ranks of a shared host divide what it has."""
    family, device, habits, wide = runtime.family, runtime.device, runtime.habits, runtime.wide
    peaks, share = device.peak_flops, runtime.sharers
    product = share / (peaks[runtime.precision] * family.matmul_share(runtime.precision))
    wide_product = share / (peaks[wide] * family.matmul_share(wide))
    attention = family.attention_flash2 if habits.flash2 else family.attention
    byte = share / (device.memory_bytes_per_s * family.memory)
    return Rates(
        product=product * (family.misaligned if misaligned(model) else 1.0),
        wide_product=wide_product,
        expert_product=product / family.expert_share(runtime.precision),
        score=share / (peaks[wide] * attention) if habits.fused_attention else wide_product,
        score_backward=_FUSED_BACKWARD if habits.fused_attention else 2.0,
        product_passes=2.0 if habits.adapters else 3.0,
        byte=byte,
        dense_byte=byte * (1.0 if runtime.precision == wide else 1.0 + family.cast / 2),
        bytes_per_logit=family.bytes_per_logit,
        near=device.scale_up_bytes_per_s * family.scale_up / share,
        far=device.network_bytes_per_s * family.network / share,
        domain=device.scale_up_ranks,
        collective_s=family.collective_s,
        exposed_tensor=family.exposed_tensor,
        exposed_dispatch=family.exposed_dispatch,
        exposed_data=family.exposed_data,
        exposed_gather=family.exposed_gather,
        layer_overhead_s=family.layer_overhead_s * share,
        expert_overhead_s=family.expert_overhead_s * share * (family.graph_overhead if habits.graphed else 1.0),
        launch_s=0.0 if habits.graphed else family.launch_s * share,
        step_overhead_s=family.step_overhead_s,
        element_bytes=runtime.element_bytes,
        gradient_bytes=habits.gradient_bytes,
        sharded_weights=habits.sharded_weights,
        sharded_optimizer=habits.sharded_optimizer,
        overlaps=habits.overlaps,
        hides_dispatch=habits.hides_dispatch,
        learning=_learning(model, habits),
        shared=share > 1,
    )
