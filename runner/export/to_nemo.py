"""A plan as a recipe of Megatron-Bridge, NeMo's trainer on Megatron-core: a Python file that builds its configuration.

Names are those of Megatron-Bridge 0.3.1 (templates/megatron-bridge-fields.yaml), and of Megatron-core 0.16 where they
are inherited from it.
"""

from collections.abc import Mapping
from typing import Any

from sixnd.runner.determinism import VARIABLES
from sixnd.runner.export.plan import Exported, blends, differences, refuse
from sixnd.runner.job import JobFolder
from sixnd.runner.schedule_names import COOLDOWNS, STYLES
from sixnd.specs.plan import Plan, PlannedLayout

_TITLE = '''"""Trains a plan of sixnd with Megatron-Bridge: torchrun --nproc-per-node GPUS THIS_FILE."""

'''
_HEAD = """import torch
from megatron.bridge.models.llama.llama_provider import LlamaModelProvider
from megatron.bridge.training.config import (
    CheckpointConfig,
    ConfigContainer,
    DistributedDataParallelConfig,
    GPTDatasetConfig,
    LoggerConfig,
    OptimizerConfig,
    RNGConfig,
    SchedulerConfig,
    TokenizerConfig,
    TrainingConfig,
)
from megatron.bridge.training.gpt_step import forward_step
from megatron.bridge.training.pretrain import pretrain

"""
_TAIL = """

if __name__ == "__main__":
    pretrain(recipe(), forward_step)
"""


