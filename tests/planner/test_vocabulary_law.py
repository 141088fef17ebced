import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.planner.vocabulary_law import optimal_compute, unigram_loss, vocabulary_sizes
from sixnd.specs import catalog
from sixnd.specs.laws import VocabularyLaw

TAO = catalog.law("tao-2024")
assert isinstance(TAO, VocabularyLaw)
# All digits of the authors' sail-sg/scaling-with-vocab.
UNROUNDED = TAO.model_copy(
    update={
        "flops_intercept": -1.589031299255507,
        "flops_exponent": 0.4163622634135234,
        "inner_intercept": -2.4846510161625193,
        "derivative_exponent": 0.8353974035228025,
        "A1": 1.8313851559554126,
        "A2": 0.19584238398665638,
        "B": 2.1241123120064955,
        "alpha1": 0.44660634152009615,
        "alpha2": 0.6707374679896795,
        "beta": 0.44660634152009615,
    }
)
params_nv = st.floats(3e7, 1e12)


def test_published_sizes_for_7b_are_reproduced():
    sizes = vocabulary_sizes(UNROUNDED, 7e9, 4096)
    assert (int(sizes.by_isoflops), int(sizes.by_derivative), int(sizes.by_loss)) == (62280, 67450, 59547)
    rounded = vocabulary_sizes(TAO, 7e9, 4096)
    assert (rounded.by_isoflops, rounded.by_derivative, rounded.by_loss) == pytest.approx(
        (62280, 67450, 59547), rel=5e-5
    )
    assert sizes.spread == pytest.approx(67450 / 59547, rel=1e-4)


@given(params=params_nv, compute=st.floats(1e18, 1e26), off=st.floats(0.1, 10))
def test_no_other_size_has_a_lower_loss_at_the_same_compute(params, compute, off):
    best = vocabulary_sizes(TAO, params, 1, compute).by_loss
    assert unigram_loss(TAO, params, best, compute) <= unigram_loss(TAO, params, best * off, compute) + 1e-12


@given(params=params_nv, more=st.floats(1.01, 100))
def test_larger_models_deserve_larger_vocabularies_that_grow_more_slowly_than_they(params, more):
    small, large = vocabulary_sizes(TAO, params, 4096), vocabulary_sizes(TAO, params * more, 4096)
    for name in ("by_isoflops", "by_derivative", "by_loss"):
        assert 1 < getattr(large, name) / getattr(small, name) < more


@given(params=params_nv, more=st.floats(1.01, 100))
def test_more_compute_for_the_same_model_calls_for_more_entries(params, more):
    optimal = optimal_compute(TAO, params)
    richer = vocabulary_sizes(TAO, params, 4096, optimal * more)
    base = vocabulary_sizes(TAO, params, 4096)
    assert richer.by_loss > base.by_loss
    assert richer.by_isoflops == base.by_isoflops
