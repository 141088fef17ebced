"""Reports for a terminal, by rich. Untrusted text (samples, names) cannot move the cursor or colour anything."""

import io
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sixnd.reports.documents import TextSample
from sixnd.reports.forgetting_comparison import Run, forgetting_comparison
from sixnd.reports.forgetting_tables import comparison_tables
from sixnd.reports.plan_facts import plan_facts
from sixnd.reports.plan_tables import plan_tables
from sixnd.reports.run_facts import run_facts
from sixnd.reports.run_tables import run_tables
from sixnd.reports.tables import Table
from sixnd.specs.errors import visible
from sixnd.specs.plan import Plan
from sixnd.specs.record import RunRecord

if TYPE_CHECKING:
    from rich.console import RenderableType

    from sixnd.reports.difference_documents import Difference
    from sixnd.specs.ladder import Ladder
    from sixnd.specs.law_document import Frontier, LawDocument

_PLAN_TABLES = ("numbers", "laws", "options", "pareto", "sensitivity", "memory", "time", "data", "phases", "text")
_IN_FILES_ONLY = ("task-course", "removals", "changes", "licences", "languages", "compared")
"""Of a run's tables: what a terminal has no room for beside the rest. `sixnd data stats` prints it."""
_STYLES = {
    "chosen": "bold",
    "within": "green",
    "as planned": "green",
    "outside": "yellow",
    "beyond the law's range": "yellow",
    "not measured": "dim",
    "not predicted": "dim",
    "so far": "dim",
}
_LAST_SHOWN = {"checkpoints": 5, "log": 12}
_LAYOUTS_SHOWN = 5
_RESIDUALS_SHOWN = 8
_DIGEST = re.compile(r"\b([0-9a-f]{16})[0-9a-f]{48}\b")
"""A SHA-256: its first sixteen digits are enough to tell two apart by eye, and fit a line."""


def plan_text(plan: Plan, width: int = 80, *, color: bool = False) -> str:
    """What the plan would do and cost, ``width`` columns wide; decisions in full are in the other formats."""
    facts = plan_facts(plan)
    tables = [_shortened(table) for table in plan_tables(facts) if table.key in _PLAN_TABLES]
    head = _head(facts.name, facts.verdict, f"Budget: {facts.budget}")
    return _render([*head, *_tables(tables, width), *_warnings(facts.warnings)], width, color)


def tables_text(tables: list[Table], width: int = 80, *, color: bool = False) -> str:
    """Tables alone."""
    return _render(_tables(tables, width), width, color)


def run_text(plan: Plan, record: RunRecord, width: int = 80, *, color: bool = False) -> str:
    """What happened against what was planned, ``width`` columns wide."""
    facts = run_facts(plan, record)
    tables = [_shortened(table) for table in run_tables(facts, bars=True) if table.key not in _IN_FILES_ONLY]
    samples = [part for sample in facts.samples for part in _sample(sample)]
    head = _head(facts.name, facts.verdict, facts.state_text)
    body = [*_tables(tables[:-1], width), *samples, *_tables(tables[-1:], width)]
    return _render([*head, *body, *_warnings(facts.warnings)], width, color)


def comparison_text(runs: Sequence[Run], width: int = 80, *, color: bool = False) -> str:
    """What several runs forgot of their base, side by side, ``width`` columns wide."""
    facts = forgetting_comparison(runs)
    head = _head(facts.name, facts.verdict, facts.state)
    return _render([*head, *_tables(comparison_tables(facts), width), *_warnings(facts.warnings)], width, color)


def difference_text(facts: "Difference", width: int = 80, *, color: bool = False) -> str:
    """Two plans or runs side by side, ``width`` columns wide."""
    from sixnd.reports.difference_tables import difference_tables

    head = _head(facts.name, facts.verdict, facts.state)
    tables = [_shortened(table) for table in difference_tables(facts)]
    return _render([*head, *_tables(tables, width), *_warnings(facts.warnings)], width, color)


def ladder_text(ladder: "Ladder", width: int = 80, *, color: bool = False) -> str:
    """The small runs and what they would tell, ``width`` columns wide."""
    from sixnd.reports.ladder_facts import ladder_facts
    from sixnd.reports.ladder_tables import ladder_tables

    facts = ladder_facts(ladder)
    return _render(
        [*_head(facts.name, facts.verdict, facts.state), *_tables(ladder_tables(facts), width)], width, color
    )


