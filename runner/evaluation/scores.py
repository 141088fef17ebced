"""How well the model in training predicts given sequences, through Megatron's forward passes on any layout."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from megatron.core import parallel_state
from megatron.core.tensor_parallel import vocab_parallel_cross_entropy
from megatron.core.utils import get_batch_on_this_cp_rank

from sixnd.runner.batches import Batch
from sixnd.runner.device import current_device
from sixnd.runner.documents import document_begins
from sixnd.runner.evaluation.rows import Array, Rows
from sixnd.runner.trainer import Trainer
from sixnd.specs.plan import PlannedLayout

Watched = Callable[[Iterator[Batch]], Iterator[Batch]]
"""Passes micro-batches on, and notes that there is progress."""
_ABSENT = -1
"""Number of a row that only fills a micro-batch."""


def scores(trainer: Trainer, rows: Rows, watched: Watched) -> Array:
    """Of each row the nats of all tokens that count, and how many of them were the likeliest: ``[rows, 2]``.

    The same on every rank, and on every layout up to rounding. Collective.
    """
    layout = trainer.plan.layout
    # Interleaved schedules take micro-batches by as many as there are stages.
    group = layout.data * (layout.pipeline if layout.virtual_pipeline > 1 else 1)
    micro_batches = -(-len(rows) // (layout.micro_batch * group)) * group // layout.data
    begins = document_begins(torch.from_numpy(rows.tokens)) if trainer.plan.data.document_masks else None
    batches = [watched(_batches(rows, begins, layout, micro_batches)) for _ in trainer.chunks]
    forward = functools.partial(_forward, trainer.plan.model.vocab_size)
    totals = torch.zeros(len(rows), 2, dtype=torch.float64, device=current_device())
    for found in trainer.measure(forward, batches, micro_batches, rows.length):
        if parallel_state.get_tensor_model_parallel_rank() == 0:
            real = found["rows"] != _ABSENT
            totals.index_add_(0, found["rows"][real], found["sums"][real])
    torch.distributed.all_reduce(totals)
    scored: Array = totals.cpu().numpy()
    return scored


def _batches(rows: Rows, begins: torch.Tensor | None, layout: PlannedLayout, micro_batches: int) -> Iterator[Batch]:
    """This replica's micro-batches, filled up with copies of the first row, which are not counted.

    ``begins`` says where documents begin in ``rows``, where attention ends with them.
    """
    rank, device, size = parallel_state.get_data_parallel_rank(), current_device(), layout.micro_batch
    for micro_batch in range(micro_batches):
        first = (micro_batch * layout.data + rank) * size
        numbers = np.arange(first, first + size)
        taken = np.where(numbers < len(rows), numbers, 0)
        batch = {
            "tokens": torch.from_numpy(rows.tokens[taken]),
            "labels": torch.from_numpy(rows.labels[taken]),
            "loss_mask": torch.from_numpy(rows.mask[taken]),
            "position_ids": torch.arange(rows.length).repeat(size, 1),
            "rows": torch.from_numpy(np.where(numbers < len(rows), numbers, _ABSENT)),
        }
        masks = {} if begins is None else {"begins": begins[torch.from_numpy(taken)]}
        yield {name: tensor.to(device) for name, tensor in batch.items()} | masks


def _forward(vocab_size: int, batches: Iterator[Batch], model: Any) -> tuple[torch.Tensor, Any]:
    batch = next(batches)
    numbers = batch.pop("rows")
    own = get_batch_on_this_cp_rank(dict(batch))  # this rank's share of each sequence
    output = model(own["tokens"], own["position_ids"], batch.get("begins"))
    return output, functools.partial(_sums, vocab_size, numbers, own["labels"], own["loss_mask"])


def _sums(
    vocab_size: int, numbers: torch.Tensor, labels: torch.Tensor, mask: torch.Tensor, logits: torch.Tensor
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Sums over this rank's share of each sequence; ``logits`` are ``[b, s/CP, padded vocabulary/TP]``."""
    right = _likeliest(logits, vocab_size) == labels
    nats = vocab_parallel_cross_entropy(logits.float(), labels)  # overwrites the logits
    sums = torch.stack([(nats.double() * mask).sum(1), (right & mask).sum(1).double()], dim=1)
    return sums.sum().float(), {"rows": numbers, "sums": sums}


def _likeliest(logits: torch.Tensor, vocab_size: int) -> torch.Tensor:
    """The likeliest entry of the real (unpadded) vocabulary at each place, the first of equals: ``[b, s/CP]``."""
    group, width = parallel_state.get_tensor_model_parallel_group(), logits.shape[-1]
    first = parallel_state.get_tensor_model_parallel_rank() * width
    real = vocab_size - first  # of this rank's entries; none where all of them are padding
    best, place = logits[..., : max(1, real)].max(dim=-1)
    if real < 1:
        best = torch.full_like(best, -torch.inf)
    highest = best.clone()
    torch.distributed.all_reduce(highest, op=torch.distributed.ReduceOp.MAX, group=group)
    entry = torch.where(best == highest, place + first, vocab_size)
    torch.distributed.all_reduce(entry, op=torch.distributed.ReduceOp.MIN, group=group)
    return entry
