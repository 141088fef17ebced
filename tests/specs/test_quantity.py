"""Quantities: what is read, what it amounts to, and what is refused."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.specs.quantity import (
    ACCELERATOR_TIME,
    BYTES,
    DIMENSIONS,
    FLOPS,
    MONEY,
    PARAMS,
    TIME,
    TOKENS,
    AcceleratorCount,
    Dimension,
    format_quantity,
    parse_accelerators,
    parse_quantity,
)

dimensions = st.sampled_from(DIMENSIONS)
sizes = st.floats(min_value=1e-12, max_value=1e30)


@pytest.mark.parametrize(
    ("text", "dimension", "expected"),
    [
        ("3e21 FLOPs", FLOPS, 3e21),
        ("40k PF-days", FLOPS, None),
        ("4e4 PF-days", FLOPS, 4e4 * 1e15 * 86400),
        ("3.8 YFLOPs", FLOPS, 3.8e24),
        (3e21, FLOPS, 3e21),
        ("14 days", TIME, 14 * 86400),
        ("1.5 h", TIME, 5400),
        ("90min", TIME, 5400),
        ("2 weeks", TIME, 14 * 86400),
        ("40000 GPU-hours", ACCELERATOR_TIME, 40000),
        ("30.84M GPU-hours", ACCELERATOR_TIME, 30.84e6),
        ("10 GPU-days", ACCELERATOR_TIME, 240),
        ("$250k", MONEY, 250e3),
        ("250k USD", MONEY, 250e3),
        ("$ 1,250,000", MONEY, 1.25e6),
        (250, MONEY, 250),
        ("20B tokens", TOKENS, 20e9),
        ("20 B tokens", TOKENS, 20e9),
        ("15.6T", TOKENS, 15.6e12),
        ("1_000_000", TOKENS, 1e6),
        ("7B params", PARAMS, 7e9),
        ("80 GiB", BYTES, 80 * 2**30),
        ("94 GB", BYTES, 94e9),
        ("  .5 GB ", BYTES, 0.5e9),
    ],
)
def test_a_quantity_amounts_to_its_number_times_its_unit(text, dimension, expected):
    if expected is None:
        with pytest.raises(ValueError, match="unknown unit"):
            parse_quantity(text, dimension)
    else:
        assert parse_quantity(text, dimension) == pytest.approx(expected, rel=1e-12)


@given(dimensions, sizes)
def test_what_is_written_is_read_back_to_nine_digits(dimension, value):
    assert parse_quantity(format_quantity(value, dimension), dimension) == pytest.approx(value, rel=1e-8)


@given(dimensions, sizes)
def test_writing_is_stable_so_that_a_saved_spec_keeps_its_digest(dimension, value):
    once = format_quantity(value, dimension)
    assert format_quantity(parse_quantity(once, dimension), dimension) == once


@pytest.mark.parametrize("dimension", DIMENSIONS, ids=lambda d: d.name)
def test_every_unit_is_read_with_and_without_a_space(dimension):
    for unit, factor in dimension.units.items():
        assert parse_quantity(f"2.5 {unit}", dimension) == 2.5 * factor
        assert parse_quantity(f"2.5{unit}", dimension) == 2.5 * factor


@pytest.mark.parametrize("dimension", DIMENSIONS, ids=lambda d: d.name)
def test_the_base_unit_and_the_example_are_of_the_dimension(dimension):
    assert dimension.units[dimension.base] == 1.0 if dimension.base in dimension.units else True
    assert parse_quantity(format_quantity(1.0, dimension), dimension) == 1.0
    assert parse_quantity(dimension.example, dimension) > 0


@settings(max_examples=40)
@given(st.data(), dimensions)
def test_whatever_an_editor_accepts_the_parser_reads(data, dimension):
    text = data.draw(st.from_regex(dimension.pattern, fullmatch=True))
    try:
        assert parse_quantity(text, dimension) > 0
    except ValueError as error:  # zero, or beyond a double: the only things that a pattern cannot tell
        assert "positive, finite" in str(error)


@pytest.mark.parametrize(
    ("text", "dimension", "named"),
    [
        ("7 days", PARAMS, "time"),
        ("7B params", TOKENS, "parameters"),
        ("20B tokens", PARAMS, "tokens"),
        ("3e21 FLOPs", TIME, "compute"),
        ("14 days", FLOPS, "time"),
        ("40000 GPU-hours", TIME, "accelerator time"),
        ("14 days", ACCELERATOR_TIME, "time"),
        ("80 GiB", MONEY, "memory"),
    ],
)
def test_a_unit_of_another_dimension_names_both(text, dimension, named):
    with pytest.raises(ValueError, match=f"is a unit of {named}, but {dimension.name} is expected"):
        parse_quantity(text, dimension)


@pytest.mark.parametrize("dimension", DIMENSIONS, ids=lambda d: d.name)
@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, 0, -1, -2.5, True, False, None, [], {}, "", " ", "B", "1.2.3", 10**400]
)
def test_what_is_no_positive_finite_quantity_is_refused(value, dimension):
    with pytest.raises(ValueError, match=r"like|such as|unit"):
        parse_quantity(value, dimension)


@pytest.mark.parametrize("dimension", DIMENSIONS, ids=lambda d: d.name)
def test_a_negative_zero_or_endless_quantity_with_a_good_unit_is_refused(dimension):
    for number in ("-1", "0", "1e999"):
        with pytest.raises(ValueError, match="positive, finite"):
            parse_quantity(f"{number} {dimension.base}", dimension)


@pytest.mark.parametrize("dimension", [TIME, ACCELERATOR_TIME], ids=lambda d: d.name)
@pytest.mark.parametrize("value", [14, 14.0, "14"])
def test_a_bare_time_is_refused_because_hours_and_seconds_are_confused(value, dimension):
    with pytest.raises(ValueError, match="without a unit is ambiguous"):
        parse_quantity(value, dimension)


@pytest.mark.parametrize("dimension", [d for d in DIMENSIONS if d is not MONEY], ids=lambda d: d.name)
def test_dollars_are_money_only(dimension):
    with pytest.raises(ValueError, match=f"not a {dimension.name}"):
        parse_quantity(f"$3 {dimension.base}", dimension)


def test_a_decimal_comma_is_refused_instead_of_read_as_thousands():
    with pytest.raises(ValueError, match="not a time"):
        parse_quantity("2,5 days", TIME)
    assert parse_quantity("2,500 s", TIME) == 2500


def test_a_misspelt_unit_names_the_nearest_one():
    with pytest.raises(ValueError, match="did you mean 'GPU-hours'"):
        parse_quantity("40000 GPUhours", ACCELERATOR_TIME)


@given(st.text())
def test_any_text_is_read_or_refused_with_a_sentence(text):
    for dimension in DIMENSIONS:
        assert _read_or_none(text, dimension) is None or _read_or_none(text, dimension) > 0


def _read_or_none(text: str, dimension: Dimension) -> float | None:
    try:
        return parse_quantity(text, dimension)
    except ValueError:
        return None


@given(st.integers(1, 10**9), st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True))
def test_accelerators_are_read_back_as_written(count, name):
    machines = AcceleratorCount(count, name)
    assert parse_accelerators(str(machines)) == machines


@pytest.mark.parametrize("text", ["512 x h100-sxm", "512x h100-sxm", "512 × h100-sxm", "512 * h100-sxm"])
def test_the_times_sign_may_be_written_four_ways(text):
    assert parse_accelerators(text) == AcceleratorCount(512, "h100-sxm")


@pytest.mark.parametrize("value", ["h100-sxm", "x h100-sxm", "0 x h100-sxm", "-1 x cpu", "1.5 x cpu", 512, None, True])
def test_accelerators_without_a_count_or_name_are_refused(value):
    with pytest.raises(ValueError, match="accelerator"):
        parse_accelerators(value)
