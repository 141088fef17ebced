import numpy as np
import pytest

from sixnd.planner.fitting.envelope import fit_envelope
from sixnd.planner.fitting.runs import Runs
from sixnd.specs.errors import SixndError

E, A, B, ALPHA, BETA = 1.8172, 482.01, 2085.43, 0.3478, 0.3658
EXPONENT = BETA / (ALPHA + BETA)


def curves(sizes=25):
    params, tokens = np.meshgrid(np.geomspace(1e8, 1e10, sizes), np.geomspace(1e9, 1e12, 60), indexing="ij")
    params, tokens = params.ravel(), tokens.ravel()
    return Runs(params, tokens, E + A / params**ALPHA + B / tokens**BETA), [f"{n:.3g}" for n in params]


def test_the_envelope_of_a_surface_follows_its_optimum():
    fit = fit_envelope(*curves())
    scale = (ALPHA * A / (BETA * B)) ** (1 / (ALPHA + BETA))
    assert fit.params.exponent == pytest.approx(EXPONENT, abs=0.002)
    assert fit.params(1e21) == pytest.approx(scale * (1e21 / 6) ** EXPONENT, rel=0.01)
    assert fit.params.exponent + fit.tokens.exponent == pytest.approx(1, abs=1e-6)


def test_the_envelope_lies_below_every_curve_and_leaves_out_its_ends():
    fit = fit_envelope(*curves(), count=50)
    assert np.all(np.diff(fit.best_loss) < 0)
    assert fit.left_out > 0
    assert fit.left_out + fit.compute.size == 1500
    assert fit.best_params.min() > 1.01e8
    assert fit.best_params.max() < 0.99e10
    low, high = fit.params.exponent_interval()
    assert low < EXPONENT < high


def test_order_of_the_points_does_not_matter():
    runs, names = curves(8)
    order = np.random.default_rng(0).permutation(len(names))
    shuffled = Runs(runs.params[order], runs.tokens[order], runs.loss[order])
    found = fit_envelope(shuffled, [names[i] for i in order]).params.exponent
    assert found == pytest.approx(fit_envelope(runs, names).params.exponent, rel=1e-12)


def test_a_run_of_two_sizes_is_refused():
    runs, names = curves(5)
    names[0] = names[-1]
    with pytest.raises(SixndError, match="has points of 2 sizes"):
        fit_envelope(runs, names)


def test_two_sizes_have_no_size_between_others():
    with pytest.raises(SixndError, match="two sizes that are best between"):
        fit_envelope(*curves(2))
