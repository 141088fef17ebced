"""Memory of finding near-duplicates among many documents: bytes a document, and how long it takes.

    python -m tests.benchmarks.near_dedup_memory [--documents 250000 1000000] [--shards 200]

Signatures are made of numbers, not of texts: every document has 100 shingles, a fifth of them repeats an earlier one's
number for number. Prints JSON: for each number of documents, the CPU seconds of finding, how far memory of the process
(anonymous pages, sampled every 20 ms) grew, and its peak with all pages of files that it had mapped, which the kernel
takes back when it needs them.
"""

import argparse
import json
import resource
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from sixnd.runner.data.document import Document
from sixnd.runner.data.findings import read_findings
from sixnd.runner.data.signature import SignatureWriter
from tests.runner.data.corpus_pass import stage

SHINGLES = 100
BANDS = 16


def sign(path: Path, first: int, count: int) -> None:
    """Signatures of documents ``first`` and on; every fifth repeats the one at half its place."""
    number = np.arange(first, first + count, dtype=np.uint64)
    number[number % 5 == 4] //= 2
    with SignatureWriter(path, stage("near-dedup"), plain={"keys": np.uint64}, ragged={"shingles": np.uint64}) as out:
        out.add_documents([Document(f"document-{first + i}", "", "") for i in range(count)])
        out.add("keys", spread(number, BANDS, 1).ravel())
        out.add_rows("shingles", np.sort(spread(number, SHINGLES, 2)).ravel(), np.full(count, SHINGLES))


def spread(number: Any, count: int, salt: int) -> Any:
    """So many numbers that look random for every number."""
    values = number[:, None] * np.uint64(count) + np.arange(count, dtype=np.uint64) + np.uint64(salt << 60)
    for shift in (31, 29, 32):
        values = (values ^ (values >> np.uint64(shift))) * np.uint64(0x9E3779B97F4A7C15)
    return values


@contextmanager
def sampled() -> Iterator[list[int]]:
    """Anonymous memory of the process in bytes, while the block runs."""
    samples, ended = [anonymous()], threading.Event()

    def sample() -> None:
        while not ended.wait(0.02):
            samples.append(anonymous())

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join()


def anonymous() -> int:
    """Memory that is no file's."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


def measure(documents: int, shards: int) -> dict[str, Any]:
    """Sign, find, and tell."""
    with tempfile.TemporaryDirectory() as folder:
        signed = [Path(folder) / f"{i}.signed" for i in range(shards)]
        found = [path.with_suffix(".found") for path in signed]
        bounds = [documents * i // shards for i in range(shards + 1)]
        for path, first, last in zip(signed, bounds, bounds[1:], strict=False):
            sign(path, first, last - first)
        began = time.process_time()
        with sampled() as samples:
            stage("near-dedup").find(signed, found, scratch=Path(folder))
        seconds = time.process_time() - began
        return {
            "documents": documents,
            "signature_bytes_a_document": round(sum(path.stat().st_size for path in signed) / documents),
            "found": sum(sum(1 for _ in read_findings(path)[1]) for path in found),
            "cpu_seconds": round(seconds, 1),
            "grew_bytes_a_document": round((max(samples) - samples[0]) / documents),
            "grew_mb": round((max(samples) - samples[0]) / 1e6),
            "peak_with_mapped_files_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6),
        }


def main() -> None:
    """Measure each in a process of its own, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, nargs="+", default=[250_000, 1_000_000])
    parser.add_argument("--shards", type=int, default=200)
    options = parser.parse_args()
    for documents in options.documents:
        with get_context("spawn").Pool(1) as pool:
            print(json.dumps(pool.apply(measure, (documents, options.shards))))


if __name__ == "__main__":
    main()
