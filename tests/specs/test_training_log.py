"""Logs of Megatron-LM, Megatron-DeepSpeed and NeMo: which lines give a step time, and which are told as mistakes."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.specs.errors import InvalidDocumentError
from sixnd.specs.training_log import read_training_log

MEGATRON = (
    " [2025-08-01 07:19:{at:02d}] iteration {n:8d}/    5000 | consumed samples: {n:12d} | elapsed time per iteration "
    "(ms): {ms} | throughput per GPU (TFLOP/s/GPU): 80.2 | learning rate: 6.9E-08 | global batch size:   128 | "
    "lm loss: 1.043863E+01 | loss scale: 1.0 |"
)
DEEPSPEED = (
    "[default7]: iteration {n:8d}/  115311 | consumed samples: 9 | elapsed time per iteration (s): 105.22 | x: 1 |"
)
NEMO = (
    "Training epoch 0, iteration {n}/99 | lr: 1.4e-05 | global_batch_size: 128 | global_step: {n} | "
    "reduced_train_loss: 6.2 | train_step_timing in s: 12.22 | consumed_samples: 12544"
)


def log(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(("> building the model", *lines, "done")) + "\n")
    return path


def megatron(n: int, ms: object = 1000.0) -> str:
    return MEGATRON.format(at=n % 60, n=n, ms=ms)


def test_a_megatron_log_is_read_without_its_warm_up(tmp_path):
    found = read_training_log(
        log(tmp_path / "a.log", *(megatron(n, 9000 if n < 3 else 1000 + n) for n in range(1, 11)))
    )
    assert [(line.iteration, line.seconds) for line in found.lines] == [
        (n, pytest.approx(1.0 + n / 1000)) for n in range(6, 11)
    ]
    assert found.left_out == 5
    assert found.span == f"{tmp_path / 'a.log'}:7-11"
    assert {line.global_batch for line in found.lines} == {128}


def test_of_lines_that_average_ten_iterations_the_first_is_left_out(tmp_path):
    found = read_training_log(log(tmp_path / "a.log", *(megatron(n) for n in (10, 20, 30))))
    assert [line.iteration for line in found.lines] == [20, 30]


def test_warm_up_after_a_restart_is_left_out_too(tmp_path):
    lines = [megatron(n) for n in (10, 20, 30, 21, 22, 30)]
    found = read_training_log(log(tmp_path / "a.log", *lines))
    assert [line.iteration for line in found.lines] == [20, 30, 30]


@pytest.mark.parametrize(("line", "seconds"), [(DEEPSPEED, 105.22), (NEMO, 12.22)], ids=["deepspeed", "nemo"])
def test_other_programs_of_the_family_are_read(tmp_path, line, seconds):
    found = read_training_log(log(tmp_path / "a.log", *(line.format(n=n) for n in range(12))))
    assert {one.seconds for one in found.lines} == {seconds}
    assert len(found.lines) == 7


def test_a_single_line_is_used_though_it_may_be_warm_up(tmp_path):
    found = read_training_log(log(tmp_path / "a.log", megatron(1, 1234.5)))
    assert [line.seconds for line in found.lines] == [pytest.approx(1.2345)]
    assert found.span == f"{tmp_path / 'a.log'}:2"


def test_every_mistake_is_told_with_its_line(tmp_path):
    file = log(tmp_path / "a.log", megatron(1, "nan"), megatron(2), megatron(3, "-5"), megatron(4, "fast"))
    with pytest.raises(InvalidDocumentError) as caught:
        read_training_log(file)
    assert [problem.line for problem in caught.value.problems] == [2, 4, 5]
    assert "'fast' is no step time" in str(caught.value)


def test_a_log_of_another_batch_than_the_plan_s_is_refused(tmp_path):
    file = log(tmp_path / "a.log", megatron(10), megatron(20))
    assert len(read_training_log(file, 128).lines) == 1
    with pytest.raises(InvalidDocumentError, match=r"a\.log:2:\d+: global batch size is 128 here and 256 in the plan"):
        read_training_log(file, 256)


@pytest.mark.parametrize("text", ["", "epoch 1: loss 3.2\n", " iteration 1/ 2 | lm loss: 3 |\n"])
def test_a_file_without_a_step_time_is_no_log(tmp_path, text):
    file = tmp_path / "a.log"
    file.write_text(text)
    with pytest.raises(InvalidDocumentError, match="is no training log"):
        read_training_log(file)


def test_a_missing_or_binary_log_is_told(tmp_path):
    with pytest.raises(InvalidDocumentError, match="cannot be read"):
        read_training_log(tmp_path / "none.log")
    (tmp_path / "b.log").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidDocumentError, match="UTF-8"):
        read_training_log(tmp_path / "b.log")


@given(st.lists(st.text(max_size=40), max_size=5), st.integers(1, 10**6), st.floats(0.1, 1e7))
def test_a_step_time_is_found_whatever_stands_around_it(tmp_path_factory, noise, iteration, ms):
    file = tmp_path_factory.mktemp("logs") / "a.log"
    lines = [line for line in noise if "iteration" not in line]
    file.write_text("\n".join([*lines, megatron(iteration, f"{ms:.1f}")]), encoding="utf-8")
    assert read_training_log(file).lines[-1].seconds == pytest.approx(float(f"{ms:.1f}") / 1000)
