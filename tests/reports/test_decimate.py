import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sixnd.reports.decimate import POINT_LIMIT, keep

_SERIES = arrays(np.float64, st.integers(0, 400), elements=st.floats(-1e6, 1e6, width=32))


@given(_SERIES, st.integers(5, 60))
def test_the_highest_and_lowest_points_first_and_last_are_kept_within_the_limit(series: np.ndarray, limit: int) -> None:
    kept = keep(series, limit)
    assert kept.size <= max(limit, 0)
    assert np.all(np.diff(kept) > 0)
    if series.size:
        assert {kept[0], kept[-1]} == {0, series.size - 1}
        assert series[kept].max() == series.max()
        assert series[kept].min() == series.min()


@given(st.integers(2_001, 20_000), st.data())
def test_one_spike_in_a_long_run_stays(size: int, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, size - 1))
    series = np.linspace(9.0, 3.0, size)
    series[at] = 50.0
    kept = keep(series)
    assert at in kept
    assert kept.size <= POINT_LIMIT


@given(st.integers(2_001, 20_000), st.data())
def test_a_loss_that_is_no_number_stays_beside_the_extremes_around_it(size: int, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, size - 1))
    series = np.linspace(9.0, 3.0, size)
    series[at] = math.nan
    kept = keep(series)
    assert at in kept
    assert np.nanmin(series[kept]) == np.nanmin(series)


def test_a_short_series_is_kept_whole() -> None:
    assert keep(list(range(POINT_LIMIT))).tolist() == list(range(POINT_LIMIT))


def test_a_series_that_is_never_a_number_can_be_thinned() -> None:
    assert keep(np.full(5_000, math.nan)).size <= POINT_LIMIT
