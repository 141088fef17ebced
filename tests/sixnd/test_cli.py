"""The command line: what goes to standard output, what to standard error, and the exit codes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sixnd.cli import main
from sixnd.specs import catalog
from sixnd.specs.errors import ContradictionError, InfeasibleError, Problem, RunFailedError
from sixnd.specs.load import load_plan
from sixnd.specs.record import event_line
from sixnd.specs.reference import pages
from sixnd.specs.schema import schemas
from tests.reports.build import small_plan
from tests.specs.example import SPEC, spec_with
from tests.specs.test_record import END, step

EXAMPLES = Path(__file__).parents[2] / "specs" / "examples"


@pytest.fixture
def spec(tmp_path) -> Path:
    file = tmp_path / "spec.yaml"
    file.write_text(SPEC)
    return file


@pytest.fixture
def run_folder(tmp_path) -> Path:
    """A finished run of three steps."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "plan.yaml").write_text(small_plan(steps=3).to_yaml())
    (folder / "record.jsonl").write_text("".join(map(event_line, [step(1), step(2), step(3), END])))
    return folder


def test_a_sound_file_is_ok(spec, capsys):
    assert main(["validate", str(spec)]) == 0
    assert capsys.readouterr().out == f"{spec}: ok\n"


def test_five_mistakes_are_told_at_once_without_a_traceback(spec, capsys):
    text = spec_with(
        ("name: example", "name: my example"),
        ("compute: 3e21 FLOPs", "compute: 3e21 tokens"),
        ("h100-sxm", "h100-smx"),
        ("schedule: wsd", "schedule: linear"),
        ("name: prose", "name: code"),
    )
    spec.write_text(text)
    for verb in ("validate", "plan", "run"):
        assert main([verb, str(spec)]) == 3
        out, err = capsys.readouterr()
        assert out == ""
        for place in ("2:7", "4:12", "6:17", "10:14", "14:13"):
            assert f"{spec}:{place}: " in err
        assert "Traceback" not in err