class _Name(str):
    """Python text that stands as it is, where other values are written as literals."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def nemo(plan: Plan, folder: JobFolder | None) -> Exported:
    """The plan as a Python file."""
    ramped = ["its batch grows, and a recipe counts in iterations"] if len(plan.training.batch_stages) > 1 else []
    refuse(plan, *ramped)
    notes = differences(plan, folder)
    if plan.training.cooldown == "1-sqrt" and plan.training.schedule == "wsd":
        notes.append("the cooldown is minus_sqrt, which Megatron-core knows and Megatron-Bridge only hands on to it")
    remarks = "".join(f"# - {note}\n" for note in notes)
    body = ",\n".join(f"        {part}={_call(name, values)}" for part, (name, values) in _parts(plan, folder).items())
    recipe = f"def recipe() -> ConfigContainer:\n    return ConfigContainer(\n{body},\n    )\n"
    # Variables stand before torch is imported: cuBLAS and NCCL read them when they start.
    variables = f"import os\n\nos.environ |= {VARIABLES!r}\n\n" if plan.training.deterministic else ""
    return Exported(f"{_TITLE}{variables}{_HEAD}# Other than in the plan:\n{remarks}\n\n{recipe}{_TAIL}", notes)


def _parts(plan: Plan, folder: JobFolder | None) -> dict[str, tuple[str | None, Any]]:
    return {
        "model": ("LlamaModelProvider", _model(plan) | _layout(plan)),
        "train": ("TrainingConfig", _train(plan)),
        "optimizer": ("OptimizerConfig", _optimizer(plan)),
        "scheduler": ("SchedulerConfig", _scheduler(plan)),
        "ddp": ("DistributedDataParallelConfig", _ddp(plan.layout)),
        "dataset": ("GPTDatasetConfig", _dataset(plan, folder)),
        "logger": ("LoggerConfig", {"log_interval": 1, "log_throughput": True, "tensorboard_dir": "tensorboard"}),
        # The data hold ids; the null tokenizer counts one entry more than it is told of.
        "tokenizer": ("TokenizerConfig", {"tokenizer_type": "NullTokenizer", "vocab_size": plan.model.vocab_size - 1}),
        "checkpoint": ("CheckpointConfig", _checkpoint(plan)),
        "rng": ("RNGConfig", {"seed": plan.training.seed}),
        "mixed_precision": (None, "bf16_mixed" if plan.training.precision == "bf16" else None),
    }


def _call(name: str | None, values: Any) -> str:
    if name is None:
        return repr(values)
    assert isinstance(values, Mapping)
    lines = "".join(f"            {field}={value!r},\n" for field, value in values.items())
    return f"{name}(\n{lines}        )"


def _model(plan: Plan) -> dict[str, Any]:
    model, shape = plan.model, plan.model.shape
    return {
        "num_layers": shape.layers,
        "hidden_size": shape.hidden,
        "ffn_hidden_size": shape.ffn,
        "num_attention_heads": shape.heads,
        "num_query_groups": shape.kv_heads,
        "kv_channels": model.head_dim,
        "seq_length": model.sequence_length,
        "vocab_size": model.padded_vocab_size,
        "should_pad_vocab": False,
        "share_embeddings_and_output_weights": model.tied_embeddings,
        "rotary_base": 10000,
        "layernorm_epsilon": 1e-5,
        "init_method_std": plan.training.init_std,
    }


def _layout(plan: Plan) -> dict[str, Any]:
    layout = plan.layout
    dtype = _Name("torch.bfloat16" if plan.training.precision == "bf16" else "torch.float32")
    found: dict[str, Any] = {
        "tensor_model_parallel_size": layout.tensor,
        "pipeline_model_parallel_size": layout.pipeline,
        "virtual_pipeline_model_parallel_size": layout.virtual_pipeline if layout.virtual_pipeline > 1 else None,
        "context_parallel_size": layout.context,
        "sequence_parallel": layout.sequence_parallel,
        "params_dtype": dtype,
        "pipeline_dtype": dtype,
        "gradient_accumulation_fusion": False,
    }
    if plan.training.deterministic:
        found |= {"deterministic_mode": True, "cross_entropy_loss_fusion": False}  # it refuses the one with the other
    if layout.embedding_as_layer:
        found |= {"account_for_embedding_in_pipeline_split": True, "account_for_loss_in_pipeline_split": True}
    return found | _recompute(layout)


def _recompute(layout: PlannedLayout) -> dict[str, Any]:
    if layout.recompute == "none":
        return {}
    if layout.recompute == "selective":
        return {"recompute_granularity": "selective", "recompute_modules": layout.recompute_modules or ["core_attn"]}
    method, count = ("block", layout.recompute_layers) if layout.recompute_layers else ("uniform", 1)
    return {"recompute_granularity": "full", "recompute_method": method, "recompute_num_layers": count}


def _train(plan: Plan) -> dict[str, Any]:
    return {
        "train_iters": plan.training.steps,
        "global_batch_size": plan.training.global_batch,
        "micro_batch_size": plan.layout.micro_batch,
        "eval_interval": plan.evaluation.every_steps,
        "eval_iters": plan.evaluation.batches,
        "exit_signal_handler": True,
    }


def _optimizer(plan: Plan) -> dict[str, Any]:
    training = plan.training
    return {
        "optimizer": "adam",
        "lr": training.learning_rate,
        "min_lr": training.final_learning_rate,
        "weight_decay": training.weight_decay,
        "adam_beta1": training.adam_beta1,
        "adam_beta2": training.adam_beta2,
        "adam_eps": training.adam_eps,
        "clip_grad": training.clip_grad_norm,
        "bf16": training.precision == "bf16",
        "use_distributed_optimizer": plan.layout.distributed_optimizer,
    }


def _scheduler(plan: Plan) -> dict[str, Any]:
    training = plan.training
    found = {
        "lr_warmup_iters": training.warmup_steps,
        "lr_decay_iters": training.steps,
        "lr_decay_style": STYLES[training.schedule],
        "start_weight_decay": training.weight_decay,
        "end_weight_decay": training.weight_decay,
        "weight_decay_incr_style": "constant",
    }
    if training.schedule == "wsd":
        found |= {"lr_wsd_decay_style": COOLDOWNS[training.cooldown], "lr_wsd_decay_iters": training.decay_steps}
    return found


def _ddp(layout: PlannedLayout) -> dict[str, Any]:
    return {
        "grad_reduce_in_fp32": True,
        "overlap_grad_reduce": True,
        "overlap_param_gather": layout.distributed_optimizer,
        "use_distributed_optimizer": layout.distributed_optimizer,
    }


def _dataset(plan: Plan, folder: JobFolder | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "random_seed": plan.training.seed,
        "seq_length": plan.model.sequence_length,
        "reset_position_ids": False,
        "reset_attention_mask": False,
        "eod_mask_loss": False,
        "dataloader_type": "single",
        "path_to_cache": "data-cache",
    }
    if folder is not None:
        found["blend_per_split"] = [*(_blend(words) for words in blends(folder)), None]
    return found


def _blend(words: list[str]) -> tuple[list[str], list[float]]:
    """Prefixes and weights."""
    return words[1::2], [float(weight) for weight in words[::2]]


def _checkpoint(plan: Plan) -> dict[str, Any]:
    return {
        "save": "checkpoints",
        "load": "checkpoints",
        "save_interval": plan.checkpoints.every_steps,
        "most_recent_k": plan.checkpoints.keep_last,
        "ckpt_format": "torch_dist",
        "dist_ckpt_optim_fully_reshardable": True,
    }
