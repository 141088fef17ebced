from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.planner.fitting.downstream import (
    AccuracyCurve,
    ErrorCurve,
    fit_accuracy,
    fit_error,
    predict,
    running_mean,
)
from sixnd.planner.fitting.resample import bootstrap
from sixnd.planner.fitting.runs import Runs
from sixnd.planner.fitting.surface import as_surface, fit_surface
from sixnd.specs.errors import SixndError
from tests.planner.fitting.published import column, rows

TASKS = (
    "mmlu_avg_test_5shot",
    "hellaswag_val_5shot",
    "arc_challenge_test_5shot",
    "arc_easy_test_5shot",
    "piqa_val_5shot",
    "csqa_val_5shot",
    "socialiqa_val_5shot",
    "openbookqa_test_5shot",
)
LADDER = "scaling/olmo_ladder/"


@cache
def ladder_fit(task):
    table = rows(LADDER + "olmo_ladder_step2_bpb_acc.csv", task=task, mode="train")
    return fit_accuracy(column(table, "bpb"), column(table, "acc"), [r["model"] + r["length"] for r in table])


def published(table, task, name="Pred"):
    return float(rows(f"{LADDER}{table}.csv", Task=task)[0][name])


@pytest.mark.parametrize("task", TASKS)
def test_the_ladders_accuracies_of_its_13b_are_reproduced(task):
    """Bhagia et al. 2024: what step 2 says of the measured and of the predicted task loss. Theirs is a local search."""
    fit = ladder_fit(task)
    (target,) = rows(LADDER + "olmo_ladder_step1_bpb.csv", task=task, model="13B-5T")
    assert float(fit.curve(np.array(float(target["bpb"])))) == pytest.approx(published("step2_main", task), abs=1e-6)
    predicted = published("step1_main", task)
    assert float(fit.curve(np.array(predicted))) == pytest.approx(published("chained_main", task), abs=1e-6)


def test_intervals_hold_what_the_13b_reached_on_most_tasks_and_say_that_they_extrapolate():
    held = 0
    for task in TASKS:
        predicted = published("step1_main", task)
        told = predict(ladder_fit(task), predicted, np.array([predicted]), level=0.95)
        assert told.low < told.value < told.high
        assert "of the fitted range outside it" in told.notes[0]
        held += told.low <= published("chained_main", task, "Actual") <= told.high
    # Step 1's own doubt is left out here; ARC, CommonsenseQA and OpenBookQA are the paper's failures.
    assert 2 <= held < len(TASKS)


curves = st.builds(
    AccuracyCurve,
    drop=st.floats(-0.7, -0.2),
    midpoint=st.floats(0.6, 1.4),
    steepness=st.floats(2, 12),
    best=st.floats(0.75, 1.0),
)


