"""One optimizer step on Megatron-core's schedules, and what is built for it."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from megatron.core import parallel_state
from megatron.core.distributed import DistributedDataParallel
from megatron.core.optimizer import (
    MegatronOptimizer,
    OptimizerConfig,
    get_megatron_optimizer,
    get_standard_config_overrides,
)
from megatron.core.optimizer.clip_grads import clip_grad_by_total_norm_fp32
from megatron.core.optimizer.optimizer_config import ParamKey, ParamWithNamePredicate
from megatron.core.optimizer_param_scheduler import ParamGroupOverride, get_canonical_lr_for_logging
from megatron.core.pipeline_parallel import get_forward_backward_func
from megatron.core.tensor_parallel import model_parallel_cuda_manual_seed
from megatron.core.utils import get_batch_on_this_cp_rank

from sixnd.runner.batches import Batch
from sixnd.runner.device import backend
from sixnd.runner.fused_adam import fuse
from sixnd.runner.model import build_model, dtype_of, let_go, transformer_config
from sixnd.runner.schedule import build_scheduler
from sixnd.runner.supervision.compute_clock import ComputeClock
from sixnd.specs.plan import Plan, PlannedLayout, PlannedTraining


def start_process_groups(layout: PlannedLayout, seed: int, alone: Path | None = None) -> None:
    """Join the other ranks and split them into tensor-, pipeline-, context- and data-parallel groups.

    A process that runs ``alone`` needs no launcher; it gives a folder of its own to meet itself in.
    """
    if alone is None:
        torch.distributed.init_process_group(backend=backend())
    else:
        torch.distributed.init_process_group(
            backend=backend(), init_method=f"file://{alone}/self", rank=0, world_size=1
        )
    parallel_state.initialize_model_parallel(
        tensor_model_parallel_size=layout.tensor,
        pipeline_model_parallel_size=layout.pipeline,
        virtual_pipeline_model_parallel_size=layout.virtual_pipeline if layout.virtual_pipeline > 1 else None,
        context_parallel_size=layout.context,
        create_gloo_process_groups=True,
    )
    model_parallel_cuda_manual_seed(seed)


def stop_process_groups() -> None:
    """Leave the groups, so that the process can end without warnings."""
    parallel_state.destroy_model_parallel()
    torch.distributed.destroy_process_group()


def _always(_loss_share: float, _grad_norm: float) -> bool:
    return True


class Trainer:
    """Model, optimizer and schedule of one rank."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.config = transformer_config(plan)
        self.chunks: list[DistributedDataParallel] = build_model(plan, self.config)
        self.optimizer = build_optimizer(plan, self.chunks)
        self.scheduler = build_scheduler(plan, self.optimizer)
        self.config.grad_scale_func = self.optimizer.scale_loss
        if self.chunks[0].ddp_config.overlap_grad_reduce:
            syncs = [chunk.no_sync for chunk in self.chunks]
            self.config.no_sync_func = syncs[0] if len(syncs) == 1 else syncs
        self.clock = ComputeClock()
        self.log_z_share = 0.0  # of the last step's mean log²Z, as its loss share is of its loss; 0 without z-loss
        self.micro_batches = self._micro_batches(plan.training.global_batch)

    def _micro_batches(self, global_batch: int) -> int:
        """How many micro-batches each replica runs for so many sequences."""
        return global_batch // (self.plan.layout.micro_batch * self.plan.layout.data)

    def step(
        self,
        batches: list[Iterator[Batch]],
        applies: Callable[[float, float], bool] = _always,
        global_batch: int | None = None,
    ) -> tuple[float, float, float]:
        """Train on one global batch; return this rank's loss share, the global gradient norm and the LR used.

        ``global_batch`` is the step's number of sequences, by default the plan's full batch.

        ``applies`` is asked with loss share and gradient norm, on every rank, whether to update the weights; where it
        says no they stay as they are, and the schedule goes on.

        The loss share is the mean loss of this replica on the last pipeline stage (of its tokens there, under context
        parallelism) and 0 elsewhere.
        """
        learning_rate = self.learning_rate()
        for chunk in self.chunks:
            chunk.zero_grad_buffer()
        self.optimizer.zero_grad()
        micro_batches = self.micro_batches if global_batch is None else self._micro_batches(global_batch)
        losses = self._run(batches, micro_batches, forward_only=False)
        share, self.log_z_share = _mean(losses), _mean(losses, "squared_log_z")
        self.optimizer.prepare_grads()
        grad_norm = float(self.optimizer.get_grad_norm())
        if applies(share, grad_norm):
            self._update(grad_norm)
        self.scheduler.step(increment=1)
        return share, grad_norm, learning_rate

    def _update(self, grad_norm: float) -> None:
        """What Megatron's own ``step`` does once it knows the norm: clip, and update."""
        for part in getattr(self.optimizer, "chained_optimizers", [self.optimizer]):
            if parameters := part.get_parameters():
                clip_grad_by_total_norm_fp32(
                    parameters,
                    max_norm=part.config.clip_grad,
                    total_norm=grad_norm,
                    use_decoupled_grad=part.config.use_precision_aware_optimizer_no_fp8_or_ds_fp8,
                )
        self.optimizer.step_with_ready_grads()

    def close(self) -> None:
        """Let go of the model: what a process calls that goes on to build another."""
        for chunk in self.chunks:
            let_go(chunk)

    def learning_rate(self) -> float:
        """The learning rate of the next step; with muP that of embedding, head and norms."""
        return float(get_canonical_lr_for_logging(self.optimizer.param_groups))

    def validate(self, batches: list[Iterator[Batch]], global_batches: int) -> float:
        """This rank's share of the validation loss over so many global batches."""
        for chunk in self.chunks:
            chunk.eval()
        with self.settled(), torch.no_grad():
            losses = [_mean(self._run(batches, self.micro_batches, forward_only=True)) for _ in range(global_batches)]
        for chunk in self.chunks:
            chunk.train()
        return sum(losses) / global_batches

    def measure(self, forward: Any, batches: list[Iterator[Batch]], micro_batches: int, length: int) -> list[Any]:
        """What ``forward``'s loss function tells of each micro-batch of sequences ``length`` long; on the last stage.

        ``length`` is at most the plan's, and a multiple of 2 · CP · TP.
        """
        for chunk in self.chunks:
            chunk.eval()
        with self.settled(), torch.no_grad():
            found = get_forward_backward_func()(
                forward_step_func=forward,
                data_iterator=batches if len(batches) > 1 else batches[0],
                model=self.chunks if len(self.chunks) > 1 else self.chunks[0],
                num_microbatches=micro_batches,
                seq_length=length,
                micro_batch_size=self.plan.layout.micro_batch,
                forward_only=True,
            )
        for chunk in self.chunks:
            chunk.train()
        return list(found)

    @contextlib.contextmanager
    def settled(self) -> Iterator[None]:
        """Parameters whole on every rank inside: else their gathering may still hide behind the next forward pass."""
        overlapping = [chunk for chunk in self.chunks if chunk.ddp_config.overlap_param_gather]
        for chunk in overlapping:
            chunk.disable_forward_pre_hook(param_sync=True)
        yield
        for chunk in overlapping:
            chunk.enable_forward_pre_hook()

    def _run(self, batches: list[Iterator[Batch]], micro_batches: int, *, forward_only: bool) -> list[Any]:
        schedule = get_forward_backward_func()
        return list(
            schedule(
                forward_step_func=functools.partial(_forward, self.clock),
                data_iterator=batches if len(batches) > 1 else batches[0],
                model=self.chunks if len(self.chunks) > 1 else self.chunks[0],
                num_microbatches=micro_batches,
                seq_length=self.plan.model.sequence_length,
                micro_batch_size=self.plan.layout.micro_batch,
                forward_only=forward_only,
            )
        )


