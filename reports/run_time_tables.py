"""Tables of a run's time: how far it is, where its time went, what stopped it, what was alarming."""

from sixnd.reports.documents import Figure
from sixnd.reports.run_documents import AlarmRow, Interruption, ProgressFacts, TimeFacts, TimePart
from sixnd.reports.tables import NONE, Line, Table, figure_text, titled

_BAR_WIDTH = 24


def progress_table(facts: ProgressFacts | None) -> Table:
    """Empty of a run that has not begun, or has reached its last step."""
    lines = []
    if facts is not None:
        lines = [
            Line(("Tokens read", facts.share.text, NONE, f"{facts.step:,} of {facts.steps:,} steps"), "so far"),
            Line(("Time left", facts.left.text, NONE, "at the present pace"), "so far"),
            *(Line((row.label, row.figure.text, row.planned.full, row.course), "so far") for row in facts.rows),
        ]
    return titled(
        "progress",
        "How far it is",
        "What|#Value|#Planned|On course",
        lines,
        "The pace is the median of the last steps, with evaluations and checkpoints as so far; an attempt without an "
        "end counts only by what its events tell.",
    )


def time_table(facts: TimeFacts | None, *, bars: bool) -> Table:
    """Empty where no step was done."""
    parts = [] if facts is None or facts.goodput is None else facts.parts
    columns = "Time|#Amount|#Share" + ("|Bar" if bars else "")
    lines = [
        Line((part.label, figure_text(part.figure, "not measured"), figure_text(part.share), *_bar(part, bars)))
        for part in parts
    ]
    if facts is not None and lines:
        lines.append(Line(("Wall time of all attempts", facts.wall.text, NONE, *([NONE] if bars else [])), "chosen"))
    notes = [] if facts is None else [*_heading(facts), *facts.notes]
    return titled("time", "Where the time went", columns, lines, *notes)


def _heading(facts: TimeFacts) -> list[str]:
    told = [] if facts.goodput is None else [f"Goodput: {facts.goodput.text}."]
    return told + ([] if facts.between is None else [_stood(facts.between)])


def _stood(between: Figure) -> str:
    return f"Between attempts the run stood for {between.text}, which is not in its wall time."


def _bar(part: TimePart, bars: bool) -> list[str]:
    if not bars:
        return []
    share = 0.0 if part.share is None or part.share.value is None else part.share.value
    return ["█" * round(_BAR_WIDTH * min(max(0.0, share), 1.0)) or ("▏" if share > 0 else NONE)]


def interruptions_table(rows: list[Interruption]) -> Table:
    """Empty where nothing stopped the run."""
    lines = [
        Line(
            (
                row.cause,
                f"{len(row.attempts):,}",
                f"{row.steps:,}",
                row.lost.text,
                "until now" if row.open and row.stood is None else figure_text(row.stood, "not measured"),
            )
        )
        for row in rows
    ]
    return titled(
        "interruptions",
        "Interruptions by cause",
        "Cause|#Stops|#Steps done again|#Time lost|#Stood",
        lines,
        "Time lost is that of the steps done again, of a hang until it was noticed, and of the start-up behind the "
        "stop; how long the run then stood until its next attempt is told beside it.",
    )


def alarms_table(rows: list[AlarmRow]) -> Table:
    """Empty where there was no alarm."""
    lines = [
        Line(
            (
                row.rule,
                row.done,
                f"{row.times:,}",
                f"{row.first_step:,}" if row.times == 1 else f"{row.first_step:,}–{row.last_step:,}",
                row.worst,
                f"{row.undone:,}",
                row.lost.text if row.undone else NONE,
            )
        )
        for row in rows
    ]
    return titled(
        "alarms",
        "Spikes and alarms",
        "Rule|What was done|#Times|#Steps|Worst|#Steps undone|#Their time",
        lines,
        "By the rules of the spec's supervision. A skipped batch leaves the weights as they were; a rollback or a "
        "retry takes the last checkpoint's. Each alarm is in the log.",
    )
