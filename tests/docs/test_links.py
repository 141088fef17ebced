"""Links between the pages lead somewhere, and the map names every page."""

import re
from functools import cache
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from tests.docs.pages import PAGES, ROOT

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
ANCHOR = re.compile(r'<a id="([^"]+)"')
PUNCTUATION = re.compile(r"[^\w\- ]")


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return "\n".join(
        token.content for token in MarkdownIt().enable("table").parse(page.read_text("utf-8")) if token.type == "inline"
    )


@cache
def anchors(page: Path) -> set[str]:
    """What a link may point to: headings as GitHub names them, and anchors that are written."""
    tokens = MarkdownIt().parse(page.read_text("utf-8"))
    headings = [tokens[i + 1].content for i, token in enumerate(tokens) if token.type == "heading_open"]
    slugs = {PUNCTUATION.sub("", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | set(ANCHOR.findall(page.read_text("utf-8")))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings_that_are_there(page):
    dead = []
    for link in LINK.findall(prose(page)):
        file, _, anchor = link.partition("#")
        if "://" in link or link.startswith("mailto:"):
            continue
        target = (page.parent / file).resolve() if file else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


def test_the_map_names_every_page():
    named = {link.partition("#")[0] for link in LINK.findall(prose(ROOT / "docs" / "README.md"))}
    assert {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"} - named == set()
