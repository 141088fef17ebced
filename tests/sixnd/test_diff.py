"""`sixnd diff`: specs, plans or runs, as text and as files."""

import json
from pathlib import Path

import pytest

from sixnd.cli import main
from sixnd.specs.record import event_line
from tests.reports.build import resumed_run, small_plan
from tests.specs.example import SPEC


@pytest.fixture
def spec(tmp_path) -> Path:
    file = tmp_path / "spec.yaml"
    file.write_text(SPEC, "utf-8")
    return file


@pytest.fixture
def run_folders(tmp_path) -> list[Path]:
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        folder.mkdir()
        plan = small_plan().model_copy(update={"name": folder.name})
        (folder / "plan.yaml").write_text(plan.to_yaml(), "utf-8")
        (folder / "record.jsonl").write_text("".join(map(event_line, resumed_run(plan).events)), "utf-8")
    return folders


def test_a_spec_is_held_against_itself_with_changes(spec, capsys):
    assert main(["diff", str(spec), "--set", "budget.compute=6e21 FLOPs", "--width", "80"]) == 0
    out = capsys.readouterr().out
    assert "budget.compute  3e+21 FLOPs" in out
    assert max(map(len, out.splitlines())) <= 80


def test_a_spec_and_its_plan_do_not_differ(spec, tmp_path, capsys):
    assert main(["plan", str(spec), "-o", str(tmp_path / "plan.yaml")]) == 0
    capsys.readouterr()
    assert main(["diff", str(spec), str(tmp_path / "plan.yaml"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["kind"] == "plans"
    assert facts["fields"] == facts["choices"] == []


def test_two_run_folders_are_compared_by_what_became_of_them(run_folders, tmp_path, capsys):
    first, second = map(str, run_folders)
    assert main(["diff", first, second, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["kind"] == "runs"
    assert {change for row in facts["measured"] for change in row["changes"]} == {"the same", ""}
    for suffix in (".html", ".md"):
        file = tmp_path / f"diff{suffix}"
        assert main(["diff", first, second, "-o", str(file)]) == 0
        assert "What became of them" in file.read_text("utf-8")


def test_three_runs_are_one_comparison_and_three_documents_are_not_changed_at_once(run_folders, capsys):
    folders = [str(folder) for folder in (*run_folders, run_folders[0])]
    assert main(["diff", *folders, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["names"]) == 3
    assert main(["diff", *folders, "--set", "training.seed=2"]) == 2
    assert "sixnd sweep" in capsys.readouterr().err


def test_a_run_and_a_spec_are_compared_by_their_plans(run_folders, spec, capsys):
    assert main(["diff", str(run_folders[0]), str(spec), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "plans"


def test_one_document_alone_is_a_wrong_call(spec, capsys):
    assert main(["diff", str(spec)]) == 2
    assert "name a second spec, plan or run" in capsys.readouterr().err


def test_a_format_that_is_none_is_a_wrong_call(spec, tmp_path, capsys):
    assert main(["diff", str(spec), str(spec), "-o", str(tmp_path / "diff.pdf")]) == 2
    assert ".html, .md, .json" in capsys.readouterr().err
