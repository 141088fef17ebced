"""`sixnd ladder`: from a target's spec to specs of small runs, to trained rungs, to a table of losses."""

import csv
import io
import json
import signal
from pathlib import Path

import pytest

from sixnd.cli import main
from sixnd.planner.plan import make_plan
from sixnd.specs.errors import RunFailedError
from sixnd.specs.ladder import Ladder
from sixnd.specs.load import load, load_budget
from sixnd.specs.plan import Plan
from sixnd.specs.record import Validation, event_line
from sixnd.specs.run_table import read_runs
from tests.specs.test_record import END, step

TARGET = """\
version: budget/1
name: target
budget: {compute: 1e21 FLOPs}
cluster: {accelerators: 64 x h100-sxm}
model: {vocab_size: 32768}
data:
  sources: [{name: web, path: "texts/*.txt"}]
"""
DESIGN = ["--share", "5%", "--runs", "8", "--noise", "0.003"]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with a target's spec and its ladder."""
    root = tmp_path_factory.mktemp("ladders")
    (root / "specs").mkdir()
    (root / "specs" / "target.yaml").write_text(TARGET)
    assert main(["ladder", str(root / "specs" / "target.yaml"), *DESIGN, "-o", str(root / "ladder")]) == 0
    return root


def rungs(made: Path) -> list[Plan]:
    return [make_plan(load_budget(file)) for file in sorted((made / "ladder").glob("target-r*.yaml"))]


def record(plan: Plan, runs: Path, *, end=END, loss: float = 3.0, spec_of: Plan | None = None) -> Path:
    """A run of a rung under ``runs``, finished unless told otherwise."""
    folder = runs / plan.name / plan.fingerprint()
    folder.mkdir(parents=True)
    (folder / "plan.yaml").write_text((spec_of or plan).to_yaml())
    events = [step(1), Validation(attempt=1, step=plan.training.steps, loss=loss, tokens=1000), *([end] if end else [])]
    (folder / "record.jsonl").write_text("".join(map(event_line, events)))
    return folder


def test_every_spec_of_a_ladder_is_valid_and_planned_and_finds_the_targets_text(made, capsys):
    files = sorted((made / "ladder").glob("target-r*.yaml"))
    assert len(files) == 8
    assert main(["validate", *map(str, files)]) == 0
    for file, plan in zip(files, rungs(made), strict=True):
        assert plan.name == file.stem
        assert (file.parent / plan.data.sources[0].path).resolve() == (made / "specs" / "texts" / "*.txt").resolve()


def test_the_ladders_document_names_its_rungs_and_target(made):
    found = load(made / "ladder" / "ladder.yaml", Ladder)
    assert [rung.name for rung in found.rungs] == [plan.name for plan in rungs(made)]
    assert (made / "ladder" / found.target.spec).resolve() == made / "specs" / "target.yaml"
    assert found.rungs == sorted(found.rungs, key=lambda rung: rung.compute_flops)


def test_what_it_costs_and_tells_is_printed_and_the_next_steps_too(made, tmp_path, capsys):
    assert main(["ladder", str(made / "specs" / "target.yaml"), *DESIGN, "-o", str(tmp_path / "again")]) == 0
    out, err = capsys.readouterr()
    for part in ("Its cost, of 5.0 % allowed", "before", "after a fit", "uniform grid", "isoFLOP curves", "target-r08"):
        assert part in out
    assert f"sixnd ladder {tmp_path / 'again'} --run" in err
    assert f"sixnd fit {tmp_path / 'again' / 'runs.csv'} -o {tmp_path / 'again' / 'law.yaml'}" in err
    assert f"sixnd plan {tmp_path / 'again' / 'target.yaml'}" in err
    assert main(["ladder", str(tmp_path / "again")]) == 0
    assert capsys.readouterr().out == out


def test_without_a_folder_nothing_is_written(made, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["ladder", str(made / "specs" / "target.yaml"), *DESIGN, "--json"]) == 0
    found = Ladder.model_validate(json.loads(capsys.readouterr().out))
    assert found.design == "optimal"
    assert list(tmp_path.iterdir()) == []
    assert [file.name for file in (made / "specs").iterdir()] == ["target.yaml"]


