"""Which checkpoints stay."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.runner.checkpoints.files import checkpoint_folders, remove, set_aside, step_of
from sixnd.runner.checkpoints.retention import apply_policy, kept
from sixnd.specs.checkpoint_policy import PlannedCheckpoints
from tests.runner.checkpoints.damage import flip, written

POLICIES = st.builds(
    PlannedCheckpoints,
    every_steps=st.integers(1, 4),
    keep_last=st.integers(1, 4),
    keep_every_nth=st.none() | st.integers(1, 5),
    keep_best=st.integers(0, 3),
)
LOSSES = st.dictionaries(st.integers(1, 60), st.none() | st.floats(0, 10) | st.just(float("nan")), min_size=1)


def policy(**fields: int) -> PlannedCheckpoints:
    return PlannedCheckpoints.model_validate({"every_steps": 2, "keep_last": 1} | fields)


def steps(root: Path) -> list[int]:
    return [step_of(folder) for folder in reversed(checkpoint_folders(root))]


def test_the_last_each_nth_and_the_best_are_kept() -> None:
    losses = {2: 3.0, 4: 2.0, 6: 2.5, 8: 2.0, 10: 9.0, 12: None, 14: float("nan")}
    assert kept(losses, policy()) == {14}
    assert kept(losses, policy(keep_last=2)) == {12, 14}
    assert kept(losses, policy(keep_every_nth=3)) == {6, 12, 14}
    assert kept(losses, policy(keep_best=2)) == {4, 8, 14}
    assert kept(losses, policy(keep_best=1)) == {4, 14}, "of equal ones the earlier"


@given(LOSSES, POLICIES)
def test_the_newest_always_stays_and_no_more_than_asked(
    losses: dict[int, float | None], policy: PlannedCheckpoints
) -> None:
    stays = kept(losses, policy)
    assert max(losses) in stays
    assert stays <= set(losses)
    every = policy.keep_every_nth
    forever = {step for step in losses if every and step % (every * policy.every_steps) == 0}
    assert forever <= stays
    assert len(stays - forever) <= policy.keep_last + policy.keep_best


@given(LOSSES, POLICIES)
def test_removing_one_by_one_keeps_what_removing_at_once_keeps(
    losses: dict[int, float | None], policy: PlannedCheckpoints
) -> None:
    here: dict[int, float | None] = {}
    for step in sorted(losses):
        here[step] = losses[step]
        here = {step: here[step] for step in kept(here, policy)}
    assert set(here) == kept(losses, policy)


def test_only_whole_checkpoints_count(tmp_path: Path) -> None:
    for step in (2, 4, 6):
        written(tmp_path, step)
    (tmp_path / "step_00000006" / "common.pt").unlink()
    apply_policy(tmp_path, policy())
    assert steps(tmp_path) == [4, 6], "6 is in part, so 4 is the last that can be taken"


def test_losses_are_those_of_the_manifests(tmp_path: Path) -> None:
    for step, loss in ((2, 1.0), (4, 2.0), (6, None), (8, 3.0)):
        written(tmp_path, step, loss)
    apply_policy(tmp_path, policy(keep_best=1))
    assert steps(tmp_path) == [2, 8]


def test_what_was_set_aside_goes_when_training_has_saved_so_far_again(tmp_path: Path) -> None:
    for step in (2, 4, 6):
        flip(written(tmp_path, step) / "common.pt", 0)
        set_aside(tmp_path / f"step_{step:08}")
    written(tmp_path, 4)
    apply_policy(tmp_path, policy())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step_00000004", "step_00000006.damaged"]


def test_what_cannot_be_removed_stays_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    for step in (2, 4):
        written(tmp_path, step)
    monkeypatch.setattr("sixnd.runner.checkpoints.retention.remove", refuse)
    apply_policy(tmp_path, policy())
    assert steps(tmp_path) == [2, 4]
    monkeypatch.setattr("sixnd.runner.checkpoints.retention.remove", remove)
    apply_policy(tmp_path, policy())
    assert steps(tmp_path) == [4]
