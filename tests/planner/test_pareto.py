"""The Pareto front holds exactly what nothing beats."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sixnd.planner.pareto import front, thinned, worthwhile

_few_values = st.integers(0, 6).map(float)  # few, so that ties and equal rows occur
tables = st.tuples(st.integers(1, 40), st.integers(1, 3)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.one_of(_few_values, st.floats(-1e6, 1e6)))
)


def beats(one, other):
    return bool((one <= other).all() and (one < other).any())


@given(tables)
def test_nothing_beats_a_member_and_a_member_beats_or_equals_every_other(table):
    members = front(table)
    for row in range(len(table)):
        if row in members:
            assert not any(beats(other, table[row]) for other in table)
        else:
            assert any(beats(table[m], table[row]) or (table[m] == table[row]).all() for m in members)


@given(tables)
def test_members_differ_and_are_sorted_by_the_first_criterion(table):
    members = front(table)
    assert len({tuple(table[m]) for m in members}) == len(members)
    assert (np.diff(table[members, 0]) >= 0).all()


def test_of_equal_candidates_the_first_stands_for_all():
    assert front(np.array([[2.0, 2.0], [1.0, 3.0], [1.0, 3.0]])).tolist() == [1, 0]


def test_no_candidate_no_front():
    assert front(np.empty((0, 2))).size == 0


@given(st.lists(st.floats(0, 1), min_size=2, max_size=60, unique=True), st.integers(2, 12))
def test_a_thinned_front_is_short_in_order_and_keeps_the_first(values, most):
    spread = np.sort(np.array(values))
    members = np.arange(len(spread)) + 100
    kept = thinned(members, spread, most)
    assert len(kept) <= most
    assert (np.diff(kept) > 0).all()
    assert kept[0] == members[0]


def test_a_short_front_is_not_thinned():
    assert thinned(np.array([4, 2, 9]), np.array([3.0, 2.0, 1.0]), 3).tolist() == [4, 2, 9]


@given(st.lists(st.integers(0, 100).map(float), min_size=1, max_size=40), st.integers(1, 20))
def test_what_is_worthwhile_saves_enough_over_the_one_before_and_leaves_nothing_out_that_would(values, least):
    falling = np.sort(np.array(values))[::-1]
    members = np.arange(len(falling)) + 7
    kept = worthwhile(members, falling, least) - 7
    assert kept[0] == 0
    assert all(falling[one] - falling[other] >= least for one, other in pairwise(kept))
    for i in set(range(len(falling))) - set(kept.tolist()):
        before = max(k for k in kept if k < i)
        assert falling[before] - falling[i] < least


def test_a_large_table_is_sifted_in_a_blink():
    import time

    generator = np.random.default_rng(1)
    table = generator.random((100_000, 2))
    start = time.perf_counter()
    members = front(table)
    assert time.perf_counter() - start < 1
    assert 2 < len(members) < 100


@pytest.mark.parametrize("width", [1, 2, 3])
def test_one_candidate_is_its_own_front(width):
    assert front(np.zeros((1, width))).tolist() == [0]
