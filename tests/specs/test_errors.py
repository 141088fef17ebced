"""Errors: one family, one exit code each, and problems in the order of the file."""

import pytest

from sixnd.specs.errors import (
    ContradictionError,
    InfeasibleError,
    InvalidDocumentError,
    Problem,
    RunFailedError,
    SixndError,
    StalePlanError,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SixndError("x"), 1),
        (InvalidDocumentError("f", []), 3),
        (ContradictionError(Problem((), "x", "y")), 3),
        (InfeasibleError("x", "y"), 4),
        (StalePlanError("x", "y"), 5),
        (RunFailedError("x"), 6),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_error_is_a_value_error_with_the_exit_code_that_the_help_names(error, code):
    assert isinstance(error, ValueError)
    assert error.exit_code == code


def test_problems_are_told_in_the_order_of_the_file():
    error = InvalidDocumentError(
        "f", [Problem((), "third", "do", 3, 1), Problem((), "first", "do", 1, 9), Problem((), "second", "do", 2, 1)]
    )
    assert [line.split(": ")[-1] for line in str(error).splitlines()] == ["first; do", "second; do", "third; do"]


def test_the_caret_stands_under_the_place_even_after_tabs():
    error = InvalidDocumentError("f", [Problem((), "here", "go", 1, 4)], "a:\tb")
    assert str(error).splitlines() == ["f:1:4: here; go", "    a:\tb", "      \t^"]


def test_what_is_in_a_file_neither_drives_the_terminal_nor_ends_a_line():
    text = "a: \x1b[31mred\tb"
    told = str(InvalidDocumentError("f", [Problem((), "'a\nb\x9b' is none", "go", 1, 4)], text)).splitlines()
    assert told == ["f:1:4: 'a␊b�' is none; go", "    a: ␛[31mred\tb", "       ^"]


def test_of_a_long_line_the_part_around_the_place_is_shown():
    text = "x" * 500 + "!" + "y" * 500
    _, shown, caret = str(InvalidDocumentError("f", [Problem((), "here", "go", 1, 501)], text)).splitlines()
    assert len(shown) < 200
    assert shown[caret.index("^")] == "!"
