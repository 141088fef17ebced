"""Megatron-core's own word on a layout: its groups, configuration, modules and schedule, for one rank of any cluster.

Nothing is sent and nothing computed: the process group is torch's fake one, the parameters have no storage.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from megatron.core import parallel_state
from megatron.core.enums import ModelType
from megatron.core.models.gpt import GPTModel
from megatron.core.models.gpt.gpt_layer_specs import (
    get_gpt_decoder_block_spec,
    get_gpt_decoder_layer_specs,
    get_gpt_mtp_block_spec,
)
from megatron.core.num_microbatches_calculator import ConstantNumMicroBatchesCalculator
from megatron.core.pipeline_parallel.schedules import forward_backward_pipelining_with_interleaving
from megatron.core.tensor_parallel.mappings import scatter_to_sequence_parallel_region
from megatron.core.transformer import multi_latent_attention
from megatron.core.transformer.enums import LayerType
from megatron.core.transformer.moe.moe_layer import MoELayer
from megatron.core.transformer.transformer_block import get_num_layers_to_build
from megatron.core.transformer.transformer_config import MLATransformerConfig, TransformerConfig
from megatron.core.transformer.transformer_layer import get_transformer_layer_offset
from megatron.core.utils import get_batch_on_this_cp_rank
from torch.testing._internal.distributed.fake_pg import FakeStore

from sixnd.planner.rules import Setting
from sixnd.runner.attention import Norm
from sixnd.runner.device import training_device
from sixnd.specs.families import Architecture
from sixnd.specs.plan import PlannedLayout


@contextlib.contextmanager
def groups(layout: PlannedLayout, rank: int) -> Iterator[None]:
    """The process groups of one rank of the layout."""
    world = layout.world_size
    torch.distributed.init_process_group("fake", rank=rank, store=FakeStore(), world_size=world)
    try:
        parallel_state.initialize_model_parallel(
            tensor_model_parallel_size=layout.tensor,
            pipeline_model_parallel_size=layout.pipeline,
            virtual_pipeline_model_parallel_size=_chunks(layout),
            context_parallel_size=layout.context,
            expert_model_parallel_size=layout.expert,
            expert_tensor_parallel_size=layout.expert_tensor,
            create_gloo_process_groups=False,
        )
        yield
    finally:
        parallel_state.destroy_model_parallel()
        torch.distributed.destroy_process_group()


def configuration(model: Architecture, layout: PlannedLayout, **changes: Any) -> TransformerConfig:
    """The layout and model as Megatron configures them."""
    parts = _sizes(model) | _experts(model) | _degrees(model, layout) | _recompute(layout) | changes
    latent = model.latent_attention
    if latent is None:
        return TransformerConfig(**parts)
    widths = {"qk_head_dim": latent.query_key, "qk_pos_emb_head_dim": latent.rotary, "v_head_dim": latent.value}
    ranks = {"q_lora_rank": latent.query_rank, "kv_lora_rank": latent.kv_rank}
    return MLATransformerConfig(**parts, **widths, **ranks, multi_latent_attention=True, rope_type="rope")


def _sizes(model: Architecture) -> dict[str, Any]:
    return {
        "num_layers": model.layers,
        "hidden_size": model.hidden,
        "num_attention_heads": model.heads,
        "num_query_groups": model.kv_heads,
        "kv_channels": model.head_dim,
        "ffn_hidden_size": model.ffn or model.experts.ffn,
        "normalization": "RMSNorm",
        "gated_linear_unit": model.gated,
        "add_bias_linear": model.biases == "all",
        "add_qkv_bias": model.biases != "none",
        "qk_layernorm": model.query_key_norm,
        "mtp_num_layers": model.mtp_layers or None,
        "perform_initialization": False,
        "bf16": True,
        "params_dtype": torch.bfloat16,
        "pipeline_dtype": torch.bfloat16,
    }


def _experts(model: Architecture) -> dict[str, Any]:
    experts = model.experts
    if experts is None:
        return {}
    return {
        "num_moe_experts": experts.routed,
        "moe_ffn_hidden_size": experts.ffn,
        "moe_router_topk": experts.top_k,
        "moe_shared_expert_intermediate_size": experts.shared_ffn or None,
        "moe_layer_freq": [0] * experts.dense_layers + [1] * (model.layers - experts.dense_layers),
        "moe_router_enable_expert_bias": experts.router_bias,
        "moe_router_score_function": "sigmoid" if experts.router_bias else "softmax",
        "moe_token_dispatcher_type": "alltoall",
        "moe_grouped_gemm": True,
    }


def _degrees(model: Architecture, layout: PlannedLayout) -> dict[str, Any]:
    return {
        "tensor_model_parallel_size": layout.tensor,
        "pipeline_model_parallel_size": layout.pipeline,
        "virtual_pipeline_model_parallel_size": _chunks(layout),
        "context_parallel_size": layout.context,
        "expert_model_parallel_size": layout.expert,
        "expert_tensor_parallel_size": layout.expert_tensor,
        "sequence_parallel": layout.sequence_parallel,
        **_filling(model, layout),
    }


def _chunks(layout: PlannedLayout) -> int | None:
    return layout.virtual_pipeline if layout.virtual_pipeline > 1 else None


def _filling(model: Architecture, layout: PlannedLayout) -> dict[str, Any]:
    """How stages are filled; with further predictions Megatron wants every stage written out."""
    if not layout.embedding_as_layer:
        return {}
    if not model.mtp_layers:
        return {"account_for_embedding_in_pipeline_split": True, "account_for_loss_in_pipeline_split": True}
    middle = [LayerType.decoder] * model.layers + [LayerType.mtp] * model.mtp_layers
    units = [LayerType.embedding, *middle, LayerType.loss]
    each = len(units) // (layout.pipeline * layout.virtual_pipeline)
    return {"pipeline_model_parallel_layout": [units[i : i + each] for i in range(0, len(units), each)]}


def _recompute(layout: PlannedLayout) -> dict[str, Any]:
    if layout.recompute == "none":
        return {}
    if layout.recompute == "selective":
        return {"recompute_granularity": "selective", "recompute_modules": list(layout.recompute_modules)}
    return {"recompute_granularity": "full", "recompute_method": "uniform", "recompute_num_layers": 1}


class _Whole(torch.nn.Module):
    """Stands in for what only Transformer Engine has: attention with context parallelism, and matrices of latents.

    Neither divides anything over tensor-parallel ranks.
    """

    def __init__(self, *_sizes: Any, **_options: Any) -> None:
        super().__init__()


def chunks(model: Architecture, layout: PlannedLayout, sequence: int) -> list[GPTModel]:
    """This rank's model chunks, built by Megatron from its own modules; of layers that are alike, one a chunk."""
    modules = [module for module in layout.recompute_modules if module != "moe_act"]  # needs Transformer Engine
    plain = layout.model_copy(update={"recompute_modules": modules})
    config = configuration(model, plain, **({"moe_grouped_gemm": False} if model.experts else {}))
    stages = [None] if _chunks(layout) is None else range(layout.virtual_pipeline)
    with training_device(0), pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "current_device", lambda: torch.device("meta"))
        patch.setattr(multi_latent_attention, "TELinear", _Whole)
        return [_chunk(config, model, sequence, stage) for stage in stages]


