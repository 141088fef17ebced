"""A table as lines of text: no word of it is cut, and a reason that has no room beside its row stands below it.

Widths are cells of a terminal, in which an East Asian character takes two.
"""

import re
from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

_GAP = 2
_PROSE_FROM = 24
"""A last column with a longer cell than this is prose: reasons and notes."""
_PROSE_BESIDE = 32
"""Prose that would get fewer cells beside its row stands below it."""
_INDENT = 4
_HARD = "\ue000"  # a space that is no space: rich ends lines at a no-break space too
_INSIDE = re.compile(r"(?<!→) (?![(→])")
"""A space in a cell of numbers where no line may end: none before an interval in brackets, none at an arrow."""
_NOTHING = ("", "–")
_CONSOLE = Console(width=10_000, no_color=True, _environ={})
"""What `Text.wrap` asks for; nothing is printed on it."""


def table_lines(
    header: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool], width: int
) -> list[tuple[str, int | None]]:
    """The table's lines, each with the row that it belongs to: ``None`` for header and rule, which stand first."""
    cells = [header, *(_kept(row, numeric) for row in rows)]
    if sum(_least(cells)) + _GAP * (len(header) - 1) > width:
        cells = [header, *rows]
    natural = [max(max(map(cell_len, cell.split("\n"))) for cell in column) for column in zip(*cells, strict=True)]
    least = _least(cells)
    is_prose = len(natural) > 1 and not numeric[-1] and natural[-1] > _PROSE_FROM
    if is_prose and _room(least, natural, width) < min(_PROSE_BESIDE, natural[-1]):
        return _prose_below(cells, numeric, _fitted(natural[:-1], least[:-1], width), width)
    fitted = _fitted(natural, least, width, fixed=min(_PROSE_BESIDE, natural[-1]) if is_prose else 0)
    widths = _tightened(cells, fitted, natural[-1], width)
    return [
        *_head(header, widths, numeric),
        *((line, i) for i, row in enumerate(cells[1:]) for line in _row(row, widths, numeric)),
    ]


def _kept(row: Sequence[str], numeric: Sequence[bool]) -> list[str]:
    """The row with numbers kept on a line with their units, and intervals in one piece."""
    return [_INSIDE.sub(_HARD, cell) if is_number else cell for cell, is_number in zip(row, numeric, strict=True)]


def _least(cells: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(_longest_word, column)) for column in zip(*cells, strict=True)]


def _room(least: list[int], natural: list[int], width: int) -> int:
    """Cells that are left for the last column where the first one may be wrapped between words, and no other."""
    return width - least[0] - sum(natural[1:-1]) - _GAP * (len(natural) - 1)


def _fitted(natural: list[int], least: list[int], width: int, fixed: int = 0) -> list[int]:
    """Widths that fit: the widest column gives first, none less than its longest word while another can give."""
    found = list(natural)
    floors = [*least[:-1], max(least[-1], fixed)] if fixed else least
    while sum(found) + _GAP * (len(found) - 1) > width and max(found) > 1:
        spare = [have - need for have, need in zip(found, floors, strict=True)]
        can_give = [i for i, each in enumerate(spare) if each > 0] or range(len(found))
        found[max(can_give, key=lambda i: found[i])] -= 1
    return found


def _tightened(cells: Sequence[Sequence[str]], widths: list[int], most: int, width: int) -> list[int]:
    """Columns no wider than their wrapped lines; what that leaves goes to the last one, as far as it has use for it."""
    wrapped = [[line for cell in column for line in _wrapped(cell, size)] for column, size in _columns(cells, widths)]
    used = [max(map(cell_len, lines)) for lines in wrapped]
    return [*used[:-1], min(most, width - sum(used[:-1]) - _GAP * (len(used) - 1))]


def _columns(cells: Sequence[Sequence[str]], widths: list[int]) -> list[tuple[tuple[str, ...], int]]:
    return list(zip(zip(*cells, strict=True), widths, strict=True))


def _prose_below(
    cells: Sequence[Sequence[str]], numeric: Sequence[bool], widths: list[int], width: int
) -> list[tuple[str, int | None]]:
    header, *rows = cells
    lines = _head([*header[:-1]], widths, numeric)
    for i, row in enumerate(rows):
        lines += [(line, i) for line in _row(row[:-1], widths, numeric)]
        reason = [] if row[-1] in _NOTHING else _wrapped(row[-1], width - _INDENT)
        lines += [(f"{' ' * _INDENT}{line}", i) for line in reason]
    return lines


def _head(header: Sequence[str], widths: list[int], numeric: Sequence[bool]) -> list[tuple[str, int | None]]:
    rule = "─" * (sum(widths) + _GAP * (len(widths) - 1))
    return [*((line, None) for line in _row(header, widths, numeric)), (rule, None)]


def _row(cells: Sequence[str], widths: list[int], numeric: Sequence[bool]) -> list[str]:
    columns = [_wrapped(cell, size) for cell, size in zip(cells, widths, strict=True)]
    height = max(map(len, columns))
    padded = [column + [""] * (height - len(column)) for column in columns]
    sides = list(zip(widths, numeric, strict=False))
    return [
        (" " * _GAP).join(_aligned(part, *side) for part, side in zip(line, sides, strict=True)).rstrip()
        for line in zip(*padded, strict=True)
    ]


def _aligned(text: str, width: int, to_the_right: bool) -> str:
    return " " * (width - cell_len(text)) + text if to_the_right else set_cell_size(text, width)


def _wrapped(text: str, width: int) -> list[str]:
    return [line.plain.strip().replace(_HARD, " ") for line in Text(text).wrap(_CONSOLE, width, overflow="fold")] or [
        ""
    ]


def _longest_word(text: str) -> int:
    return max(map(cell_len, text.split()), default=1)