def law_text(document: "LawDocument", at: "Sequence[Frontier]" = (), width: int = 80, *, color: bool = False) -> str:
    """What was fitted and how sure it is, ``width`` columns wide; ``at`` are allocations that were asked for."""
    from sixnd.reports.law_facts import law_facts  # a plan is printed without what a law's report needs
    from sixnd.reports.law_tables import law_tables

    facts = law_facts(document, at)
    tables = [table for table in law_tables(facts, _RESIDUALS_SHOWN) if table.key not in ("sources", "provenance")]
    head = _head(facts.name, facts.verdict, facts.state)
    return _render([*head, *_tables(tables, width), *_warnings(facts.warnings)], width, color)


def _render(parts: "list[RenderableType]", width: int, color: bool) -> str:
    from rich.console import Console

    out = io.StringIO()
    console = Console(
        file=out,
        width=width,
        force_terminal=color,
        color_system="standard" if color else None,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
        _environ={},
    )
    for part in parts:
        console.print(part, overflow="fold")
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()).strip("\n") + "\n"


def _head(name: str, verdict: str, state: str) -> "list[RenderableType]":
    return [_line(name, "bold"), _line(verdict), _line(state, "dim")]


def _tables(tables: list[Table], width: int) -> "list[RenderableType]":
    parts: list[RenderableType] = []
    for table in tables:
        parts += ["", _line(table.title, "bold"), *_drawn(table, width), *(_line(note, "dim") for note in table.notes)]
    return parts


def _warnings(warnings: list[str]) -> "list[RenderableType]":
    from rich.table import Table as Grid

    if not warnings:
        return []
    grid = Grid.grid(padding=(0, 1, 0, 0))
    for warning in warnings:
        grid.add_row("!", _line(warning))
    return ["", _line("Warnings", "bold yellow"), grid]


def _drawn(table: Table, width: int) -> "list[RenderableType]":
    from sixnd.reports.terminal_table import table_lines

    shown = [[_line(cell).plain for cell in line.cells] for line in table.lines]
    numeric = [column.numeric for column in table.columns]
    styles = [_STYLES.get(line.mark, "") for line in table.lines]
    lines = table_lines([column.label for column in table.columns], shown, numeric, width)
    return [_line(text, "dim" if row is None else styles[row]) for text, row in lines]


def _sample(sample: TextSample) -> "list[RenderableType]":
    from rich.padding import Padding
    from rich.text import Text

    text = Text.assemble(safe_text(sample.prompt), (safe_text(f"⟫{sample.continuation}"), "cyan"))
    return [
        "",
        _line(f"Sample from {sample.source} (the model's own words after ⟫)", "bold"),
        Padding(text, (0, 0, 0, 2)),
    ]


def _shortened(table: Table) -> Table:
    """Of what a long run has hundreds of, the last; the fastest layouts; the gist of a reason."""
    if table.key == "choices":
        return replace(table, lines=tuple(replace(line, cells=_first_clause(line.cells)) for line in table.lines))
    if table.key == "pareto" and len(table.lines) > _LAYOUTS_SHOWN:
        more = f"The fastest {_LAYOUTS_SHOWN} of {len(table.lines)}; sixnd report shows all."
        return replace(table, lines=table.lines[:_LAYOUTS_SHOWN], notes=(more, *table.notes))
    if table.key not in _LAST_SHOWN or len(table.lines) <= _LAST_SHOWN[table.key]:
        return table
    kept = table.lines[-_LAST_SHOWN[table.key] :]
    return replace(table, lines=kept, notes=(f"The last {len(kept)} of {len(table.lines)}.",))


def _first_clause(cells: tuple[str, ...]) -> tuple[str, ...]:
    return (*cells[:-1], cells[-1].partition("; ")[0])


def _line(text: str, style: str = "") -> Any:
    from rich.text import Text

    return Text(safe_text(_DIGEST.sub(r"\1…", text)), style=style)


def safe_text(text: str) -> str:
    """Control characters as pictures (␛ for ESC), so that a sample cannot drive the terminal."""
    return visible(text.expandtabs(4), keep="\n")
