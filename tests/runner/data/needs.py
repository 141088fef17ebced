"""Skips of tests whose optional package is not installed."""

import importlib.util

import pytest


def needs(*packages: str) -> pytest.MarkDecorator:
    """Skip where one of the packages is missing."""
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    return pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}")
