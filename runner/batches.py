"""The blend as global batches: which sequences step t reads is a function of t alone, whatever the layout.

Each phase of the plan is a blend of its own over documents of its own, as long as its steps need; one follows the
other at the step that the plan names, so a resumed run needs to know nothing but its step.
"""

import bisect
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from megatron.core.datasets.blended_dataset import BlendedDataset
from megatron.core.datasets.blended_megatron_dataset_builder import BlendedMegatronDatasetBuilder
from megatron.core.datasets.gpt_dataset import GPTDataset, GPTDatasetConfig
from megatron.core.datasets.utils import Split
from torch.utils.data import DataLoader, Dataset

from sixnd.runner.device import is_cuda
from sixnd.runner.documents import document_begins
from sixnd.runner.index_cache import prove_indices
from sixnd.runner.job import Job, JobFolder
from sixnd.runner.tokenizers.tokenizer import Tokenizer
from sixnd.specs.plan import PhaseName, Plan, PlannedLayout
from sixnd.specs.record import Mix, PhaseMix
from sixnd.specs.step_batches import StepBatches

Batch = dict[str, torch.Tensor]
_ROUNDING = 1e-6  # samples: more than the shares' sum, off by a few 1e-16, can amount to over 1e9 samples


class PhasedDataset(Dataset[dict[str, Any]]):
    """The blends of the phases, one after the other."""

    def __init__(self, names: Sequence[PhaseName], sources: Sequence[list[str]], blends: Sequence[BlendedDataset]):
        self.names, self.sources, self.blends = names, sources, blends
        self.starts = [0, *itertools.accumulate(len(blend) for blend in blends)]

    def __len__(self) -> int:
        return self.starts[-1]

    def __getitem__(self, sample: int) -> dict[str, Any]:
        phase = bisect.bisect_right(self.starts, sample) - 1
        found: dict[str, Any] = self.blends[phase][sample - self.starts[phase]]
        return found

    def mix(self) -> Mix:
        """How many sequences each phase draws from each source, and all phases together."""
        phases = [
            PhaseMix(name=name, sequences=_drawn(blend, sources))
            for name, sources, blend in zip(self.names, self.sources, self.blends, strict=True)
        ]
        together: dict[str, int] = {}
        for source, count in itertools.chain.from_iterable(phase.sequences.items() for phase in phases):
            together[source] = together.get(source, 0) + count
        return Mix(sequences=together, phases=phases)


def _drawn(blend: BlendedDataset, sources: list[str]) -> dict[str, int]:
    counts = np.bincount(np.asarray(blend.dataset_index), minlength=len(sources))
    return {source: int(count) for source, count in zip(sources, counts, strict=True)}


def build_datasets(folder: JobFolder, plan: Plan, job: Job) -> tuple[PhasedDataset, BlendedDataset]:
    """Training and validation sequences over the job's indexed files, one sample a sequence."""
    blender, batches = _Blender(folder, plan, job), plan.training.batches
    names, sources, blends = [], [], []
    for number, phase in enumerate(plan.phases):
        shares = {part.name: part.share for part in phase.sources if part.share > 0}
        prefixes = [_prefix(job, name, phase.name) for name in shares]
        # Documents that are read again in the next phase come in another order there.
        seed = plan.training.seed + number
        names.append(phase.name)
        sources.append(list(shares))
        size = batches.samples_after(phase.last_step) - batches.samples_after(phase.first_step - 1)
        blends.append(blender.blend(Split.train, prefixes, list(shares.values()), size, seed))
    held_out = [source.validation_prefix for source in job.sources if source.weight]
    weights = [source.weight for source in job.sources if source.weight]
    validated = plan.evaluation.batches * batches.full
    validation = blender.blend(Split.valid, held_out, weights, validated, plan.training.seed)
    if torch.distributed.get_rank() == 0:
        prove_indices(blender.cache)
    return PhasedDataset(names, sources, blends), validation


def _prefix(job: Job, source: str, phase: PhaseName) -> str:
    files = next(files for files in job.sources if files.name == source)
    prefix = files.train_prefix if phase == "main" else files.anneal_prefix
    assert prefix is not None, "dealt with the plan"
    return prefix


