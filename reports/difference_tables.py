"""The tables of a comparison of plans or runs."""

from sixnd.reports.difference_documents import Difference, NumberRow
from sixnd.reports.documents import Figure
from sixnd.reports.tables import NONE, Line, Table, titled

_APART = "Marked: estimates whose 80 % intervals do not touch."


def difference_tables(facts: Difference) -> list[Table]:
    """Every table that has a row: outcomes, planned numbers, fields, decisions."""
    texts = "|".join(facts.names)
    fields = [Line((field.path, *field.values)) for field in facts.fields]
    choices = [Line((choice.what, *choice.values, choice.reason)) for choice in facts.choices]
    last = "Why the second is so" if len(facts.names) == 2 else "Why the last is so"
    tables = [
        _numbers("measured", "What became of them", facts, facts.measured, "not measured"),
        _numbers("planned", "As planned", facts, facts.planned, NONE, _APART),
        titled("fields", "Fields of the specs that differ", f"Field|{texts}", fields),
        titled("choices", "Decisions that differ", f"Decision|{texts}|{last}", choices),
    ]
    return [table for table in tables if table.lines]


def _numbers(key: str, title: str, facts: Difference, rows: list[NumberRow], absent: str, *notes: str) -> Table:
    """Of two, the change has its own column; of more, it stands behind each number."""
    heads = "|".join(f"#{name}" for name in facts.names)
    two = len(facts.names) == 2
    lines = [
        Line(
            (row.label, *(_two(row, absent) if two else _more(row, absent))), "chosen" if any(row.apart) else ""
        )
        for row in rows
    ]  # fmt: skip
    more = () if two else (f"In brackets: from {facts.names[0]}.",)
    return titled(key, title, f"Quantity|{heads}{'|#Change' if two else ''}", lines, *more, *notes)


def _two(row: NumberRow, absent: str) -> list[str]:
    return [*(_full(value, absent) for value in row.values), *row.changes]


def _more(row: NumberRow, absent: str) -> list[str]:
    texts = [absent if value is None else value.text for value in row.values]
    return [texts[0], *(_behind(text, change) for text, change in zip(texts[1:], row.changes, strict=True))]


def _behind(text: str, change: str) -> str:
    return f"{text} ({change})" if change and change != "the same" else text


def _full(figure: Figure | None, absent: str) -> str:
    return absent if figure is None else figure.full
