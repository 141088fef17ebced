"""Published measurements that tests may read but the repository does not hold."""

import os
from pathlib import Path

import pytest

_FOLDER = Path(os.environ.get("SIXND_SHARED", Path(__file__).resolve().parents[3] / "shared"))


def shared(path: str) -> Path:
    """A file of the shared measurements; the test is skipped where it is absent."""
    file = _FOLDER / path
    if not file.exists():
        pytest.skip(f"no shared measurements: {path}")
    return file
