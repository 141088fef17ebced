import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.planner.fitting.zoom import least, scan

inside = st.floats(-2.9, 2.9)


@settings(max_examples=40)
@given(x=inside, y=inside, tilt=st.floats(-0.95, 0.95), stretch=st.floats(1, 100))
def test_the_lowest_point_of_a_tilted_bowl_is_found(x, y, tilt, stretch):
    def bowl(p):
        u, v = p[:, 0] - x, stretch * (p[:, 1] - y)
        return 5 + u**2 + v**2 + 2 * tilt * u * v

    at, value = least(bowl, np.array([-3.0, -3.0]), np.array([3.0, 3.0]))
    assert value == pytest.approx(5, abs=1e-12)
    assert at == pytest.approx([x, y], abs=1e-6)


def test_a_curved_valley_is_followed_to_its_end():
    at, value = least(
        lambda p: (1 - p[:, 0]) ** 2 + 100 * (p[:, 1] - p[:, 0] ** 2) ** 2, np.array([-2.0, -2.0]), np.array([2.0, 4.0])
    )
    assert value < 1e-12
    assert at == pytest.approx([1, 1], abs=1e-5)


def test_a_minimum_at_the_edge_and_infinite_values_are_no_trouble():
    at, value = least(lambda p: np.where(p[:, 0] < 0.5, np.nan, p[:, 0]), np.array([0.0]), np.array([2.0]))
    assert value == pytest.approx(0.5, abs=1e-8)
    assert at[0] == pytest.approx(0.5, abs=1e-8)
    assert least(lambda p: p[:, 0], np.array([1.0]), np.array([2.0]))[1] == 1.0


@given(centers=st.lists(st.tuples(inside, inside), min_size=1, max_size=6))
def test_many_bowls_are_scanned_at_once(centers):
    c = np.array(centers)
    found = scan(lambda p: ((p[:, None] - c) ** 2).sum(axis=2), np.full(2, -3.0), np.full(2, 3.0))
    assert found.shape == (len(centers), 2)
    assert found == pytest.approx(c, abs=max(6 / 63, 0.08))
    if len(centers) == 1:
        assert found == pytest.approx(c, abs=2e-3)
