"""The whole way from JSON lines to Megatron's files beside datatrove's, in CPU seconds of one process on one core.

    pip install --target FOLDER 'datatrove[processing,io]==0.10.1' spacy orjson
    python -m tests.benchmarks.data_pipeline --datatrove FOLDER [--megabytes 20] [--recipes installed-docs django-docs]

Both read the same file, filter (Gopher repetition and quality, C4 without its rule of end marks, FineWeb quality),
remove near-duplicates, tokenise with the same tokenizer and write. `datatrove` is as it comes (spaCy, 14 × 8 MinHash,
candidates not verified), `datatrove_plain` with our word split. Ours verifies every pair, and writes its account and
digests as always. Loading packages and models is not timed. Prints JSON.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sixnd.runner.cache import cache_dir
from sixnd.runner.data.damage import DamageLog
from sixnd.runner.data.executors import run_local
from sixnd.runner.data.inputs import documents_of, listed
from sixnd.runner.data.preparation import Preparation
from sixnd.runner.data.shards import read_shard
from sixnd.runner.data.work import Step, read_work
from sixnd.runner.tokenizers.file import write_tokenizer
from sixnd.runner.tokenizers.training import train
from sixnd.specs.data_stages import resolved
from sixnd.specs.plan import PlannedData, PlannedSource
from sixnd.specs.tokenizers import TokenizerChoice

_STAGES: Any = ["gopher-repetition", "gopher-quality", "c4-any-line-end", "fineweb-quality", "near-dedup"]
_VOCABULARY = 32_000


def main() -> None:
    """Print CPU seconds of both, and how often their filters agree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datatrove", required=True, type=Path, help="folder that pip --target installed it into")
    parser.add_argument("--megabytes", type=float, default=20)
    parser.add_argument("--recipes", nargs="+", default=["installed-docs", "django-docs"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        texts = _write_lines(folder / "in", arguments.recipes, arguments.megabytes * 1e6)
        data = train("byte-bpe", itertools.islice(texts, 2000), _VOCABULARY, 1)
        write_tokenizer(folder / "shared.tok", "byte-bpe", data)
        (folder / "tokenizer.json").write_bytes(data)
        seconds, kept = _ours(folder)
        told: dict[str, Any] = {"documents": len(texts), "megabytes": sum(len(t.encode()) for t in texts) / 1e6}
        told["sixnd"] = {"cpu_s": seconds, "documents_per_cpu_s": len(texts) / seconds, "kept_by_filters": len(kept)}
        for name, words in (("datatrove_plain", "plain"), ("datatrove", "spacy")):
            told[name] = _theirs(folder, arguments.datatrove, words, len(texts), kept, seconds)
    print(json.dumps(told, indent=1))


def _source(name: str, **changes: Any) -> PlannedSource:
    plain = {
        "name": name,
        "recipe": None,
        "path": None,
        "weight": 1,
        "tokens": 1,
        "unique_tokens": None,
        "epochs": None,
    }
    return PlannedSource.model_validate(plain | changes)


def _write_lines(folder: Path, recipes: list[str], most_bytes: float) -> list[str]:
    folder.mkdir()
    texts: list[str] = []
    with (folder / "all.jsonl").open("w", encoding="utf-8") as file:
        for number, text in enumerate(recipe_texts(recipes, most_bytes)):
            file.write(json.dumps({"id": f"d{number}", "text": text}) + "\n")
            texts.append(text)
    return texts


def recipe_texts(recipes: list[str], most_bytes: float) -> Iterator[str]:
    """Texts of some recipes, as much of each, ``most_bytes`` in all at most."""
    for recipe in recipes:
        source, left = _source("text", recipe=recipe), most_bytes / len(recipes)
        items = listed(source, Path(), cache_dir(), DamageLog())
        for document in documents_of(items, source, Path(), cache_dir(), DamageLog()):
            yield document.text
            left -= len(document.text.encode())
            if left <= 0:
                break


def _ours(folder: Path) -> tuple[float, set[str]]:
    """CPU seconds, and the identifiers of what the filters keep."""
    source = _source("all", path="in/*.jsonl", stages=[stage.plain() for stage in resolved(_STAGES)])
    data = PlannedData(
        sources=[source], tokens=1, validation_fraction=0.1, tokenizer=TokenizerChoice(file="shared.tok")
    )
    began = time.process_time()

    def run(where: Path, step: Step) -> None:
        run_local(where, step)

    def silent(_text: str) -> None:
        pass

    Preparation(folder / "ours", data, folder, folder, run, silent).prepared(_VOCABULARY)
    seconds = time.process_time() - began
    first = read_work(folder / "ours").segments_of("all")[0]
    shards = sorted((folder / "ours" / first.folder).glob("shard-*.jsonl.zst"))
    return seconds, {document.id for shard in shards for document in read_shard(shard)}


def _theirs(folder: Path, packages: Path, words: str, documents: int, kept: set[str], ours_s: float) -> dict[str, Any]:
    script = Path(__file__).with_name("data_pipeline_datatrove.py")
    command = [sys.executable, str(script), str(folder / "in" / "all.jsonl"), str(folder / "tokenizer.json"), words]
    path = os.pathsep.join([str(packages), os.environ.get("PYTHONPATH", "")])
    result = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"datatrove failed: {result.stderr[-2000:]}")
    told = json.loads(result.stdout.splitlines()[-1])
    differ = len(kept ^ set(told["kept"]))
    return {
        "cpu_s": told["seconds"],
        "documents_per_cpu_s": documents / told["seconds"],
        "kept_by_filters": len(told["kept"]),
        "times_ours": told["seconds"] / ours_s,
        "equal_verdicts": 1 - differ / documents,
    }


if __name__ == "__main__":
    main()
