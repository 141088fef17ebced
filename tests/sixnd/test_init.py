"""`sixnd init`: three answers become a spec that can be planned."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from sixnd.cli import main
from sixnd.planner.plan import make_plan
from sixnd.specs.load import load_budget


def initialised(folder: Path, *options: str) -> Path:
    file = folder / "spec.yaml"
    assert main(["init", str(file), *options]) == 0
    return file


@pytest.mark.parametrize(
    ("answer", "field", "value"),
    [
        ("14 days", "time", 14 * 86400),
        ("250k USD", "money", 250e3),
        ("$400", "money", 400),
        ("40000 GPU-hours", "accelerator_hours", 40000),
        ("3e21 FLOPs", "compute", 3e21),
    ],
)
def test_the_unit_says_what_the_budget_is(tmp_path, answer, field, value):
    file = initialised(tmp_path, "--budget", answer, "--cluster", "64 x h100-sxm", "--data", "text/*.jsonl")
    budget = load_budget(file).budget
    assert getattr(budget, field) == value
    assert [name for name in ("time", "money", "accelerator_hours", "compute") if getattr(budget, name)] == [field]


def test_what_is_written_can_be_planned(tmp_path):
    file = initialised(tmp_path, "--budget", "14 days", "--cluster", "8 x h100-sxm", "--data", "web/*.jsonl.gz")
    plan = make_plan(load_budget(file))
    assert plan.model.params > 1e8
    assert [source.name for source in plan.data.sources] == ["web"]


def test_recipes_and_paths_are_told_apart_and_named(tmp_path):
    options = ["--data", "shakespeare", "--data", "my texts/a b.txt", "--data", "/x/*.parquet", "--data", "/x/*.txt"]
    file = initialised(tmp_path, "--budget", "10 min", "--cluster", "1 x cpu-2core", *options)
    spec = load_budget(file)
    assert [(source.name, source.recipe, source.path) for source in spec.data.sources] == [
        ("shakespeare", "shakespeare", None),
        ("ab", None, "my texts/a b.txt"),
        ("x", None, "/x/*.parquet"),
        ("x-4", None, "/x/*.txt"),
    ]
    assert spec.model.sequence_length == 256


@pytest.mark.parametrize(
    ("option", "answer", "told"),
    [
        ("--budget", "14", "expected a number with its unit"),
        ("--budget", "14 parsecs", "expected a number with its unit"),
        ("--cluster", "h100-sxm", "is no count of an accelerator; write it like"),
        ("--cluster", "8 x h100-sxmm", "did you mean 'h100-sxm'?"),
        ("--data", " ", "name at least one file"),
    ],
)
def test_an_answer_that_cannot_be_read_is_refused(tmp_path, capsys, option, answer, told):
    answers = {"--budget": "14 days", "--cluster": "8 x h100-sxm", "--data": "shakespeare", option: answer}
    file = tmp_path / "spec.yaml"
    assert main(["init", str(file), *(word for pair in answers.items() for word in pair)]) == 2
    assert told in capsys.readouterr().err
    assert not file.exists()


def test_a_file_that_is_there_is_not_written_over(tmp_path, capsys):
    file = tmp_path / "spec.yaml"
    file.write_text("mine", "utf-8")
    assert main(["init", str(file)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert file.read_text("utf-8") == "mine"


def test_without_a_terminal_a_missing_answer_is_told_as_its_option(tmp_path):
    command = [sys.executable, "-m", "sixnd.cli", "init", str(tmp_path / "spec.yaml"), "--budget", "14 days"]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "--cluster is missing, e.g. --cluster '8 x h100-sxm'" in ended.stderr


def test_at_a_terminal_three_questions_are_asked_and_asked_again(tmp_path):
    file = tmp_path / "spec.yaml"
    ours, theirs = pty.openpty()
    os.write(ours, b"2 weeks or so\n2 weeks\n\nshakespeare moby-dick\n")
    command = [sys.executable, "-m", "sixnd.cli", "init", str(file)]
    try:
        ended = subprocess.run(command, stdin=theirs, capture_output=True, text=True, check=False, timeout=60)
    finally:
        os.close(ours)
        os.close(theirs)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("What may be spent") == 2
    spec = load_budget(file)
    assert spec.budget.time == 14 * 86400
    assert str(spec.accelerators) == "8 x h100-sxm"
    assert [source.recipe for source in spec.data.sources] == ["shakespeare", "moby-dick"]
