"""The re-fit of the step-time model: what moves, what stays, and how sure it is."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.planner.calibration import WIDTHS, MeasuredStep, calibrated, constants
from sixnd.planner.candidates import Layouts
from sixnd.planner.runtime import runtime, with_constants
from sixnd.planner.step_seconds import step_seconds
from sixnd.specs import catalog
from sixnd.specs.step_family import StepFamily
from tests.planner.building import layout, machine

H100 = runtime(machine("64 x h100-sxm"))
CPU = runtime(machine("1 x cpu-2core"))


def step(name="llama-3-8b", data=8, *, batch=64, sequence=8192, seconds=1.0, **degrees):
    """A step of a catalogued model; 8 ranks of data parallelism in one node unless said otherwise."""
    model = catalog.model_family(name).architecture
    return MeasuredStep(model, Layouts.of(layout(data=data, **degrees)), sequence, batch, seconds)


def measured(one, factor=1.0, noise=0.0, by=H100):
    """The step with the predicted time, or so many times that."""
    return replace(one, seconds=one.predicted_s(by) * factor, noise=noise)


STEPS = [
    step(),
    step(tensor=2, data=4),
    step("llama-2-7b", sequence=4096, micro_batch=2),
    step("qwen-2.5-0.5b", sequence=2048, batch=512, micro_batch=8),
    step("llama-3-70b", tensor=8, pipeline=4, data=2, sequence_parallel=True),
    step("mixtral-8x7b", data=8, expert=8, sequence=4096),
]
TIMES = st.floats(0.5, 2.0)
ROWS = st.lists(st.tuples(st.sampled_from(range(len(STEPS))), TIMES), min_size=1, max_size=4)


@pytest.mark.parametrize("one", STEPS, ids=lambda one: f"{one.model.layers}x{one.model.hidden}")
def test_predictions_by_several_runtimes_at_once_are_the_model_s(one):
    slower = replace(H100, family=with_constants(H100.family, {"matmul.bf16": 0.5, "layer_overhead_s": 1e-3}))
    found = one.each_predicted_s([H100, slower])
    assert found.tolist() == pytest.approx(
        [
            float(step_seconds(one.model, one.layout, one.sequence, one.global_batch, by).total[0])
            for by in (H100, slower)
        ]
    )


def test_every_constant_of_a_family_can_be_fitted():
    told = {"description", "source", "relative_error", "expert_relative_error"}
    assert set(StepFamily.model_fields) - told <= set(WIDTHS)


@given(st.lists(st.sampled_from(STEPS), min_size=1, max_size=3))
@settings(max_examples=8, deadline=None)
def test_rows_predicted_exactly_change_no_constant(rows):
    found = calibrated(H100, [measured(row) for row in rows])
    after = constants(found.runtime.family)
    assert after == pytest.approx(constants(H100.family), rel=1e-6)


@pytest.mark.parametrize("factor", [1.3, 1 / 1.3])
@pytest.mark.parametrize("one", STEPS[:5], ids=lambda one: f"{one.model.layers}x{one.model.hidden}")
def test_one_row_moves_predictions_of_like_runs_most_of_the_way(one, factor):
    found = calibrated(H100, [measured(one, factor)])
    for like in (one, replace(one, global_batch=2 * one.global_batch)):
        moved = math.log(like.predicted_s(found.runtime) / like.predicted_s(H100)) / math.log(factor)
        assert 0.5 < moved < 1.0


def test_several_configurations_move_predictions_further_than_one():
    rows = [measured(one, 1.3) for one in STEPS[:5]]
    one, all_of_them = (calibrated(H100, some).runtime for some in (rows[:1], rows))
    assert STEPS[0].predicted_s(all_of_them) > STEPS[0].predicted_s(one) > STEPS[0].predicted_s(H100)


def test_a_constant_that_no_row_depends_on_stays_as_it_was():
    alone = step("qwen-2.5-0.5b", data=1, sequence=2048)
    found = calibrated(H100, [measured(alone, 1.3)])
    before, after = constants(H100.family), constants(found.runtime.family)
    for name in ("network", "scale_up", "exposed_data", "exposed_tensor", "misaligned", "expert_matmul.bf16", "cast"):
        assert name not in found.posterior.names
        assert after[name] == before[name]
    assert after["matmul.bf16"] < before["matmul.bf16"]


def test_a_repeated_row_tells_no_more_than_itself():
    once, often = ([measured(STEPS[0], 1.3, 0.001)] * n for n in (1, 5))
    few, many = calibrated(H100, once), calibrated(H100, often)
    assert STEPS[0].predicted_s(many.runtime) == pytest.approx(STEPS[0].predicted_s(few.runtime), rel=1e-3)
    assert many.posterior.relative_error(STEPS[0], H100) == pytest.approx(
        few.posterior.relative_error(STEPS[0], H100), rel=1e-3
    )


@given(ROWS, st.sampled_from(range(len(STEPS))))
@settings(max_examples=30, deadline=None)
def test_a_further_row_that_agrees_never_widens_an_interval(given_rows, more):
    rows = [measured(STEPS[i]) for i, _ in given_rows]
    fewer, further = calibrated(H100, rows), calibrated(H100, [*rows, measured(STEPS[more])])
    for one in STEPS:
        narrow, wide = (found.posterior.relative_error(one, H100) for found in (further, fewer))
        assert narrow <= wide * (1 + 1e-9)


@given(ROWS)
@settings(max_examples=30, deadline=None)
def test_whatever_was_measured_gives_constants_that_can_be(given_rows):
    rows = [measured(STEPS[i], factor) for i, factor in given_rows]
    found = calibrated(H100, rows)
    type(H100.family).model_validate(found.runtime.family.plain())
    covariance = found.posterior.covariance
    assert np.linalg.eigvalsh(covariance).min() > 0
    assert (np.sqrt(np.diag(covariance)) <= [found.spread_before[n] * (1 + 1e-6) for n in found.posterior.names]).all()


def test_a_row_far_from_all_that_constants_can_be_widens_the_interval():
    found = calibrated(H100, [measured(STEPS[0], 3.0)])
    assert found.posterior.relative_error(STEPS[0], found.runtime) > H100.family.relative_error


def test_one_row_that_contradicts_four_hardly_moves_what_they_say():
    rows = [measured(one, 1.2) for one in STEPS[:5]]
    wrong = replace(rows[2], seconds=rows[2].seconds * 2)
    clean, robust = (calibrated(H100, some).runtime for some in (rows, [*rows[:2], wrong, *rows[3:]]))
    assert STEPS[0].predicted_s(robust) == pytest.approx(STEPS[0].predicted_s(clean), rel=0.05)


def test_measurement_noise_pulls_less():
    quiet, noisy = (calibrated(H100, [measured(STEPS[0], 1.3, noise)]).runtime for noise in (0.0, 0.1))
    assert STEPS[0].predicted_s(H100) < STEPS[0].predicted_s(noisy) < STEPS[0].predicted_s(quiet)


def test_on_another_cpu_than_the_catalog_s_one_row_is_believed_almost_whole():
    model = catalog.model_family("qwen-2.5-0.5b").architecture
    one = MeasuredStep(model, Layouts.of(layout()), 256, 8, 1.0)
    found = calibrated(CPU, [measured(one, 2.5, by=CPU)])
    moved = math.log(one.predicted_s(found.runtime) / one.predicted_s(CPU)) / math.log(2.5)
    assert 0.9 < moved < 1.0
    assert found.posterior.relative_error(one, found.runtime) < 0.25
