"""Repeated passages in real text: MB a CPU second of signing, finding and cutting, by size and block.

    python -m tests.benchmarks.substring_dedup [--megabytes 8 32] [--blocks 8 64]

The text is the standard library's Python code and, where that ends, what is installed beside it. Prints JSON: for each
size and block (MiB), the CPU seconds of the whole pass, MB a CPU second, passages cut and the share of the text cut.
"""

import argparse
import json
import sysconfig
import time
from pathlib import Path
from typing import Any

import pytest

from sixnd.runner.data import substring_dedup
from sixnd.runner.data.document import Document
from tests.runner.data.corpus_pass import passed, stage


def texts(megabytes: int) -> list[Document]:
    """Python files in the order of their names, up to that size."""
    found, size = [], 0
    for folder in ("stdlib", "purelib"):
        root = Path(sysconfig.get_path(folder))
        for path in sorted(root.rglob("*.py")):
            if size >= megabytes * 1_000_000:
                return found
            if folder == "purelib" or "site-packages" not in path.parts:
                text = path.read_text("utf-8", "replace")
                found.append(Document(str(path), text, ""))
                size += len(text.encode())
    return found


def measure(documents: list[Document], block_mib: int) -> dict[str, Any]:
    """One pass."""
    size = sum(len(document.text.encode()) for document in documents)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(substring_dedup, "_BLOCK_BYTES", block_mib << 20)
        began = time.process_time()
        found = passed(stage("substring-dedup"), documents)
        seconds = time.process_time() - began
    left = sum(len(document.text.encode()) for document in found.kept)
    return {
        "mb": round(size / 1e6, 1),
        "block_mib": block_mib,
        "cpu_seconds": round(seconds, 1),
        "mb_per_cpu_s": round(size / 1e6 / seconds, 2),
        "documents": len(documents),
        "documents_removed": len(found.removed),
        "passages_cut": found.edits.get("passages cut", 0),
        "share_cut": round(1 - left / size, 3),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--blocks", type=int, nargs="+", default=[8, 64])
    options = parser.parse_args()
    for megabytes in options.megabytes:
        documents = texts(megabytes)
        for block in options.blocks:
            print(json.dumps(measure(documents, block)))


if __name__ == "__main__":
    main()
