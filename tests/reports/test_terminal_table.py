"""A table of any width keeps its words whole, and its reasons where they can be read."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from sixnd.reports.terminal_table import table_lines

WORDS = st.lists(st.text("abcdefg", min_size=1, max_size=12), min_size=0, max_size=14).map(" ".join)
ROWS = st.lists(st.tuples(WORDS, WORDS, WORDS), min_size=1, max_size=5)
HEADER = ("Name", "Value", "Why")


def text(rows, width: int, numeric=(False, True, False)) -> list[str]:
    return [line for line, _ in table_lines(HEADER, rows, numeric, width)]


@given(ROWS, st.integers(60, 140))
def test_every_word_of_every_cell_stands_whole_in_a_line_that_fits(rows, width) -> None:
    lines = text(rows, width)
    shown = sorted(word for line in lines for word in line.split() if word.strip("─"))
    cells = [*rows, HEADER if "Why" in lines[0] else HEADER[:2]]
    assert shown == sorted(word for row in cells for cell in row for word in cell.split())
    assert max(map(cell_len, lines)) <= width


@given(ROWS, st.integers(60, 140))
def test_each_line_tells_the_row_that_it_belongs_to(rows, width) -> None:
    owners = [row for _, row in table_lines(HEADER, rows, (False, True, False), width)]
    told = [row for row in owners if row is not None]
    assert told == sorted(told)
    assert set(told) == set(range(len(rows)))
    assert owners[: owners.index(0)] == [None] * owners.index(0)


def test_reasons_stand_beside_their_row_where_there_is_room_and_below_it_where_there_is_none() -> None:
    rows = [
        ("first-of-all-names", "12,345,678 tokens/s", "because of this and of that and of much more"),
        ("b", "2", "–"),
    ]
    assert text(rows, 120)[2].endswith("much more")
    assert text(rows, 60)[2:] == [
        "first-of-all-names  12,345,678 tokens/s",
        "    because of this and of that and of much more",
        "b" + "2".rjust(38),
    ]


def test_a_column_is_no_wider_than_its_wrapped_lines() -> None:
    rows = [
        ("one-word another-word-that-wraps", "1", "a reason of many words that takes all the room there is, and more")
    ]
    lines = text(rows, 64)
    assert lines[2].index("1") == max(len("one-word"), len("another-word-that-wraps")) + len("  Value") - 1


def test_wide_characters_count_twice() -> None:
    assert max(map(cell_len, text([("名前" * 20, "値", "理由" * 30)], 60))) <= 60
