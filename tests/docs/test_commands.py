"""Every command that a page shows is run, or says why not; what is shown below it is what comes."""

from pathlib import Path

import pytest

from sixnd.specs.load import load_any
from tests.docs.commands import Command, as_it_comes, commands, is_as_shown, not_shown_so, prepare, run
from tests.docs.pages import PAGES, ROOT, Block, blocks
from tests.docs.renew import renew

BLOCKS = {page: list(blocks(page)) for page in PAGES}
RUN = [page for page in PAGES if any(block.mark == "run" and not block.is_slow for block in BLOCKS[page])]
RUN_SLOWLY = [page for page in PAGES if any(block.mark == "run" and block.is_slow for block in BLOCKS[page])]
LONGEST_REASON = 160
RENEW = "renew it, and read the difference: python -m tests.docs.renew"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_of_commands_is_run_or_says_why_not(page):
    unmarked = [block.where for block in BLOCKS[page] if block.is_shell and block.mark not in ("run", "not run")]
    assert unmarked == [], "mark each `<!-- run -->` or `<!-- not run: why -->` (tests/docs/pages.py)"
    reasons = [block.said for block in BLOCKS[page] if block.mark in ("not run", "not checked")]
    assert all(10 <= len(reason) <= LONGEST_REASON for reason in reasons)


@pytest.mark.parametrize("page", RUN, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_do_what_it_shows(page, tmp_path):
    follow([block for block in BLOCKS[page] if not block.is_slow], tmp_path)


@pytest.mark.integration
@pytest.mark.parametrize("page", RUN_SLOWLY, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_that_take_longer_do_what_it_shows(page, tmp_path):
    follow(BLOCKS[page], tmp_path)


def follow(page: list[Block], folder: Path) -> None:
    """Do what a page says from top to bottom, in a folder of its own."""
    prepare(folder)
    environment: dict[str, str] = {}
    for block in page:
        if block.mark == "file":
            (folder / block.said).write_text(block.text, "utf-8")
        elif block.mark == "run":
            run_block(block, folder, environment)


def run_block(block: Block, folder: Path, environment: dict[str, str]) -> None:
    found = commands(block)
    for command in found:
        outcome = run(command, folder, environment)
        told = f"{block.where}: {command.text}\n"
        assert outcome.exit_code == (block.exit_code if command is found[-1] else 0), told + outcome.printed
        if not is_as_shown(command.shown, outcome.printed):
            lines = "\n".join(not_shown_so(command.shown, outcome.printed))
            pytest.fail(f"{told}does not print so, or not in this order:\n{lines}\n{RENEW} {block.page}")


FRAGMENTS = [  # files are read by the commands after them
    block
    for page in PAGES
    for block in BLOCKS[page]
    if block.language == "yaml"
    and block.mark not in ("file", "not checked")  # files are read by the commands after them
]
LEAST = """
version: budget/1
name: page
budget: {compute: 1e21 FLOPs}
cluster: {accelerators: 8 x h100-sxm}
data: {sources: [{name: web}]}
"""


@pytest.mark.parametrize("block", FRAGMENTS, ids=lambda block: block.where)
def test_a_part_of_a_spec_is_one_that_a_spec_may_have(block, tmp_path):
    file = tmp_path / "part.yaml"
    alone = "version:" in block.text or "extends:" in block.text
    file.write_text(block.text if alone else f"extends: least.yaml\n{block.text}", "utf-8")
    (tmp_path / "least.yaml").write_text(LEAST)
    load_any(file)


SHOWN = ("first", "…", "N is 7 of …", "last")
PRINTED = "first\nsecond\nthird\nN is 7 of 9\nlast\n"


def test_an_ellipsis_stands_for_lines_and_within_a_line():
    assert is_as_shown(SHOWN, PRINTED)
    assert is_as_shown(("first", "…"), PRINTED)
    assert is_as_shown((), PRINTED)


def test_a_table_may_be_drawn_wider():
    assert is_as_shown(("N   7B", "──────"), "N        7B\n───────────\n")
    assert not is_as_shown(("N   7B", "──────"), "N        8B\n───────────\n")


@pytest.mark.parametrize("printed", ["", "first\n", PRINTED.replace("7", "8"), PRINTED + "more\n"])
def test_what_is_not_shown_so_is_found(printed):
    assert not is_as_shown(SHOWN, printed)


def test_the_lines_that_are_wrong_are_told():
    assert not_shown_so(SHOWN, PRINTED.replace("7", "8")) == ["N is 7 of …"]


@pytest.mark.parametrize("printed", [PRINTED, PRINTED.replace("7", "8"), PRINTED.replace("second\nthird\n", "")])
def test_what_is_renewed_is_as_shown(printed):
    renewed = as_it_comes(SHOWN, printed)
    assert is_as_shown(renewed, printed)
    assert renewed.count("…") == 1
    assert len(renewed) == len(SHOWN)


def test_a_page_is_renewed_with_what_its_commands_print_today(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- run -->\n```console\n$ sixnd --version\nsixnd, of old\n```\n\nThe end.\n")
    assert renew(page) == 1
    assert "of old" not in page.read_text()
    assert page.read_text().endswith("\n```\n\nThe end.\n")
    assert renew(page) == 0


def test_a_console_shows_what_follows_each_command(tmp_path):
    block = Block(PAGES[0], 1, "console", "$ echo one\none\n$ echo two \\\n    three\n")
    assert commands(block) == [Command("echo one", ("one",)), Command("echo two      three")]
    assert run(commands(block)[1], tmp_path, {}).printed == "two three\n"


def test_a_command_that_fails_is_found(tmp_path):
    block = Block(PAGES[0], 1, "sh", "sixnd validate none.yaml\n", "run")
    with pytest.raises(AssertionError, match="cannot be read"):
        run_block(block, tmp_path, {})
    run_block(Block(PAGES[0], 1, "sh", "sixnd validate none.yaml\n", "run", "exit 3"), tmp_path, {})
    with pytest.raises(pytest.fail.Exception, match=r"does not print so.*\nsixnd, of old\n"):
        run_block(Block(PAGES[0], 1, "console", "$ sixnd --version\nsixnd, of old\n", "run"), tmp_path, {})
