"""Where downloads are kept for every run on this machine."""

import os
from pathlib import Path


def cache_dir() -> Path:
    """The user's cache folder for sixnd, made if it is not there (XDG base directory specification)."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache = root / "sixnd"
    cache.mkdir(parents=True, exist_ok=True)
    return cache