def test_a_folder_that_holds_a_ladder_is_not_overwritten(made, capsys):
    before = (made / "ladder" / "ladder.yaml").read_text()
    target = str(made / "specs" / "target.yaml")
    assert main(["ladder", target, "--share", "7%", "-o", str(made / "ladder")]) == 1
    assert "holds a ladder already" in capsys.readouterr().err
    assert (made / "ladder" / "ladder.yaml").read_text() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--share 5%"),
        (["--share", "much"], "is no share"),
        (["--share", "150%"], "between nothing and all"),
        (["--share", "0"], "between nothing and all"),
        (["--share", "5%", "--run"], "take the folder"),
        (["--share", "5%", "--tokens-per-param", "200", "5"], "smaller number first"),
        (["--run", "--collect", "runs"], "two steps"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_call_is_told(made, capsys, arguments, said):
    assert main(["ladder", str(made / "specs" / "target.yaml"), *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_share_of_a_ladder_is_a_wrong_call(made, capsys):
    assert main(["ladder", str(made / "ladder"), "--share", "5%"]) == 2
    assert "is a ladder already" in capsys.readouterr().err


def test_a_share_that_pays_for_nothing_exits_with_4(made, capsys):
    assert main(["ladder", str(made / "specs" / "target.yaml"), "--share", "0.00001%"]) == 4
    assert "would do" in capsys.readouterr().err


def test_finished_rungs_are_collected_into_a_table_that_a_fit_reads_and_the_others_are_named(made, tmp_path, capsys):
    plans, runs, table = rungs(made), tmp_path / "runs", tmp_path / "runs.csv"
    for i, plan in enumerate(plans[:5]):
        record(plan, runs, loss=3.5 - 0.1 * i)
    record(plans[5], runs, end=None)
    record(plans[6], runs, loss=float("nan"))
    assert main(["ladder", str(made / "ladder"), "--collect", str(runs), "-o", str(table)]) == 0
    err = capsys.readouterr().err
    assert "target-r06: not finished, at step 1 of" in err
    assert "target-r07: diverged" in err
    assert "target-r08: not started" in err
    assert "5 of 8 rungs are finished" in err
    rows = read_runs(table).rows
    assert [(row.params, row.tokens) for row in rows] == [(p.model.params, p.data.tokens) for p in plans[:5]]
    assert [row.loss for row in rows] == pytest.approx([3.5, 3.4, 3.3, 3.2, 3.1])
    assert all(row.compute == pytest.approx(6 * row.params * row.tokens) for row in rows)


def test_the_fitted_law_plans_the_target_by_the_file_that_the_ladder_wrote(made, tmp_path, capsys):
    runs, folder = tmp_path / "runs", made / "ladder"
    for plan in rungs(made):
        record(plan, runs, loss=1.8 + 480 * plan.model.params**-0.35 + 2100 * plan.data.tokens**-0.37)
    assert main(["ladder", str(folder), "--collect", str(runs), "-o", str(tmp_path / "runs.csv")]) == 0
    law = folder / "law.yaml"
    assert main(["fit", str(tmp_path / "runs.csv"), "-o", str(law), "--name", "from-its-ladder", "--draws", "400"]) == 0
    capsys.readouterr()
    assert main(["plan", str(folder / "target.yaml"), "--json"]) == 0
    law.unlink()
    plan = Plan.model_validate(json.loads(capsys.readouterr().out))
    assert plan.law == "from-its-ladder"
    assert plan.name == "target"
    assert (folder / plan.data.sources[0].path).resolve() == (made / "specs" / "texts" / "*.txt").resolve()


def test_a_collection_is_printed_where_no_file_is_named(made, tmp_path, capsys):
    record(rungs(made)[0], tmp_path)
    assert main(["ladder", str(made / "ladder"), "--collect", str(tmp_path)]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row["name"] == "target-r01"
    assert main(["ladder", str(made / "ladder"), "--collect", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in found["rows"]] == ["target-r01"]
    assert len(found["missing"]) == 7


def test_a_failed_run_and_one_by_another_spec_do_not_count(made, tmp_path, capsys):
    first, second, *_ = rungs(made)
    record(first, tmp_path, end=END.model_copy(update={"status": "failed", "message": "rank 0 was killed"}))
    record(second, tmp_path, spec_of=first)
    assert main(["ladder", str(made / "ladder"), "--collect", str(tmp_path)]) == 1
    err = capsys.readouterr().err
    assert "target-r01: failed at step 1 of" in err
    assert "rank 0 was killed" in err
    assert "was trained by another spec" in err
    assert "train them" in err


@pytest.fixture
def runner(monkeypatch):
    """Stands in for the training: leaves a finished record, or fails for the rungs it is told to."""
    pytest.importorskip("sixnd.runner.launch", exc_type=ImportError)
    before, trained, failing = signal.getsignal(signal.SIGTERM), list[str](), set[str]()

    def run_plan(plan, *, runs_dir, base_dir, progress):
        trained.append(plan.name)
        if plan.name in failing:
            raise RunFailedError("out of memory")
        assert base_dir.name == "ladder"
        return record(plan, runs_dir)

    monkeypatch.setattr("sixnd.runner.launch.run_plan", run_plan)
    yield trained, failing
    signal.signal(signal.SIGTERM, before)


def test_all_rungs_are_trained_cheapest_first_and_finished_ones_are_skipped(made, tmp_path, runner, capsys):
    trained, failing = runner
    failing.add("target-r03")
    call = ["ladder", str(made / "ladder"), "--run", "--runs-dir", str(tmp_path)]
    assert main(call) == 6
    assert trained == [f"target-r0{i}" for i in range(1, 9)]
    assert "target-r03: failed: out of memory" in capsys.readouterr().err
    trained.clear()
    failing.clear()
    assert main([*call, "--json"]) == 0
    assert trained == ["target-r03"]
    assert json.loads(capsys.readouterr().out)["target-r01"] == "finished before"


def test_an_interrupted_ladder_says_how_to_go_on(made, tmp_path, runner, monkeypatch, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("sixnd.runner.launch.run_plan", interrupt)
    assert main(["ladder", str(made / "ladder"), "--run", "--runs-dir", str(tmp_path)]) == 130
    assert "interrupted in target-r01; the same command goes on" in capsys.readouterr().err
