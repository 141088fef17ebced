"""The run record: it survives a torn last line, tells a bad one, and counts a repeated step once."""

import gc
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.specs.errors import InvalidDocumentError
from sixnd.specs.record import End, RunRecord, Step, Validation, event_line, read_record


def step(number: int, *, attempt: int = 1, loss: float = 5.0) -> Step:
    return Step(
        attempt=attempt,
        step=number,
        tokens=number * 1024,
        loss=loss,
        grad_norm=1.0,
        learning_rate=1e-3,
        step_time_s=0.5,
        tokens_per_s=2048.0,
        mfu=0.4,
        memory_bytes=10**9,
    )


END = End(attempt=1, time="2026-11-25T00:00:00Z", status="finished", message="done", step=2, exit_code=0)


def written(tmp_path, content: str):
    file = tmp_path / "record.jsonl"
    file.write_text(content)
    return file


def test_events_are_read_in_the_order_they_were_written(tmp_path):
    events = [step(1), step(2), END]
    assert read_record(written(tmp_path, "".join(map(event_line, events)))).events == events


@given(cut=st.integers(1, len(event_line(step(2)))))
def test_a_line_torn_anywhere_is_ignored_and_the_rest_is_read(tmp_path_factory, cut):
    file = written(tmp_path_factory.mktemp("record"), event_line(step(1)) + event_line(step(2))[:-cut])
    assert [s.step for s in read_record(file).steps()] == [1]


@pytest.mark.parametrize("bad", ["{", "null", '{"kind": "step"}', '{"kind": "sneeze"}', "[]", "\x00\x00"])
def test_a_bad_line_that_is_not_the_last_is_told_with_its_number(tmp_path, bad):
    file = written(tmp_path, event_line(step(1)) + bad + "\n" + event_line(step(2)))
    with pytest.raises(InvalidDocumentError, match=r"record\.jsonl:2:1: not an event of a run record"):
        read_record(file)


def test_every_bad_line_is_told(tmp_path):
    file = written(tmp_path, "{\n" + event_line(step(1)) + "[]\n")
    with pytest.raises(InvalidDocumentError) as caught:
        read_record(file)
    assert [problem.line for problem in caught.value.problems] == [1, 3]


def test_an_event_with_an_unknown_field_is_refused(tmp_path):
    line = json.dumps({**json.loads(event_line(step(1))), "mood": "good"}) + "\n"
    with pytest.raises(InvalidDocumentError, match="mood"):
        read_record(written(tmp_path, line))


def test_a_missing_record_is_told_with_its_name(tmp_path):
    with pytest.raises(InvalidDocumentError, match=r"record\.jsonl:1:1: cannot be read"):
        read_record(tmp_path / "record.jsonl")


def test_of_a_step_that_a_resume_repeated_the_last_attempt_counts():
    record = RunRecord(events=[step(1), step(2, loss=4.0), step(3), step(2, attempt=2, loss=3.0), step(3, attempt=2)])
    assert [(s.step, s.attempt) for s in record.steps()] == [(1, 1), (2, 2), (3, 2)]


def test_validations_are_counted_once_a_step_too():
    events = [Validation(attempt=a, step=s, loss=1.0 * a, tokens=8) for a, s in ((1, 10), (1, 20), (2, 20))]
    assert [(v.step, v.loss) for v in RunRecord(events=events).validations()] == [(10, 1.0), (20, 2.0)]


def test_the_last_event_of_a_kind_is_found_or_none():
    record = RunRecord(events=[step(1), step(2)])
    assert record.last(Step).step == 2
    assert record.last(End) is None


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_blew_up_is_recorded_as_it_was(tmp_path, loss):
    (read,) = read_record(written(tmp_path, event_line(step(1, loss=loss)))).steps()
    assert read.loss == loss or (math.isnan(read.loss) and math.isnan(loss))


@given(st.floats(allow_nan=False), st.integers(1, 2**52), st.text(st.characters(exclude_categories=["Cs"])))
def test_every_event_is_one_line_and_reads_back_equal(tmp_path_factory, loss, number, message):
    events = [step(number, loss=loss), END.model_copy(update={"message": message})]
    lines = [event_line(event) for event in events]
    assert all(line.count("\n") == 1 and line.endswith("\n") for line in lines)
    assert read_record(written(tmp_path_factory.mktemp("record"), "".join(lines))).events == events


def test_a_count_too_large_for_any_run_is_told_with_its_line(tmp_path):
    line = event_line(step(1)).replace('"tokens": 1024', f'"tokens": {10**30}')
    with pytest.raises(InvalidDocumentError, match=r"record\.jsonl:1:1: .*tokens"):
        read_record(written(tmp_path, line))


def test_a_record_is_read_with_the_collector_as_it_was(tmp_path):
    file = written(tmp_path, event_line(step(1)))
    read_record(file)
    assert gc.isenabled()
