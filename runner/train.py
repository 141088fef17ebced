"""The training program of one rank: resume, train, validate, checkpoint, record."""

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from megatron.core import parallel_state
from megatron.core.datasets.blended_dataset import BlendedDataset

from sixnd.runner.base import take_base
from sixnd.runner.batches import Batch, PhasedDataset, StepSampler, build_datasets, micro_batches
from sixnd.runner.checkpoints.keeper import CheckpointKeeper
from sixnd.runner.determinism import keep_to_deterministic_kernels
from sixnd.runner.device import current_device, training_device
from sixnd.runner.evaluation.evaluation import Evaluator
from sixnd.runner.job import Job, JobFolder
from sixnd.runner.low_precision import check_low_precision
from sixnd.runner.metrics import Metrics
from sixnd.runner.peak_memory import PeakMemory
from sixnd.runner.supervision.supervision import Judgement, Supervisor
from sixnd.runner.trainer import Trainer, start_process_groups, stop_process_groups
from sixnd.specs.plan import Plan
from sixnd.specs.record import Step, Validation
from sixnd.specs.step_batches import StepBatches


class Run:
    """One rank's way from the last checkpoint to the last step."""

    def __init__(self, folder: JobFolder, plan: Plan, job: Job, attempt: int) -> None:
        self.folder, self.plan, self.job, self.attempt = folder, plan, job, attempt
        self.rank, self.world = torch.distributed.get_rank(), torch.distributed.get_world_size()
        # The last rank holds the last pipeline stage, hence the loss.
        self.metrics = Metrics(folder) if self.rank == self.world - 1 else None
        self.memory = PeakMemory()
        self.trainer = Trainer(self.plan)
        self.checkpoints = CheckpointKeeper(folder, plan, attempt, self.trainer, self.metrics)
        self.train_data, self.validation_data = build_datasets(folder, self.plan, self.job)
        self.planned = plan.training.batches
        self.data_rank = parallel_state.get_data_parallel_rank()
        self.losses_held = self.plan.layout.tensor * self.plan.layout.data
        stage, write = parallel_state.get_pipeline_model_parallel_rank(), self.metrics.write if self.metrics else None
        self.supervisor = Supervisor(folder, plan, attempt, self.rank, stage, write)
        self.evaluator = Evaluator(folder, plan, job, self.trainer, attempt, write, self.supervisor.heart.each)

    def train(self) -> None:
        """Train from the newest checkpoint, or from the start, to the last step, or until the run is to end."""
        with self.supervisor.watching():
            step, last, goes_on = self.checkpoints.resume(), self.plan.training.steps, True
            self.supervisor.begin(step)
            self.supervisor.started(step)
            if self.job.base is not None and not step:
                self._start_from(Path(self.job.base))
            self.batches = self._batches(self.train_data, self.planned, step + 1, last)
            while goes_on and (step := self._past_skipped(step)) < last:
                step, goes_on = self._step(step + 1)
        if self.metrics:
            if goes_on:
                self.metrics.write(self.train_data.mix())
            self.metrics.close()

    def _start_from(self, base: Path) -> None:
        """Take the weights of a trained model, and measure them before they change."""
        take_base(base, self.trainer)
        self.supervisor.heart.enter("validating", 0)
        self._validate(0)
        self.evaluator.after(0)

    def _past_skipped(self, step: int) -> int:
        """Go over steps that an earlier attempt rolled back over; return the last of them, or the step itself."""
        reached = self.supervisor.past_skipped(step)
        if reached > step:
            self.trainer.scheduler.step(increment=reached - step)
            self.batches = self._batches(self.train_data, self.planned, reached + 1, self.plan.training.steps)
            self._close_step(reached, asked=False)
        return reached

    def _step(self, step: int) -> tuple[int, bool]:
        """Train on one global batch, do what its alarm or a request asks for, and record it.

        Returns the step after which the run then is, and whether it is to go on.
        """
        began, heart = time.perf_counter(), self.supervisor.heart
        heart.enter("training", step)
        judged: list[Judgement] = []

        def applies(share: float, grad_norm: float) -> bool:
            told = (share, float(self.supervisor.wish()), self.trainer.log_z_share, float(self.memory.has_grown()))
            loss, wishes, self.log_z, self.grown = self._sums(*told)
            judged.append(self.supervisor.judge(step, loss / self.losses_held, grad_norm, asked=wishes > 0))
            return judged[0].applies

        self.trainer.clock.taken()  # validation's
        _share, grad_norm, learning_rate = self.trainer.step(self.batches, applies, self.planned.of_step(step))
        verdict, seconds = judged[0], time.perf_counter() - began
        if verdict.action == "stop":
            self._stop_before(verdict)
            return step - 1, False
        self._record_step(verdict, grad_norm, learning_rate, seconds)
        if verdict.action == "retry":
            return self._go_back(verdict), True
        self.supervisor.acted(verdict, self._roll_back(step) if verdict.action == "rollback" else None)
        self._close_step(step, asked=verdict.asked)
        return step, not verdict.asked or step == self.plan.training.steps

    def _go_back(self, verdict: Judgement) -> int:
        """Take the last checkpoint's state, to train on the same batches again; return its step.

        Before the first checkpoint the step alone is done again: its update was not applied.
        """
        self.supervisor.heart.enter("starting", verdict.step)
        saved = self.checkpoints.resume()
        if not saved:
            self.trainer.scheduler.step(increment=-1)
        reached = saved or verdict.step - 1
        self.supervisor.acted(verdict, saved or None)
        self.supervisor.went_back(reached)
        self.batches = self._batches(self.train_data, self.planned, reached + 1, self.plan.training.steps)
        return reached

    def _roll_back(self, step: int) -> int | None:
        """Take the last checkpoint's state in the place of this step's; its step, or none where there is none."""
        self.supervisor.heart.enter("starting", step)
        reached = self.checkpoints.resume()
        self.trainer.scheduler.step(increment=step - reached if reached else 0)
        return reached or None

    def _stop_before(self, verdict: Judgement) -> None:
        """Save the state before a step whose alarm ends the run; the step is then the first that is done again."""
        before = verdict.step - 1
        self.trainer.scheduler.step(increment=-1)
        if before and before % self.plan.checkpoints.every_steps:
            self._save_watched(before)
        self.supervisor.acted(verdict)

    def _close_step(self, step: int, *, asked: bool) -> None:
        """Validate and save where it is time to."""
        last = step == self.plan.training.steps
        if step % self.plan.evaluation.every_steps == 0 or last or self.checkpoints.needs_loss(step):
            self.supervisor.heart.enter("validating", step)
            self._validate(step)
        if self.evaluator.due(step):
            self.supervisor.heart.enter("validating", step)
            self.evaluator.after(step)
        if step % self.plan.checkpoints.every_steps == 0 or last or asked:
            unsaved = self._save_watched(step)
            if asked and not last:
                self.supervisor.paused(step, unsaved)

    def _save_watched(self, step: int) -> str | None:
        """Save; why it could not be written, where it could not."""
        began = time.perf_counter()
        self.supervisor.heart.enter("saving", step)
        unsaved = self.checkpoints.save(step)
        self.supervisor.saved(step, time.perf_counter() - began)
        return unsaved

    def _batches(
        self, dataset: PhasedDataset | BlendedDataset, batches: StepBatches, first: int, last: int
    ) -> list[Iterator[Batch]]:
        """One stream of micro-batches for each model chunk of this rank."""
        masks = self.plan.data.document_masks
        sampler = StepSampler(batches, self.plan.layout, self.data_rank, first, last)
        streams = (micro_batches(dataset, sampler, document_masks=masks) for _chunk in self.trainer.chunks)
        return [self.supervisor.heart.each(stream) for stream in streams]

    def _mean_over_ranks(self, share: float) -> float:
        """Mean over the replicas of what the ranks of the last stage hold; the others add nothing."""
        return self._sums(share)[0] / self.losses_held

    def _sums(self, *values: float) -> list[float]:
        """Each value summed over all ranks, in one reduction."""
        total = torch.tensor(values, dtype=torch.float64, device=current_device())
        torch.distributed.all_reduce(total)
        return [float(value) for value in total.tolist()]

    def _record_step(self, verdict: Judgement, grad_norm: float, learning_rate: float, seconds: float) -> None:
        memory = self.memory.bytes(grown=self.grown > 0)
        compute_s, factor = self.trainer.clock.taken(), self.plan.training.z_loss
        tokens_per_step = self.planned.of_step(verdict.step) * self.plan.model.sequence_length
        flops = tokens_per_step / seconds * self.plan.model.flops_per_token
        step = Step(
            attempt=self.attempt,
            step=verdict.step,
            tokens=self.plan.tokens_after(verdict.step),
            loss=verdict.loss,
            grad_norm=grad_norm,
            learning_rate=learning_rate,
            step_time_s=seconds,
            tokens_per_s=tokens_per_step / seconds,
            mfu=flops / (self.plan.cluster.peak_flops * self.world),
            memory_bytes=memory,
            applied=verdict.applies,
            z_loss=factor * self.log_z / self.losses_held if factor else None,
        )
        if self.metrics:
            self.metrics.write(step)
        self.supervisor.stepped(step, compute_s)

    def _validate(self, step: int) -> None:
        began, count = time.perf_counter(), self.plan.evaluation.batches
        whole = StepBatches(self.planned.full)
        share = self.trainer.validate(self._batches(self.validation_data, whole, 1, count), count)
        loss = self._mean_over_ranks(share)
        self.checkpoints.validated(step, loss)
        if self.metrics:
            tokens = whole.samples_after(count) * self.plan.model.sequence_length
            seconds = time.perf_counter() - began
            self.metrics.write(Validation(attempt=self.attempt, step=step, loss=loss, tokens=tokens, seconds=seconds))


def train_rank(folder: JobFolder, attempt: int) -> None:
    """Train one rank of the job; the environment says which (``torchrun`` sets it)."""
    logging.getLogger("megatron").setLevel(logging.ERROR)
    plan, job = folder.plan(), folder.job()
    torch.set_num_threads(job.threads_per_process)
    check_low_precision(plan)
    keep_to_deterministic_kernels(plan)
    with training_device(int(os.environ.get("LOCAL_RANK", "0"))):
        start_process_groups(plan.layout, plan.training.seed)
        Run(folder, plan, job, attempt).train()
        stop_process_groups()