def _chunk(config: TransformerConfig, model: Architecture, sequence: int, stage: int | None) -> GPTModel:
    spec = get_gpt_decoder_block_spec(config, False, normalization="RMSNorm", vp_stage=stage)
    spec.layer_norm = Norm
    spec.layer_specs = list({id(layer): layer for layer in spec.layer_specs}.values())
    for layer in spec.layer_specs:
        _without_transformer_engine(layer)
    predictions = None
    if model.mtp_layers:  # built like the last layer, which may be on another stage
        last = get_gpt_decoder_layer_specs(config, False, normalization="RMSNorm")[-1]
        _without_transformer_engine(last)
        predictions = get_gpt_mtp_block_spec(config, last, False, vp_stage=stage)
    for layer in predictions.layer_specs if predictions else ():
        layer.submodules.enorm = layer.submodules.hnorm = layer.submodules.layer_norm = Norm
    return GPTModel(
        config=config,
        transformer_layer_spec=spec,
        vocab_size=model.vocab,
        max_sequence_length=sequence,
        pre_process=parallel_state.is_pipeline_first_stage(ignore_virtual=False, vp_stage=stage),
        post_process=parallel_state.is_pipeline_last_stage(ignore_virtual=False, vp_stage=stage),
        share_embeddings_and_output_weights=model.tied,
        position_embedding_type="rope",
        mtp_block_spec=predictions,
        vp_stage=stage,
    )


