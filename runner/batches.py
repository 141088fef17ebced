"""The blend as global batches: which sequences step t reads is a function of t alone, whatever the layout."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from megatron.core.datasets.blended_dataset import BlendedDataset
from megatron.core.datasets.blended_megatron_dataset_builder import BlendedMegatronDatasetBuilder
from megatron.core.datasets.gpt_dataset import GPTDataset, GPTDatasetConfig
from torch.utils.data import DataLoader

from sixnd.runner.device import is_cuda
from sixnd.runner.job import Job, JobFolder
from sixnd.runner.tokenizer import Tokenizer
from sixnd.specs.plan import Plan

Batch = dict[str, torch.Tensor]


def build_datasets(folder: JobFolder, plan: Plan, job: Job) -> tuple[BlendedDataset, BlendedDataset]:
    """Training and validation blends over the job's indexed files, one sample a sequence."""
    train_samples = plan.training.steps * plan.training.global_batch
    validation_samples = plan.evaluation.batches * plan.training.global_batch
    weights = [source.weight for source in job.sources]
    config = GPTDatasetConfig(
        random_seed=plan.training.seed,
        sequence_length=plan.model.sequence_length,
        blend_per_split=[
            (_prefixes(folder.path, job, "train_prefix"), weights),
            (_prefixes(folder.path, job, "validation_prefix"), weights),
            None,
        ],
        path_to_cache=str(folder.data_path / "index"),
        tokenizer=Tokenizer(folder.path / job.tokenizer),
        mid_level_dataset_surplus=_surplus(weights, min(train_samples, validation_samples)),
        reset_position_ids=False,
        reset_attention_mask=False,
        eod_mask_loss=False,
        create_attention_mask=False,
    )
    sizes = [train_samples, validation_samples, 0]
    train, validation, _ = BlendedMegatronDatasetBuilder(GPTDataset, sizes, lambda: True, config).build()
    return train, validation


def _prefixes(root: Path, job: Job, field: str) -> list[str]:
    return [str(root / getattr(source, field)) for source in job.sources]


def _surplus(weights: list[float], samples: int) -> float:
    """Share by which each source is over-built, so that the blend never asks for a sample it lacks.

    Blending is greedy: a source can run ahead of its share by at most one sample a competitor. Megatron's default
    of 0.5 % ends in an IndexError where a source's share is small.
    """
    least = min(weights) * samples
    return max(0.005, math.ceil(len(weights) + 1) / max(least, 1.0))


def sequences_by_source(dataset: BlendedDataset, job: Job, samples: int) -> dict[str, int]:
    """How many of the first ``samples`` sequences came from each source."""
    if len(job.sources) == 1:  # Megatron hands out a single source's dataset without a blend around it
        return {job.sources[0].name: samples}
    counts = np.bincount(np.asarray(dataset.dataset_index[:samples]), minlength=len(job.sources))
    return {source.name: int(count) for source, count in zip(job.sources, counts, strict=True)}


class StepSampler:
    """Sample numbers of each micro-batch of one data-parallel rank, from step ``first_step`` to ``last_step``.

    Step t (from 1) reads samples [(t−1)·B, t·B). Micro-batch i of rank r holds the samples
    (t−1)·B + (i·DP + r)·b + [0, b), as Megatron's own sampler deals them out.
    """

    def __init__(self, plan: Plan, data_rank: int, first_step: int, last_step: int) -> None:
        self.global_batch = plan.training.global_batch
        self.micro_batch = plan.layout.micro_batch
        self.data_ranks = plan.layout.data
        self.data_rank = data_rank
        self.steps = range(first_step, last_step + 1)

    def __len__(self) -> int:
        return len(self.steps) * (self.global_batch // (self.micro_batch * self.data_ranks))

    def __iter__(self) -> Iterator[list[int]]:
        stride = self.micro_batch * self.data_ranks
        for step in self.steps:
            start = (step - 1) * self.global_batch + self.data_rank * self.micro_batch
            for first in range(start, step * self.global_batch, stride):
                yield list(range(first, first + self.micro_batch))


def micro_batches(dataset: BlendedDataset, sampler: StepSampler) -> Iterator[Batch]:
    """Micro-batches in the sampler's order, on the training device."""
    workers = 2 if is_cuda() else 0
    loader: Any = DataLoader(dataset, batch_sampler=sampler, num_workers=workers, pin_memory=is_cuda())
    for batch in loader:
        yield {key: batch[key].cuda(non_blocking=True) for key in ("tokens", "labels", "loss_mask", "position_ids")}
