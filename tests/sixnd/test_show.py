"""`sixnd show`: the resolved spec, each value with its origin, and a spec again."""

import json
from pathlib import Path

import pytest

from sixnd.cli import main
from sixnd.specs.load import load_budget
from tests.specs.example import SPEC

EXAMPLES = sorted((Path(__file__).parents[2] / "specs" / "examples").glob("*.yaml"))
OWN = """\
extends: quickstart
name: mine
budget: {time: "${HOW_LONG}"}
environment: {HOW_LONG: 8 min}
training:
  seed: 4
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("HOW_LONG", raising=False)
    file = tmp_path / "own.yaml"
    file.write_text(OWN, "utf-8")
    return file


def test_each_value_is_shown_with_where_it_comes_from(own, capsys):
    assert main(["show", str(own), "--set", "model.sequence_length=512"]) == 0
    shown = [tuple(part.strip() for part in line.split("  # ")) for line in capsys.readouterr().out.splitlines()]
    assert ("name: mine", f"{own}:2") in shown
    assert ("time: 8 min", f"{own}:3, $HOW_LONG") in shown
    assert ("sequence_length: 512", "--set model.sequence_length=512") in shown
    assert ("accelerators: 1 x cpu-2core", "preset quickstart:11") in shown
    assert not any(origin == ("default",) for _, *origin in shown)


def test_resolved_shows_the_defaults_too(own, capsys):
    assert main(["show", str(own), "--resolved", "--json"]) == 0
    found = {value["path"]: value for value in json.loads(capsys.readouterr().out)}
    assert found["training.clip_grad_norm"] == {
        "path": "training.clip_grad_norm",
        "value": 1.0,
        "origin": "default",
    }
    assert found["data.sources.1.name"]["value"] == "docs"


@pytest.mark.parametrize("options", [[], ["--resolved"]], ids=["given", "resolved"])
@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_what_is_shown_is_a_spec_that_says_the_same(file, options, tmp_path, capsys):
    assert main(["show", str(file), *options]) == 0
    again = tmp_path / "again.yaml"
    again.write_text(capsys.readouterr().out, "utf-8")
    assert load_budget(again) == load_budget(file)


def test_strings_that_yaml_would_read_otherwise_stay_what_they_are(tmp_path, capsys):
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC.replace("weight: 2", "weight: 2, licence: 'no: # {a, b}', text_field: 'null'"), "utf-8")
    assert main(["show", str(spec)]) == 0
    again = tmp_path / "again.yaml"
    again.write_text(capsys.readouterr().out, "utf-8")
    assert load_budget(again) == load_budget(spec)
    assert {source.licence for source in load_budget(again).data.sources} == {"no: # {a, b}", None}


def test_a_change_reaches_plan_and_explain(own, capsys):
    assert main(["plan", str(own), "--json", "--set", "training.seed=5", "--set", "budget.time=1 min"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["training"]["seed"] == 5
    assert made["budget"]["given"] == "time = 60 seconds"
    assert main(["explain", str(own), "D", "--set", "budget.time=1 min"]) == 0
    assert main(["plan", str(own), "--set", "budget.time=1 mile"]) == 3
    assert "--set budget.time=1 mile: budget.time: " in capsys.readouterr().err