@settings(max_examples=25)
@given(curve=curves)
def test_a_known_accuracy_curve_is_found_again(curve):
    loss = np.linspace(0.4, 2.0, 40)
    fit = fit_accuracy(loss, curve(loss), np.arange(40) // 5, anchor=None, count=2)
    assert fit.curve(loss) == pytest.approx(curve(loss), abs=1e-5)
    assert fit.residual_sd < 1e-5


@settings(max_examples=25)
@given(worst=st.floats(0.7, 0.95), scale=st.floats(0.5, 3), rate=st.floats(0.3, 2))
def test_a_known_error_curve_is_found_again(worst, scale, rate):
    loss = np.linspace(2.0, 4.5, 30)
    fit = fit_error(loss, ErrorCurve(worst, scale, rate)(loss), range(30), count=2)
    assert fit.curve.rate == pytest.approx(rate, rel=1e-3)
    assert fit.curve(loss) == pytest.approx(ErrorCurve(worst, scale, rate)(loss), abs=1e-6)


def test_gadres_average_error_falls_with_loss_from_about_chance():
    curve = ErrorCurve(worst=0.85699, scale=2.2065, rate=0.71459)  # RedPajama, 17 tasks
    errors = curve(np.array([2.0, 2.5, 3.0, 20.0]))
    assert np.all(np.diff(errors) > 0)
    assert errors[-1] == pytest.approx(0.85699, abs=1e-5)
    assert errors[0] == pytest.approx(0.85699 - 2.2065 * np.exp(-1.42918))


def test_chance_holds_the_curve_where_points_near_it_would_not():
    rng = np.random.default_rng(0)
    truth = AccuracyCurve(drop=-0.65, midpoint=0.7, steepness=6, best=0.9)
    loss = np.repeat(np.linspace(0.9, 2.0, 12), 4)
    noisy = truth(loss) + rng.normal(0, 0.02, loss.size)
    fit = fit_accuracy(loss, noisy, np.arange(loss.size) // 4, chance=0.25)
    assert fit.curve.worst == pytest.approx(0.25)
    assert all(draw.worst == pytest.approx(0.25) for draw in fit.draws)
    assert fit.curve.best <= 1
    assert fit.notes == ()


def test_a_task_still_at_chance_is_said_to_predict_nothing():
    rng = np.random.default_rng(1)
    loss = np.linspace(1.0, 2.0, 40)
    fit = fit_accuracy(loss, 0.25 + rng.normal(0, 0.01, 40), np.arange(40) // 5, chance=0.25)
    assert fit.notes[0].startswith("no run is clearly above chance")
    assert fit.notes[0] in predict(fit, 0.8, np.array([0.8])).notes


def test_intervals_widen_with_the_doubt_of_the_loss():
    fit = ladder_fit(TASKS[0])
    loss = np.random.default_rng(0).normal(0.8, 0.05, 500)
    sure, unsure = predict(fit, 0.8, np.array([0.8])), predict(fit, 0.8, loss)
    assert unsure.high - unsure.low > 1.5 * (sure.high - sure.low)
    assert unsure.value == sure.value


@given(values=st.lists(st.floats(0, 10), min_size=1, max_size=30), window=st.integers(1, 7))
def test_running_means_are_means_of_the_last_few(values, window):
    means = running_mean(np.array(values), window)
    for i, mean in enumerate(means):
        assert mean == pytest.approx(np.mean(values[max(0, i - window + 1) : i + 1]), abs=1e-9)
    assert running_mean(np.array(values), window, skip=0.1).size == len(values) - int(np.ceil(0.1 * len(values)))


def test_too_few_points_are_refused():
    with pytest.raises(SixndError, match="needs 5 points of different finite loss"):
        fit_accuracy(np.ones(9), np.ones(9), range(9))


@pytest.mark.parametrize("task", TASKS)
def test_both_steps_chained_give_the_ladders_13b_predictions(task):
    told = chained(task, "13B-5T")
    assert told.value == pytest.approx(published("chained_main", task), abs=1e-5)
    assert told.low < told.value < told.high


@pytest.mark.parametrize(
    ("task", "actual", "predicted"),
    [
        ("mmlu_avg_test_5shot", 49.0, 48.4),
        ("hellaswag_val_5shot", 81.3, 82.5),
        ("piqa_val_5shot", 82.0, 81.2),
        ("socialiqa_val_5shot", 59.9, 58.7),
    ],
)
def test_both_steps_chained_give_the_papers_7b_predictions(task, actual, predicted):
    told = chained(task, "7B-4T")
    assert 100 * told.value == pytest.approx(predicted, abs=0.0501)
    assert 100 * told.low < actual < 100 * told.high


def chained(task, model):
    """Step 1, the task's loss by N and D from the final checkpoints, then step 2."""
    table = rows(LADDER + "olmo_ladder_step1_bpb.csv", task=task)
    final = [row for row in table if row["mode"] == "train"]
    runs = Runs(column(final, "N"), column(final, "D"), column(final, "bpb"))
    (target,) = (row for row in table if row["model"] == model)
    params, tokens = float(target["N"]), float(target["D"])
    step1 = fit_surface(runs, thorough=True)
    drawn = as_surface(bootstrap(runs, step1, count=400)).loss(params, tokens)
    return predict(ladder_fit(task), step1.surface.loss(params, tokens), drawn, level=0.95)
