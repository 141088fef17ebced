"""Low-rank adapters on Megatron's parallel matrices: W x + (alpha / rank) · B A x, W standing still (Hu et al. 2021).

A is ``[rank, in]``, B ``[out, rank]``. Of a matrix that tensor parallelism splits by its outputs each rank holds all of
A and its rows of B; of one that it splits by its inputs its columns of A and all of B. What crosses ranks between the
two is ``rank`` wide, so that an adapter sends far less than the matrix beside it.
"""

import math
from typing import Any, Literal

import torch
from megatron.core.dist_checkpointing.mapping import ShardedTensor
from megatron.core.models.gpt import GPTModel
from megatron.core.parallel_state import get_tensor_model_parallel_group
from megatron.core.tensor_parallel import ColumnParallelLinear, RowParallelLinear
from megatron.core.tensor_parallel.layers import set_tensor_model_parallel_attributes
from megatron.core.tensor_parallel.mappings import (
    copy_to_tensor_model_parallel_region,
    gather_from_sequence_parallel_region,
    reduce_from_tensor_model_parallel_region,
    reduce_scatter_to_sequence_parallel_region,
)
from megatron.core.transformer.mlp import apply_swiglu_sharded_factory
from megatron.core.transformer.spec_utils import ModuleSpec
from megatron.core.transformer.utils import make_sharded_tensors_for_checkpoint
from torch import Tensor
from torch.nn.functional import linear

from sixnd.specs.lora import PlannedLora
from sixnd.specs.plan import Plan

A, B = "lora_a", "lora_b"
"""Names of an adapter's parameters beside ``weight``."""


def lora_of(plan: Plan) -> PlannedLora | None:
    """The plan's adapters, where only they learn."""
    return plan.continual.lora if plan.continual else None


class _Adapted(torch.nn.Module):
    """What both kinds of matrices share; comes before Megatron's class among the bases.

    The parameters are the matrix's own, not a child module's: Megatron gathers a module's parameters before its forward
    pass, and makes a checkpoint's shards module by module.
    """

    split: tuple[str, int]
    """Which of the two matrices tensor parallelism splits, and along which axis."""

    def __init__(self, *args: Any, lora: PlannedLora, **options: Any) -> None:
        super().__init__(*args, **options)
        weight, self.lora = self.weight, lora
        rows, columns = weight.shape  # this rank's
        for name, shape in ((A, (lora.rank, columns)), (B, (rows, lora.rank))):
            parameter = torch.nn.Parameter(torch.empty(shape, dtype=weight.dtype, device=weight.device))
            self._mark(parameter, name)
            self.register_parameter(name, parameter)

    def _mark(self, parameter: torch.nn.Parameter, name: str) -> None:
        """What Megatron reads: whose squares to count in the gradient norm, whose gradients to sum over TP ranks.

        Under sequence parallelism the matrix that is whole on every rank has seen a share of the sequence there.
        """
        splits, axis = self.split
        set_tensor_model_parallel_attributes(parameter, name == splits, axis if name == splits else -1, 1)
        parameter.allreduce = True
        parameter.sequence_parallel = self._sequence_parallel and name != splits

    @property
    def _sequence_parallel(self) -> bool:
        return bool(self.config.sequence_parallel)

    def forward(self, inputs: Tensor, *args: Any, **options: Any) -> Any:
        """The matrix's own output plus the adapter's, and its bias; ``inputs`` are ``[s, b, in]``, split as it asks."""
        output, bias = super().forward(inputs, *args, **options)
        low = self.lora.scale * self.meet(linear(inputs, self.lora_a))
        return output + linear(low, self.lora_b), bias

    def meet(self, low: Tensor) -> Tensor:
        """What A gave, as B is to see it on each tensor-parallel rank."""
        raise NotImplementedError

    def sharded_state_dict(self, prefix: str = "", sharded_offsets: Any = (), metadata: Any = None) -> Any:
        """The matrix's shards, and the adapter's with the place of each in the whole."""
        found = super().sharded_state_dict(prefix, sharded_offsets, metadata)
        return found | make_sharded_tensors_for_checkpoint(
            {A: self.lora_a, B: self.lora_b},
            prefix,
            dict([self.split]),
            sharded_offsets,
            tp_group=get_tensor_model_parallel_group(),
            dp_cp_group=metadata["dp_cp_group"],
        )

    def merged(self) -> Tensor:
        """The matrix that does alone what both do, in the precision of the weights; summed in FP32."""
        weight, a, b = (tensor.detach() for tensor in (self.weight, self.lora_a, self.lora_b))
        return (weight.float() + self.lora.scale * (b.float() @ a.float())).to(weight.dtype)


class _Column(_Adapted):
    """Of a matrix whose outputs are split: queries, keys and values."""

    split = (B, 0)

    def meet(self, low: Tensor) -> Tensor:
        group = get_tensor_model_parallel_group()
        if self._sequence_parallel:
            return gather_from_sequence_parallel_region(low, group=group)
        return copy_to_tensor_model_parallel_region(low, group=group)


