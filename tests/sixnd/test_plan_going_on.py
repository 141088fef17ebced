"""With which plan a run goes on elsewhere."""

from pathlib import Path

import pytest

from sixnd.planner.plan import make_plan
from sixnd.planning import plan_going_on
from sixnd.specs.errors import SixndError
from sixnd.specs.plan import Plan
from tests.planner.building import spec


def written(path: Path, plan: Plan) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(plan.to_yaml())
    return path


@pytest.fixture
def run_plan(tmp_path: Path) -> Plan:
    made = make_plan(spec({"compute": 1e20}))
    written(tmp_path / "run" / "plan.yaml", made)
    return made


def test_of_a_spec_the_machines_are_taken_and_the_model_is_the_runs(tmp_path: Path, run_plan: Plan) -> None:
    document = tmp_path / "now.yaml"
    document.write_text(spec({"compute": 1e18}, "16 x h100-sxm").to_yaml())
    made = plan_going_on(tmp_path / "run", document)
    assert (made.fingerprint(), made.layout.world_size) == (run_plan.fingerprint(), 16)


def test_a_plan_is_taken_if_it_is_of_the_same_model(tmp_path: Path, run_plan: Plan) -> None:
    other = make_plan(spec({"compute": 1e20}, training={"seed": 7}))
    same = make_plan(spec({"compute": 1e20}, layout={"tensor": 2, "pipeline": 2}))
    assert plan_going_on(tmp_path / "run", written(tmp_path / "same.yaml", same)) == same
    with pytest.raises(SixndError, match="plans another model or another training"):
        plan_going_on(tmp_path / "run", written(tmp_path / "other.yaml", other))
