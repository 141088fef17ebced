"""The tables of a comparison of two plans or runs."""

from sixnd.reports.difference_documents import Difference, NumberPair
from sixnd.reports.documents import Figure
from sixnd.reports.tables import NONE, Line, Table, titled

_APART = "Marked: estimates whose 80 % intervals do not touch."


def difference_tables(facts: Difference) -> list[Table]:
    """Every table that has a row: outcomes, planned numbers, fields, decisions."""
    heads = f"#{facts.first}|#{facts.second}|#Change"
    texts = f"{facts.first}|{facts.second}"
    fields = [Line((field.path, field.first, field.second)) for field in facts.fields]
    choices = [Line((choice.what, choice.first, choice.second, choice.reason)) for choice in facts.choices]
    tables = [
        titled("measured", "What became of them", f"Quantity|{heads}", _numbers(facts.measured, "not measured")),
        titled("planned", "As planned", f"Quantity|{heads}", _numbers(facts.planned, NONE), _APART),
        titled("fields", "Fields of the specs that differ", f"Field|{texts}", fields),
        titled("choices", "Decisions that differ", f"Decision|{texts}|Why the second is so", choices),
    ]
    return [table for table in tables if table.lines]


def _numbers(numbers: list[NumberPair], absent: str) -> list[Line]:
    return [
        Line(
            (one.label, _full(one.first, absent), _full(one.second, absent), one.change), "chosen" if one.apart else ""
        )
        for one in numbers
    ]


def _full(figure: Figure | None, absent: str) -> str:
    return absent if figure is None else figure.full
