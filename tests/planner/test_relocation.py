"""A run's plan on other machines: the model and its training stay, the layout is of the new machines."""

import pytest

from sixnd.planner.plan import make_plan
from sixnd.planner.relocation import relocated
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.errors import InfeasibleError
from sixnd.specs.load import refuse_stale
from tests.planner.building import spec


def elsewhere(accelerators: str, **layout: int) -> BudgetSpec:
    """Another budget, another model, of which nothing is to be taken, on these machines."""
    return spec(
        {"compute": 1e18},
        accelerators,
        layout=layout,
        checkpoints={"keep_last": 5},
        supervision={"restarts": 3},
        training={"seed": 7},
    )


def test_model_data_and_training_stay_and_layout_and_intervals_are_of_the_new_machines() -> None:
    plan = make_plan(spec({"compute": 1e21}, "64 x h100-sxm"))
    moved = relocated(plan, elsewhere("16 x a100-sxm-80gb"))
    assert moved.fingerprint() == plan.fingerprint()
    assert (moved.model, moved.data, moved.training) == (plan.model, plan.data, plan.training)
    assert moved.layout.world_size == 16
    assert moved.cluster.accelerator == "a100-sxm-80gb"
    assert moved.checkpoints.keep_last == 5
    assert moved.spec.supervision.restarts == 3
    assert moved.estimates.train_time_s.value > 4 * plan.estimates.train_time_s.value
    assert moved.training.global_batch % (moved.layout.data * moved.layout.micro_batch) == 0
    assert moved.decisions[0].what == "run"
    refuse_stale(moved, "moved.yaml")
    assert moved.spec.budget == plan.spec.budget, "the run is held to the budget it began with"


def test_a_pinned_layout_is_taken() -> None:
    plan = make_plan(spec({"compute": 1e21}, "64 x h100-sxm"))
    moved = relocated(plan, elsewhere("32 x h100-sxm", tensor=2, pipeline=2))
    assert (moved.layout.tensor, moved.layout.pipeline, moved.layout.data) == (2, 2, 8)


def test_machines_on_which_the_model_does_not_fit_are_refused() -> None:
    plan = make_plan(spec({"compute": 1e23}, "512 x h100-sxm"))
    with pytest.raises(InfeasibleError):
        relocated(plan, elsewhere("1 x h100-sxm"))
