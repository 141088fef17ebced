"""Megabytes of JSON lines a CPU second into ``.bin/.idx``, ours beside Megatron-LM's way, in one run.

    python -m tests.benchmarks.encoding [--mb 24] [--vocab 32000] [--repeats 3] [--kinds byte-bpe sp-bpe ...]

Prints JSON. The text is this interpreter's standard library and the documentation of its packages, as JSON lines, half
each; each kind is trained on other documents of them. ``sixnd`` is `sixnd tokenizer encode` on one thread: reading,
checks, encoding, both files, their SHA-256. ``megatron`` is what `tools/preprocess_data.py --append-eod` does to each
line with the same vocabulary in the library that trained it (byte-level BPE: `tokenizers`, not tiktoken). CPU time is
user and system time of this process; the best of the repeats is told, in turn. Files are compared byte for byte.
"""

import argparse
import json
import platform
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from megatron.core.datasets.indexed_dataset import DType, IndexedDatasetBuilder

from sixnd.runner.data.document import Document, utf8_bytes
from sixnd.runner.indexed import with_suffix
from sixnd.runner.tokenizers.encode import encode_to
from sixnd.runner.tokenizers.sample import first
from sixnd.runner.tokenizers.text_models import END_OF_DOCUMENT, ByteLevelModel, TextModel, text_model
from sixnd.runner.tokenizers.text_sources import TextSource, of_pattern
from sixnd.runner.tokenizers.training import train
from sixnd.specs.plan import PlannedSource

RECIPES = ("python-stdlib", "installed-docs")
SUFFIXES = (".bin", ".idx")


def recipe(name: str) -> TextSource:
    """All text of a recipe."""
    planned = PlannedSource(
        name=name, recipe=name, path=None, weight=1, tokens=0, unique_tokens=None, epochs=None, stages=[]
    )
    return TextSource(planned, Path())


def written(path: Path, documents: Iterator[Document], most_bytes: int) -> int:
    """JSON lines of documents until there are so many bytes of text."""
    total = 0
    with path.open("a", encoding="utf-8") as lines:
        for document in documents:
            lines.write(json.dumps({"text": document.text}) + "\n")
            total += utf8_bytes(document.text)
            if total >= most_bytes:
                break
    return total


def as_megatron_does(path: Path, prefix: Path, model: TextModel) -> None:
    """Each line of a file through the tokenizer and the builder."""
    builder = IndexedDatasetBuilder(str(with_suffix(prefix, ".bin")), dtype=DType.optimal_dtype(model.vocab_size))
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            ids = model.encode([json.loads(line)["text"]])[0].tolist()
            builder.add_document([*ids, END_OF_DOCUMENT], [len(ids) + 1])
    builder.finalize(str(with_suffix(prefix, ".idx")))


def ours(path: Path, prefix: Path, model: TextModel) -> None:
    """What `sixnd tokenizer encode --threads 1` does."""
    encode_to(prefix, model, (document.text for document in of_pattern("text", str(path)).documents()))


def cpu_s(act: Callable[[], None]) -> float:
    """CPU seconds of one call."""
    began = time.process_time()
    act()
    return time.process_time() - began


def measured(kind: Any, texts: list[str], path: Path, size: int, asked: argparse.Namespace) -> dict[str, Any]:
    """One kind: training and both ways of encoding."""
    began = time.process_time()
    data = train(kind, texts, asked.vocab, 1)
    trained_s = time.process_time() - began
    model, plain = text_model(kind, data, kind), text_model(kind, data, kind)
    if isinstance(plain, ByteLevelModel):
        plain.fast = False
    taken: dict[str, list[float]] = {"sixnd": [], "megatron": []}
    prefixes = {name: path.parent / f"{kind}-{name}" for name in taken}
    for _ in range(asked.repeats):  # in turn, so that a loaded moment meets both
        taken["sixnd"].append(cpu_s(lambda: ours(path, prefixes["sixnd"], model)))
        taken["megatron"].append(cpu_s(lambda: as_megatron_does(path, prefixes["megatron"], plain)))
    files = [[with_suffix(prefix, suffix).read_bytes() for suffix in SUFFIXES] for prefix in prefixes.values()]
    return {
        "kind": kind,
        "train_cpu_s": round(trained_s, 1),
        "mb_per_cpu_s": {name: round(size / 1e6 / min(times), 2) for name, times in taken.items()},
        "equal_files": files[0] == files[1],
        "note": model.note,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--mb", type=float, default=24)
    parser.add_argument("--vocab", type=int, default=32_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--kinds", nargs="+", default=["byte-bpe", "sp-bpe", "sp-unigram", "wordpiece"])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path, size, texts = Path(folder) / "text.jsonl", 0, []
        for name in RECIPES:
            documents = recipe(name).documents()
            texts += list(first(documents, 6_000_000))
            size += written(path, documents, int(asked.mb * 1e6 / len(RECIPES)))
        rows = [measured(kind, texts, path, size, asked) for kind in asked.kinds]
    print(
        json.dumps(
            {
                "machine": platform.processor() or platform.machine(),
                "mb": round(size / 1e6, 1),
                "vocab": asked.vocab,
                "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                "kinds": rows,
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
