"""The published runs that ``published_proof`` predicts, cut into series before anything is fitted.

A series holds runs of one corpus, tokenizer, recipe and way of counting N: what one law can be of. The rules, in the
order they apply, were written down before the first fit:

1. A data set counts where it gives N, D and a positive loss of each run; any other is named with its reason.
2. Rows that the authors themselves leave out of their fits stay out (the five highest losses of Chinchilla's points).
3. Runs counted in several ways (Porian's N with and without the head, with attention) are one series, by the first of
   the ways below that there is: the others hold the same losses again.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sixnd.specs.law_document import Form
from sixnd.specs.run_table import RunRow

Row = Mapping[str, str]
DROPPED = 5
"""Of the highest losses, left out by Besiroglu et al. 2024 (arXiv:2404.10102)."""
LADDER_FLOPS = 1e22
"""Above every run of OLMo's ladder, below its two large models."""
COUNTED = ("standard", "attention", "kaplan")
"""Porian's ways to count N; the first there is counts."""
LEFT_OUT = {
    "chinchilla_tables": "holds optimal N and D and lists of models, no loss of any run",
    "steplaw": "the file that is here holds fitted constants of learning rate and batch, no loss",
    "vocab_scaling": (
        "its loss is less that of a unigram model, hence negative, and the unigram's own loss is not in the file; its "
        "rows are points of 60 training curves, not runs"
    ),
}
"""Data sets without a series."""


@dataclass(frozen=True)
class Series:
    """Runs that one law can be of."""

    dataset: str
    name: str
    rows: list[RunRow]
    form: Form = "chinchilla"
    note: str = ""
    """What is known of its runs before any fit."""


def series(folder: Path) -> Iterator[Series]:
    """Every series of a folder laid out as ``SOURCES.md`` there says."""
    yield chinchilla(folder / "chinchilla_epoch/svg_extracted_data.csv")
    yield from muennighoff(folder / "muennighoff_datablations")
    yield from olmo(folder / "olmo_ladder")
    yield from porian(folder / "porian/porian_isoflop_points.csv")


def chinchilla(file: Path) -> Series:
    """Hoffmann's runs as Besiroglu et al. read them off Figure 4."""
    rows = [
        run(f"{file.name}:{line}", float(row["Model Size"]), float(row["loss"]), C=float(row["Training FLOP"]))
        for line, row in _read(file)
    ]
    limit = sorted(row.loss for row in rows)[-DROPPED]
    return Series("Chinchilla", "MassiveText", [row for row in rows if row.loss < limit], note="read off a picture")


def muennighoff(folder: Path) -> Iterator[Series]:
    """C4 read once, and C4 read over and over: the 182 runs that the authors fit."""
    file = folder / "datablations_c4_fit182.csv"
    every = [_repeated(file, line, row) for line, row in _read(file)]
    once = [row for row in every if row.tokens <= 1.001 * (row.unique_tokens or 0)]
    yield Series("Muennighoff", "C4, read once", once)
    yield Series("Muennighoff", "C4, repeated", every, form="data-constrained")


def olmo(folder: Path) -> Iterator[Series]:
    """OLMo 2's ladder by C4 loss and by eight tasks: its own largest run, and the 7B and 13B that came after it."""
    losses = [("C4 loss", line, row, "c4_loss") for line, row in _read(folder / "olmo_ladder_c4_loss.csv")]
    losses += [(row["task"], line, row, "bpb") for line, row in _read(folder / "olmo_ladder_step1_bpb.csv")]
    for name in dict.fromkeys(name for name, *_ in losses):
        rows = [
            run(f"{name}:{line}", float(row["N"]), float(row[column]), D=float(row["D"]))
            for one, line, row, column in losses
            if one == name
        ]
        short = name.replace("_avg", "").replace("_test", "").replace("_val", "").replace("_5shot", "")
        yield Series("OLMo 2", f"{short}, ladder", [row for row in rows if row.compute < LADDER_FLOPS])
        yield Series("OLMo 2", f"{short}, 7B and 13B", rows, note="another schedule and far more tokens a parameter")


def porian(file: Path) -> Iterator[Series]:
    """The nine trainings of Porian et al. 2024; its fifteen series count N of some in other ways."""
    groups: dict[tuple[str, ...], list[RunRow]] = {}
    keys = ("dataset", "hparams", "warmup", "decay", "param_count")
    for line, row in _read(file):
        if row["loss"] and np.isfinite(float(row["loss"])):
            found = run(f"{file.name}:{line}", float(row["n"]), float(row["loss"]), D=float(row["t"]))
            groups.setdefault(tuple(row[key] for key in keys), []).append(found)
    for key, rows in groups.items():
        ways = [way for way in COUNTED if (*key[:-1], way) in groups]
        dataset, hparams, warmup, decay, way = key
        name = f"{dataset}, {hparams} hparams, {warmup} warm-up, {decay} decay, N {way}"
        note = "losses amid a schedule made for more tokens" if decay == "kaplan" else ""
        if way == ways[0]:
            yield Series("Porian", name, rows, note=note)


def run(where: str, params: float, loss: float, *, C: float | None = None, D: float | None = None) -> RunRow:
    """A run of N, loss, and D or C = 6ND."""
    tokens = D if D is not None else (C or 0.0) / 6 / params
    return RunRow(where, params, tokens, loss, 6 * params * tokens)


def _repeated(file: Path, line: int, row: Row) -> RunRow:
    params, tokens, unique = (float(row[key]) for key in ("N", "D", "U"))
    return RunRow(f"{file.name}:{line}", params, tokens, float(row["loss"]), 6 * params * tokens, unique)


def _read(file: Path) -> list[tuple[int, Row]]:
    with file.open(encoding="utf-8", newline="") as text:
        return list(enumerate(csv.DictReader(text), 2))
