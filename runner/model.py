"""Plan → Megatron-core model: configuration, layer specification, weights that do not depend on the layout."""

import hashlib
import math
from typing import Any

import torch
from megatron.core import parallel_state
from megatron.core.dist_checkpointing.mapping import ShardedTensor, apply_factories
from megatron.core.distributed import (
    DistributedDataParallel,
    DistributedDataParallelConfig,
    finalize_model_grads,
)
from megatron.core.models.gpt import GPTModel
from megatron.core.models.gpt.gpt_layer_specs import (
    get_gpt_layer_local_spec,
    get_gpt_layer_with_transformer_engine_spec,
)
from megatron.core.transformer.spec_utils import ModuleSpec
from megatron.core.transformer.transformer_block import TransformerBlockSubmodules, get_num_layers_to_build
from megatron.core.transformer.transformer_config import TransformerConfig

from sixnd.runner.attention import FusedCoreAttention, Norm
from sixnd.runner.decoder import Decoder
from sixnd.runner.device import current_device, is_cuda
from sixnd.runner.lora import adapt, freeze, initial_std, lora_of
from sixnd.runner.low_precision import fp8_options
from sixnd.runner.rotation import RotatedAttention
from sixnd.specs.lora import PlannedLora
from sixnd.specs.plan import Plan, PlannedLayout

_OUTPUT_PROJECTIONS = ("linear_proj.weight", "linear_fc2.weight")
_EMBEDDING_AND_HEAD = ("word_embeddings.weight", "output_layer.weight")


def has_transformer_engine() -> bool:
    """Whether Transformer Engine imports and there is a GPU for it."""
    if not is_cuda():
        return False
    try:
        import transformer_engine.pytorch  # noqa: F401
    except ImportError:
        return False
    return True


def dtype_of(plan: Plan) -> torch.dtype:
    """Type of parameters and activations."""
    return torch.float32 if plan.training.precision == "fp32" else torch.bfloat16


def transformer_config(plan: Plan) -> TransformerConfig:
    """Megatron's configuration of this model and layout."""
    shape, layout, dtype = plan.model.shape, plan.layout, dtype_of(plan)
    return TransformerConfig(
        num_layers=shape.layers,
        hidden_size=shape.hidden,
        num_attention_heads=shape.heads,
        num_query_groups=shape.kv_heads,
        kv_channels=plan.model.head_dim,
        ffn_hidden_size=shape.ffn,
        normalization="RMSNorm",
        gated_linear_unit=True,
        activation_func=torch.nn.functional.silu,
        add_bias_linear=False,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        softmax_scale=plan.training.mup.attention_scale if plan.training.mup else None,
        tensor_model_parallel_size=layout.tensor,
        pipeline_model_parallel_size=layout.pipeline,
        virtual_pipeline_model_parallel_size=layout.virtual_pipeline if layout.virtual_pipeline > 1 else None,
        account_for_embedding_in_pipeline_split=layout.embedding_as_layer,
        account_for_loss_in_pipeline_split=layout.embedding_as_layer,
        context_parallel_size=layout.context,
        sequence_parallel=layout.sequence_parallel,
        params_dtype=dtype,
        pipeline_dtype=dtype,
        bf16=dtype is torch.bfloat16,
        gradient_accumulation_fusion=False,
        bias_activation_fusion=True,
        masked_softmax_fusion=False,
        deterministic_mode=plan.training.deterministic,
        finalize_model_grads_func=finalize_model_grads,
        **fp8_options(plan),
        **_pipeline_options(layout),
        **_recompute_options(layout),
    )


def _pipeline_options(layout: PlannedLayout) -> dict[str, Any]:
    # With PP = 2 interleaving pairs sends and receives wrongly when they are batched, and gradients are silently wrong.
    interleaved = layout.virtual_pipeline > 1
    return {"overlap_p2p_comm": interleaved, "batch_p2p_comm": not interleaved}


def _recompute_options(layout: PlannedLayout) -> dict[str, Any]:
    if layout.recompute == "none":
        return {}
    if layout.recompute == "selective":
        modules = list(layout.recompute_modules) or ["core_attn"]  # Megatron's own choice where none is named
        return {"recompute_granularity": "selective", "recompute_modules": modules}
    full = {"recompute_granularity": "full"}
    if layout.recompute_layers:
        return full | {"recompute_method": "block", "recompute_num_layers": layout.recompute_layers}
    return full | {"recompute_method": "uniform", "recompute_num_layers": 1}


def layer_spec(lora: PlannedLora | None = None, *, document_masks: bool = False) -> ModuleSpec:
    """One transformer layer: Transformer Engine's where it is there, else Megatron's own with fused attention.

    Transformer Engine knows documents only as packed sequences that make up one row, so with document masks its layers
    have our attention.
    """
    if has_transformer_engine():
        fused = get_gpt_layer_with_transformer_engine_spec()
        if document_masks:
            fused.submodules.self_attention.submodules.core_attention = FusedCoreAttention
        return adapt(fused, lora, "transformer-engine") if lora else fused
    spec = get_gpt_layer_local_spec(normalization="RMSNorm")
    spec.submodules.input_layernorm = Norm
    spec.submodules.pre_mlp_layernorm = Norm
    spec.submodules.self_attention.module = RotatedAttention
    spec.submodules.self_attention.submodules.core_attention = FusedCoreAttention
    return adapt(spec, lora, "local") if lora else spec


