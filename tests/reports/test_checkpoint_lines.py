"""Checkpoints and layouts in a run's report."""

from sixnd.reports.checkpoint_lines import checkpoint_lines
from sixnd.specs.checkpoint_events import CheckpointFailed, CheckpointSaved, CheckpointSkipped, LayoutChanged
from sixnd.specs.record import RunRecord


def failed(step: int) -> CheckpointFailed:
    return CheckpointFailed(attempt=1, step=step, reason="No space left on device", ends_run=False)


def test_failures_skips_and_changes_of_layout_are_told_in_order() -> None:
    digest = "0" * 64
    change = LayoutChanged(
        attempt=2, step=2, before="TP1 PP1 DP1", after="TP2 PP2 DP2", ranks_before=1, ranks_after=8,
        plan_sha256_before=digest, plan_sha256_after=digest,
    )  # fmt: skip
    skipped = CheckpointSkipped(attempt=2, step=4, path="checkpoints/step_00000004", reason="common.pt is damaged")
    saved = CheckpointSaved(attempt=1, step=2, path="", seconds=1)
    assert checkpoint_lines(RunRecord(events=[saved, failed(6), skipped, change])) == [
        "The checkpoint of step 6 could not be written: No space left on device.",
        "The checkpoint of step 4 was skipped at the start of attempt 2: common.pt is damaged.",
        "After step 2 the layout changed from TP1 PP1 DP1 to TP2 PP2 DP2, from 1 to 8 ranks.",
    ]


def test_of_many_the_last_are_told_and_the_rest_counted() -> None:
    lines = checkpoint_lines(RunRecord(events=[failed(step) for step in range(1, 31)]))
    assert len(lines) == 21
    assert lines[0].startswith("10 events")
    assert "step 30 " in lines[-1]