def _without_transformer_engine(layer: Any) -> None:
    parts = layer.submodules
    parts.input_layernorm = parts.pre_mlp_layernorm = Norm
    attention = parts.self_attention.submodules
    attention.core_attention = _Whole
    for name in ("linear_q_down_proj", "linear_kv_down_proj"):
        if hasattr(attention, name):
            setattr(attention, name, _Whole)
    for name in ("q_layernorm", "k_layernorm", "kv_layernorm"):
        if hasattr(attention, name):
            setattr(attention, name, Norm)


def cut_sequence(setting: Setting, layout: PlannedLayout) -> int:
    """Tokens of a sequence that one rank's norms see, cut by Megatron."""
    tokens = torch.zeros(1, setting.model.sequence)
    own = get_batch_on_this_cp_rank({"tokens": tokens})["tokens"][0]
    return len(scatter_to_sequence_parallel_region(own)) if layout.sequence_parallel else len(own)


def count_micro_batches(setting: Setting, layout: PlannedLayout) -> int:
    """Micro-batches of a step, counted by Megatron."""
    counter = ConstantNumMicroBatchesCalculator(setting.global_batch, layout.micro_batch, layout.data, False, 0)
    return int(counter.get())


def start_routing(model: list[GPTModel], layout: PlannedLayout) -> None:
    """Enter the first layer with experts as training does, where Megatron looks at how its tokens are split."""
    layers = [layer.mlp for chunk in model for layer in chunk.decoder.layers if isinstance(layer.mlp, MoELayer)]
    if layers and not layout.sequence_parallel and layout.tensor > 1:
        layers[0](torch.zeros(1, 1, 1))


class _Accepted(Exception):  # noqa: N818
    pass


def layers_of_stage(config: TransformerConfig, rank: int) -> list[int]:
    """For each layer that Megatron puts on a stage, 1 where it holds experts, else 0."""
    stages = [None] if config.virtual_pipeline_model_parallel_size is None else range(_virtual(config))
    layers = [layer for stage in stages for layer in _layers_of_chunk(config, stage, rank)]
    return [config.moe_layer_freq[layer] if config.num_moe_experts else 0 for layer in layers]


def _virtual(config: TransformerConfig) -> int:
    return int(config.virtual_pipeline_model_parallel_size)


def _layers_of_chunk(config: TransformerConfig, stage: int | None, rank: int) -> list[int]:
    written = config.pipeline_model_parallel_layout
    if written is not None:
        return list(written.get_layer_id_list(vp_stage=stage, pp_rank=rank))
    first = get_transformer_layer_offset(config, vp_stage=stage, pp_rank=rank)
    return list(range(first, first + get_num_layers_to_build(config, stage, rank)))


def start_schedule(config: TransformerConfig, layout: PlannedLayout, micro_batches: int) -> None:
    """Begin the interleaved schedule, as far as its first forward pass."""
    if layout.virtual_pipeline == 1:
        return

    def reached(*_args: Any) -> None:
        raise _Accepted

    with training_device(0), contextlib.suppress(_Accepted):
        forward_backward_pipelining_with_interleaving(
            forward_step_func=reached,
            data_iterator=[iter(())] * layout.virtual_pipeline,
            model=[_Chunk(config) for _ in range(layout.virtual_pipeline)],
            num_microbatches=micro_batches,
            seq_length=8,
            micro_batch_size=1,
        )


class _Chunk(torch.nn.Module):
    model_type = ModelType.encoder_or_decoder

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config

    def set_input_tensor(self, tensors: Any) -> None:
        """Called by the schedule before a forward pass."""
