"""`sixnd data prepare` on a corpus of a gigabyte: its time, and the most memory that it and its workers hold together.

    python -m tests.benchmarks.data_memory --folder FOLDER [--megabytes 1000] [--workers 2] [--stages prose]

Documents are drawn from paragraphs of real text (the recipes `installed-docs`, `python-stdlib` and `shakespeare`), one
in twenty a copy of another, exact or with a paragraph changed, in sixteen files of JSON lines. The memory is the
largest sum of resident sets of the process and its children (pages that they share are counted for each), looked at
every fifth of a second. Prints JSON.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import yaml

from sixnd.specs.load import load_prepared
from tests.benchmarks.data_pipeline import recipe_texts

_FILES = 16
_EVERY_S = 0.2
_POOL_MB = 40


def main() -> None:
    """Write the corpus where it is not there, prepare it, and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--megabytes", type=float, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--stages", nargs="+", default=["prose"])
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    if not (folder / "in").is_dir():
        _write(folder / "in", arguments.megabytes * 1e6)
    stages = arguments.stages[0] if len(arguments.stages) == 1 else arguments.stages
    spec = folder / "spec.yaml"
    spec.write_text(yaml.safe_dump(_spec(stages)))
    into = folder / f"prepared-{arguments.workers}"
    command = [sys.executable, "-m", "sixnd.cli", "data", "prepare", str(spec), "--into", str(into)]
    began = time.perf_counter()
    process = psutil.Popen([*command, "--workers", str(arguments.workers)], stdout=subprocess.DEVNULL)
    peak = max(_held(process), default=0)
    if process.wait():
        raise SystemExit(f"data prepare failed with {process.returncode}")
    found = load_prepared(into / "prepared.yaml").sources[0]
    told = {
        "read_mb": sum(path.stat().st_size for path in (folder / "in").iterdir()) / 1e6,
        "left_mb": found.bytes / 1e6,
        "documents_left": found.documents,
        "tokens": found.tokens,
        "wall_s": round(time.perf_counter() - began, 1),
        "peak_mb": round(peak / 1e6),
        "workers": arguments.workers,
    }
    print(json.dumps(told, indent=1))


def _spec(stages: Any) -> dict[str, Any]:
    return {
        "version": "budget/1",
        "name": "gigabyte",
        "budget": {"time": "10 min"},
        "cluster": {"accelerators": "1 x cpu-2core"},
        "model": {"params": "1.1M params", "vocab_size": 32000, "sequence_length": 256},
        "data": {"sources": [{"name": "all", "path": "in/*.jsonl", "stages": stages}]},
    }


def _held(process: psutil.Popen) -> Iterator[int]:
    """Resident bytes of the process and all its children, until it ends."""
    while process.poll() is None:
        total = 0
        for one in [process, *process.children(recursive=True)]:
            try:
                total += one.memory_info().rss
            except psutil.Error:
                continue
        yield total
        time.sleep(_EVERY_S)


def _write(folder: Path, most_bytes: float) -> None:
    folder.mkdir(parents=True)
    draw = random.Random(1)  # noqa: S311 - the same corpus at every run
    pool = [
        p
        for text in recipe_texts(["installed-docs", "python-stdlib", "shakespeare"], _POOL_MB * 1e6)
        for p in _parts(text)
    ]
    last: list[str] = pool[:1]
    number = 0
    for file in range(_FILES):
        size = 0.0
        with (folder / f"{file:02d}.jsonl").open("w", encoding="utf-8") as lines:
            while size < most_bytes / _FILES:
                last = _document(draw, pool, last)
                line = json.dumps({"id": f"d{number}", "text": "\n\n".join(last)}, ensure_ascii=False) + "\n"
                lines.write(line)
                size, number = size + len(line.encode()), number + 1


def _parts(text: str) -> list[str]:
    return [part for part in text.split("\n\n") if 80 < len(part) < 4000]


def _document(draw: random.Random, pool: list[str], last: list[str]) -> list[str]:
    """New paragraphs, or the document before: as it was, or with one of them changed."""
    kind = draw.random()
    if kind < 0.025:
        return last
    if kind < 0.05:
        return [*last[:-1], draw.choice(pool)]
    return draw.choices(pool, k=draw.randint(4, 30))


if __name__ == "__main__":
    main()
