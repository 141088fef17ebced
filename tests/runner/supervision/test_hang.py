"""A hang is told from the beats alone, by the watcher's clock."""

import shutil
import time
from pathlib import Path

from sixnd.runner.supervision.hang import HangWatch
from sixnd.runner.supervision.heartbeat import Beat, Heartbeat, clear_beats, read_beats
from sixnd.runner.supervision.slowness import ComputeTimes, slowest
from sixnd.specs.supervision import Supervision


def beat(rank: int, progress: int, count: int, **other: object) -> Beat:
    plain = {"stage": 0, "attempt": 1, "host": f"node{rank}", "pid": 1, "time": 0.0, "phase": "training", "step": 1}
    return Beat.model_validate(plain | {"rank": rank, "progress": progress, "count": count} | other)


def watch(**rules: float) -> HangWatch:
    supervision = Supervision().model_copy(update={"hang_floor": 60.0, **rules})
    return HangWatch(Path("nowhere"), 1, supervision, clock=lambda: 0.0)


def test_a_run_that_makes_progress_does_not_hang() -> None:
    looking = watch()
    for now in range(0, 1000, 50):
        assert looking.judge([beat(0, now, now)], now) is None


def test_the_rank_that_stood_still_first_is_named() -> None:
    looking = watch()
    looking.judge([beat(0, 1, 1), beat(1, 1, 1)], 0)
    looking.judge([beat(0, 2, 2), beat(1, 1, 2)], 10)
    looking.judge([beat(0, 2, 3), beat(1, 1, 3)], 68)
    found = looking.judge([beat(0, 2, 4), beat(1, 1, 4)], 71)
    assert found is not None
    assert found.rank == 1
    assert "Look at rank 1 on node1, which stood still first" in found.message


def test_a_rank_without_a_sign_of_life_is_named_before_one_that_waits() -> None:
    looking = watch()
    looking.judge([beat(0, 1, 1), beat(1, 1, 1)], 0)
    looking.judge([beat(0, 1, 2), beat(1, 2, 2)], 10)  # rank 1 moved last, and then was stopped
    looking.judge([beat(0, 1, 9), beat(1, 2, 2)], 60)
    found = looking.judge([beat(0, 1, 10), beat(1, 2, 2)], 71)
    assert found is not None
    assert found.rank == 1
    assert "was stopped, or its machine is gone" in found.message


def test_slow_steps_are_waited_for() -> None:
    looking = watch(hang_steps=20.0)
    for step in range(1, 5):
        assert looking.judge([beat(0, step, step, step=step)], 50.0 * step) is None
    assert looking.judge([beat(0, 4, 5, step=4)], 200 + 999) is None
    assert looking.judge([beat(0, 4, 6, step=4)], 200 + 1001) is not None


def test_starting_evaluating_and_saving_may_take_three_times_as_long() -> None:
    for phase in ("starting", "validating", "saving"):
        looking = watch()
        looking.judge([beat(0, 1, 1, phase=phase)], 0)
        assert looking.judge([beat(0, 1, 2, phase=phase)], 170) is None
        assert looking.judge([beat(0, 1, 3, phase=phase)], 181) is not None


def test_processes_that_never_come_up_are_a_hang() -> None:
    found = watch().judge([], 181)
    assert found is not None
    assert (found.rank, found.beats) == (None, ())


def test_beats_are_written_and_read_and_those_of_other_attempts_removed(tmp_path: Path) -> None:
    heart = Heartbeat(tmp_path, rank=3, stage=1, attempt=2, every_s=0.01)
    heart.enter("training", 7)
    with heart.beating():
        assert list(heart.each(range(4))) == [0, 1, 2, 3]
        while heart.count < 3:
            pass
    (found,) = read_beats(tmp_path)
    assert (found.rank, found.stage, found.attempt, found.phase, found.step) == (3, 1, 2, "training", 7)
    assert heart.progress == 5
    (tmp_path / "heartbeats" / "rank-00009.json").write_text("{torn")
    assert len(read_beats(tmp_path)) == 1
    clear_beats(tmp_path)
    assert read_beats(tmp_path) == []


def test_beats_go_on_where_their_folder_was_removed(tmp_path: Path) -> None:
    heart = Heartbeat(tmp_path, rank=0, stage=0, attempt=1, every_s=0.01)
    with heart.beating():
        while not read_beats(tmp_path):
            time.sleep(0.01)
        shutil.rmtree((tmp_path / "heartbeats").rename(tmp_path / "removed"))
        deadline = time.monotonic() + 20
        while not read_beats(tmp_path) and time.monotonic() < deadline:
            time.sleep(0.01)
    assert read_beats(tmp_path)


def test_the_slow_rank_is_found_by_its_own_past_and_by_its_peers() -> None:
    past = [beat(0, 1, 1, compute_s=2.0, usual_s=1.0), beat(1, 1, 1, compute_s=1.0, usual_s=1.0, stage=1)]
    found = slowest(past)
    assert found is not None
    assert (found[0].rank, found[1]) == (0, 2.0)
    peers = [
        beat(rank, 1, 1, compute_s=3.0 if rank == 2 else 1.0, usual_s=3.0 if rank == 2 else 1.0) for rank in range(4)
    ]
    found = slowest(peers)
    assert found is not None
    assert (found[0].rank, found[1]) == (2, 3.0)


def test_ranks_alike_have_no_slow_one() -> None:
    assert slowest([beat(rank, 1, 1, compute_s=1.0, usual_s=1.0) for rank in range(4)]) is None
    assert slowest([beat(0, 1, 1, compute_s=9.0, usual_s=1.0)]) is None


def test_a_ranks_times_are_medians() -> None:
    times = ComputeTimes(window=16)
    for seconds in [1.0] * 12 + [4.0] * 8:
        recent, usual = times.add(seconds, 8)
    assert (recent, usual) == (4.0, 2.5)
