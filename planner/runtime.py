"""Where and how a step runs: fitted constants, a device, a precision, and the habits of the training program."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sixnd.planner.lora import Adapters
from sixnd.planner.machine import Machine
from sixnd.specs import catalog
from sixnd.specs.step_family import Device, Products, StepFamily


@dataclass(frozen=True)
class Habits:
    """What a training program does that costs or saves time; the defaults are those of our runner on GPUs."""

    fused_attention: bool = True
    """Flash attention: the s × s scores never reach memory."""
    flash2: bool = False
    """Attention by FlashAttention 2 instead of cuDNN's."""
    sharded_weights: bool = False
    """Weights are gathered for each layer's pass and let go (FSDP, ZeRO 3)."""
    sharded_optimizer: bool = True
    """The optimizer is split over data-parallel ranks (Megatron's distributed optimizer, ZeRO 1)."""
    overlaps: bool = True
    """Collectives of gradients and parameters run behind compute."""
    gradient_bytes: int = 4
    """Bytes of one gradient on the wire."""
    document_tokens: int | None = None
    """Length of the documents that a sequence is packed of, where attention ends with the document."""
    hides_dispatch: bool = False
    """Tokens travel to experts and back behind another micro-batch's compute (Megatron's 1F1B overlap)."""
    sends_copies: bool = False
    """A token is sent to each of its experts alone (Megatron's all-to-all), not once to a rank (DeepEP, HybridEP)."""
    graphed: bool = False
    """Whole steps are replayed as one CUDA graph: the host launches nothing."""
    adapters: bool = False
    """Only low-rank adapters learn: no gradients of weights."""
    lora: Adapters | None = None
    """Which, where it is known; else they are taken to cost nothing themselves."""


@dataclass(frozen=True)
class Runtime:
    """All that the step-time model must know beside model, layout and batch."""

    family: StepFamily
    device: Device
    precision: Products
    habits: Habits = Habits()
    sharers: int = 1
    """Ranks that share one device (a CPU); who waits leaves its cores to the others."""

    @property
    def wide(self) -> Products:
        """Precision of what is never quantised: attention, the head, messages."""
        return "fp32" if self.precision == "fp32" else "bf16"

    @property
    def element_bytes(self) -> int:
        """Bytes of one activation or weight."""
        return 4 if self.precision == "fp32" else 2


def runtime(machine: Machine, adapters: Adapters | None = None) -> Runtime:
    """The planner's machine with our runner's habits; gloo's collectives on a CPU do not run behind compute.

    With ``adapters`` they alone learn.
    The constants are those of the machine's calibration, where it has one in its precision.
    """
    accelerator, measured = machine.accelerator, machine.calibration
    family = catalog.step_family(accelerator.step_family)
    if measured is not None and measured.precision == machine.precision:
        family = with_constants(family, {one.name: one.value for one in measured.constants})
    return Runtime(
        family=family,
        device=accelerator,
        precision=machine.precision,
        habits=Habits(overlaps=not accelerator.shared_host, adapters=adapters is not None, lora=adapters),
        sharers=machine.sharers,
    )


def with_constants(family: StepFamily, values: Mapping[str, float]) -> StepFamily:
    """The family with some constants changed; a precision's is named ``matmul.bf16``."""
    update: dict[str, Any] = {}
    for name, value in values.items():
        field, _, key = name.partition(".")
        update[field] = {**update.get(field, getattr(family, field)), key: value} if key else value
    return family.model_copy(update=update)
