"""The tables of a run's report, in order, as terminal, Markdown and HTML all show them."""

from dataclasses import replace

from sixnd.reports.data_tables import data_tables
from sixnd.reports.documents import LogEntry, Row
from sixnd.reports.evaluation_tables import evaluation_tables
from sixnd.reports.forgetting_tables import forgetting_table
from sixnd.reports.run_documents import RunFacts
from sixnd.reports.run_time_tables import alarms_table, interruptions_table, progress_table, time_table
from sixnd.reports.tables import NONE, Line, Table, figure_text, pairs_table, phases_table, sources_table, titled

_TOLD_BY_ATTEMPTS = {"started", "finished", "failed", "interrupted", "paused"}
_LAST = 100
"""Rows shown of the log, of attempts and of checkpoints."""


def run_tables(facts: RunFacts, *, bars: bool = False) -> list[Table]:
    """Every table of a run's report that has a row; the plan's own tables are not repeated.

    ``bars`` draws shares of time as bars of text, for where there is no chart beside the table.
    """
    tables = [
        _rows(facts.rows, facts.notes),
        progress_table(facts.progress),
        time_table(facts.time, bars=bars),
        interruptions_table(facts.interruptions),
        alarms_table(facts.alarms),
        forgetting_table(facts.forgetting),
        _baseline(facts),
        *evaluation_tables(facts.evaluation),
        sources_table(facts.sources),
        phases_table(facts.phases),
        *data_tables(facts.data),
        _log(facts.log),
        _attempts(facts),
        _checkpoints(facts),
        pairs_table("card", "Model card", facts.card),
        pairs_table("provenance", "Provenance", facts.provenance),
    ]
    return [table for table in tables if table.lines]


def _rows(rows: list[Row], notes: list[str]) -> Table:
    lines = [
        Line(
            (
                row.label,
                row.planned.full,
                figure_text(row.actual, unmeasured(row)),
                row.difference or NONE,
                row.status_text,
            ),
            row.status,
        )
        for row in rows
    ]
    remarks = [f"{row.label}: {row.note}." for row in rows if row.note]
    columns = "Quantity|#Planned|#Actual|#Difference|Status"
    return titled("rows", "Planned and actual", columns, lines, *notes, *remarks)


def unmeasured(row: Row) -> str:
    """What stands where a row has no actual: it may still come."""
    return "not yet" if row.status == "so far" else "not measured"


def _baseline(facts: RunFacts) -> Table:
    b = facts.baseline
    lines = [] if b is None else [Line(("Unigram model of the same tokens", b.unigram.text))]
    if b is not None and b.validation is not None and b.gain is not None:
        lines += [
            Line((f"Validation loss at step {b.step:,}", b.validation.text)),
            Line(("Nats by which the model is better", b.gain.text)),
        ]
    return titled("baseline", "Against the simplest model", "Model|#Loss", lines)


def _log(entries: list[LogEntry]) -> Table:
    """Empty where all that happened is starts and ends: the attempts tell of these."""
    told = any(entry.what not in _TOLD_BY_ATTEMPTS for entry in entries)
    lines = [Line((entry.time or NONE, f"{entry.step:,}", entry.what, entry.text)) for entry in entries if told]
    return latest(titled("log", "Log", "Time|#Step|What|Text", lines, "`sixnd note RUN TEXT` adds to it."))


def _attempts(facts: RunFacts) -> Table:
    places = {f"{a.machine}, {a.layout}" for a in facts.attempts}
    lines = [
        Line(
            (
                f"{a.number}",
                a.started,
                NONE if a.wall_time is None else a.wall_time.full,
                f"{a.resumed_from_step:,}",
                NONE if a.last_step is None else f"{a.last_step:,}",
                f"{a.outcome}: {a.cause}" if a.cause else a.outcome,
                *([f"{a.machine}, {a.layout}"] if len(places) > 1 else []),
            )
        )
        for a in facts.attempts
    ]
    columns = "Attempt|Started|#Wall time|#From step|#To step|End" + ("|Where" if len(places) > 1 else "")
    notes = [f"{place}." for place in places] if len(places) == 1 else []
    return latest(titled("attempts", "Attempts", columns, lines, *notes))


def _checkpoints(facts: RunFacts) -> Table:
    lines = [Line((f"{c.step:,}", c.seconds.text, c.path)) for c in facts.checkpoints]
    return latest(titled("checkpoints", "Checkpoints", "Step|#Time to save|Path", lines))


def latest(table: Table) -> Table:
    """The last rows of a table that grows with a run, so that a page of a long one stays light."""
    if len(table.lines) <= _LAST:
        return table
    note = f"The last {_LAST} of {len(table.lines):,}; the others are in the record."
    return replace(table, lines=table.lines[-_LAST:], notes=(*table.notes, note))
