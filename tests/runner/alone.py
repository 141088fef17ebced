"""Trainers in this very process: real Megatron-core on the CPU, one rank, no launcher."""

import contextlib
import gc
from collections.abc import Iterator
from pathlib import Path

import torch
from megatron.core.distributed import DistributedDataParallel

from sixnd.runner.batches import Batch
from sixnd.runner.device import training_device
from sixnd.runner.model import let_go
from sixnd.runner.trainer import Trainer, start_process_groups, stop_process_groups
from sixnd.specs.plan import Plan
from tests.runner import tiny


@contextlib.contextmanager
def one_rank(folder: Path) -> Iterator[None]:
    """Process groups of one rank, which is what a trainer is built in."""
    folder.mkdir(parents=True, exist_ok=True)
    with training_device(0):
        start_process_groups(tiny.layout(), tiny.plan().training.seed, alone=folder)
        try:
            yield
        finally:
            let_go_of_models()
            stop_process_groups()


def let_go_of_models() -> None:
    """Free every model of this process: what its groups' threads wait in would slow all later tests."""
    for chunk in [found for found in gc.get_objects() if type(found) is DistributedDataParallel]:
        let_go(chunk)


def text(plan: Plan) -> Batch:
    """One global batch of random tokens, always the same."""
    generator = torch.Generator().manual_seed(0)
    shape = (plan.training.global_batch, plan.model.sequence_length + 1)
    tokens = torch.randint(plan.model.vocab_size, shape, generator=generator)
    places = torch.arange(plan.model.sequence_length).expand(shape[0], -1).contiguous()
    inputs, labels = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
    return {"tokens": inputs, "labels": labels, "loss_mask": torch.ones(inputs.shape), "position_ids": places}


def step(trainer: Trainer, batch: Batch) -> tuple[float, float, float]:
    """One optimizer step on the batch as one micro-batch: loss, gradient norm, learning rate."""
    return trainer.step([iter([batch])])
