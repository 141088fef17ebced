from pathlib import Path

from sixnd.runner.journal import append_event
from sixnd.specs.record import Validation, read_record


def test_a_line_torn_by_a_kill_is_cut_off_before_the_next_is_written(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    append_event(path, Validation(attempt=1, step=1, loss=3.0, tokens=10))
    with path.open("ab") as record:
        record.write(b'{"kind": "validation", "att')
    append_event(path, Validation(attempt=2, step=2, loss=2.0, tokens=10))
    assert [v.loss for v in read_record(path).of(Validation)] == [3.0, 2.0]
