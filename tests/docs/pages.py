"""The blocks of a page: commands, files and fragments of specs, with the mark that stands above each.

Marks are HTML comments, which no reader sees, on the line before a block:

- ``<!-- run -->``: the block's commands are run by the tests, in the page's own folder, one block after the other.
  ``<!-- run: integration -->`` is for what takes longer, ``<!-- run: exit 4 -->`` for a last command that ends so.
- ``<!-- not run: WHY -->``: what needs a cluster, a GPU, a network or hours.
- ``<!-- file: NAME -->``: the block is written into the page's folder for the commands after it.
- ``<!-- not checked: WHY -->``: a block of YAML that is no part of a spec by itself.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
SHELL = {"sh", "bash", "shell", "console"}
_MARK = re.compile(r"<!--\s*(run|not run|file|not checked)(?::\s*(.*?))?\s*-->", re.DOTALL)
_LIKE_A_COMMAND = re.compile(r"(?:\$ )?(?:sixnd|python -m|make|pytest|pip|for|sbatch|kubectl) ")


@dataclass(frozen=True)
class Block:
    """One code block of a page."""

    page: Path
    line: int
    language: str
    text: str
    mark: str = ""
    said: str = ""
    """What the mark says behind its colon."""

    @property
    def where(self) -> str:
        """Page and line, as an editor opens them."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def is_shell(self) -> bool:
        """Whether a reader would type what stands in it."""
        return self.language in SHELL or (self.language != "yaml" and bool(_LIKE_A_COMMAND.match(self.text)))

    @property
    def is_slow(self) -> bool:
        """Whether it is left to the integration tests."""
        return "integration" in self.said.split(", ")

    @property
    def exit_code(self) -> int:
        """How the last of its commands ends."""
        found = re.search(r"exit (\d+)", self.said)
        return int(found[1]) if found else 0


def blocks(page: Path) -> Iterator[Block]:
    """The code blocks of a page, fenced or indented, each with the mark right above it."""
    mark, said = "", ""
    for token in MarkdownIt().parse(page.read_text("utf-8")):
        if token.type in ("fence", "code_block") and token.map:
            yield Block(page, token.map[0] + 1, token.info.strip(), token.content, mark, said)
        found = _MARK.match(token.content.strip()) if token.type == "html_block" else None
        mark, said = (found[1], found[2] or "") if found else ("", "")
