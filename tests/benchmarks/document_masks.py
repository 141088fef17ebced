"""What attention that ends with the document costs on this CPU, beside whole sequences and beside a mask.

    python -m tests.benchmarks.document_masks

Each way of attending takes its turn in one process, on one core; processor seconds are counted, since those of a clock
say little on a machine that others use too. First attention alone, forward and backward; then whole training steps of
a model of four layers.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from sixnd.runner.attention import FusedCoreAttention
from sixnd.runner.documents import document_begins
from sixnd.runner.tokenizers.text_models import END_OF_DOCUMENT
from sixnd.runner.trainer import Trainer
from sixnd.specs.budget import Shape
from sixnd.specs.plan import Plan
from tests.runner import alone, tiny

LENGTHS, MEANS, ROUNDS = (256, 512, 1024, 2048), (128, 512), 5
"""Tokens of a sequence, tokens of a document on average, and how often each way is timed."""
BATCH, HEADS, WIDTH = 2, 8, 64
SHAPE = Shape(layers=4, hidden=HEADS * WIDTH, heads=HEADS, kv_heads=HEADS // 2, ffn=1408)


class MaskedAttention(FusedCoreAttention):
    """The same by a mask of the score matrix, made once for each call."""

    def forward(self, query: Tensor, key: Tensor, value: Tensor, begins: Tensor | None = None, **_: object) -> Tensor:
        """As its parent, in one call."""
        assert begins is not None
        number = begins.cumsum(1)
        mask = (number[:, :, None] == number[:, None, :]).tril()[:, None]
        repeats = query.shape[2] // key.shape[2]
        key, value = (t.repeat_interleave(repeats, dim=2) for t in (key, value))
        query, key, value = (t.permute(1, 2, 0, 3) for t in (query, key, value))
        context = scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return context.permute(2, 0, 1, 3).flatten(2)


def fastest(ways: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Processor seconds of the fastest round of each way, in turns; the first round is not counted."""
    best = dict.fromkeys(ways, float("inf"))
    for number in range(ROUNDS + 1):
        for name, way in ways.items():
            began = time.process_time()
            way()
            if number:
                best[name] = min(best[name], time.process_time() - began)
    return best


def packed(length: int, mean: int, rows: int) -> Tensor:
    """Random tokens ``[rows, length]`` in which a document ends after ``mean`` tokens on average."""
    generator = torch.Generator().manual_seed(mean)
    tokens = torch.randint(2, tiny.VOCABULARY, (rows, length), generator=generator)
    return tokens.masked_fill(torch.rand(rows, length, generator=generator) < 1 / mean, END_OF_DOCUMENT)


def attention(length: int, mean: int) -> dict[str, float]:
    """Processor seconds of attention alone, forward and backward."""
    begins = document_begins(packed(length, mean, BATCH))
    query = torch.randn(length, BATCH, HEADS, WIDTH, requires_grad=True)
    key, value = (torch.randn(length, BATCH, HEADS // 2, WIDTH, requires_grad=True) for _ in range(2))
    config = SimpleNamespace(attention_dropout=0.0, context_parallel_size=1)
    by_document, by_mask = FusedCoreAttention(config), MaskedAttention(config)

    def timed(attend: torch.nn.Module, where: Tensor | None) -> Callable[[], object]:
        return lambda: torch.autograd.grad(attend(query, key, value, where).sum(), (query, key, value))

    return fastest(
        {
            "whole sequences": timed(by_document, None),
            "a mask": timed(by_mask, begins),
            "each document": timed(by_document, begins),
        }
    )


def plan(length: int) -> Plan:
    """A model of four layers on sequences of this length."""
    made = tiny.plan(tiny.layout(micro_batch=BATCH), steps=1000)
    model = made.model.model_copy(update={"shape": SHAPE, "head_dim": WIDTH, "sequence_length": length})
    return made.model_copy(
        update={"model": model, "training": made.training.model_copy(update={"global_batch": BATCH})}
    )


def training(length: int, mean: int) -> dict[str, float]:
    """Processor seconds of whole training steps."""
    trainer = Trainer(plan(length))
    batch = alone.text(plan(length))
    batch["tokens"] = packed(length, mean, BATCH)
    masked = batch | {"begins": document_begins(batch["tokens"])}
    attending = [layer.self_attention for layer in trainer.chunks[0].module.decoder.layers]
    by_document = [each.core_attention for each in attending]

    def by_mask() -> object:
        for each in attending:
            each.core_attention = MaskedAttention(trainer.config)
        seconds = alone.step(trainer, masked)
        for each, own in zip(attending, by_document, strict=True):
            each.core_attention = own
        return seconds

    return fastest(
        {
            "whole sequences": lambda: alone.step(trainer, batch),
            "a mask": by_mask,
            "each document": lambda: alone.step(trainer, masked),
        }
    )


def row(what: str, length: int, mean: int, found: dict[str, float]) -> str:
    """One line of the table."""
    base = found["whole sequences"]
    cells = " | ".join(f"{1e3 * seconds:.1f} ({seconds / base:.2f})" for seconds in found.values())
    return f"| {what} | {length} | {mean} | {cells} |"


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    logging.getLogger("megatron").setLevel(logging.ERROR)
    print("| what | tokens | a document | whole sequences, ms | a mask, ms | each document, ms |")
    print("|---|---|---|---|---|---|")
    with TemporaryDirectory() as folder, alone.one_rank(Path(folder) / "group"):
        for what, measure in (("attention", attention), ("training step", training)):
            for length in LENGTHS:
                for mean in MEANS:
                    print(row(what, length, mean, measure(length, mean)), flush=True)


if __name__ == "__main__":
    main()
