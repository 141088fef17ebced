from pathlib import Path

import pytest

from sixnd.runner.failure import explain_failure
from sixnd.specs.checkpoint_events import CheckpointFailed, CheckpointSaved, CheckpointSkipped
from sixnd.specs.record import RunRecord, Step

SUMMARY = """
Traceback (most recent call last):
Root Cause (first observed failure):
[0]:
  time      : 2026-11-25_04:13:20
  host      : localhost
  rank      : 3 (local_rank: 3)
  exitcode  : {code} (pid: 7286)
"""


def step(number: int) -> Step:
    return Step(
        attempt=1, step=number, tokens=1, loss=1, grad_norm=1, learning_rate=1, step_time_s=1, tokens_per_s=1, mfu=1,
        memory_bytes=1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (SUMMARY.format(code=-9), "rank 3 was killed by SIGKILL after step 7."),
        (SUMMARY.format(code=1), "rank 3 failed (exit code 1) after step 7."),
        ("nothing of use", "the training processes ended with exit code 1 after step 7."),
    ],
)
def test_a_failure_names_the_rank_the_step_and_what_is_safe(tmp_path: Path, log: str, said: str) -> None:
    path = tmp_path / "log"
    path.write_text(log)
    saved = CheckpointSaved(attempt=1, step=5, path="checkpoints/step_00000005", seconds=1)
    message = explain_failure(RunRecord(events=[step(6), saved, step(7)]), path, 1)
    assert message.startswith(said)
    assert "The last complete checkpoint is step 5; the same `sixnd run` resumes from it." in message
    assert str(path) in message


def test_a_launcher_that_was_killed_itself_is_told_by_its_signal(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("cut short")
    message = explain_failure(RunRecord(events=[step(7)]), path, -9)
    assert message.startswith("the training processes were killed by SIGKILL after step 7. No checkpoint was complete")


def test_a_failure_before_the_first_step_says_that_it_starts_again(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(SUMMARY.format(code=1))
    message = explain_failure(RunRecord(events=[]), path, 1)
    assert "before the first step. No checkpoint was complete yet; the same `sixnd run` starts again" in message


def test_a_checkpoint_that_could_not_be_written_is_the_reason_that_is_told(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(SUMMARY.format(code=1))
    saved = CheckpointSaved(attempt=1, step=4, path="checkpoints/step_00000004", seconds=1)
    failed = [
        CheckpointFailed(attempt=1, step=step, reason="No space left on device", ends_run=step == 8) for step in (6, 8)
    ]
    message = explain_failure(RunRecord(events=[saved, failed[0], step(8), failed[1]]), path, 1)
    assert message.startswith("the checkpoint of step 8 could not be written (No space left on device)")
    assert "The last complete checkpoint is step 4" in message
    assert explain_failure(RunRecord(events=[saved, failed[0], step(7)]), path, 1).startswith("rank 3 failed")


def test_a_checkpoint_that_was_found_damaged_is_not_called_safe(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(SUMMARY.format(code=1))
    saved = [CheckpointSaved(attempt=1, step=number, path="", seconds=1) for number in (2, 4)]
    skipped = CheckpointSkipped(attempt=2, step=4, path="", reason="cut")
    assert "checkpoint is step 2" in explain_failure(RunRecord(events=[*saved, skipped]), path, 1)
    assert "checkpoint is step 4" in explain_failure(RunRecord(events=[*saved, skipped, saved[1]]), path, 1)
