"""Writes into the pages what their commands print today: `python -m tests.docs.renew [PAGE…]`.

Only what is shown below a command that the tests run is written; read the difference before it is committed.
"""

import sys
import tempfile
from pathlib import Path

from tests.docs.commands import as_it_comes, commands, is_as_shown, prepare, run
from tests.docs.pages import PAGES, Block, blocks


def renew(page: Path) -> int:
    """Renew a page's fast blocks; returns how many have changed."""
    changed = 0
    with tempfile.TemporaryDirectory() as name:
        folder, environment = Path(name), dict[str, str]()
        prepare(folder)
        for block in [each for each in blocks(page) if not each.is_slow]:
            if block.mark == "file":
                (folder / block.said).write_text(block.text, "utf-8")
            elif block.mark == "run":
                changed += _renew_block(block, folder, environment)
    return changed


def _renew_block(block: Block, folder: Path, environment: dict[str, str]) -> int:
    text = block.text
    for command in commands(block):
        printed = run(command, folder, environment).printed
        if not is_as_shown(command.shown, printed):
            old, new = (
                "".join(f"{line}\n" for line in part) for part in (command.shown, as_it_comes(command.shown, printed))
            )
            text = text.replace(old, new, 1)
    if text == block.text:
        return 0
    whole = block.page.read_text("utf-8")
    block.page.write_text(whole.replace(block.text, text, 1), "utf-8")
    return 1


def _lines(shown: tuple[str, ...]) -> str:
    return "".join(f"{line}\n" for line in shown)


if __name__ == "__main__":
    for file in [Path(argument).resolve() for argument in sys.argv[1:]] or PAGES:
        print(f"{file.name}: {renew(file)} blocks renewed")
