"""Evaluation in the loop: loss of each source and downstream tasks, on the ranks that train."""

import time
from collections.abc import Callable
from pathlib import Path

import torch

from sixnd.runner.evaluation.build import build_items, items_path
from sixnd.runner.evaluation.items import ItemSet, are_written, read_items
from sixnd.runner.evaluation.metrics import bits_per_byte, task_score
from sixnd.runner.evaluation.rows import held_out_rows, item_rows
from sixnd.runner.evaluation.scores import Watched, scores
from sixnd.runner.evaluation.text import HeldOut, held_out
from sixnd.runner.indexed_reader import IndexedReader
from sixnd.runner.job import Job, JobFolder
from sixnd.runner.tokenizers.file import load_tokenizer
from sixnd.runner.trainer import Trainer
from sixnd.specs.document import Document
from sixnd.specs.evaluation_record import SourceLoss, SourceLosses, TaskScore, TaskScores, TasksWritten
from sixnd.specs.plan import Plan

Write = Callable[[Document], None]
"""Appends an event to the record."""


class Evaluator:
    """Measures the model in training beside its validation loss. Every rank has one and calls it alike."""

    def __init__(
        self,
        folder: JobFolder,
        plan: Plan,
        job: Job,
        trainer: Trainer,
        attempt: int,
        write: Write | None,
        watched: Watched,
    ) -> None:
        self.plan, self.trainer, self.attempt = plan, trainer, attempt
        self.write, self.watched = write, watched
        self.texts = _texts(folder, plan, job) if plan.evaluation.source_batches else []
        self.items = ItemSet([], [])
        if plan.evaluation.tasks:
            path = items_path(folder, plan, job)
            self.items = _items(folder, plan, job, path)
            self._write(
                TasksWritten(path=str(path.relative_to(folder.path)), sha256=self.items.sha256, tasks=self.items.tasks)
            )

    def due(self, step: int) -> bool:
        """Whether anything is measured after a step."""
        return self._sources_due(step) or self._tasks_due(step)

    def after(self, step: int) -> None:
        """Measure and record what is due after a step. Collective."""
        if self._sources_due(step):
            self._write(self._sources(step))
        if self._tasks_due(step):
            self._write(self._tasks(step))

    def _sources_due(self, step: int) -> bool:
        last = step == self.plan.training.steps
        return bool(self.texts) and (last or step % self.plan.evaluation.every_steps == 0)

    def _tasks_due(self, step: int) -> bool:
        return bool(self.items.items) and step in self.plan.evaluation.task_steps

    def _write(self, event: Document) -> None:
        if self.write is not None:
            self.write(event)

    def _sources(self, step: int) -> SourceLosses:
        began = time.perf_counter()
        rows, places = held_out_rows(self.texts, self.plan.model.sequence_length)
        nats = scores(self.trainer, rows, self.watched)[:, 0]
        losses = [source_loss(text, float(nats[place].sum())) for text, place in zip(self.texts, places, strict=True)]
        seconds = time.perf_counter() - began
        return SourceLosses(attempt=self.attempt, step=step, sources=losses, seconds=seconds)

    def _tasks(self, step: int) -> TaskScores:
        began = time.perf_counter()
        found = [self._task(task.task) for task in self.items.tasks if task.items]
        return TaskScores(
            attempt=self.attempt,
            step=step,
            tokens=self.plan.tokens_after(step),
            scores=found,
            seconds=time.perf_counter() - began,
        )

    def _task(self, task: str) -> TaskScore:
        items, layout = self.items.of(task), self.plan.layout
        rows = item_rows(items, 2 * layout.context * layout.tensor)
        return task_score(task, items, scores(self.trainer, rows, self.watched))


def source_loss(text: HeldOut, nats: float) -> SourceLoss:
    """Loss and bits per byte of a text that cost so many nats."""
    count = len(text.tokens)
    return SourceLoss(
        name=text.source,
        loss=nats / count,
        tokens=count,
        bytes=text.bytes,
        bits_per_byte=bits_per_byte(nats, text.bytes),
    )


def _items(folder: JobFolder, plan: Plan, job: Job, path: Path) -> ItemSet:
    """The run's items; the first rank writes them where they are not there. Collective."""
    if torch.distributed.get_rank() == 0 and not are_written(path):
        build_items(folder, plan, job)
    torch.distributed.barrier()
    return read_items(path)


def _texts(folder: JobFolder, plan: Plan, job: Job) -> list[HeldOut]:
    """The beginning of each source's held-out text, as much as the plan measures."""
    model = load_tokenizer(folder.path / job.tokenizer)
    most = plan.evaluation.source_batches * plan.training.global_batch * plan.model.sequence_length
    return [
        held_out(source.name, IndexedReader(folder.path / source.validation_prefix), model, most)
        for source in job.sources
    ]
