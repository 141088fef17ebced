"""`sixnd explain`: a spec or a plan, as text or JSON."""

import json

import pytest

from sixnd.cli import main
from sixnd.specs.load import load_plan
from tests.specs.example import SPEC


@pytest.fixture
def spec(tmp_path):
    file = tmp_path / "spec.yaml"
    file.write_text(SPEC)
    return file


def test_a_spec_is_planned_on_the_way_and_explained_as_its_plan_is(spec, tmp_path, capsys):
    plan = tmp_path / "plan.yaml"
    main(["plan", str(spec), "-o", str(plan)])
    capsys.readouterr()
    assert main(["explain", str(spec), "N"]) == 0
    told = capsys.readouterr().out
    assert main(["explain", str(plan), "N"]) == 0
    assert capsys.readouterr().out == told
    assert f"{load_plan(plan).model.params:,}" in told


@pytest.mark.parametrize("name", ["N", "D", "lr", "time"])
def test_a_derivation_as_text(spec, name, capsys, snapshot):
    assert main(["explain", str(spec), name]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert out == snapshot


def test_steps_as_json_have_formula_value_and_source(spec, capsys):
    assert main(["explain", str(spec), "loss", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {"step", "formula", "value", "source"} <= set(told["steps"][0])
    parts = {step["step"]: step["value"] for step in told["steps"]}
    assert parts["E"] + parts["A/N^α"] + parts["B/D^β"] == pytest.approx(parts["L"])


def test_without_a_name_everything_that_can_be_explained_is_listed(spec, capsys):
    assert main(["explain", str(spec)]) == 0
    assert "model.params  N, params\n" in capsys.readouterr().out


def test_an_unknown_name_is_a_wrong_call(spec, capsys):
    assert main(["explain", str(spec), "batsh"]) == 2
    assert "did you mean 'batch'?" in capsys.readouterr().err


def test_a_plan_that_someone_wrote_into_is_refused_where_no_derivation_leads_to_its_numbers(spec, tmp_path, capsys):
    plan = tmp_path / "plan.yaml"
    main(["plan", str(spec), "-o", str(plan)])
    made = load_plan(plan)
    shape = made.model.shape.model_copy(update={"layers": made.model.shape.layers + 1})
    plan.write_text(made.model_copy(update={"model": made.model.model_copy(update={"shape": shape})}).to_yaml())
    assert main(["explain", str(plan), "N"]) == 5
    err = capsys.readouterr().err
    assert f"{plan}: it says other than what its spec leads to" in err
    assert "Traceback" not in err
