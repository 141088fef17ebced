"""The tables of forgetting: of one run, and of several side by side."""

from sixnd.reports.documents import Figure
from sixnd.reports.forgetting_documents import ForgettingComparison, ForgettingFacts, ForgettingRun, HeldOutChange
from sixnd.reports.tables import NONE, Line, Table, titled

_HELD_OUT = (
    "Held-out text of each source, the same at every measurement. General text stands for what the base knows: a loss "
    "that rises is forgetting. Losses are nats per token; bits are bits per byte = loss · tokens / bytes / ln 2."
)


def forgetting_table(facts: ForgettingFacts | None) -> Table:
    """General and new text before the first step, on the way, and last; without a row where nothing was measured."""
    rows = [] if facts is None else facts.sources
    notes = [] if facts is None else [f"Started from {facts.base}; {facts.replay.text} of the tokens are replayed."]
    columns = "Held-out text|Kind|#Share trained|#Before|#Highest|#After|#Change|#Bits before|#Bits after|#Bits change"
    return titled("forgetting", "Forgetting", columns, [_line(row) for row in rows], *notes, _HELD_OUT)


def _line(row: HeldOutChange) -> Line:
    at = f"{_bare(row.highest)} at step {row.highest_step:,}"
    losses = (_bare(row.before), at, _bare(row.after), _bare(row.change))
    bits = (row.bits_before.text, row.bits_after.text, row.bits_change.text)
    return Line((row.name, row.kind, row.replayed.text, *losses, *bits), "chosen" if row.together else "")


def _bare(figure: Figure) -> str:
    return figure.text.removesuffix(" nats")


def comparison_tables(facts: ForgettingComparison) -> list[Table]:
    """Every run's losses, and its settings."""
    each = [f"#{text} before|#{text} after|#{gained}|#{gained}, bits" for text, gained in _GAINS]
    columns = "|".join(["Run|#Replay", *each])
    losses = titled(
        "compared", "What was forgotten, and what learnt", columns, [_run(run) for run in facts.runs], _COMPARED
    )
    settings = [
        Line((run.name, run.replay.text, run.learning_rate.text, run.tokens.text, run.base)) for run in facts.runs
    ]
    return [losses, titled("runs", "Runs", "Run|#Replay|#Peak learning rate|#Tokens|Base", settings)]


_GAINS = (("General", "Forgotten"), ("New", "Learnt"))
_COMPARED = (
    "Nats per token on held-out text; forgotten is general text after less before, learnt is new text before less "
    "after; bits are bits per byte."
)


def _run(run: ForgettingRun) -> Line:
    cells = [run.name, run.replay.text]
    for row, sign in ((run.general, 1), (run.new, -1)):
        if row is None:
            cells += [NONE] * 4
            continue
        cells += [_bare(row.before), _bare(row.after)]
        cells += [_turned(row.change, sign), _turned(row.bits_change, sign)]
    return Line(tuple(cells))


def _turned(figure: Figure, sign: int) -> str:
    """The change, or what was gained: its negative."""
    if sign > 0 or not figure.value:
        return _bare(figure)
    text = _bare(figure)
    return f"−{text[1:]}" if figure.value > 0 else f"+{text.lstrip('−-')}"
