"""The training program of one rank: resume, train, validate, checkpoint, record."""

import logging
import os
import resource
import time
from collections.abc import Iterator

import torch
from megatron.core import parallel_state
from megatron.core.datasets.blended_dataset import BlendedDataset

from sixnd.runner.batches import Batch, PhasedDataset, StepSampler, build_datasets, micro_batches
from sixnd.runner.checkpoint import latest_checkpoint, load_checkpoint, save_checkpoint
from sixnd.runner.device import current_device, is_cuda, training_device
from sixnd.runner.job import Job, JobFolder
from sixnd.runner.metrics import Metrics
from sixnd.runner.trainer import Trainer, start_process_groups, stop_process_groups
from sixnd.specs.checkpoint_events import CheckpointSaved
from sixnd.specs.plan import Plan
from sixnd.specs.record import Step, Validation


class Run:
    """One rank's way from the last checkpoint to the last step."""

    def __init__(self, folder: JobFolder, plan: Plan, job: Job, attempt: int) -> None:
        self.folder, self.plan, self.job, self.attempt = folder, plan, job, attempt
        self.rank, self.world = torch.distributed.get_rank(), torch.distributed.get_world_size()
        # The last rank holds the last pipeline stage, hence the loss.
        self.metrics = Metrics(folder) if self.rank == self.world - 1 else None
        self.trainer = Trainer(self.plan)
        self.train_data, self.validation_data = build_datasets(folder, self.plan, self.job)
        self.data_rank = parallel_state.get_data_parallel_rank()
        self.losses_held = self.plan.layout.tensor * self.plan.layout.data

    def train(self) -> None:
        """Train from the newest checkpoint, or from the start, to the last step."""
        first = self._resume() + 1
        last, tokens_per_step = (
            self.plan.training.steps,
            self.plan.training.global_batch * self.plan.model.sequence_length,
        )
        batches = self._batches(self.train_data, first, last)
        for step in range(first, last + 1):
            began = time.perf_counter()
            share, grad_norm, learning_rate = self.trainer.step(batches)
            loss = self._mean_over_ranks(share)
            seconds = time.perf_counter() - began
            self._record_step(step, tokens_per_step, loss, grad_norm, learning_rate, seconds)
            if step % self.plan.evaluation.every_steps == 0 or step == last:
                self._validate(step)
            if step % self.plan.checkpoints.every_steps == 0 or step == last:
                self._save(step)
        if self.metrics:
            self.metrics.write(self.train_data.mix())
            self.metrics.close()

    def _resume(self) -> int:
        found = latest_checkpoint(self.folder.checkpoints_path, self.plan.fingerprint())
        if found is None:
            return 0
        return load_checkpoint(found[0], self.trainer.chunks, self.trainer.optimizer, self.trainer.scheduler)

    def _batches(self, dataset: PhasedDataset | BlendedDataset, first: int, last: int) -> list[Iterator[Batch]]:
        """One stream of micro-batches for each model chunk of this rank."""
        return [
            micro_batches(dataset, StepSampler(self.plan, self.data_rank, first, last))
            for _chunk in self.trainer.chunks
        ]

    def _mean_over_ranks(self, share: float) -> float:
        """Mean over the replicas of what the ranks of the last stage hold; the others add nothing."""
        total = torch.tensor([share], dtype=torch.float64, device=current_device())
        torch.distributed.all_reduce(total)
        return float(total) / self.losses_held

    def _record_step(
        self, step: int, tokens_per_step: int, loss: float, grad_norm: float, learning_rate: float, seconds: float
    ) -> None:
        memory = self._peak_memory_bytes()
        if self.metrics is None:
            return
        flops = tokens_per_step / seconds * self.plan.model.flops_per_token
        self.metrics.write(
            Step(
                attempt=self.attempt,
                step=step,
                tokens=step * tokens_per_step,
                loss=loss,
                grad_norm=grad_norm,
                learning_rate=learning_rate,
                step_time_s=seconds,
                tokens_per_s=tokens_per_step / seconds,
                mfu=flops / (self.plan.cluster.peak_flops * self.world),
                memory_bytes=memory,
            )
        )

    def _peak_memory_bytes(self) -> int:
        """Peak of the fullest rank: device memory on a GPU, resident set on a CPU. Collective."""
        if is_cuda():
            peak = torch.cuda.max_memory_allocated()
        else:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        fullest = torch.tensor([peak], dtype=torch.int64, device=current_device())
        torch.distributed.all_reduce(fullest, op=torch.distributed.ReduceOp.MAX)
        return int(fullest)

    def _validate(self, step: int) -> None:
        count = self.plan.evaluation.batches
        share = self.trainer.validate(self._batches(self.validation_data, 1, count), count)
        loss = self._mean_over_ranks(share)
        if self.metrics:
            tokens = count * self.plan.training.global_batch * self.plan.model.sequence_length
            self.metrics.write(Validation(attempt=self.attempt, step=step, loss=loss, tokens=tokens))

    def _save(self, step: int) -> None:
        trainer = self.trainer
        with trainer.settled():
            path, seconds = save_checkpoint(
                self.folder.checkpoints_path,
                step,
                self.plan.fingerprint(),
                self.plan.checkpoints.keep_last,
                trainer.chunks,
                trainer.optimizer,
                trainer.scheduler,
            )
        if self.metrics:
            relative = str(path.relative_to(self.folder.path))
            self.metrics.write(CheckpointSaved(attempt=self.attempt, step=step, path=relative, seconds=seconds))


def train_rank(folder: JobFolder, attempt: int) -> None:
    """Train one rank of the job; the environment says which (``torchrun`` sets it)."""
    logging.getLogger("megatron").setLevel(logging.ERROR)
    plan, job = folder.plan(), folder.job()
    torch.set_num_threads(job.threads_per_process)
    with training_device(int(os.environ.get("LOCAL_RANK", "0"))):
        start_process_groups(plan.layout, plan.training.seed)
        Run(folder, plan, job, attempt).train()
        stop_process_groups()