def build_optimizer(plan: Plan, chunks: list[DistributedDataParallel]) -> MegatronOptimizer:
    """AdamW with clipping; norms and other vectors are not decayed (Megatron's rule)."""
    training = plan.training
    config = OptimizerConfig(
        optimizer="adam",
        lr=training.learning_rate,
        min_lr=training.final_learning_rate,
        weight_decay=training.weight_decay,
        adam_beta1=training.adam_beta1,
        adam_beta2=training.adam_beta2,
        adam_eps=training.adam_eps,
        clip_grad=training.clip_grad_norm,
        bf16=dtype_of(plan) is torch.bfloat16,
        params_dtype=dtype_of(plan),
        use_distributed_optimizer=plan.layout.distributed_optimizer,
        overlap_param_gather=chunks[0].ddp_config.overlap_param_gather,
    )
    optimizer: MegatronOptimizer = get_megatron_optimizer(config, chunks, config_overrides=_overrides(config, training))
    fuse(optimizer)
    return optimizer


def _overrides(config: OptimizerConfig, training: PlannedTraining) -> dict[ParamKey, ParamGroupOverride]:
    """What groups of parameters do differently: Megatron's own exceptions, muP's hidden matrices, the embedding."""
    overrides: dict[ParamKey, ParamGroupOverride] = get_standard_config_overrides(config)
    mup = training.mup
    if mup is not None:
        hidden = ParamKey(with_name_predicate=ParamWithNamePredicate(name="hidden_matrix", fn=_is_hidden_matrix))
        overrides[hidden] = ParamGroupOverride(
            max_lr=training.learning_rate * mup.hidden_lr_multiplier,
            min_lr=training.final_learning_rate * mup.hidden_lr_multiplier,
            wd_mult=mup.hidden_weight_decay_multiplier,
        )
    if not training.weight_decay_embeddings:
        embedding = ParamKey(with_name_predicate=ParamWithNamePredicate(name="embedding", fn=_is_embedding))
        overrides[embedding] = ParamGroupOverride(wd_mult=0.0)
    return overrides


