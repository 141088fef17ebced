"""Runs the commands of a page as a reader would, and holds what comes against what the page shows."""

import contextlib
import difflib
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from sixnd.cli import main
from tests.docs.pages import ROOT, Block

ELLIPSIS = "…"
_SETTING = re.compile(r"[A-Z_][A-Z0-9_]*=")
_SHELL_ONLY = re.compile(r"[|<>&;`$*]")


@dataclass(frozen=True)
class Command:
    """A command of a block, and the lines that the page shows below it."""

    text: str
    shown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and all that it printed."""

    exit_code: int
    printed: str


def commands(block: Block) -> list[Command]:
    """A block's commands: of a console what follows `$ `, with what is shown below it; else each line."""
    lines = block.text.replace("\\\n", " ").splitlines()
    if not block.text.startswith("$ "):
        return [Command(line) for line in lines if line.strip() and not line.startswith("#")]
    found: list[Command] = []
    for line in lines:
        if line.startswith("$ "):
            found.append(Command(line[2:]))
        else:
            found[-1] = replace(found[-1], shown=(*found[-1].shown, line))
    return found


def run(command: Command, folder: Path, environment: dict[str, str]) -> Outcome:
    """Run one command in ``folder``: our own in this process, which spares the start of one, else by bash."""
    words = shlex.split(command.text, comments=True)
    if words and words[0] == "export":
        environment |= dict(word.split("=", 1) for word in words[1:])
        return Outcome(0, "")
    settings = {}
    while words and _SETTING.match(words[0]):
        name, value = words.pop(0).split("=", 1)
        settings[name] = value
    if words[:1] == ["sixnd"] and not _SHELL_ONLY.search(re.sub(r"'[^']*'|\"[^\"]*\"", "", command.text)):
        return _run_here(words[1:], folder, environment | settings)
    return _run_by_bash(command.text, folder, environment)


def _run_here(arguments: list[str], folder: Path, environment: dict[str, str]) -> Outcome:
    printed = io.StringIO()
    both = contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed)
    with contextlib.chdir(folder), _environment(environment), both[0], both[1]:
        code = main(arguments)
    return Outcome(code, printed.getvalue())


def _run_by_bash(text: str, folder: Path, environment: dict[str, str]) -> Outcome:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    made = subprocess.run(
        ["bash", "-e", "-c", text],
        cwd=folder,
        env={**os.environ, **environment, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return Outcome(made.returncode, made.stdout)


@contextlib.contextmanager
def _environment(settings: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(settings)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def prepare(folder: Path) -> None:
    """What a clone has that pages name: the specs."""
    (folder / "specs").symlink_to(ROOT / "specs")


def is_as_shown(shown: tuple[str, ...], printed: str) -> bool:
    """Whether a page shows what came; `…` stands for any lines, within a line for anything in it.

    How wide columns and rules are drawn does not make a page wrong.
    """
    return not shown or bool(re.fullmatch("".join(map(_pattern, shown)), _narrow(_lines(printed))))


def not_shown_so(shown: tuple[str, ...], printed: str) -> list[str]:
    """Lines of a page that are nowhere in what came, to be told; none where only their order is another."""
    came = [_narrow(f"{line}\n") for line in _lines(printed).splitlines()]
    return [line for line in shown if not any(re.fullmatch(_pattern(line), one) for one in (*came, ""))]


def as_it_comes(shown: tuple[str, ...], printed: str) -> tuple[str, ...]:
    """What the page is to show instead: as many lines between the same ellipses, beginning with the likest line."""
    came = _lines(printed).splitlines()
    made: list[str] = []
    start = 0
    for i, part in enumerate(_parts(shown)):
        if i:
            made.append(ELLIPSIS)
            start = _likest(part[0], came, start) if part else len(came)
        taken = came[start : start + len(part)] if i or ELLIPSIS in shown else came
        if len(taken) > 1 and not taken[-2]:  # a heading with nothing below it
            taken = taken[:-2]
        made += [
            old if re.fullmatch(_pattern(old), _narrow(f"{new}\n")) else new for old, new in _side_by_side(part, taken)
        ]
        start += len(part)
    return tuple(made)


def _side_by_side(old: list[str], new: list[str]) -> Iterator[tuple[str, str]]:
    for i, line in enumerate(new):
        yield (old[i] if i < len(old) else line), line


def _parts(shown: tuple[str, ...]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for line in shown:
        if line.strip() == ELLIPSIS:
            parts.append([])
        else:
            parts[-1].append(line)
    return parts


def _likest(line: str, came: list[str], start: int) -> int:
    places = range(min(start, len(came) - 1), len(came))
    return max(places, key=lambda i: difflib.SequenceMatcher(None, line, came[i]).ratio())


def _lines(printed: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in printed.rstrip().splitlines())


def _pattern(line: str) -> str:
    if line.strip() == ELLIPSIS:
        return r"(?:.*\n)*"
    return ".*".join(re.escape(part) for part in _narrow(line.rstrip()).split(ELLIPSIS)) + r"\n"


def _narrow(text: str) -> str:
    return re.sub(r"─+", "─", re.sub(r" +", " ", text))
