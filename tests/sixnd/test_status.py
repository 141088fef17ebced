"""The status of a run is told from its record and its age alone."""

import contextlib
import fcntl
import json
import math
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from dataclasses import replace
from pathlib import Path

import pytest

from sixnd.cli import main
from sixnd.console import Screen
from sixnd.runner.lock import exclusive
from sixnd.runner.supervision.heartbeat import Heartbeat
from sixnd.runner.supervision.stopping import stop_request
from sixnd.specs.record import End, RunRecord, Validation, event_line
from sixnd.specs.run_events import Alarm, Paused
from sixnd.specs.step_batches import StepBatches
from sixnd.status import RankLife, follow_status, status_of
from sixnd.stop_verb import is_running
from tests.reports import build
from tests.reports.evaluation_build import with_evaluations
from tests.runner import tiny
from tests.specs.test_record import step


def end(status: str) -> End:
    return End(attempt=1, time="2026-11-25T00:00:00Z", status=status, message="why", step=2, exit_code=1)


def status(*events, steps: int = 10, silent_s: float = 1.0):
    return status_of(RunRecord(events=list(events)), "name/0123abcd", steps, StepBatches(8), silent_s)


@pytest.mark.parametrize("state", ["finished", "failed", "interrupted"])
def test_the_last_end_tells_the_state(state):
    assert status(step(1), end(state)).state == state


def test_a_resumed_run_is_running_again_though_an_earlier_attempt_failed():
    assert status(step(1), end("failed"), step(2, attempt=2)).state == "running"


def test_a_resumed_run_is_as_far_as_its_present_attempt_and_not_as_the_one_before():
    story = build.Story(build.small_plan()).launch(1, "t").train(1, 1, 9).launch(2, "t", resumed_from=4)
    assert status(*story.events).step == 4
    assert status(*story.train(2, 5, 6).events).step == 6


def test_a_run_without_an_end_is_running_while_its_record_grows_and_silent_when_it_does_not():
    assert status(step(1), silent_s=60).state == "running"
    told = status(step(1), silent_s=7200)
    assert told.state == "silent"
    assert "killed, or hung" in told.line()


def test_slow_steps_are_waited_for():
    slow = step(1).model_copy(update={"step_time_s": 600.0})
    assert status(slow, silent_s=1200).state == "running"


def test_the_time_left_is_the_remaining_steps_at_the_median_pace():
    paces = [step(n).model_copy(update={"step_time_s": s}) for n, s in ((1, 2.0), (2, 2.0), (3, 50.0))]
    assert status(*paces, steps=103).eta_s == 200.0


def test_a_run_before_its_first_step_has_no_loss_and_no_time_left():
    told = status()
    assert (told.step, told.loss, told.eta_s) == (0, None, None)
    assert told.line() == "name/0123abcd: running · step 0/10"


def test_a_loss_that_is_not_a_number_is_null_in_json_and_plain_in_text():
    told = status(step(1, loss=math.nan))
    assert told.plain()["loss"] is None
    assert "loss nan" in told.line()


def alarm(number: int) -> Alarm:
    return Alarm(
        attempt=1, step=number, rule="loss-spike", value=9, threshold=3, action="warn", message=f"alarm {number}"
    )


def test_the_last_alarms_stand_below_the_line():
    told = status(step(1), *(alarm(number) for number in range(1, 9)))
    assert [line.split()[0] for line in told.text().splitlines()[1:]] == ["alarm"] * 5
    assert told.text().endswith("alarm 8")


def test_what_was_evaluated_last_stands_below_the_line():
    plan = tiny.plan()
    validated = [Validation(attempt=1, step=n, loss=4.0 - n / 10, tokens=1) for n in (3, 6)]
    record = with_evaluations(plan, RunRecord(events=[step(6), *validated]))
    told = status(*record.events)
    losses, sources, tasks = told.text().splitlines()[1:]
    assert losses == "  found  step 6: validation loss 3.4000"
    bits = record.source_losses()[-1].sources[0].bits_per_byte
    assert sources == f"  found  step 6: bits per byte: prose {bits:.3f}"
    assert tasks.startswith("  found  step 6: right: copying 82.0% (")
    assert tasks.endswith("chance 25.0%)")
    assert told.plain()["evaluated"] == tuple(line.removeprefix("  found  ") for line in (losses, sources, tasks))


def test_the_oldest_heartbeat_and_the_slow_rank_are_named():
    ranks = [
        RankLife(rank, f"node{rank}", age_s, "training", 7, slowness)
        for rank, age_s, slowness in ((0, 1.0, 1.0), (1, 90.0, 1.1), (2, 2.0, 2.5))
    ]
    text = replace(status(step(1)), ranks=tuple(ranks)).text()
    assert "3, oldest heartbeat 90 s ago (rank 1 on node1, training step 7)" in text
    assert "rank 2 on node2 takes 2.5 times as long for its forward passes" in text