def _is_hidden_matrix(parameter: torch.nn.Parameter, name: str) -> bool:
    return parameter.dim() == 2 and ".layers." in name


def _is_embedding(parameter: torch.nn.Parameter, name: str) -> bool:
    """With tied embeddings the last pipeline stage has a copy under the head's name, which must stay equal."""
    return ".word_embeddings." in name or getattr(parameter, "shared_embedding", False)


def _forward(clock: ComputeClock, batches: Iterator[Batch], model: Any) -> tuple[torch.Tensor, Any]:
    batch = next(batches)
    counted = batch["loss_mask"].sum()
    own = get_batch_on_this_cp_rank(dict(batch))  # this rank's share of each sequence
    with clock:
        output = model(own["tokens"], own["position_ids"], batch.get("begins"), labels=own["labels"])
    return output, functools.partial(_loss, own["loss_mask"], counted, model.module.squared_log_z)


def _loss(
    mask: torch.Tensor, counted: torch.Tensor, squared_log_z: torch.Tensor | None, losses: torch.Tensor
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """This rank's share of the mean loss of the micro-batch's tokens; ``losses`` and ``mask`` are ``[b, s/CP]``.

    Shares of context-parallel ranks sum to the mean: Megatron's schedule multiplies what is differentiated by CP, and
    averages gradients over DP × CP.
    """
    loss = (losses.float() * mask).sum() / counted
    told = {"loss": loss.detach().clone()}  # the schedule divides `loss` in place
    if squared_log_z is not None:
        told["squared_log_z"] = (squared_log_z * mask).sum() / counted
    return loss, told


def _mean(told: list[Any], what: str = "loss") -> float:
    """Over micro-batches; 0 on stages that tell nothing, and where it is not told."""
    values = [entry[what] for entry in told if what in entry]
    return float(torch.stack(values).mean()) if values else 0.0