def test_a_broken_file_does_not_hide_the_sound_one_after_it(spec, tmp_path, capsys):
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [")
    assert main(["validate", str(broken), str(spec)]) == 3
    assert capsys.readouterr().out == f"{spec}: ok\n"


def test_problems_as_json_have_line_and_column(spec, capsys):
    spec.write_text(spec_with(("tensor: 2", "tenssor: 2")))
    assert main(["validate", "--json", str(spec)]) == 3
    ((told,),) = [entry["problems"] for entry in json.loads(capsys.readouterr().out)]
    assert (told["line"], told["column"], told["path"]) == (16, 3, ["layout", "tenssor"])


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_shipped_example_is_planned_and_its_plan_is_valid(file, tmp_path, capsys):
    assert main(["plan", str(file), "-o", str(tmp_path / "plan.yaml")]) == 0
    out, err = capsys.readouterr()
    plan = load_plan(tmp_path / "plan.yaml")
    assert plan.name in out
    assert "wrote" in err
    assert main(["validate", str(tmp_path / "plan.yaml")]) == 0


def test_a_plan_writes_no_file_that_was_not_asked_for(spec, tmp_path, monkeypatch, capsys):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert main(["plan", str(spec)]) == 0
    assert list(elsewhere.iterdir()) == []
    assert sorted(tmp_path.iterdir()) == [elsewhere, spec]


def test_a_plan_as_json_is_the_plan(spec, tmp_path, capsys):
    assert main(["plan", str(spec), "--json", "-o", str(tmp_path / "plan.yaml")]) == 0
    assert json.loads(capsys.readouterr().out) == load_plan(tmp_path / "plan.yaml").plain()


def test_a_plan_fits_the_width_that_was_asked_for(spec, capsys):
    for width in (60, 100):
        assert main(["plan", str(spec), "--width", str(width)]) == 0
        assert max(map(len, capsys.readouterr().out.splitlines())) <= width


def test_piped_output_is_plain(spec, capsys):
    assert main(["plan", str(spec)]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_a_plan_that_is_written_into_no_folder_is_told_in_one_line(spec, tmp_path, capsys):
    assert main(["plan", str(spec), "-o", str(tmp_path / "nowhere" / "plan.yaml")]) == 3
    told = f"sixnd: {tmp_path / 'nowhere'}: there is no such folder; name one that is there, or make it\n"
    assert capsys.readouterr().err == told


def test_an_interrupted_write_leaves_the_old_plan_whole(spec, tmp_path, monkeypatch, capsys):
    plan = tmp_path / "plan.yaml"
    plan.write_text("old")

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", fail)
    assert main(["plan", str(spec), "-o", str(plan)]) == 130
    assert plan.read_text() == "old"
    assert sorted(tmp_path.iterdir()) == [plan, spec]
    assert capsys.readouterr().err.strip() == "interrupted"


def test_a_contradiction_that_planning_shows_is_told_with_the_spec_s_line(spec, monkeypatch, capsys):
    def contradict(_):
        raise ContradictionError(Problem(("layout", "tensor"), "tensor 2 and the rest disagree", "keep one"))

    monkeypatch.setattr("sixnd.planner.plan.make_plan", contradict)
    assert main(["plan", str(spec)]) == 3
    assert capsys.readouterr().err.startswith(
        f"{spec}:16:11: tensor 2 and the rest disagree; keep one\n      tensor: 2\n"
    )


def test_an_infeasible_spec_exits_with_4(spec, monkeypatch, capsys):
    def refuse(_):
        raise InfeasibleError("no layout fits", "take 128 accelerators")

    monkeypatch.setattr("sixnd.planner.plan.make_plan", refuse)
    assert main(["plan", str(spec)]) == 4
    told, line, caret = capsys.readouterr().err.splitlines()
    assert re.fullmatch(rf"sixnd: {re.escape(str(spec))}:\d+:\d+: no layout fits; take 128 accelerators", told)
    assert spec.read_text().splitlines()[int(told.split(":")[2]) - 1] == line.removeprefix("    ")
    assert caret.strip() == "^"


@pytest.mark.parametrize(
    "arguments",
    [
        ["frobnicate"],
        ["plan"],
        ["plan", "a.yaml", "--colour"],
        ["plan", "a.yaml", "--width", "3"],
        ["catalog", "animals"],
        ["schema"],
        ["schema", "poem"],
        ["report", "plan.yaml", "-o", "report.pdf"],
    ],
    ids=" ".join,
)
def test_a_wrong_call_exits_with_2(arguments, capsys):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Usage: sixnd" in err


def test_a_defect_of_ours_says_so_and_asks_for_a_report(spec, monkeypatch, capsys):
    def fail(_):
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("sixnd.planner.plan.make_plan", fail)
    assert main(["plan", str(spec)]) == 1
    err = capsys.readouterr().err
    assert "ZeroDivisionError: ours" in err
    assert "please report it" in err


@pytest.mark.parametrize(("module", "extra"), [("torch", "run"), ("megatron.core", "run"), ("altair", "report")])
def test_a_missing_extra_is_told_with_the_command_that_installs_it(spec, monkeypatch, capsys, module, extra):
    def fail(_):
        raise ModuleNotFoundError(f"No module named '{module}'", name=module)

    monkeypatch.setattr("sixnd.planner.plan.make_plan", fail)
    assert main(["plan", str(spec)]) == 1
    assert capsys.readouterr().err.endswith(f"pip install 'sixnd[{extra}]'\n")


def test_a_closed_pipe_ends_quietly(spec):
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "sixnd.cli", "plan", str(spec), "--json"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, check=False, timeout=60)
    os.close(write)
    assert done.returncode == 1
    assert done.stderr == b""


class FakeRunner:
    """Stands in for the training: remembers its call, leaves a record, ends as told."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error
        self.called: dict[str, object] = {}

    def __call__(self, plan, *, runs_dir, base_dir, progress, node=None):
        self.called = {"plan": plan, "runs_dir": runs_dir, "base_dir": base_dir, "progress": progress, "node": node}
        folder = runs_dir / plan.name / plan.fingerprint()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "plan.yaml").write_text(plan.to_yaml())
        (folder / "record.jsonl").write_text("".join(map(event_line, [step(1), step(2), END])))
        if self.error:
            raise self.error
        return folder


@pytest.fixture
def fake_runner(monkeypatch):
    """Puts a ``FakeRunner`` in the place of the real one, and the signal handler back afterwards."""
    pytest.importorskip("sixnd.runner.launch", exc_type=ImportError)
    import signal

    before = signal.getsignal(signal.SIGTERM)

    def install(error: BaseException | None = None) -> FakeRunner:
        runner = FakeRunner(error)
        monkeypatch.setattr("sixnd.runner.launch.run_plan", runner)
        return runner

    yield install
    signal.signal(signal.SIGTERM, before)


def test_a_run_of_a_spec_plans_trains_and_reports(spec, tmp_path, fake_runner, capsys):
    runner = fake_runner()
    assert main(["run", str(spec), "--runs-dir", str(tmp_path / "runs"), "--quiet"]) == 0
    plan = runner.called["plan"]
    folder = tmp_path / "runs" / plan.name / plan.fingerprint()
    assert runner.called["base_dir"] == tmp_path
    assert runner.called["progress"] is False
    assert (folder / "report.html").read_text().startswith("<!")
    assert (folder / "report.md").is_file()
    out, err = capsys.readouterr()
    assert plan.name in out
    assert f"are in {folder / 'report.html'}: open it in a browser" in err


def test_a_saved_plan_runs_as_its_spec_would(spec, tmp_path, fake_runner, capsys):
    runner = fake_runner()
    plan = tmp_path / "plan.yaml"
    assert main(["plan", str(spec), "-o", str(plan)]) == 0
    assert main(["run", str(plan), "--runs-dir", str(tmp_path / "runs"), "--base-dir", "/data"]) == 0
    saved = runner.called["plan"]
    assert runner.called["base_dir"] == Path("/data")
    assert main(["run", str(spec), "--runs-dir", str(tmp_path / "runs")]) == 0
    assert runner.called["plan"].fingerprint() == saved.fingerprint()


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("compute: 3e+21 FLOPs", "compute: 4e+21 FLOPs", "spec was changed"),
        (catalog.sha256(), "f" * 64, "other catalogs"),
    ],
    ids=["spec", "catalogs"],
)
def test_a_stale_plan_is_refused(spec, tmp_path, fake_runner, capsys, old, new, sentence):
    runner = fake_runner()
    plan = tmp_path / "plan.yaml"
    assert main(["plan", str(spec), "-o", str(plan)]) == 0
    text = plan.read_text()
    assert old in text
    plan.write_text(text.replace(old, new))
    assert main(["run", str(plan), "--runs-dir", str(tmp_path / "runs")]) == 5
    assert sentence in capsys.readouterr().err
    assert runner.called == {}


def test_a_failed_run_exits_with_6_and_is_reported_all_the_same(spec, tmp_path, fake_runner, capsys):
    runner = fake_runner(RunFailedError("rank 3 was killed"))
    assert main(["run", str(spec), "--runs-dir", str(tmp_path / "runs")]) == 6
    plan = runner.called["plan"]
    assert (tmp_path / "runs" / plan.name / plan.fingerprint() / "report.html").is_file()
    out, err = capsys.readouterr()
    assert "sixnd: rank 3 was killed\n" in err
    assert plan.name in out


def test_an_interrupted_run_says_how_to_go_on(spec, tmp_path, fake_runner, capsys):
    fake_runner(KeyboardInterrupt())
    assert main(["run", str(spec), "--runs-dir", str(tmp_path / "runs")]) == 130
    assert "the same command resumes" in capsys.readouterr().err


def test_paths_that_a_plan_elsewhere_would_lose_are_told(spec, tmp_path, capsys):
    spec.write_text(spec_with(("recipe: installed-docs", "path: texts/*.txt")))
    (tmp_path / "plans").mkdir()
    assert main(["plan", str(spec), "-o", str(tmp_path / "plans" / "plan.yaml")]) == 0
    assert f"--base-dir {tmp_path}" in capsys.readouterr().err


@pytest.mark.parametrize(("suffix", "start"), [(".html", "<!"), (".md", "#"), (".json", "{")])
def test_a_report_is_written_in_the_format_of_its_name(run_folder, tmp_path, capsys, suffix, start):
    for subject in (run_folder, run_folder / "plan.yaml"):
        file = tmp_path / f"report{suffix}"
        assert main(["report", str(subject), "-o", str(file)]) == 0
        assert file.read_text().startswith(start)
        assert capsys.readouterr().out == ""


def test_a_report_without_a_file_is_printed(run_folder, capsys):
    assert main(["report", str(run_folder)]) == 0
    assert "quickstart" in capsys.readouterr().out
    assert main(["report", str(run_folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)


def test_a_folder_without_a_run_is_told(tmp_path, capsys):
    for verb in ("report", "status"):
        assert main([verb, str(tmp_path)]) == 3
        assert "holds no run" in capsys.readouterr().err


def test_the_status_is_one_line(run_folder, capsys):
    assert main(["status", str(run_folder)]) == 0
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    assert "finished · step 3/3 · loss 5.0000" in line
    assert main(["status", "--json", str(run_folder)]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "finished"


def test_the_catalog_shows_every_entry_with_its_citation(capsys):
    assert main(["catalog"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for kind in catalog.kinds():
        assert kind in text
        for name in catalog.names(kind):
            assert name in text
    assert "arXiv:2404.10102" in text


def test_one_entry_is_shown_whole_as_yaml_and_as_json(capsys):
    for arguments, read in ((["laws", "besiroglu-2024"], yaml.safe_load), (["laws", "--json"], json.loads)):
        assert main(["catalog", *arguments]) == 0
        found = read(capsys.readouterr().out)
        found = found.get("laws", found)
        assert found["besiroglu-2024"]["alpha"] == catalog.law("besiroglu-2024").alpha


def test_an_unknown_entry_names_the_nearest(capsys):
    assert main(["catalog", "laws", "besiroglu"]) == 1
    assert "did you mean 'besiroglu-2024'" in capsys.readouterr().err


def test_schemas_are_printed_and_written(tmp_path, capsys):
    assert main(["schema", "plan"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Plan"
    assert main(["schema", "--write", str(tmp_path / "schemas")]) == 0
    written = {file.stem for file in (tmp_path / "schemas").iterdir()}
    assert written == set(schemas())
    assert {"budget-spec", "plan", "law", "run-record", "catalog", "catalog-accelerators"} <= written
    assert main(["schema", "--reference", str(tmp_path / "pages")]) == 0
    assert {page.name for page in (tmp_path / "pages").iterdir()} == set(pages())


def test_the_doctor_tells_versions_and_what_the_extras_lack(capsys, monkeypatch):
    assert main(["doctor", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["cores"] >= 1
    assert facts["memory_bytes"] > 1e8
    assert facts["cpu_entry"].startswith("cpu-2core")
    assert set(facts["extras"]) == {"run", "report", "export"}

    from importlib.metadata import PackageNotFoundError

    def nothing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("sixnd.doctor.version", nothing)
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "torch          not installed" in text
    assert f"cluster.accelerators: 1 x {facts['cpu_entry']}" in text
    assert "pip install 'sixnd[run]'" in text


def test_help_names_every_exit_code(capsys):
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    for line in (
        "0  done",
        "1  failed",
        "2  wrong call",
        "3  invalid document",
        "4  infeasible",
        "5  stale",
        "6  the run",
    ):
        assert line in out


def test_the_public_functions_are_reached_from_the_package():
    import sixnd
    from sixnd.specs.load import load_budget

    assert sixnd.load_budget is load_budget
    assert "make_plan" in dir(sixnd)
    with pytest.raises(AttributeError, match="no attribute 'frobnicate'"):
        _ = sixnd.frobnicate