def block_spec(
    config: TransformerConfig, vp_stage: int | None, lora: PlannedLora | None = None, *, document_masks: bool = False
) -> TransformerBlockSubmodules | ModuleSpec:
    """The layers of this stage and the norm behind the last one."""
    layer = layer_spec(lora, document_masks=document_masks)
    if has_transformer_engine():
        return layer
    layers = [layer] * get_num_layers_to_build(config, vp_stage=vp_stage)
    return TransformerBlockSubmodules(layer_specs=layers, layer_norm=Norm)


def build_chunk(plan: Plan, config: TransformerConfig, vp_stage: int | None = None) -> GPTModel:
    """This rank's part of the model (one of its parts, under interleaving), with its initial weights."""
    lora = lora_of(plan)
    model = Decoder(
        config=config,
        transformer_layer_spec=block_spec(config, vp_stage, lora, document_masks=plan.data.document_masks),
        vocab_size=plan.model.padded_vocab_size,
        max_sequence_length=plan.model.sequence_length,
        pre_process=parallel_state.is_pipeline_first_stage(ignore_virtual=False, vp_stage=vp_stage),
        post_process=parallel_state.is_pipeline_last_stage(ignore_virtual=False, vp_stage=vp_stage),
        share_embeddings_and_output_weights=plan.model.tied_embeddings,
        position_embedding_type="rope",
        vp_stage=vp_stage,
    )
    model.to(device=current_device(), dtype=dtype_of(plan))
    initialise(model, plan)
    if lora:
        freeze(model)
    model.z_loss = plan.training.z_loss
    if plan.training.mup and model.post_process:
        _multiply_logits(model, plan.training.mup.logit_multiplier)
    return model


def _multiply_logits(model: GPTModel, factor: float) -> None:
    """Multiply the head's input, which is the same as its logits: the head has no bias."""
    model.output_layer.register_forward_pre_hook(lambda _head, inputs: (inputs[0] * factor, *inputs[1:]))


def build_model(plan: Plan, config: TransformerConfig) -> list[DistributedDataParallel]:
    """This rank's model chunks, wrapped for data parallelism with the distributed optimizer's buffers."""
    stages: list[int | None] = [None]
    if plan.layout.virtual_pipeline > 1:
        stages = list(range(plan.layout.virtual_pipeline))
    ddp = DistributedDataParallelConfig(
        grad_reduce_in_fp32=True,
        overlap_grad_reduce=is_cuda(),
        overlap_param_gather=is_cuda(),
        use_distributed_optimizer=plan.layout.distributed_optimizer,
    )
    return [
        DistributedDataParallel(config, ddp, build_chunk(plan, config, stage), disable_bucketing=i > 0)
        for i, stage in enumerate(stages)
    ]


def let_go(chunk: DistributedDataParallel) -> None:
    """Undo what keeps a chunk alive for ever, so that its memory, and the threads of its groups, can be given back.

    Megatron hangs a hook on the gradient accumulator of every parameter. Each hook holds the chunk, in C++, where
    Python's collector of cycles does not look; a hook's dictionary is handed out to whoever adds another one.
    """
    for accumulator in chunk.grad_accs:
        accumulator.register_hook(lambda *_: None).hooks_dict_ref().clear()
    chunk.grad_accs.clear()


def initialise(model: GPTModel, plan: Plan) -> None:
    """Fill the matrices so that the same plan starts from the same weights on every layout.

    Megatron seeds each stage and rank apart, so the weights it has drawn by now depend on the layout. Here each global
    matrix has its own generator, seeded by the plan's seed and the matrix's name and layer, and a rank takes its
    slice. Normal with the plan's standard deviation; projections back into the residual stream are divided by
    sqrt(2 · layers) (Radford et al. 2019, §2.3). With muP embedding and head have a standard deviation of their own.
    Norm weights stay 1.
    """
    shards = model.sharded_state_dict()
    apply_factories(shards)
    for shard in _sharded_tensors(shards):
        if shard.data is None or shard.data.dim() < 2:
            continue
        adapters = initial_std(shard)
        _fill(shard, _initial_std(shard.key, plan) if adapters is None else adapters, plan.training.seed)


def _initial_std(key: str, plan: Plan) -> float:
    if key.endswith(_OUTPUT_PROJECTIONS):
        return plan.training.init_std / math.sqrt(2 * plan.model.shape.layers)
    if plan.training.mup and key.endswith(_EMBEDDING_AND_HEAD):
        return plan.training.mup.embedding_init_std
    return plan.training.init_std


def _sharded_tensors(state: Any) -> list[ShardedTensor]:
    if isinstance(state, ShardedTensor):
        return [state]
    children = state.values() if isinstance(state, dict) else state if isinstance(state, list | tuple) else []
    return [tensor for child in children for tensor in _sharded_tensors(child)]


def _fill(shard: ShardedTensor, std: float, seed: int) -> None:
    axes = shard.prepend_axis_num
    place = tuple(shard.global_offset[:axes])  # which layer, where layers are stacked in one global tensor
    full = _global_normal(f"{shard.key}/{place}", tuple(shard.global_shape[axes:]), std, seed)
    slices = tuple(
        slice(offset, offset + length)
        for offset, length in zip(shard.global_offset[axes:], shard.local_shape, strict=True)
    )
    with torch.no_grad():
        shard.data.copy_(full[slices])


def _global_normal(key: str, shape: tuple[int, ...], std: float, seed: int) -> torch.Tensor:
    digest = hashlib.sha256(f"{seed}/{key}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
    return torch.empty(shape, dtype=torch.float32, device=torch.device("cpu")).normal_(0.0, std, generator=generator)