class _GateUp(_Column):
    """Gate and up in one: a rank holds rows of both, so that its shard of B is two pieces of the whole."""

    def sharded_state_dict(self, prefix: str = "", sharded_offsets: Any = (), metadata: Any = None) -> Any:
        found = super().sharded_state_dict(prefix, sharded_offsets, metadata)
        apart = bool((metadata or {}).get("singleton_local_shards", False))
        return found | {prefix + B: apply_swiglu_sharded_factory(found[prefix + B], sharded_offsets, apart)}


class _Row(_Adapted):
    """Of a matrix whose inputs are split: attention's projection, and down."""

    split = (A, 1)

    def meet(self, low: Tensor) -> Tensor:
        group = get_tensor_model_parallel_group()
        if self._sequence_parallel:
            return reduce_scatter_to_sequence_parallel_region(low, group=group)
        return reduce_from_tensor_model_parallel_region(low, group=group)


def adapt(layer: ModuleSpec, lora: PlannedLora, kind: Literal["local", "transformer-engine"]) -> ModuleSpec:
    """A layer with adapters on the targets' matrices.

    Transformer Engine's fusion of norm and matrix does not hand out the normed input, which an adapter reads too: there
    the norm stands alone, as in Megatron's own layers.
    """
    column, row = _classes(kind)
    parts = layer.submodules
    attention, mlp = parts.self_attention.submodules, parts.mlp.submodules
    if "attention" in lora.targets:
        attention.linear_qkv = _spec(_Column, column, lora)
        attention.linear_proj = _spec(_Row, row, lora)
    if "feed-forward" in lora.targets:
        mlp.linear_fc1 = _spec(_GateUp, column, lora)
        mlp.linear_fc2 = _spec(_Row, row, lora)
    if kind == "transformer-engine":
        _unfuse(parts, lora)
    return layer


def _spec(role: type[_Adapted], base: type[torch.nn.Module], lora: PlannedLora) -> ModuleSpec:
    """The role on Megatron's own matrix, or on Transformer Engine's."""
    return ModuleSpec(module=type(f"Adapted{base.__name__}", (role, base), {}), params={"lora": lora})


def _classes(kind: Literal["local", "transformer-engine"]) -> tuple[type[torch.nn.Module], type[torch.nn.Module]]:
    if kind == "local":
        return ColumnParallelLinear, RowParallelLinear
    from megatron.core.extensions.transformer_engine import TEColumnParallelLinear, TERowParallelLinear

    return TEColumnParallelLinear, TERowParallelLinear


def _unfuse(parts: Any, lora: PlannedLora) -> None:
    """Norms before adapted matrices on their own, under the names that checkpoints have for them."""
    from megatron.core.extensions.transformer_engine import TENorm

    if "attention" in lora.targets:
        parts.input_layernorm = TENorm
        parts.sharded_state_dict_keys_map["input_layernorm."] = "self_attention.linear_qkv.layer_norm_"
    if "feed-forward" in lora.targets:
        parts.pre_mlp_layernorm = TENorm
        parts.sharded_state_dict_keys_map["pre_mlp_layernorm."] = "mlp.linear_fc1.layer_norm_"


def is_adapter(name: str) -> bool:
    """Whether a parameter's, or a checkpoint's, name is one of an adapter's."""
    return name.endswith((f".{A}", f".{B}"))


def freeze(model: GPTModel) -> None:
    """Let only adapters learn; before Megatron's data parallelism gives what learns its buffers.

    The embedding's output is made to ask for a gradient: a stage without adapters before its layers has nothing else
    for its backward pass to start from, and what is recomputed whole would get none.
    """
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(is_adapter(name))
    if model.pre_process:
        model.embedding.register_forward_hook(_asking)


def _asking(_embedding: torch.nn.Module, _inputs: Any, output: Tensor) -> None:
    if torch.is_grad_enabled():
        output.requires_grad_()


def initial_std(shard: ShardedTensor) -> float | None:
    """Standard deviation of an adapter's matrix at the start; none for what is no adapter's.

    B is zero, so that the first step sees the base itself, and A normal with variance 1 / in; the other way round bears
    smaller learning rates only and does worse (Hayou et al. 2024, arXiv:2406.08447).
    """
    if not is_adapter(shard.key):
        return None
    return 0.0 if shard.key.endswith(B) else 1 / math.sqrt(shard.global_shape[-1])


def whole_weights(model: GPTModel) -> dict[str, Tensor]:
    """The weights of a model that one rank holds, adapters merged into the matrices they adapt."""
    found = {n: t for n, t in model.state_dict().items() if isinstance(t, Tensor) and not is_adapter(n)}
    merged = {f"{n}.weight": m.merged() for n, m in model.named_modules() if isinstance(m, _Adapted)}
    return found | merged
