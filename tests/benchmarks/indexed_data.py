"""Tokens a CPU second into ``.bin/.idx``, ours beside megatron-core's IndexedDatasetBuilder, in one run.

    python -m tests.benchmarks.indexed_data [--documents 60000] [--mean 1000] [--vocab 32000] [--repeats 5]

Prints JSON. Documents are random ids with exponentially distributed lengths. ``megatron_numpy`` hands the builder
NumPy arrays, ``megatron_torch`` a ``torch.IntTensor`` of a list of ids, as Megatron-LM's ``preprocess_data.py`` does;
neither hashes. ``sixnd`` takes the same arrays in batches of 128 as they come, SHA-256 of everything included. CPU time
is user and system time of this process; the median of the repeats is told. Files of all are compared byte for byte.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from megatron.core.datasets.indexed_dataset import IndexedDatasetBuilder

from sixnd.runner.indexed import indexed_writer, token_dtype, with_suffix

Documents = list[np.ndarray[Any, Any]]
BATCH = 128


def ours(documents: Documents, prefix: Path, dtype: np.dtype[Any]) -> None:
    """Our writer."""
    with indexed_writer(prefix, dtype) as writer:
        for first in range(0, len(documents), BATCH):
            writer.add(documents[first : first + BATCH])


def megatron_numpy(documents: Documents, prefix: Path, dtype: np.dtype[Any]) -> None:
    """Megatron's builder, given arrays."""
    builder = IndexedDatasetBuilder(str(with_suffix(prefix, ".bin")), dtype=dtype.type)
    for document in documents:
        builder.add_document(document, [len(document)])
    builder.finalize(str(with_suffix(prefix, ".idx")))


def megatron_torch(documents: list[list[int]], prefix: Path, dtype: np.dtype[Any]) -> None:
    """Megatron's builder, given tensors of lists."""
    builder = IndexedDatasetBuilder(str(with_suffix(prefix, ".bin")), dtype=dtype.type)
    for document in documents:
        builder.add_document(torch.IntTensor(document), [len(document)])
    builder.finalize(str(with_suffix(prefix, ".idx")))


def cpu_s(act: Callable[[], None]) -> float:
    """CPU seconds of one call."""
    began = time.process_time()
    act()
    return time.process_time() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--documents", type=int, default=60_000)
    parser.add_argument("--mean", type=int, default=1000)
    parser.add_argument("--vocab", type=int, default=32_000)
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    random, dtype = np.random.default_rng(0), token_dtype(asked.vocab)
    lengths = random.exponential(asked.mean, asked.documents).astype(int) + 1
    documents = [random.integers(0, asked.vocab, n, dtype=np.int64).astype(dtype) for n in lengths]
    lists = [document.tolist() for document in documents]
    total = int(lengths.sum())
    with tempfile.TemporaryDirectory() as folder:
        prefixes = {name: Path(folder) / name for name in ("sixnd", "megatron_numpy", "megatron_torch")}
        acts: dict[str, Callable[[], None]] = {
            "sixnd": lambda: ours(documents, prefixes["sixnd"], dtype),
            "megatron_numpy": lambda: megatron_numpy(documents, prefixes["megatron_numpy"], dtype),
            "megatron_torch": lambda: megatron_torch(lists, prefixes["megatron_torch"], dtype),
        }
        taken: dict[str, list[float]] = {name: [] for name in acts}
        for _ in range(asked.repeats):  # in turn, so that a loaded moment meets all of them
            for name, act in acts.items():
                taken[name].append(cpu_s(act))
        equal = all(
            len({with_suffix(prefix, suffix).read_bytes() for prefix in prefixes.values()}) == 1
            for suffix in (".bin", ".idx")
        )
    rates = {name: total / statistics.median(seconds) / 1e6 for name, seconds in taken.items()}
    ratios = {f"over_{name}": rates["sixnd"] / rates[name] for name in rates if name != "sixnd"}
    print(
        json.dumps({"tokens": total, "dtype": dtype.name, "equal": equal, "mtok_per_cpu_s": rates} | ratios, indent=1)
    )


if __name__ == "__main__":
    main()
