"""Rows of Parquet files, a small batch of columns at a time."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sixnd.specs.errors import SixndError

_ROWS = 256
"""Rows at once: what is held is these and the column chunks of one row group."""


def parquet_rows(path: Path, columns: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Row numbers (from 0) and the wanted columns, as far as the file has them; ``OSError`` where it is damaged."""
    try:
        arrow: Any = importlib.import_module("pyarrow")
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise SixndError(f"{path} needs pyarrow", "pip install 'sixnd[data]'") from error
    row = 0
    try:
        with parquet.ParquetFile(path, pre_buffer=False) as file:
            there = [name for name in columns if name in file.schema_arrow.names]
            for batch in file.iter_batches(batch_size=_ROWS, columns=there, use_threads=False):
                for record in batch.to_pylist():
                    yield row, record
                    row += 1
    except arrow.ArrowException as error:
        raise OSError(f"row {row} on: {str(error).splitlines()[0]}") from error
