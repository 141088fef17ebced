"""`sixnd calibrate` as a user calls it, and a spec that is planned by what it wrote."""

import json
from pathlib import Path

import pytest

from sixnd.cli import main
from sixnd.planning import planned
from sixnd.specs.load import load_budget, load_calibration
from sixnd.specs.record import Launch, event_line
from tests.specs.test_record import step
from tests.specs.test_training_log import megatron

SPEC = """\
version: budget/1
name: pinned
budget: {compute: 1e21 FLOPs}
cluster:
  accelerators: 16 x h100-sxm
data: {sources: [{name: web, path: "*.txt"}]}
model:
  shape: {layers: 32, hidden: 4096, heads: 32, kv_heads: 8, ffn: 14336}
  sequence_length: 4096
  vocab_size: 32000
training: {global_batch: 524288 tokens}
layout: {tensor: 2, pipeline: 1, micro_batch: 1, recompute: none, virtual_pipeline: 1}
"""


@pytest.fixture
def spec(tmp_path):
    file = tmp_path / "spec.yaml"
    file.write_text(SPEC, encoding="utf-8")
    return file


def log_of(spec, factor):
    """A log whose steps take so many times what the plan says."""
    seconds = planned(load_budget(spec), spec).estimates.step_time_s.value * factor
    file = spec.with_name("train.log")
    file.write_text("\n".join(megatron(n, f"{seconds * (1 + n % 3 / 1000) * 1000:.1f}") for n in range(1, 31)) + "\n")
    return file


def calibrate(*arguments):
    return main(["calibrate", *map(str, arguments)])


def with_calibration(spec, name="mine.yaml"):
    file = spec.with_name("calibrated.yaml")
    text = spec.read_text("utf-8").replace("cluster:\n", f"cluster:\n  calibration: {name}\n")
    file.write_text(text, encoding="utf-8")
    return file


def test_a_log_moves_the_plan_s_step_time_and_narrows_its_interval(spec, capsys):
    before = planned(load_budget(spec), spec).estimates.step_time_s
    output = spec.with_name("mine.yaml")
    assert calibrate(spec, "--log", log_of(spec, 1.3), "-o", output, "--json") == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == load_calibration(output).plain()
    assert "wrote" in err
    calibrated = with_calibration(spec)
    after = planned(load_budget(calibrated), calibrated).estimates.step_time_s
    assert 1.15 < after.value / before.value < 1.3
    assert after.high / after.value < before.high / before.value
    assert "calibration my-machine (1 measured configuration)" in after.basis


def test_evidence_says_where_it_stands_and_how_much_was_left_out(spec, capsys):
    log = log_of(spec, 1.3)
    assert calibrate(spec, "--log", log, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    (row,) = found["evidence"]
    assert (row["source"], row["steps"]) == (f"{log}:6-30", 25)
    assert row["predicted_before_s"] < row["predicted_s"] < row["measured_s"]
    assert any("5 of 30 lines are warm-up" in note for note in found["notes"])


def test_a_plan_describes_a_log_as_its_spec_does(spec, capsys):
    plan, log = spec.with_name("plan.yaml"), log_of(spec, 0.9)
    assert main(["plan", str(spec), "-o", str(plan), "--json"]) == 0
    capsys.readouterr()
    found = []
    for arguments in ((spec, "--log", log), (plan, "--log", log), (spec, "--log", f"{log}={plan}")):
        assert calibrate(*arguments, "--json") == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[0] == found[1] == found[2]


def run_folder(spec, tmp_path, seconds):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "plan.yaml").write_text(planned(load_budget(spec), spec).to_yaml(), "utf-8")
    launch = Launch(
        attempt=1, time="2026-11-25T00:00:00Z", fingerprint="f", plan_sha256="s", layout="l", world_size=16,
        host="node-7", device="H100", cpu_count=1, versions={}, git_commit=None, seed=1, command="c",
        resumed_from_step=0,
    )  # fmt: skip
    steps = [step(n).model_copy(update={"step_time_s": s}) for n, s in enumerate(seconds, 1)]
    (folder / "record.jsonl").write_text("".join(event_line(event) for event in (launch, *steps)), "utf-8")
    return folder


