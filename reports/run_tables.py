"""The tables of a run's report, in order, as terminal, Markdown and HTML all show them."""

from sixnd.reports.data_tables import data_tables
from sixnd.reports.documents import LogEntry, Row
from sixnd.reports.evaluation_tables import evaluation_tables
from sixnd.reports.forgetting_tables import forgetting_table
from sixnd.reports.run_documents import RunFacts
from sixnd.reports.tables import NONE, Line, Table, figure_text, pairs_table, phases_table, sources_table, titled


def run_tables(facts: RunFacts) -> list[Table]:
    """Every table of a run's report that has a row; the plan's own tables are not repeated."""
    tables = [
        _rows(facts.rows, facts.notes),
        forgetting_table(facts.forgetting),
        _baseline(facts),
        *evaluation_tables(facts.evaluation),
        sources_table(facts.sources),
        phases_table(facts.phases),
        *data_tables(facts.data),
        _log(facts.log),
        _attempts(facts),
        _checkpoints(facts),
        pairs_table("provenance", "Provenance", facts.provenance),
    ]
    return [table for table in tables if table.lines]


def _rows(rows: list[Row], notes: list[str]) -> Table:
    lines = [
        Line(
            (
                row.label,
                row.planned.full,
                figure_text(row.actual, "not measured"),
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
    told = any(entry.time == "" or entry.what == "note" for entry in entries)
    lines = [Line((entry.time or NONE, f"{entry.step:,}", entry.what, entry.text)) for entry in entries if told]
    return titled("log", "Log", "Time|#Step|What|Text", lines, "`sixnd note RUN TEXT` adds to it.")


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
    return titled("attempts", "Attempts", columns, lines, *notes)


def _checkpoints(facts: RunFacts) -> Table:
    lines = [Line((f"{c.step:,}", c.seconds.text, c.path)) for c in facts.checkpoints]
    return titled("checkpoints", "Checkpoints", "Step|#Time to save|Path", lines)
