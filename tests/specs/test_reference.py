"""The reference pages: current, whole, and with links that lead somewhere."""

import re
from pathlib import Path

import pytest

from sixnd.specs.reference import DOCUMENT_PAGE, SPEC_PAGE, pages
from sixnd.specs.schema import schema

DOCS = Path(__file__).parents[2] / "docs"
PAGES = pages()


@pytest.mark.parametrize("name", PAGES)
def test_the_published_page_is_current(name):
    assert (DOCS / name).read_text("utf-8") == PAGES[name], "run `make schema`"


def rows(page: str, heading: str) -> dict[str, list[str]]:
    """The table under a heading: cells by field."""
    part = page.split(f"\n{heading}\n", 1)[1].split("\n#", 1)[0]
    table = [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("| `")]
    return {cells[0].strip("`"): cells[1:] for cells in table}


def test_a_field_has_its_value_unit_bounds_default_and_sentence():
    budget, training = rows(PAGES[SPEC_PAGE], "### Budget"), rows(PAGES[SPEC_PAGE], "### Training")
    assert budget["compute"][:2] == ["[compute](#compute)", "–"]
    assert budget["compute"][2].startswith("Training compute in FLOPs")
    assert training["warmup_fraction"][:2] == ["number ≥ 0, ≤ 1", "`0.02`"]
    assert training["schedule"][:2] == ["`cosine` · `wsd` · `inverse-square-root`", "`cosine`"]
    assert training["global_batch"][:2] == ["`auto` or [tokens](#tokens)", "`auto`"]
    assert rows(PAGES[SPEC_PAGE], "### Cluster")["accelerators"][1] == "**needed**"
    assert rows(PAGES[SPEC_PAGE], "### Source")["recipe"][0] == "a name of `sixnd catalog sources`"


def test_every_field_that_a_spec_may_hold_stands_on_its_page():
    made = schema("budget-spec")
    for field in made["properties"]:
        assert field in rows(PAGES[SPEC_PAGE], "## Budget spec")
    for name in re.findall(r"^### (\w+)$", PAGES[SPEC_PAGE], re.MULTILINE):
        assert list(rows(PAGES[SPEC_PAGE], f"### {name}")) == list(made["$defs"][name]["properties"])


@pytest.mark.parametrize("name", PAGES)
def test_every_field_is_told_in_words(name):
    assert [line for line in PAGES[name].splitlines() if line.startswith("| `") and line.endswith("|  |")] == []


def test_a_model_that_both_pages_need_is_described_once():
    assert "### Plan: Shape" not in PAGES[DOCUMENT_PAGE]
    assert f"[Shape]({SPEC_PAGE}#shape)" in PAGES[DOCUMENT_PAGE]