def test_a_run_folder_is_evidence_without_its_first_steps(spec, tmp_path, capsys):
    folder = run_folder(spec, tmp_path, [60.0, 30.0, 20.0, 5.0, 5.1, 4.9, 5.0])
    assert calibrate(spec, "--run", folder, "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)["evidence"]
    assert (row["measured_s"], row["steps"]) == (5.0, 4)
    assert "node-7" in row["source"]


def test_a_run_of_warm_up_alone_is_refused(spec, tmp_path, capsys):
    assert calibrate(spec, "--run", run_folder(spec, tmp_path, [60.0, 30.0])) == 3
    assert "record.jsonl:1:1: no step after the first 3" in capsys.readouterr().err


def test_the_text_tells_rows_and_constants_before_and_after(spec, capsys):
    assert calibrate(spec, "--log", log_of(spec, 1.3), "--width", "80") == 0
    out = capsys.readouterr().out
    assert out.startswith("my-machine: h100-sxm in bf16.")
    assert "matmul.bf16" in out
    assert "train.log:6-30" in out
    assert max(len(line) for line in out.splitlines()) <= 80


def test_a_calibrated_spec_is_calibrated_from_the_catalog_again(spec, capsys):
    log, output = log_of(spec, 1.3), spec.with_name("mine.yaml")
    assert calibrate(spec, "--log", log, "-o", output) == 0
    first = load_calibration(output)
    assert calibrate(with_calibration(spec), "--log", log, "-o", output) == 0
    assert load_calibration(output) == first


def test_nothing_measured_is_a_wrong_call(spec, capsys):
    assert calibrate(spec) == 2
    assert "--log, --run or --measure" in capsys.readouterr().err


def test_a_log_of_another_batch_is_refused_at_its_line(spec, capsys):
    spec.write_text(SPEC.replace("524288", "1048576"), "utf-8")
    log = spec.with_name("train.log")
    log.write_text(megatron(10) + "\n" + megatron(20) + "\n")
    assert calibrate(spec, "--log", log) == 3
    assert "train.log:1:" in (err := capsys.readouterr().err)
    assert "global batch size is 128 here and 256 in the plan" in err


@pytest.mark.parametrize(
    ("old", "new", "missing"),
    [
        ("tensor: 2, ", "", "layout.tensor"),
        ("recompute: none, ", "", "layout.recompute"),
        ("training: {global_batch: 524288 tokens}\n", "", "training.global_batch"),
        (
            "  shape: {layers: 32, hidden: 4096, heads: 32, kv_heads: 8, ffn: 14336}\n",
            "",
            "model.shape or model.family",
        ),
    ],
)
def test_a_spec_that_leaves_the_logs_run_open_is_refused(spec, old, new, missing, capsys):
    log = log_of(spec, 1.0)
    spec.write_text(SPEC.replace(old, new), "utf-8")
    assert calibrate(spec, "--log", log) == 3
    err = capsys.readouterr().err
    assert "spec.yaml:1:" in err
    assert f"leaves open {missing}" in err


def test_a_spec_that_leaves_the_precision_open_is_refused(spec, capsys):
    log = log_of(spec, 1.0)
    spec.write_text(SPEC.replace("training: {", "training: {precision: fastest, "), "utf-8")
    assert calibrate(spec, "--log", log) == 3
    assert "spec.yaml:11:" in (err := capsys.readouterr().err)
    assert "set training.precision to one of" in err


def test_a_log_of_another_accelerator_is_refused(spec, tmp_path, capsys):
    log, other = log_of(spec, 1.0), tmp_path / "other.yaml"
    other.write_text(SPEC.replace("h100-sxm", "a100-sxm-80gb"), "utf-8")
    assert calibrate(spec, "--log", f"{log}={other}") == 3
    assert "other.yaml:5:" in (err := capsys.readouterr().err)
    assert "ran on a100-sxm-80gb in bf16, and what is calibrated is h100-sxm in bf16" in err


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (("accelerator: h100-sxm", "accelerator: a100-sxm-80gb"), "was measured on a100-sxm-80gb in bf16"),
        (("precision: bf16", "precision: fp8"), "was measured on h100-sxm in fp8"),
        (("name: memory", "name: memory_of_old"), "constants that this step-time model does not have"),
    ],
)
def test_a_calibration_that_is_not_of_this_machine_contradicts_the_spec(spec, edit, message, capsys):
    output = spec.with_name("mine.yaml")
    assert calibrate(spec, "--log", log_of(spec, 1.1), "-o", output) == 0
    output.write_text(output.read_text("utf-8").replace(*edit), "utf-8")
    capsys.readouterr()
    assert main(["plan", str(with_calibration(spec))]) == 3
    err = capsys.readouterr().err
    assert "calibrated.yaml:5:" in err
    assert message in err


def test_a_plan_is_stale_once_its_calibration_was_changed(spec, tmp_path, capsys):
    output, plan = spec.with_name("mine.yaml"), tmp_path / "plan.yaml"
    assert calibrate(spec, "--log", log_of(spec, 1.1), "-o", output) == 0
    assert main(["plan", str(with_calibration(spec)), "-o", str(plan)]) == 0
    text = plan.read_text("utf-8")
    value = load_calibration(output).constants[0].value
    plan.write_text(text.replace(f"value: {value}", f"value: {value * 0.9}", 1), "utf-8")
    capsys.readouterr()
    assert main(["run", str(plan), "--runs-dir", str(tmp_path / "runs")]) == 5


@pytest.mark.integration
def test_a_profile_of_this_machine_predicts_its_own_steps(tmp_path, capsys):
    quickstart = Path(__file__).parents[2] / "specs" / "examples" / "quickstart.yaml"
    for _try in range(3):  # of 16 s on a machine that others use too, a profile can be too noisy to tell anything
        assert calibrate(quickstart, "--measure", "--seconds", "16", "--json") == 0
        out, err = capsys.readouterr()
        found = json.loads(out)
        assert len(found["evidence"]) == 4
        assert "half its width" in err
        if found["relative_error"] < found["relative_error_before"]:
            break
    assert found["relative_error"] < found["relative_error_before"]
    for row in found["evidence"]:
        assert row["predicted_s"] == pytest.approx(row["measured_s"], rel=0.35)