class _Blender:
    """Blends over prefixes of a job."""

    def __init__(self, folder: JobFolder, plan: Plan, job: Job) -> None:
        self.root, self.cache = folder.path, folder.data_path / "index"
        self.length, self.tokenizer = plan.model.sequence_length, Tokenizer(folder.path / job.tokenizer)

    def blend(self, split: Split, prefixes: list[str], weights: list[float], size: int, seed: int) -> BlendedDataset:
        """Exactly ``size`` samples of the sources at these prefixes. Collective: rank 0 builds what others read."""
        datasets = [
            self._source(split, prefix, count, seed)
            for prefix, count in zip(prefixes, most_drawn(weights, size), strict=True)
        ]
        config, build = self._config(split, prefixes[0], seed), BlendedMegatronDatasetBuilder.build_generic_dataset
        return build(BlendedDataset, _everywhere, True, datasets, weights, size, config)

    def _source(self, split: Split, prefix: str, count: int, seed: int) -> GPTDataset:
        sizes = [0, 0, 0]
        sizes[split.value] = count
        config = self._config(split, prefix, seed)
        built: list[GPTDataset] = BlendedMegatronDatasetBuilder(GPTDataset, sizes, _everywhere, config).build()
        return built[split.value]

    def _config(self, split: Split, prefix: str, seed: int) -> GPTDatasetConfig:
        blends: list[Any] = [None, None, None]
        blends[split.value] = ([str(self.root / prefix)], None)
        return GPTDatasetConfig(
            random_seed=seed,
            sequence_length=self.length,
            blend_per_split=blends,
            path_to_cache=str(self.cache),
            tokenizer=self.tokenizer,
            reset_position_ids=False,
            reset_attention_mask=False,
            eod_mask_loss=False,
            create_attention_mask=False,
        )


def _everywhere() -> bool:
    return True


def most_drawn(weights: Sequence[float], size: int) -> list[int]:
    """Samples that each source must have, so that a blend of so many never runs out of it.

    Megatron's blending is greedy: sample t comes from the source that is furthest behind its share w·t. The lags sum
    to 0, so that source is not ahead of its share, and after the last sample none has given more than w·(size - 1) + 1.
    The builder's own way, one surplus in per cent for all sources, ends in an IndexError where a source is small, or
    begins needless epochs of the others.
    """
    total = sum(weights)
    return [math.floor(weight / total * (size - 1) + _ROUNDING) + 1 for weight in weights]


class StepSampler:
    """Sample numbers of each micro-batch of one data-parallel rank, from step ``first_step`` to ``last_step``.

    Step t (from 1) reads samples [S(t−1), S(t)), S being what is read after a step. Micro-batch i of rank r holds the
    samples S(t−1) + (i·DP + r)·b + [0, b), as Megatron's own sampler deals them out.
    """

    def __init__(
        self, batches: StepBatches, layout: PlannedLayout, data_rank: int, first_step: int, last_step: int
    ) -> None:
        self.micro_batch, self.stride = layout.micro_batch, layout.micro_batch * layout.data
        self.data_rank = data_rank
        self.edges = batches.all_after(range(first_step - 1, last_step + 1))

    def __len__(self) -> int:
        return (self.edges[-1] - self.edges[0]) // self.stride

    def __iter__(self) -> Iterator[list[int]]:
        for start, end in itertools.pairwise(self.edges):
            for first in range(start + self.data_rank * self.micro_batch, end, self.stride):
                yield list(range(first, first + self.micro_batch))


def micro_batches(
    dataset: PhasedDataset | BlendedDataset, sampler: StepSampler, *, document_masks: bool = False
) -> Iterator[Batch]:
    """Micro-batches in the sampler's order, on the training device; with masks also where documents begin.

    That stays in the host's memory: attention takes it as numbers, which to fetch from a device would stall it.
    """
    workers = 2 if is_cuda() else 0
    loader: Any = DataLoader(dataset, batch_sampler=sampler, num_workers=workers, pin_memory=is_cuda())
    for batch in loader:
        begins = {"begins": document_begins(batch["tokens"])} if document_masks else {}
        names = ("tokens", "labels", "loss_mask", "position_ids")
        yield {name: batch[name].cuda(non_blocking=True) for name in names} | begins
