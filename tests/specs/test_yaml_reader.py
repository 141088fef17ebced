"""The YAML reader: YAML 1.2 scalars, exact marks, and nothing that a document could do to its reader."""

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.specs.errors import InvalidDocumentError
from sixnd.specs.yaml_reader import dump_yaml, on_one_line, read_yaml


def value_of(scalar: str):
    return read_yaml(f"key: {scalar}", "f.yaml").data["key"]


@pytest.mark.parametrize(
    ("scalar", "expected"),
    [
        ("3e23", 3e23),
        ("1e3", 1000.0),
        ("1.5E+3", 1500.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("-0.0", -0.0),
        ("12", 12),
        ("+12", 12),
        ("-7", -7),
        ("012", 12),
        ("0o14", 12),
        ("0xFf", 255),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("Null", None),
        (".inf", math.inf),
        ("-.Inf", -math.inf),
        ("+.INF", math.inf),
    ],
)
def test_plain_scalars_follow_the_core_schema(scalar, expected):
    found = value_of(scalar)
    assert found == expected
    assert type(found) is type(expected)


STRINGS_IN_1_2 = """\
no yes on off Yes y tRUE nuLL 1_000 0b11 1:30 2026-11-25 1e e3 . .iNf .NAn 0o8 0xg +0x1 1e+ = 1,5"""


@pytest.mark.parametrize("scalar", [*STRINGS_IN_1_2.split(), "12 days", "3e21 FLOPs"])
def test_what_yaml_1_1_would_have_guessed_is_a_string(scalar):
    assert value_of(scalar) == scalar


def test_not_a_number_is_read():
    assert math.isnan(value_of(".nan"))


@pytest.mark.parametrize("scalar", ["'3e23'", '"3e23"', "'null'", '"true"'])
def test_what_is_quoted_is_a_string(scalar):
    assert value_of(scalar) == scalar[1:-1]


def test_an_integer_beyond_any_use_is_a_float_and_not_an_hour_of_arithmetic():
    begun = time.perf_counter()
    assert value_of("9" * 100_000) == math.inf
    assert time.perf_counter() - begun < 1


def test_every_value_and_key_is_marked_with_its_line_and_column():
    text = "a: 1\nb:\n  - x\n  - c: [2, 33]\n    'd': {e: é, f: 3}\n"
    marked = read_yaml(text, "f.yaml")
    assert marked.data == {"a": 1, "b": ["x", {"c": [2, 33], "d": {"e": "é", "f": 3}}]}
    assert marked.values[("a",)] == (1, 4)
    assert marked.keys[("b",)] == (2, 1)
    assert marked.values[("b", 0)] == (3, 5)
    assert marked.values[("b", 1, "c", 1)] == (4, 12)
    assert marked.keys[("b", 1, "d")] == (5, 5)
    assert marked.values[("b", 1, "d", "f")] == (5, 20)


def test_a_path_that_is_not_in_the_file_is_placed_at_its_nearest_ancestor():
    marked = read_yaml("a:\n  b: {c: 1}\n", "f.yaml")
    assert marked.at(("a", "b", "missing", "deeper")) == (2, 3)
    assert marked.at(("nowhere",)) == (1, 1)


def test_a_duplicate_key_is_a_problem_that_names_the_first():
    marked = read_yaml("a: 1\nb: 2\na: 3\n", "f.yaml")
    assert marked.data == {"a": 1, "b": 2}
    (problem,) = marked.problems
    assert (problem.line, problem.column) == (3, 1)
    assert "duplicate key 'a' (first given on line 1)" in problem.message


def test_a_duplicate_is_seen_however_it_is_quoted():
    assert read_yaml("{a: 1, 'a': 2}", "f").problems


@pytest.mark.parametrize("text", ["a: &x {b: 1}\nc:\n  <<: *x\n", "<<: {a: 1}"])
def test_merge_keys_are_refused(text):
    (problem,) = read_yaml(text, "f").problems
    assert "merge keys" in problem.message


def test_a_quoted_merge_key_is_an_ordinary_key():
    assert read_yaml("'<<': 1", "f").data == {"<<": 1}


@pytest.mark.parametrize(
    "scalar",
    [
        "!!str 12",
        "!!int '3'",
        "!local x",
        "!!python/object/apply:os.system [ls]",
        "!!set {a, b}",
        "!foo {b: 1}",
        "!!map {}",
    ],
)
def test_tags_are_refused_wherever_they_stand(scalar):
    (problem,) = read_yaml(f"key: {scalar}", "f").problems
    assert "is not allowed" in problem.message
    assert (problem.line, problem.column) == (1, 6)


def test_a_list_or_mapping_as_key_is_refused():
    assert [p.message for p in read_yaml("? [a, b]\n: 1\n", "f").problems] == ["a key is no plain word"]


def test_an_alias_reads_as_its_anchor_and_stands_where_the_anchor_stands():
    marked = read_yaml("a: &x 14 days\nb: *x\n", "f.yaml")
    assert marked.data == {"a": "14 days", "b": "14 days"}
    assert marked.values[("b",)] == (1, 4)


def test_aliases_that_blow_up_are_stopped():
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    begun = time.perf_counter()
    with pytest.raises(InvalidDocumentError, match=r"f\.yaml:\d+:\d+: .*larger than 200000 values"):
        read_yaml("\n".join(rows), "f.yaml")
    assert time.perf_counter() - begun < 10


def test_an_alias_of_itself_is_stopped():
    with pytest.raises(InvalidDocumentError, match="nested deeper than 64"):
        read_yaml("a: &x [*x]", "f.yaml")


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ("{a: ", "}"), ("- ", "")])
@pytest.mark.parametrize("depth", [70, 999, 5_000, 200_000])
def test_a_document_nested_too_deep_is_refused_and_never_exhausts_the_stack(opening, closing, depth):
    with pytest.raises(InvalidDocumentError, match=r"f\.yaml"):
        read_yaml(opening * depth + "1" + closing * depth, "f.yaml")


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a: [1, 2", 1, 4),
        ("a: 1\n\tb: 2\n", 2, 1),
        ("a: 1\n b: 2\n", 2, 3),
        ("a: b: c\n", 1, 5),
        ("a: 'open\n", 1, 4),
        ("a: 1\n---\nb: 2\n", 2, 1),
        ("a: *nowhere\n", 1, 4),
    ],
)
def test_a_syntax_error_has_its_place(text, line, column):
    with pytest.raises(InvalidDocumentError) as caught:
        read_yaml(text, "f.yaml")
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == (line, column)
    assert problem.message.startswith("not valid YAML")


