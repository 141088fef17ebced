"""Where the front door meets the terminal: width, colour, files, and how errors are told. Imports nothing heavy."""

import contextlib
import errno
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from sixnd.reporting import Subject
    from sixnd.specs.law_document import LawDocument
    from sixnd.specs.mix_document import MixDocument

_EXTRA_OF = {
    "torch": "run",
    "megatron": "run",
    "sentencepiece": "run",
    "tensorboard": "run",
    "tiktoken": "run",
    "tokenizers": "run",
    "psutil": "run",
    "safetensors": "export",
    "transformers": "export",
    "altair": "report",
    "pandas": "report",
    "vl_convert": "report",
    "datatrove": "cluster",
    "ray": "cluster",
}
_WIDTH_WHEN_PIPED = 80
INTERRUPTED = 130  # 128 + SIGINT, as shells count it


def text_width(asked: int | None = None) -> int:
    """Columns to fill: what was asked for, the terminal's width, or 80 where the output is piped."""
    if asked is not None:
        return asked
    if not sys.stdout.isatty():
        return _WIDTH_WHEN_PIPED
    import shutil

    return shutil.get_terminal_size((_WIDTH_WHEN_PIPED, 24)).columns


def use_color() -> bool:
    """Whether results may be coloured: a terminal that did not ask for none (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class Screen:
    """Standard output as a place: in a terminal that can, what is shown takes the place of what was shown before."""

    def __init__(self) -> None:
        terminal = sys.stdout.isatty()
        self.columns = text_width() if terminal else None
        """What a line may fill; elsewhere than in a terminal it may be of any length."""
        self.redraws = terminal and os.environ.get("TERM") != "dumb"
        self.lines = 0

    def show(self, text: str) -> None:
        """Show lines of at most ``columns``; followed through a pipe, each is there at once."""
        back = f"\x1b[{self.lines}A\r\x1b[J" if self.redraws and self.lines else ""
        print_result(back + text)
        sys.stdout.flush()
        self.lines = text.count("\n") + 1


def text_table(title: str, rows: Sequence[tuple[str, ...]]) -> str:
    """Rows under a title, the first column to the left and the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(size) for cell, size in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
    return "\n".join([title, *(f"  {line}".rstrip() for line in lines)])


def print_result(text: str) -> None:
    """A result goes to standard output."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def print_json(data: Any) -> None:
    """A result as JSON; NaN and infinities, which JSON has not, must have become null before."""
    import json

    print_result(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False))


def tell(text: str) -> None:
    """Progress and warnings go to standard error, so that a result can be piped."""
    sys.stdout.flush()
    print(text, file=sys.stderr, flush=True)


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all; a pipe or device is written as it stands."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """The same for a file that is no text."""
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder", str(path.parent))
    from sixnd.specs.files import replaced_atomically

    with replaced_atomically(path) as temporary:
        temporary.write_bytes(data)


def refuse_format(output: Path, known: Sequence[str], what: str) -> None:
    """Refuse a file of a format that is not known, by its suffix."""
    if output.suffix not in known:
        raise click.UsageError(f"'{output}': {what} is one of {', '.join(known)}, by its suffix")


def write_report(output: Path, subject: "Subject") -> None:
    """Write a report in the format of the file's suffix."""
    from sixnd.reporting import report_as

    made = report_as(output.suffix, subject)
    write_bytes(output, made if isinstance(made, bytes) else made.encode())
    tell(f"wrote {output}")


def write_accepted(
    output: Path | None, document: "LawDocument | MixDocument", refused: int, skip_refused: bool, use: str
) -> int:
    """Write what was fitted unless rows were refused and that was not accepted; returns the exit code."""
    from sixnd.specs.errors import InvalidDocumentError

    if refused and not skip_refused:
        tell(f"{refused} rows are no runs and were left out; --skip-refused accepts that")
        return InvalidDocumentError.exit_code
    if output is not None:
        write_text(output, document.to_yaml())
        tell(f"wrote {output}; {use}")
    return 0


def checked_name(_: click.Context, __: click.Parameter, name: str) -> str:
    """An option that names what is written: refused where a document could not be called so."""
    from pydantic import TypeAdapter, ValidationError

    from sixnd.specs.document import Name

    try:
        return str(TypeAdapter(Name).validate_python(name))
    except ValidationError:
        message = f"'{name}': letters, digits, dot, dash and underscore, at most 64, a letter or digit first"
        raise click.BadParameter(message) from None


def guarded(act: Callable[[], int | None]) -> int:
    """Run ``act``; turn every failure into a sentence on standard error, and return the exit code."""
    try:
        code = act()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader (`| head`) has enough; nothing is left to tell
        _drop_output()
        return 1
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        tell("interrupted")
        return INTERRUPTED
    except Exception as error:
        return _told(error)
    return code or 0


def _drop_output() -> None:
    """What is still to be written has no reader: else Python tells of it again when it ends."""
    with contextlib.suppress(io.UnsupportedOperation):  # standard output of a test is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _told(error: Exception) -> int:
    from sixnd.specs.errors import InvalidDocumentError, SixndError, next_step

    if isinstance(error, SixndError):
        tell(f"{error}" if error.exit_code == 3 else f"sixnd: {error}")
        return error.exit_code
    if isinstance(error, ModuleNotFoundError) and (extra := _EXTRA_OF.get((error.name or "").partition(".")[0])):
        tell(f"sixnd: '{error.name}' is not installed, and this verb needs it: pip install 'sixnd[{extra}]'")
        return 1
    if isinstance(error, OSError):
        if error.filename is None:
            _drop_output()  # it may be standard output that cannot be written
        where = "" if error.filename is None else f"{error.filename}: "
        tell(f"sixnd: {where}{error.strerror or error}; {next_step(error)}")
        return InvalidDocumentError.exit_code
    import traceback

    sys.stdout.flush()
    traceback.print_exception(error)
    tell("sixnd: this is a defect of sixnd, not of your input; please report it with the lines above")
    return 1
