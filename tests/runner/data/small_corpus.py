"""A small corpus of two sources, deduplicated across both, and what preparing it writes."""

import hashlib
import json
import random
from pathlib import Path

from sixnd.runner.data.preparation import Preparation, Run
from sixnd.specs.data_stages import resolved
from sixnd.specs.plan import PlannedData, PlannedSource

VOCABULARY = 300
_WORDS = [f"word{number:03d}" for number in range(400)]
SOURCES = ("prose", "notes")


def write_corpus(folder: Path, files: int = 12, documents: int = 12, words: int = 120) -> None:
    """JSON lines of two sources, a quarter of whose documents are copies, exact or near, of others."""
    draw = random.Random(1)  # noqa: S311
    texts = [" ".join(draw.choices(_WORDS, k=words)) for _ in range(2 * files * documents)]
    for number in range(0, len(texts), 8):
        texts[number] = texts[number // 2]
        texts[number + 1] = texts[number // 2 + 1] + " and no more"
    draw.shuffle(texts)
    for source, offset in zip(SOURCES, (0, files * documents), strict=True):
        (folder / source).mkdir(parents=True)
        for file in range(files):
            first = offset + file * documents
            lines = [
                json.dumps({"id": str(number), "text": text}) for number, text in enumerate(texts[first:][:documents])
            ]
            (folder / source / f"{file:03d}.jsonl").write_text("".join(f"{line}\n" for line in lines))


def planned_data() -> PlannedData:
    """What a plan says of the two sources."""
    stages = resolved(["normalise"])
    sources = [
        PlannedSource(
            name=name,
            recipe=None,
            path=f"{name}/*.jsonl",
            weight=0.5,
            tokens=1000,
            unique_tokens=None,
            epochs=None,
            stages=stages,
        )
        for name in SOURCES
    ]
    return PlannedData(sources=sources, tokens=2000, validation_fraction=0.1, across=resolved(["near-dedup"]))


def prepare(corpus: Path, folder: Path, run: Run) -> None:
    """Clean and tokenise the corpus in ``folder``, the tasks run by ``run``."""
    data = planned_data()
    Preparation(folder, data, corpus, corpus / "cache", run, lambda _text: None).prepared(VOCABULARY)


def outputs(folder: Path) -> dict[str, str]:
    """SHA-256 of every file that a preparation leaves, by its name, without the logs of clusters.

    Where the folder is stands in one of them, and is not compared.
    """
    files = [path for path in folder.rglob("*") if path.is_file() and "cluster" not in path.relative_to(folder).parts]
    contents = {str(path.relative_to(folder)): path.read_bytes() for path in files}
    return {
        name: hashlib.sha256(content.replace(bytes(folder), b"FOLDER")).hexdigest()
        for name, content in contents.items()
    }


def finished(folder: Path) -> dict[Path, tuple[int, int]]:
    """Shards and searches that are done, by the file they write last: its inode and time of change."""
    patterns = ("*/[0-9]-*/shard-*.json", "*/[0-9]-*/*.done", "*/tokens-*/*.account.json")
    marks = [path for pattern in patterns for path in folder.glob(pattern)]
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in marks}