@pytest.mark.parametrize("character", ["\x00", "\x07", "\ud800", "\x1b", "\x7f", "\ufffe"])
def test_a_character_that_yaml_does_not_allow_is_told_with_its_place(character):
    with pytest.raises(InvalidDocumentError, match=rf"f\.yaml:2:5: not valid YAML.*U\+{ord(character):04X}"):
        read_yaml(f"é: 1\nb: é{character}", "f.yaml")


def test_a_byte_order_mark_changes_neither_keys_nor_columns(tmp_path):
    marked = read_yaml("\ufeffa: 1\n", "f.yaml")
    assert marked.data == {"a": 1}
    assert marked.values[("a",)] == (1, 4)


def test_an_empty_document_is_none():
    assert read_yaml("", "f").data is None
    assert read_yaml("# only a comment\n", "f").data is None


characters = st.characters(exclude_categories=["Cs"])
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(characters)
plain_data = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(characters), inner, max_size=4),
    max_leaves=12,
)
words_that_mislead = st.sampled_from(
    [
        "no",
        "yes",
        "1e3",
        "3e23",
        "0o14",
        "1_000",
        "null",
        "~",
        "",
        " ",
        "<<",
        "2026-11-25",
        "- a",
        "a: b",
        "#",
        "1:30",
        ".5",
    ]
)


@given(plain_data)
def test_what_is_dumped_is_read_back_equal(data):
    marked = read_yaml(dump_yaml(data), "f.yaml")
    assert marked.problems == []
    assert marked.data == data


@given(st.dictionaries(words_that_mislead, words_that_mislead))
def test_strings_that_look_like_something_else_stay_strings(data):
    assert read_yaml(dump_yaml(data), "f.yaml").data == data


@given(st.dictionaries(words_that_mislead, words_that_mislead))
def test_a_reader_of_yaml_1_1_sees_the_same_strings(data):
    import yaml

    assert yaml.safe_load(dump_yaml(data)) == data


@given(st.text(st.sampled_from("ab01e.+-:,[]{}&*!|>'\"%@`#? \n\t~<"), max_size=60))
def test_any_text_is_read_or_refused_with_a_place(text):
    try:
        read_yaml(text, "f.yaml")
    except InvalidDocumentError as error:
        assert all(p.line >= 1 and p.column >= 1 for p in error.problems)


@given(st.text(min_size=1).filter(lambda text: text.isprintable()))
def test_any_printable_word_is_written_so_that_it_is_read_back(word):
    assert read_yaml(f"{{a: {on_one_line(word)}, b: 1}}", "f.yaml").data == {"a": word, "b": 1}
    assert read_yaml(f"a: {on_one_line(word)}   # comment", "f.yaml").data == {"a": word}


@given(st.lists(st.text().filter(lambda text: text.isprintable()) | st.integers() | st.booleans() | st.none()))
def test_a_list_on_one_line_is_read_back(values):
    assert read_yaml(f"a: {on_one_line(values)}", "f.yaml").data == {"a": values}
