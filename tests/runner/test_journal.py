from datetime import datetime
from pathlib import Path

from sixnd.runner.journal import append_event
from sixnd.specs.record import Validation, read_record
from sixnd.specs.run_events import Alarm
from tests.specs.test_record import step


def test_a_line_torn_by_a_kill_is_cut_off_before_the_next_is_written(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    append_event(path, Validation(attempt=1, step=1, loss=3.0, tokens=10))
    with path.open("ab") as record:
        record.write(b'{"kind": "validation", "att')
    append_event(path, Validation(attempt=2, step=2, loss=2.0, tokens=10))
    assert [v.loss for v in read_record(path).of(Validation)] == [3.0, 2.0]


def test_what_has_a_place_for_a_time_is_dated_when_it_is_written(tmp_path: Path) -> None:
    alarm = Alarm(attempt=1, step=1, rule="loss-spike", value=9, threshold=3, action="warn", message="")
    for event in (alarm, alarm.model_copy(update={"time": "2026-01-01T00:00:00+00:00"}), step(1)):
        append_event(tmp_path / "record.jsonl", event)
    first, second, third = read_record(tmp_path / "record.jsonl").events
    assert datetime.fromisoformat(first.time).tzinfo is not None
    assert second.time == "2026-01-01T00:00:00+00:00"
    assert third == step(1)
