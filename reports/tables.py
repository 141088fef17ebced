"""The tables of a report, in order, as terminal, Markdown and HTML all show them."""

from collections.abc import Iterable
from dataclasses import dataclass

from sixnd.reports.documents import (
    Figure,
    LawRow,
    Option,
    Pair,
    Part,
    PhaseRow,
    PlanFacts,
    SensitivityRow,
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


def plan_tables(facts: PlanFacts) -> list[Table]:
    """Every table of a plan's report that has a row."""
    tables = [
        _numbers(facts),
        laws_table(facts.law_choices),
        _options(facts.options),
        _pareto(facts.pareto),
        _sensitivity(facts.sensitivities),
        _parts("memory", "Memory", facts.memory, f"On the fullest rank: {facts.memory_rank}."),
        _parts("time", "Step time", facts.time, "Of one optimizer step; only what is not hidden behind compute."),
        pairs_table("pipeline", "Pipeline", facts.pipeline.numbers if facts.pipeline else []),
        sources_table(facts.sources),
        phases_table(facts.phases),
        _text_of(facts.sources),
        pairs_table("model", "Model", facts.model),
        pairs_table("training", "Training", facts.training),
        _decisions(facts),
        pairs_table("provenance", "Provenance", facts.provenance),
    ]
    return [table for table in tables if table.lines]


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


def _numbers(facts: PlanFacts) -> Table:
    lines = [
        Line((n.label, n.figure.full.replace(n.figure.text, f"{n.figure.text} {n.note}".strip(), 1), n.reason))
        for n in facts.key_numbers
    ]
    return titled("numbers", "Key numbers", "Number|#Value|Why", lines, "In brackets: 80 % intervals.")


def _options(options: list[Option]) -> Table:
    lines = [
        Line(
            (
                option.layout,
                figure_text(option.step_time),
                figure_text(option.memory),
                "chosen" if option.chosen else option.why_not,
            ),
            "chosen" if option.chosen else "",
        )
        for option in options
    ]
    return titled("options", "Layouts considered", "Layout|#Step time|#Memory|Why not", lines)


def _pareto(options: list[Option]) -> Table:
    """Empty where nothing is on the front but the chosen layout."""
    paid = any(option.money and option.money.value for option in options)
    lines = [
        Line(
            (
                option.layout,
                figure_text(option.step_time),
                figure_text(option.wall_time),
                *([figure_text(option.money)] if paid else []),
                figure_text(option.headroom),
            ),
            "chosen" if option.chosen else "",
        )
        for option in (options if len(options) > 1 else [])
    ]
    return titled(
        "pareto",
        "Layouts that no other beats",
        f"Layout|#Step time|#Wall time{'|#Cost' if paid else ''}|#Memory to spare",
        lines,
        "In time and in memory to spare: on the fullest rank, of what a plan may fill."
        + (" All use the same accelerators in the same precision, so the fastest is the cheapest." if paid else ""),
    )


def _sensitivity(rows: list[SensitivityRow]) -> Table:
    paid = any(row.tenth.money_at_high.value for row in rows)
    lines = [
        Line(
            (
                f"{row.what} {row.planned.text}",
                row.planned.interval or NONE,
                row.wall_time or NONE,
                *([row.money or NONE] if paid else []),
                row.tenth_text,
            )
        )
        for row in rows
    ]
    moved = "wall time and cost" if paid else "wall time"
    return titled(
        "sensitivity",
        f"What moves {'days and dollars' if paid else 'the wall time'}",
        f"Input, planned|#80 % interval|#Wall time{'|#Cost' if paid else ''}|#−10 / +10 %",
        lines,
        f"One input at a time, the run as planned: {moved} at the low and the high end of the input's interval, and by "
        f"how much the {'cost' if paid else 'wall time'} changes with 10 % less and 10 % more of it.",
        *(
            ["Failures are told in accelerator-hours; goodput holds what they, restarts and checkpoints do together."]
            if _stops(rows)
            else []
        ),
    )


def _stops(rows: list[SensitivityRow]) -> bool:
    return any(row.what == "Restart in" for row in rows)


def _parts(key: str, title: str, parts: list[Part], note: str) -> Table:
    lines = [Line((part.label, part.figure.text, part.share)) for part in parts]
    return titled(key, title, "Component|#Amount|#Share", lines, note)


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


def _text_of(sources: list[SourceShare]) -> Table:
    """Empty where every source is taken as it is."""
    staged = any(source.stages for source in sources)
    lines = [
        Line((source.name, source.text or NONE, ", ".join(source.stages) or "none: taken as it is"))
        for source in (sources if staged else [])
    ]
    return titled("text", "Text and what is done to it", "Source|Text|Stages, in order", lines)


def _decisions(facts: PlanFacts) -> Table:
    lines = [
        Line((c.what, c.value, c.reason, f"{c.source} (pinned by the spec)" if c.pinned else c.source))
        for c in facts.decisions
    ]
    return titled("decisions", "Decisions", "Decision|Choice|Why|Source", lines)


def pairs_table(key: str, title: str, pairs: list[Pair]) -> Table:
    """Labels and their texts."""
    return titled(key, title, "What|Value", [Line((pair.label, pair.text)) for pair in pairs])


def figure_text(figure: Figure | None, absent: str = NONE) -> str:
    """The value, or what stands where there is none."""
    return absent if figure is None else figure.text
