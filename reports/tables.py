"""What a table of a report is, and those that several kinds of report have."""

from collections.abc import Iterable
from dataclasses import dataclass

from sixnd.reports.documents import (
    Figure,
    LawRow,
    Pair,
    PhaseRow,
    SourceShare,
)

NONE = "–"


@dataclass(frozen=True)
class Column:
    """A column: numeric ones are set flush right."""

    label: str
    numeric: bool = False


@dataclass(frozen=True)
class Line:
    """A row of a table; ``mark`` names what stands out about it (`chosen`, or a status)."""

    cells: tuple[str, ...]
    mark: str = ""


@dataclass(frozen=True)
class Table:
    """A titled table. The first column names its rows."""

    key: str
    title: str
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()


def titled(key: str, title: str, columns: str, lines: Iterable[Line], *notes: str) -> Table:
    """A table of these rows; columns are written ``Label|#Numeric label``."""
    heads = tuple(Column(label.removeprefix("#"), label.startswith("#")) for label in columns.split("|"))
    made = tuple(lines)
    assert all(len(line.cells) == len(heads) for line in made)
    return Table(key, title, heads, made, notes)


def laws_table(rows: list[LawRow]) -> Table:
    """What each law would choose, side by side."""
    lines = [
        Line(
            (
                row.law,
                row.params.text if row.params else NONE,
                row.params.interval if row.params and row.params.interval else NONE,
                f"{row.tokens_per_param:.3g}" if row.tokens_per_param else NONE,
                row.loss.text.removesuffix(" nats") if row.loss else NONE,
                _law_note(row),
            ),
            "chosen" if row.chosen else "",
        )
        for row in rows
    ]
    return titled(
        "laws",
        "What each law would choose for this compute",
        "Law|#N|#80 % interval|#D/N|#Loss|Note",
        lines,
        "Each loss, in nats, is that of the law's own corpus and tokenizer: compare N and D, not losses.",
    )


def _law_note(row: LawRow) -> str:
    beyond = f"{row.decades_outside:.1f} decades beyond its runs" if row.decades_outside else ""
    return "; ".join(part for part in (row.note, beyond) if part) or NONE


def phases_table(rows: list[PhaseRow]) -> Table:
    """The phases, the first one first."""
    drawn = any(row.realised for row in rows)
    columns = "Phase|Steps|Source|#Planned" + ("|#Realised|#Sequences" if drawn else "") + "|#Tokens|#Epochs"
    lines = [
        Line(
            (
                row.phase if i == 0 or rows[i - 1].phase != row.phase else "",
                row.steps if i == 0 or rows[i - 1].phase != row.phase else "",
                row.source,
                row.planned.text,
                *((figure_text(row.realised), figure_text(row.sequences)) if drawn else ()),
                row.tokens.text,
                figure_text(row.epochs, NONE),
            )
        )
        for i, row in enumerate(rows)
    ]
    return titled("phases", "Phases of the data mix", columns, lines, *_phase_notes(rows))


def _phase_notes(rows: list[PhaseRow]) -> list[str]:
    notes = ["Tokens as planned; epochs are of the documents that the phase may read, by unique tokens."]
    gaps = [
        abs(row.realised.value - row.planned.value)
        for row in rows
        if row.realised is not None and row.realised.value is not None and row.planned.value is not None
    ]
    if gaps:
        most = f"{100 * max(gaps):.2f} percentage points"
        notes.append(f"Realised shares of a phase differ from the planned ones by at most {most}.")
    return notes


def sources_table(sources: list[SourceShare]) -> Table:
    """Each source's share, tokens and epochs, as planned and after a run as realised."""
    drawn = any(source.realised for source in sources)
    kinds, worth = any(source.kind for source in sources), any(source.worth for source in sources)
    columns = "Source" + ("|Kind" if kinds else "") + "|#Planned" + ("|#Realised|#Sequences" if drawn else "")
    columns += "|#Tokens|#Unique tokens|#Epochs" + ("|#Worth" if worth else "")
    lines = [
        Line(
            (
                source.name,
                *((source.kind or NONE,) if kinds else ()),
                source.planned.text,
                *((figure_text(source.realised), figure_text(source.sequences)) if drawn else ()),
                source.tokens.text,
                figure_text(source.unique_tokens),
                figure_text(source.epochs),
                *((figure_text(source.worth),) if worth else ()),
            )
        )
        for source in sources
    ]
    counted = any(source.measured for source in sources)
    unique = "unique tokens as counted in the prepared text" if counted else "unique tokens as declared"
    told = "; worth: the unique tokens that tokens read over are worth, as planned" if worth else ""
    return titled("data", "Data mix", columns, lines, f"Tokens as planned, {unique}; epochs from both{told}.")


def pairs_table(key: str, title: str, pairs: list[Pair]) -> Table:
    """Labels and their texts."""
    return titled(key, title, "What|Value", [Line((pair.label, pair.text)) for pair in pairs])


def figure_text(figure: Figure | None, absent: str = NONE) -> str:
    """The value, or what stands where there is none."""
    return absent if figure is None else figure.text
