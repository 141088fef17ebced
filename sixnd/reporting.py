"""Reports as files: what is reported on, and which rendering a file name asks for."""

import json
from pathlib import Path

from sixnd.specs.errors import SixndError
from sixnd.specs.load import load_plan
from sixnd.specs.plan import Plan
from sixnd.specs.record import RunRecord, read_record

FORMATS = (".html", ".md", ".json")


def read_run(folder: Path) -> tuple[Plan, RunRecord]:
    """The plan and the record of the run in ``folder``; raises ``SixndError`` where no run is."""
    if not (folder / "record.jsonl").is_file():
        raise SixndError(f"{folder} holds no run: there is no record.jsonl in it")
    return load_plan(folder / "plan.yaml"), read_record(folder / "record.jsonl")


def read_subject(path: Path) -> tuple[Plan, RunRecord | None]:
    """What to report on: a run folder's plan and record, or a plan file alone."""
    return read_run(path) if path.is_dir() else (load_plan(path), None)


def report_text(plan: Plan, record: RunRecord | None, width: int, color: bool) -> str:
    """The report as a terminal shows it."""
    from sixnd.reports.terminal import plan_text, run_text

    if record is None:
        return plan_text(plan, width, color=color)
    return run_text(plan, record, width, color=color)


def report_as(suffix: str, plan: Plan, record: RunRecord | None) -> str:
    """The report as a file of that suffix: ``.html``, ``.md`` or ``.json``."""
    return {".html": _html, ".md": _markdown, ".json": facts_json}[suffix](plan, record)


def facts_json(plan: Plan, record: RunRecord | None) -> str:
    """The facts that every rendering of the report shows, as JSON."""
    from sixnd.reports.facts import plan_facts, run_facts

    facts = plan_facts(plan) if record is None else run_facts(plan, record)
    return json.dumps(facts.plain(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _html(plan: Plan, record: RunRecord | None) -> str:
    from sixnd.reports.html import plan_html, run_html

    return plan_html(plan) if record is None else run_html(plan, record)


def _markdown(plan: Plan, record: RunRecord | None) -> str:
    from sixnd.reports.markdown import plan_markdown, run_markdown

    return plan_markdown(plan) if record is None else run_markdown(plan, record)
