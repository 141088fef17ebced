"""Where the time of a run went, and its goodput.

Goodput is the share of wall time in which the model came forward: of the steps that count, and of evaluations, over the
wall time of all attempts. So the plan counts it too; the idea, and badput for the rest, are Google's (ML Goodput
Measurement, https://cloud.google.com/blog/products/ai-machine-learning/goodput-metric-as-measure-of-ml-productivity).
"""

import itertools
from typing import NamedTuple

from sixnd.reports.attempts import Span, seconds_between, span_of, times_of, wall_time
from sixnd.reports.documents import Figure
from sixnd.reports.figures import exact
from sixnd.reports.run_documents import TimeFacts, TimePart
from sixnd.reports.step_table import COUNTS, REPEATED, UNAPPLIED, StepTable
from sixnd.specs.record import End, Launch, RunRecord, Sample, Validation
from sixnd.specs.run_events import Started

_LABELS = {
    "counts": "Steps that count",
    "evaluations": "Evaluations",
    "repeated": "Steps done again",
    "unapplied": "Steps undone by alarms",
    "checkpoints": "Writing checkpoints",
    "start_up": "Start-up to the first step",
    "hung": "Hung",
    "samples": "Samples at the end",
    "rest": "Not told apart",
}
_ONLY_WHERE_SPENT = ("evaluations", "unapplied", "hung", "samples")
_CLOCK_S = 2.0
"""Launches and ends are told to the second, so an attempt's time is known to about that."""


class _Sums(NamedTuple):
    seconds: dict[str, float]
    missing: frozenset[str]
    """Parts of which at least one event does not tell its time."""
    untold: frozenset[str]
    """Parts of which no event does."""


def time_facts(record: RunRecord, steps: StepTable) -> TimeFacts | None:
    """The wall time of all attempts by what it was spent on; none where nothing was launched."""
    wall = wall_time(record, steps)
    if wall is None:
        return None
    sums = _sums(record, steps)
    return TimeFacts(
        wall=_bounded("duration", wall.seconds, "≥ " if wall.at_least else ""),
        parts=[_part(key, sums, wall.seconds) for key in _LABELS if _is_shown(key, sums)],
        goodput=_goodput(sums, wall),
        between=_between(record),
        notes=_notes(wall, sums),
    )


def _sums(record: RunRecord, steps: StepTable) -> _Sums:
    launches = record.of(Launch)
    times = {launch.attempt: times_of(record, steps, launch.attempt) for launch in launches}
    samples = sum(sample.seconds or 0.0 for sample in record.of(Sample))
    spans = [(span_of(record, steps, launch), times[launch.attempt].all) for launch in launches]
    unknown = sum(span.seconds - told for span, told in spans if not span.at_least) - samples
    seconds = {
        "counts": steps.seconds(COUNTS),
        "evaluations": sum(each.evaluations for each in times.values()),
        "repeated": steps.seconds(REPEATED),
        "unapplied": steps.seconds(UNAPPLIED),
        "checkpoints": sum(each.checkpoints for each in times.values()),
        "start_up": sum(each.start_up for each in times.values()),
        "hung": sum(each.hung for each in times.values()),
        "samples": samples,
        "rest": unknown,
    }
    if abs(unknown) <= _CLOCK_S * len(launches):
        del seconds["rest"]
    validations, taken = record.of(Validation), record.of(Sample)
    told = {
        "evaluations": [each.seconds is not None for each in validations],
        "start_up": [launch.attempt in {s.attempt for s in record.of(Started)} for launch in launches],
        "samples": [each.seconds is not None for each in taken],
    }
    missing = frozenset(key for key, each in told.items() if not all(each))
    return _Sums(seconds, missing, frozenset(key for key in missing if not seconds[key]))


def _is_shown(key: str, sums: _Sums) -> bool:
    if key not in sums.seconds:
        return False
    return key not in _ONLY_WHERE_SPENT or sums.seconds[key] != 0 or key in sums.missing


def _part(key: str, sums: _Sums, wall_s: float) -> TimePart:
    seconds = sums.seconds[key]
    if key in sums.untold:
        return TimePart(key=key, label=_LABELS[key], figure=None, share=None)
    mark = "≥ " if key in sums.missing else ""
    of = None if not wall_s else _bounded("share", seconds / wall_s, mark)
    return TimePart(key=key, label=_LABELS[key], figure=_bounded("duration", seconds, mark), share=of)


def _goodput(sums: _Sums, wall: Span) -> Figure | None:
    if not wall.seconds or not sums.seconds["counts"]:
        return None
    value = (sums.seconds["counts"] + sums.seconds["evaluations"]) / wall.seconds
    least, most = "evaluations" in sums.missing, wall.at_least
    return _bounded("percent", value, "about " if least and most else "≥ " if least else "≤ " if most else "")


def _bounded(kind: str, value: float, mark: str) -> Figure:
    figure = exact(kind, value)
    return figure.model_copy(update={"text": f"{mark}{figure.text}", "full": f"{mark}{figure.full}"})


def _between(record: RunRecord) -> Figure | None:
    """How long the run stood between attempts, where the record tells the ends of all."""
    launches, ends = record.of(Launch), {end.attempt: end.time for end in record.of(End)}
    if len(launches) < 2:
        return None
    gaps = [
        seconds_between(ends[before.attempt], after.time) if before.attempt in ends else None
        for before, after in itertools.pairwise(launches)
    ]
    told = [gap for gap in gaps if gap is not None]
    return _bounded("duration", sum(told), "" if len(told) == len(gaps) else "≥ ") if told else None


def _notes(wall: Span, sums: _Sums) -> list[str]:
    notes = [
        "Goodput is the time of the steps that count and of evaluations, validation among them, over the wall time of "
        "all attempts. Steps that count are those the model stands on; the first of an attempt counts with what it "
        "loads and compiles.",
    ]
    if wall.at_least:
        notes.append("An attempt left no end in the record: of it only what its events tell is counted.")
    if sums.untold:
        names = ", ".join(_LABELS[key] for key in _LABELS if key in sums.untold)
        notes.append(f"Not measured in this record, so within {_LABELS['rest'].lower()!r}: {names}.")
    if sums.seconds.get("rest", 0.0):
        notes.append(
            f"{_LABELS['rest']}: loading a checkpoint in the middle of an attempt, ending processes, and what no event "
            "tells."
        )
    return notes
