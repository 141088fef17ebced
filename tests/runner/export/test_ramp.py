"""A batch ramp in Megatron-LM's arguments: its own counter gives every step the planned batch, or it is refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from megatron.core.num_microbatches_calculator import RampupBatchsizeNumMicroBatchesCalculator

from sixnd.planner.batch_ramp import planned_batches
from sixnd.runner.export.ramp import obstacles, rampup
from sixnd.runner.export.to_megatron_lm import arguments, megatron_lm
from sixnd.runner.export.to_nemo import nemo
from sixnd.specs.batch_ramp import BatchRamp
from sixnd.specs.errors import UntrainablePlanError
from sixnd.specs.plan import Plan
from tests.runner import tiny
from tests.runner.export.test_plan import SWITCHES, VALUES
from tests.runner.ramped import ramped

WSD = {"schedule": "wsd", "warmup_steps": 2, "decay_steps": 5}
STAGES = ((6, 2), (3, 4), (2, 6), (20, 8))


def plan(stages: Any = STAGES, **training: Any) -> Plan:
    return ramped(tiny.plan(), stages, **(WSD | training))


def batches_of(made: Plan) -> list[int]:
    """The batch of each step by Megatron's counter, which is told what was read."""
    value = arguments(made, None)["--rampup-batch-size"]
    full = made.training.global_batch
    counter = RampupBatchsizeNumMicroBatchesCalculator(full, 1, 1, False, 1, *(int(word) for word in value))  # type: ignore[union-attr, arg-type]
    found, read = [], 0
    while read < int(str(arguments(made, None)["--train-samples"])):
        counter.update(read, consistency_check=True)
        found.append(counter.get_current_global_batch_size())
        read += found[-1]
    return found


def planned_sizes(made: Plan) -> list[int]:
    return [made.training.batches.of_step(step) for step in range(1, made.training.steps + 1)]


@pytest.mark.parametrize(
    "stages", [STAGES, ((5, 4), (20, 8)), ((2, 1), (1, 2), (1, 3), (30, 4)), ((1, 10), (1, 15), (9, 16))]
)
def test_megatron_counts_the_planned_batches(stages: Any) -> None:
    made = plan(stages, warmup_steps=1)
    assert batches_of(made) == planned_sizes(made)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 12), st.integers(1, 3000), st.integers(1, 40))
def test_a_linear_ramp_is_said_as_planned_or_not_at_all(
    start: int, increment: int, count: int, samples: int, more: int
) -> None:
    full, length = start + count * increment, 32
    ramp = BatchRamp(start=float(start * length), increment=float(increment * length), tokens=float(samples * length))
    _, batches = planned_batches(ramp, full, length, float((samples + full * (more + 1)) * length))
    stages = [(one.steps, one.global_batch) for one in batches.stages]
    made = plan(stages, warmup_steps=0, decay_steps=1)
    # Where every batch has several steps, no rounding stands between the bounds of an increment.
    assert rampup(made.training) is not None or samples < 4 * full * count
    if rampup(made.training) is not None:
        assert batches_of(made) == planned_sizes(made)


def test_length_and_learning_rate_are_given_in_samples() -> None:
    found = arguments(plan(), None)
    assert all(flag in (SWITCHES if value is None else VALUES) for flag, value in found.items())
    assert {flag: value for flag, value in found.items() if "samples" in flag or "iters" in flag} == {
        "--eval-iters": "2",
        "--train-samples": "196",
        "--lr-warmup-samples": "4",
        "--lr-decay-samples": "196",
        "--lr-wsd-decay-samples": "40",
    }


@pytest.mark.parametrize(
    ("stages", "training", "said"),
    [
        (((4, 4), (4, 8), (20, 16), (20, 32)), {}, "equal increments"),
        (STAGES, {"ramp_learning_rate": "square-root"}, "square root of the batch"),
        (STAGES, {"schedule": "cosine"}, "counted in steps"),
        (STAGES, {"warmup_steps": 7}, "counted in steps"),
        (STAGES, {"decay_steps": 21}, "counted in steps"),
    ],
)
def test_what_megatron_lm_cannot_do_is_refused(stages: Any, training: dict[str, Any], said: str) -> None:
    with pytest.raises(UntrainablePlanError, match=said):
        megatron_lm(plan(stages, **training), None)


def test_llama_3s_ramp_is_no_rampup_and_without_a_ramp_nothing_stands_in_the_way() -> None:
    assert rampup(plan(((61, 1024), (341, 2048), (400, 4096))).training) is None
    assert obstacles(tiny.plan().training) == []


def test_a_recipe_refuses_a_ramp() -> None:
    with pytest.raises(UntrainablePlanError, match="counts in iterations"):
        nemo(plan(), None)
