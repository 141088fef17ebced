"""A small corpus of two sources, deduplicated within and across, and what preparing it writes."""

import hashlib
import random
from pathlib import Path
from typing import Any

from sixnd.runner.data.preparation import Preparation, Run
from sixnd.specs.data_stages import resolved
from sixnd.specs.plan import PlannedData, PlannedSource

VOCABULARY = 300
_WORDS = [f"word{number:03d}" for number in range(400)]
_STAGES: dict[str, Any] = {"prose": ["normalise", "exact-dedup", "near-dedup"], "notes": ["normalise"]}


def write_corpus(folder: Path, files: int = 12, documents: int = 12, words: int = 120) -> None:
    """Text files of two sources, a quarter of whose documents are copies, exact or near, of others."""
    draw = random.Random(1)  # noqa: S311
    texts = [" ".join(draw.choices(_WORDS, k=words)) for _ in range(2 * files * documents)]
    for number in range(0, len(texts), 8):
        texts[number] = texts[number // 2]
        texts[number + 1] = texts[number // 2 + 1] + " and no more"
    draw.shuffle(texts)
    for source, offset in (("prose", 0), ("notes", files * documents)):
        (folder / source).mkdir(parents=True)
        for file in range(files):
            first = offset + file * documents
            (folder / source / f"{file:03d}.txt").write_text("\n".join(texts[first : first + documents]))


def planned_data(across: list[str] | None = None) -> PlannedData:
    """What a plan says of the two sources."""
    sources = [
        PlannedSource(
            name=name, recipe=None, path=f"{name}/*.txt", weight=0.5, tokens=1000, unique_tokens=None, epochs=None,
            stages=resolved(stages),
        )
        for name, stages in _STAGES.items()
    ]  # fmt: skip
    return PlannedData(
        sources=sources, tokens=2000, validation_fraction=0.1, across=resolved(across or ["exact-dedup"])
    )


def prepare(corpus: Path, folder: Path, run: Run) -> None:
    """Clean and tokenise the corpus in ``folder``, the tasks run by ``run``."""
    data = planned_data()
    Preparation(folder, data, corpus, corpus / "cache", run, lambda _text: None).prepared(VOCABULARY)


def outputs(folder: Path) -> dict[str, str]:
    """SHA-256 of every file that a preparation leaves, by its name; the logs of clusters are none of them."""
    files = [path for path in folder.rglob("*") if path.is_file() and "cluster" not in path.relative_to(folder).parts]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
