"""What can go wrong by a user's hand, as one family of ``ValueError``.

SixndError
├── InvalidDocumentError   exit 3: one or more problems, each with file, line and column
├── ContradictionError     exit 3: two values of a spec that only a plan shows to disagree
├── UnfitRunsError         exit 3: runs that the law or form asked for cannot be fitted to
├── UntrainablePlanError   exit 3: a plan of what our runner does not train
├── InvalidDataError       exit 3: text, a tokenizer or indexed data that cannot be taken
├── InfeasibleError        exit 4: no plan can exist; says what would make it feasible
├── StalePlanError         exit 5: the plan's spec or catalogs have changed since
└── RunFailedError         exit 6: the training run ended without finishing
"""

import errno
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

Path = tuple[str | int, ...]
"""Where a value stands in a document: keys and list positions from the root."""


_SHOWN_COLUMNS = 80
_TAB = "\t"


class SixndError(ValueError):
    """A mistake or circumstance that the user can act on: ``said`` is what it is, ``do`` what to do about it."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, do: str = "") -> None:
        self.said, self.do = message, do
        super().__init__(f"{message}; {do}" if do else message)


@dataclass(frozen=True)
class Problem:
    """One mistake in a document: where it is, what is wrong, and what to do about it."""

    path: Path
    message: str
    """What is wrong."""
    do: str
    """What the reader can do next."""
    line: int = 1
    column: int = 1
    also: tuple[Path, ...] = ()
    """Other places the problem depends on (the second of two values that disagree)."""
    file: str = ""
    """Where it stands, if not in the document's own file: in one that is extended, or on the command line."""

    @property
    def sentence(self) -> str:
        """What is wrong, and what to do about it, on one line."""
        return visible(f"{self.message}; {self.do}")


class InvalidDocumentError(SixndError):
    """A document that cannot be taken, with every problem found in it."""

    exit_code = 3

    def __init__(
        self, file: str, problems: list[Problem], text: str = "", texts: Mapping[str, str] | None = None
    ) -> None:
        self.file = file
        self.problems = sorted(problems, key=lambda p: (p.file, p.line, p.column))
        self.texts = {**(texts or {}), file: text}
        super().__init__(self.render())
        self.do = "; ".join(dict.fromkeys(problem.do for problem in self.problems))

    def render(self) -> str:
        """Every problem as ``file:line:column: sentence``, with the source line and a caret."""
        parts = []
        for problem in self.problems:
            file = problem.file or self.file
            lines = self.texts.get(file, "").splitlines()
            # What stands on the command line has no line.
            place = f"{file}:{problem.line}:{problem.column}" if problem.line else file
            parts.append(f"{place}: {problem.sentence}")
            if 0 < problem.line <= len(lines):
                parts += _shown(lines[problem.line - 1], problem.column)
        return "\n".join(parts)


_NEXT_STEPS = {
    errno.ENOENT: "name one that is there, or make it",
    errno.EISDIR: "it is a folder; name a file",
    errno.ENOTDIR: "a part of the path is a file; name a file in a folder",
    errno.EEXIST: "name a new one, or move it away",
    errno.ENOTEMPTY: "name a new one, or move it away",
    errno.EACCES: "let this user do that (chmod, chown), or name another place",
    errno.EPERM: "let this user do that (chmod, chown), or name another place",
    errno.EROFS: "its disk is mounted for reading alone; name another place",
    errno.ENOSPC: "make room on its disk, or name another place",
    errno.EDQUOT: "make room within this user's share of its disk, or name another place",
    errno.EFBIG: "its disk holds no file so large; name another place",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "its links lead back to themselves; name the file itself",
    errno.EMFILE: "raise how many files a process may have open (ulimit -n)",
}


def next_step(error: OSError) -> str:
    """What the reader can do about a file that cannot be read or written."""
    return _NEXT_STEPS.get(error.errno or 0, "look whether its disk is mounted and sound, and give the command again")


def unreadable(error: OSError) -> Problem:
    """A file that is not there, or that cannot be read."""
    return Problem((), f"cannot be read: {error.strerror}", next_step(error))


def _shown(line: str, column: int) -> list[str]:
    """The line with a caret under ``column`` (from 1); of a long line, the part around it."""
    start = max(0, column - _SHOWN_COLUMNS)
    before = "".join("\t" if character == "\t" else " " for character in line[start : column - 1])
    return [f"    {visible(line[start : start + 2 * _SHOWN_COLUMNS], keep=_TAB)}", f"    {before}^"]


def visible(text: str, keep: str = "") -> str:
    """Control characters as pictures (␛ for ESC) but those to ``keep``: what is in a file cannot drive a terminal."""
    return "".join(character if character in keep else _picture(character) for character in text)


def _picture(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    return "�" if 0x7F <= code < 0xA0 or code in range(0x2028, 0x202F) else character


class ContradictionError(SixndError):
    """Two values of a spec that disagree, found while planning; ``problem`` says where they stand."""

    exit_code = 3

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.message, problem.do)


class UnfitRunsError(SixndError):
    """Runs that cannot tell the law asked of them; the message says what they lack."""

    exit_code = 3


class UntrainablePlanError(SixndError):
    """A plan whose model or layout is planned on paper only; the message says what our runner does not train."""

    exit_code = 3

    def __init__(self, message: str, do: str) -> None:
        super().__init__(message, do)


class InvalidDataError(SixndError):
    """Text, a tokenizer or indexed data that cannot be taken; the message names the file."""

    exit_code = 3


class InfeasibleError(SixndError):
    """No plan satisfies the spec; the message says what would, ``problems`` which of its values stand in the way."""

    exit_code = 4

    def __init__(self, message: str, do: str, problems: tuple[Problem, ...] = (), told: str = "") -> None:
        """``told`` is all of it with files and lines, where those are known."""
        self.problems = problems
        super().__init__(message, do)
        if told:
            self.args = (told,)


class StalePlanError(SixndError):
    """The plan was made from a spec or catalogs that have changed since."""

    exit_code = 5

    def __init__(self, message: str, do: str) -> None:
        super().__init__(message, do)


class RunFailedError(SixndError):
    """The run ended before its last step; the message says why and how to go on."""

    exit_code = 6


class RunStoppedError(RunFailedError):
    """An alarm ended the run; starting it again as it is would end it again."""


class RunPausedError(SixndError):
    """The run saved a checkpoint and ended before its last step, as it was asked to; the same command goes on."""

    exit_code = 7
