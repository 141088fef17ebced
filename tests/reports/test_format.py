import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.reports import format as fmt
from sixnd.reports.figures import estimated, exact
from tests.reports.build import estimate


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("count", 405.9e9, "405.9B"),
        ("count", 15.6e12, "15.6T"),
        ("count", 999.96e6, "1B"),
        ("count", 1234, "1,234"),
        ("integer", 95367, "95,367"),
        ("flops", 3.8e25, "3.80e25 FLOPs"),
        ("memory", 72.3e9, "72.3 GB"),
        ("memory", 999.9e6, "1 GB"),
        ("memory", 0, "0 B"),
        ("money", 113e6, "$113M"),
        ("money", 2480, "$2,480"),
        ("money", 12.5, "$12.50"),
        ("money", 0.0276, "$0.028"),
        ("money", 0, "$0"),
        ("energy", 31.1e6, "31.1 GWh"),
        ("energy", 0.0123, "12.3 Wh"),
        ("mass", 18.2097e6, "18.2 kt"),
        ("mass", 0.563e-3, "0.563 g"),
        ("duration", 97 * 86400, "97 days"),
        ("duration", 744, "12.4 min"),
        ("duration", 0.84, "840 ms"),
        ("duration", 0, "0 s"),
        ("nats", 1.8432, "1.843 nats"),
        ("percent", 0.413, "41.3 %"),
        ("share", 0.5, "50.0 %"),
        ("rate", 2.1324e6, "2.132M tokens/s"),
        ("number", 1.2e-5, "1.2e-05"),
    ],
)
def test_numbers_read_as_people_write_them(kind: str, value: float, text: str) -> None:
    assert fmt.FORMATS[kind](value) == text


def test_an_interval_names_its_unit_once_and_stays_in_the_unit_of_its_value() -> None:
    assert estimated("duration", estimate(97 * 86400, "s", "", 0.1)).full == "97 days (87.3–107)"
    assert estimated("duration", estimate(2.2 * 3600, "s", "", 0.2)).full == "2.2 h (1.76–2.64)"
    assert estimated("memory", estimate(1.1e9, "B", "", 0.2)).full == "1.1 GB (880 MB–1.32 GB)"
    assert estimated("money", estimate(113e6, "USD", "", 0.1)).full == "$113M ($102M–$124M)"


def test_an_interval_without_width_is_not_shown() -> None:
    assert estimated("money", estimate(0, "USD", "")).full == "$0"


@pytest.mark.parametrize(
    ("actual", "planned", "text"),
    [(1.032, 1, "+3.2 %"), (0.5, 1, "−50.0 %"), (1, 1, "0 %"), (1.0001, 1, "<0.1 %"), (12.5, 1, "×12.5"), (1, 0, "")],
)
def test_differences_are_signed(actual: float, planned: float, text: str) -> None:
    assert fmt.relative(actual, planned) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_said_and_has_no_value(value: float) -> None:
    figure = exact("nats", value)
    assert figure.value is None
    assert figure.text in ("not a number", "+infinite", "-infinite")


@given(st.floats(1e-6, 1e15))
def test_three_digits_never_lie_by_more_than_half_a_percent(value: float) -> None:
    assert float(fmt.significant(value).replace(",", "")) == pytest.approx(value, rel=5.1e-3)


@given(st.floats(1, 1e14), st.floats(1, 1e14))
def test_counts_keep_their_order(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert _read(fmt.count(low)) <= _read(fmt.count(high))


def _read(text: str) -> float:
    scale = {"k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}.get(text[-1], 1.0)
    return float(text.rstrip("kMBT").replace(",", "")) * scale


def test_a_ratio_to_nothing_has_no_digits():
    assert [fmt.significant(value) for value in (math.inf, -math.inf)] == ["∞", "−∞"]