def test_what_a_run_spent_is_told_with_where_it_pauses():
    spent = {"flops": 1e15, "accelerator_hours": 2.0, "money_usd": 5.0, "time_s": 3600.0}
    told = replace(status(step(1)), spent=spent, limits={"money_usd": 12.0})
    assert "(pauses at" in told.text()
    assert told.text().count("pauses at") == 1
    assert "spent" not in replace(told, state="finished").text()


def run_folder(folder: Path, *events: object) -> Path:
    (folder / "plan.yaml").write_text(tiny.plan().to_yaml())
    (folder / "record.jsonl").write_text("".join(event_line(event) for event in events))
    return folder


def test_a_run_that_does_not_run_is_not_asked_to_stop(tmp_path, capsys):
    run_folder(tmp_path, step(1))
    assert main(["stop", str(tmp_path)]) == 1
    assert "is not running" in capsys.readouterr().err
    assert stop_request(tmp_path) is None
    assert main(["stop", str(tmp_path / "nowhere")]) == 3


def test_a_run_whose_lock_is_held_is_asked_by_a_file(tmp_path, capsys):
    run_folder(tmp_path, step(1))
    with exclusive(tmp_path / "lock", "held", "wait"):
        assert main(["stop", "--no-wait", "--json", str(tmp_path)]) == 0
        assert "sixnd stop" in str(stop_request(tmp_path))
        assert json.loads(capsys.readouterr().out)["step"] == 1


def test_a_run_started_by_hand_runs_while_its_ranks_beat(tmp_path):
    run_folder(tmp_path, step(1))
    assert not is_running(tmp_path)
    heart = Heartbeat(tmp_path, rank=0, stage=0, attempt=1, every_s=0.01)
    with heart.beating():
        while heart.count < 2:
            pass
    assert is_running(tmp_path)
    run_folder(tmp_path, step(1), end("failed"))
    assert not is_running(tmp_path), "it beat a moment ago, and has ended since"


def test_a_run_that_paused_has_ended_also_where_nobody_was_left_to_write_its_end(tmp_path):
    heart = Heartbeat(tmp_path, rank=0, stage=0, attempt=1, every_s=0.01)
    with heart.beating():
        while heart.count < 2:
            pass
    run_folder(tmp_path, step(1))
    assert is_running(tmp_path)
    run_folder(tmp_path, step(1), Paused(attempt=1, step=1, reason="asked"))
    assert not is_running(tmp_path)


def test_watching_ends_with_the_run(tmp_path):
    run_folder(tmp_path, step(1), end("paused"))
    seen = []
    follow_status(tmp_path, 0.01, seen.append)
    assert [state.state for state in seen] == ["paused"]


def test_the_status_is_wrapped_between_its_parts():
    text = replace(
        status(step(1), alarm(1)), state="running", eta_s=400.0, run="quickstart-with-a-long-name/c02b7fcb"
    ).text(60)
    assert text.splitlines() == [
        "quickstart-with-a-long-name/c02b7fcb: running · step 1/10 ·",
        "  loss 5.0000 · 2,048 tokens/s · MFU 40.0% ·",
        "  about 6.67 min left",
        "  alarm  step 1: loss-spike: alarm 1",
    ]


def test_what_is_watched_in_a_pipe_is_told_line_after_line_without_control_characters(tmp_path, capsys):
    run_folder(tmp_path, step(1), end("failed"))
    assert main(["status", "--watch", "0.1", str(tmp_path)]) == 0
    assert (
        capsys.readouterr().out
        == f"tiny/{tiny.plan().fingerprint()}: failed · step 1/6 · loss 5.0000 · 2,048 tokens/s · why\n"
    )


@pytest.mark.parametrize(("term", "back"), [("xterm", "\x1b[1A\r\x1b[J"), ("dumb", "")])
def test_in_a_terminal_a_status_takes_the_place_of_the_last_one(monkeypatch, capsys, term, back):
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    screen = Screen()
    for text in ("one", "two\nlines", "three"):
        screen.show(text)
    twice = back.replace("1A", "2A")
    assert capsys.readouterr().out == f"one\n{back}two\nlines\n{twice}three\n"


def test_watching_in_a_terminal_of_80_columns_is_left_by_ctrl_c_without_a_word_of_trouble(tmp_path):
    run_folder(tmp_path, step(1))
    terminal, its_end = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    words = [sys.executable, "-m", "sixnd.cli", "status", "--watch", "0.1", str(tmp_path)]
    process = subprocess.Popen(
        words, stdin=its_end, stdout=its_end, stderr=its_end, start_new_session=True, env=os.environ | {"TERM": "xterm"}
    )
    os.close(its_end)
    shown, asked = "", False
    with contextlib.suppress(OSError):  # the terminal of a process that has ended
        while read := os.read(terminal, 4096):
            shown += read.decode()
            if not asked and shown.count("running") > 2:
                process.send_signal(signal.SIGINT)
                asked = True
    assert (process.wait(), "Traceback" in shown, "it goes on" in shown) == (130, False, True)
    frames = re.split(r"\x1b\[\d+A\r\x1b\[J", shown)
    assert len(frames) > 2
    assert max(len(line) for frame in frames[:-1] for line in frame.splitlines()) <= 80
