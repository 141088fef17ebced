"""CONTRIBUTING's map of the house names every folder that there is something in."""

import re
import tomllib
from pathlib import Path

from tests.docs.pages import ROOT


def folders() -> set[str]:
    """The rooms' packages, and the folders beside them that a person looks into."""
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    inside = [Path("specs", pattern).parent for pattern in setuptools["package-data"]["sixnd.specs"]]
    return {*setuptools["package-dir"].values(), *map(str, inside), "docs", "tests"}


def test_every_folder_has_its_line():
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    named = set(re.findall(r"^\| `([\w/]+)/`", text, re.MULTILINE))
    assert folders() - named == set()
