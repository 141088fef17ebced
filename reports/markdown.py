"""Reports as Markdown: tables that GitHub and CommonMark readers with tables show, samples in code fences."""

import re
from collections.abc import Sequence
from html import escape

from sixnd.reports.data_documents import DataFacts
from sixnd.reports.difference_documents import Difference
from sixnd.reports.difference_tables import difference_tables
from sixnd.reports.documents import TextSample
from sixnd.reports.forgetting_comparison import Run, forgetting_comparison
from sixnd.reports.forgetting_tables import comparison_tables
from sixnd.reports.ladder_facts import ladder_facts
from sixnd.reports.ladder_tables import ladder_tables
from sixnd.reports.law_facts import law_facts
from sixnd.reports.law_tables import law_tables
from sixnd.reports.plan_facts import plan_facts
from sixnd.reports.plan_tables import left_out, plan_tables
from sixnd.reports.run_facts import run_facts
from sixnd.reports.run_tables import run_tables
from sixnd.reports.table_report import TableReport
from sixnd.reports.tables import Column, Line, Table
from sixnd.specs.ladder import Ladder
from sixnd.specs.law_document import LawDocument
from sixnd.specs.plan import Plan
from sixnd.specs.reasoning import Reasoning
from sixnd.specs.record import RunRecord

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~&])")


def plan_markdown(plan: Plan, reasoning: Reasoning | None = None) -> str:
    """The whole plan as Markdown, with the planner's reasoning where it is given."""
    facts = plan_facts(plan, reasoning)
    parts = [*_head(facts.name, facts.verdict, f"Budget: {facts.budget}"), *_warnings(facts.warnings)]
    parts += [_drawn(table) for table in plan_tables(facts)]
    return _joined(parts + [_inline(note) for note in left_out(facts)])


def run_markdown(plan: Plan, record: RunRecord) -> str:
    """What happened against what was planned, as Markdown; then why the plan was as it was."""
    facts = run_facts(plan, record)
    parts = [*_head(facts.name, facts.verdict, facts.state_text), *_warnings(facts.warnings)]
    *tables, provenance = run_tables(facts, bars=True)
    for table in tables:
        parts += [_drawn(table), *(_examples(facts.data) if table.key == "removals" else [])]
    parts += ["## Samples", *(_sample(sample) for sample in facts.samples)] if facts.samples else []
    decisions = [table for table in plan_tables(facts.plan) if table.key in ("numbers", "decisions")]
    parts += [_drawn(table, prefix="Plan: ") for table in decisions]
    return _joined([*parts, _drawn(provenance)])


def comparison_markdown(runs: Sequence[Run]) -> str:
    """What several runs forgot of their base, side by side, as Markdown."""
    facts = forgetting_comparison(runs)
    parts = [*_head(facts.name, facts.verdict, facts.state), *_warnings(facts.warnings)]
    return _joined(parts + [_drawn(table) for table in comparison_tables(facts)])


def difference_markdown(facts: Difference) -> str:
    """Two plans or runs side by side, as Markdown."""
    parts = [*_head(facts.name, facts.verdict, facts.state), *_warnings(facts.warnings)]
    return _joined(parts + [_drawn(table) for table in difference_tables(facts)])


def ladder_markdown(ladder: Ladder) -> str:
    """The small runs and what they would tell, as Markdown."""
    facts = ladder_facts(ladder)
    *tables, _ = ladder_tables(facts)
    notes = "\n".join(["## Notes", "", *(f"- {_inline(note)}" for note in facts.notes)])
    return _joined([*_head(facts.name, facts.verdict, facts.state), *map(_drawn, tables), notes])


def tables_markdown(made: TableReport) -> str:
    """Findings and tables as Markdown."""
    parts = [*_head(made.name, made.verdict, made.kind), *(f"- {_inline(one)}" for one in made.findings)]
    return _joined(parts + [_drawn(table) for table in made.tables])


def law_markdown(document: LawDocument) -> str:
    """What was fitted and how sure it is, as Markdown."""
    facts = law_facts(document)
    parts = [*_head(facts.name, facts.verdict, facts.state), *_warnings(facts.warnings)]
    return _joined(parts + [_drawn(table) for table in law_tables(facts)])


def _joined(parts: list[str]) -> str:
    return "\n\n".join(parts) + "\n"


def _head(name: str, verdict: str, state: str) -> list[str]:
    return [f"# {_inline(name)}", f"**{_inline(verdict)}**", _inline(state)]


def _warnings(warnings: list[str]) -> list[str]:
    quoted = "\n>\n".join(f"> **Warning:** {_inline(warning)}" for warning in warnings)
    return [quoted] if warnings else []


def _drawn(table: Table, prefix: str = "") -> str:
    head = "| " + " | ".join(_inline(column.label) for column in table.columns) + " |"
    rule = "| " + " | ".join(_rule(column) for column in table.columns) + " |"
    lines = [_line(line) for line in table.lines]
    notes = ["", *(f"- {_inline(note)}" for note in table.notes)] if table.notes else []
    return "\n".join([f"## {prefix}{table.title}", "", head, rule, *lines, *notes])


def _rule(column: Column) -> str:
    return "--:" if column.numeric else "---"


def _line(line: Line) -> str:
    cells = [_inline(cell) for cell in line.cells]
    if line.mark == "chosen":
        cells = [f"**{cell}**" for cell in cells]
    return "| " + " | ".join(cells) + " |"


def _sample(sample: TextSample) -> str:
    title = f"From {_inline(sample.source)}: the prompt, then the model's own words."
    return f"{title}\n\n{_fenced(sample.prompt)}\n\n{_fenced(sample.continuation)}"


def _examples(facts: DataFacts) -> list[str]:
    """Removed documents, a few of each stage and reason, folded up."""
    return [
        f"<details>\n<summary>{escape(f'{source.name}, {stage.name}: {gone.reason}')}</summary>\n\n"
        + "\n\n".join(f"{_inline(one.id)}: {_inline(one.detail)}\n\n{_fenced(one.excerpt)}" for one in gone.examples)
        + "\n\n</details>"
        for source in facts.sources
        for stage in source.stages
        for gone in stage.removed
        if gone.examples
    ]


def _fenced(text: str) -> str:
    """A code block that no run of backticks in ``text`` can close."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _inline(text: str) -> str:
    """Text that Markdown shows as it stands, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
