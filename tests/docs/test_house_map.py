"""CONTRIBUTING's map of the house names every folder that there is something in."""

import re
import tomllib

from tests.docs.pages import ROOT


def folders() -> set[str]:
    """The rooms' packages, and the folders beside them that a person looks into."""
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    data = [file for pattern in setuptools["package-data"]["sixnd.specs"] for file in (ROOT / "specs").glob(pattern)]
    inside = {str(file.parent.relative_to(ROOT)) for file in data}
    return {*setuptools["package-dir"].values(), *inside, "docs", "tests"}


def test_every_folder_has_its_line():
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    named = set(re.findall(r"^\| `([\w/]+)/`", text, re.MULTILINE))
    assert folders() - named == set()
