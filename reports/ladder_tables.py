"""The tables of a ladder's report."""

from sixnd.reports.ladder_documents import Knowledge, LadderFacts, RungRow
from sixnd.reports.tables import Line, Table, titled


def ladder_tables(facts: LadderFacts) -> list[Table]:
    """Cost, what it tells, what other designs would tell, the runs, and what to know of them."""
    cost = [Line((pair.label, pair.text)) for pair in facts.cost]
    return [
        titled("cost", f"Its cost, of {facts.share} allowed", "What|Value", cost),
        _knowledge("tells", "What it tells (95 % intervals)", facts.tells),
        _knowledge("designs", "At equal cost (95 % intervals)", facts.designs),
        titled("rungs", "Rungs", "Run|#N|#D|#D/N|#C|#On|#Wall time|#Money", map(_rung, facts.rungs), _ON),
        titled("notes", "Notes", "What to know", [Line((note,)) for note in facts.notes]),
    ]


_ON = "C = 6ND; on: so many of the target's accelerators."


def _knowledge(key: str, title: str, rows: list[Knowledge]) -> Table:
    lines = [
        Line(
            (row.label, row.params.full, row.factor.text, row.loss.full, f"± {row.within.text}"),
            "chosen" if row.chosen else "",
        )
        for row in rows
    ]
    return titled(key, title, "By|#N*|#Within a factor|#Loss|#Within", lines)


def _rung(row: RungRow) -> Line:
    numbers = (row.params, row.tokens, row.tokens_per_param, row.compute, row.accelerators, row.wall_time, row.money)
    return Line((row.name, *(figure.text.removesuffix(" FLOPs") for figure in numbers)))
