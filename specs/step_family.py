"""Accelerators as the step-time model sees them: what a device has, and the fitted constants of its family."""

from typing import Annotated, Literal

from pydantic import Field

from sixnd.specs.document import Document

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(gt=0, le=1)]
Products = Literal["fp32", "bf16", "fp8", "fp4"]
"""Precision of the matrix products; FP16 runs at the speed of BF16."""


class Device(Document):
    """What the step-time model must know of one product."""

    peak_flops: dict[Products, Positive]
    """Dense peak by precision, FLOP/s. For a CPU: of the whole machine, which its ranks share."""
    multiprocessors: Annotated[int, Field(ge=1)] | None = None
    """Streaming multiprocessors, each of which works on one tile of a matrix product; a CPU has none."""
    memory_bytes_per_s: Positive
    """Bandwidth of one accelerator's memory."""
    scale_up_ranks: Annotated[int, Field(ge=1)]
    """Accelerators that share the fast links (an NVLink domain)."""
    scale_up_bytes_per_s: Positive
    """One accelerator's bandwidth into the fast links, one direction."""
    network_bytes_per_s: Positive
    """One accelerator's share of its node's network bandwidth."""
    source: str


class StepFamily(Document):
    """Constants of one family of chips; all are shares of a peak, seconds, or plain factors."""

    description: str
    """Which chips, and what they were fitted to."""
    matmul: dict[Products, Share]
    """Matrix products whose tiles fill the chip: share of peak reached."""
    attention: Share
    """Fused attention of Transformer Engine or cuDNN: share of the BF16 peak, causal attention counted as half."""
    attention_flash2: Share
    """The same of FlashAttention 2 or its Triton forms."""
    memory: Share
    """Memory-bound modules: share of memory bandwidth."""
    scale_up: Share
    """Large collectives inside an NVLink domain: share of link bandwidth."""
    network: Share
    """Collectives across nodes: share of network bandwidth."""
    expert_matmul: dict[Products, Share]
    """Grouped products of experts: share of the speed of ordinary products of the same precision."""
    misaligned: Annotated[float, Field(ge=1)]
    """How much longer products take where a head's width is no multiple of 8."""
    cast: Annotated[float, Field(ge=0)]
    """Below BF16: bytes moved to quantise, in units of half of the layer's element-wise traffic."""
    bytes_per_logit: Positive
    """Bytes that the loss moves for each logit, forward and backward."""
    layer_overhead_s: Annotated[float, Field(ge=0)]
    """Fixed cost of one layer's pass in one micro-batch."""
    expert_overhead_s: Annotated[float, Field(ge=0)]
    """Further fixed cost of a layer with experts: routing, sorting, many small kernels."""
    graph_overhead: Share
    """Share of that which is left where whole steps are one CUDA graph."""
    launch_s: Annotated[float, Field(ge=0)]
    """Least time of one layer's pass: the host's, to launch its kernels."""
    collective_s: Annotated[float, Field(ge=0)]
    """Latency of an all-reduce inside an NVLink domain."""
    step_overhead_s: Annotated[float, Field(ge=0)]
    """Fixed cost of a step."""
    exposed_tensor: Share
    """Share of tensor-parallel collectives that compute does not hide."""
    exposed_dispatch: Share
    """Share of the tokens' way to experts and back that is waited for where it is to run behind compute."""
    exposed_data: Share
    """Share of the gradients' and parameters' collectives that is waited for however long compute takes."""
    exposed_gather: Share
    """The same of the gathering of weights that are sharded over data parallelism (FSDP, ZeRO 3)."""
    relative_error: Positive
    """Half-width of the 80 % interval of step time of a dense model, by ratio."""
    expert_relative_error: Positive
    """The same of a mixture of experts."""
    source: str

    def matmul_share(self, precision: Products) -> float:
        """Share of peak that products of a precision reach; FP32, which no row has on GPUs, is taken as BF16's."""
        return self.matmul["bf16" if precision == "fp32" and precision not in self.matmul else precision]

    def expert_share(self, precision: Products) -> float:
        """Share of ordinary products' speed that experts' reach; of FP4, which no row has, FP8's."""
        for known in (precision, "fp8" if precision == "fp4" else "bf16", "bf16"):
            if known in self.expert_matmul:
                return self.expert_matmul[known]
        raise AssertionError(precision)
