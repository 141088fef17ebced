"""Reports as files: what is reported on, and which rendering a file name asks for."""

import json
from pathlib import Path

from sixnd.ladder_verbs import LADDER_FILE
from sixnd.reports.difference_documents import Difference
from sixnd.specs.errors import InvalidDocumentError, Problem, StalePlanError
from sixnd.specs.ladder import Ladder
from sixnd.specs.law_document import LawDocument
from sixnd.specs.load import load, load_law, load_plan, read_text, refuse_stale
from sixnd.specs.notes import NOTES
from sixnd.specs.plan import Plan
from sixnd.specs.reasoning import Reasoning
from sixnd.specs.record import RunRecord, read_record
from sixnd.specs.yaml_reader import read_yaml

FORMATS_OF_MOST = (".html", ".md", ".json")
FORMATS = (*FORMATS_OF_MOST, ".png")
Run = tuple[Plan, RunRecord]
Subject = Plan | Ladder | LawDocument | Run | list[Run] | Difference
"""A plan, a ladder, a fitted law, a run with its plan, several runs from a base, or what differs between two."""


def read_run(folder: Path) -> Run:
    """The plan, and the record with what was noted, of the run in ``folder``.

    Raises ``InvalidDocumentError`` where no run is, or one that cannot be read.
    """
    if not (folder / "record.jsonl").is_file():
        problem = Problem((), "holds no run: there is no record.jsonl in it", _run_near(folder), 0)
        raise InvalidDocumentError(str(folder), [problem])
    record, notes = read_record(folder / "record.jsonl"), folder / NOTES
    if notes.is_file():
        record = RunRecord(events=[*record.events, *read_record(notes).events])
    return load_plan(folder / "plan.yaml"), record


def _run_near(folder: Path) -> str:
    """What to name in place of a folder without a record: a run below it, if there is one."""
    below = [record for depth in ("*", "*/*") for record in folder.glob(f"{depth}/record.jsonl")]
    newest = max(below, key=lambda record: record.stat().st_mtime, default=None)
    if newest is not None:
        return f"did you mean {newest.parent}?"
    if (folder / "plan.yaml").is_file():
        return "its data is still prepared, or it was cut off there: wait, or give the same `sixnd run` again"
    return "name a folder that `sixnd run` wrote: runs/NAME/FINGERPRINT"


def read_subject(path: Path, *more: Path) -> Subject:
    """What to report on: a run folder's plan and record, a plan, a ladder, a fitted law, or several runs."""
    if more:
        return [read_run(folder) for folder in (path, *more)]
    if (path / LADDER_FILE).is_file():
        return load(path / LADDER_FILE, Ladder)
    if path.is_dir():
        return read_run(path)
    data = read_yaml(read_text(path), str(path)).data
    kind = str(data.get("version")).partition("/")[0] if isinstance(data, dict) else ""
    if kind == "ladder":
        return load(path, Ladder)
    return load_law(path) if kind == "law" else load_plan(path)


def formats_of(subject: Subject) -> tuple[str, ...]:
    """Suffixes of the files that a report of it can be written to: pictures are drawn of laws only."""
    return FORMATS if isinstance(subject, LawDocument) else FORMATS_OF_MOST


def report_text(subject: Subject, width: int, color: bool) -> str:
    """The report as a terminal shows it."""
    from sixnd.reports.terminal import comparison_text, difference_text, ladder_text, law_text, plan_text, run_text

    match subject:
        case Plan():
            return plan_text(subject, width, color=color)
        case Ladder():
            return ladder_text(subject, width, color=color)
        case LawDocument():
            return law_text(subject, (), width, color=color)
        case Difference():
            return difference_text(subject, width, color=color)
        case list():
            return comparison_text(subject, width, color=color)
        case plan, record:
            return run_text(plan, record, width, color=color)


def report_as(suffix: str, subject: Subject) -> str | bytes:
    """The report as a file of that suffix, one of ``formats_of(subject)``."""
    if suffix == ".png":
        return _png(subject)
    return {".html": _html, ".md": _markdown, ".json": facts_json}[suffix](subject)


def facts_json(subject: Subject) -> str:
    """The facts that every rendering of the report shows, as JSON."""
    from sixnd.reports.facts import forgetting_comparison, ladder_facts, law_facts, plan_facts, run_facts

    match subject:
        case Plan():
            facts = plan_facts(subject, _reasoning(subject)).plain()
        case Ladder():
            facts = ladder_facts(subject).plain()
        case LawDocument():
            facts = law_facts(subject).plain()
        case Difference():
            facts = subject.plain()
        case list():
            facts = forgetting_comparison(subject).plain()
        case plan, record:
            facts = run_facts(plan, record).plain()
    return json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _html(subject: Subject) -> str:
    from sixnd.reports.html import comparison_html, difference_html, ladder_html, law_html, plan_html, run_html

    match subject:
        case Plan():
            return plan_html(subject, _reasoning(subject))
        case Ladder():
            return ladder_html(subject)
        case LawDocument():
            return law_html(subject)
        case Difference():
            return difference_html(subject)
        case list():
            return comparison_html(subject)
        case plan, record:
            return run_html(plan, record)


def _markdown(subject: Subject) -> str:
    from sixnd.reports.markdown import (
        comparison_markdown,
        difference_markdown,
        ladder_markdown,
        law_markdown,
        plan_markdown,
        run_markdown,
    )

    match subject:
        case Plan():
            return plan_markdown(subject, _reasoning(subject))
        case Ladder():
            return ladder_markdown(subject)
        case LawDocument():
            return law_markdown(subject)
        case Difference():
            return difference_markdown(subject)
        case list():
            return comparison_markdown(subject)
        case plan, record:
            return run_markdown(plan, record)


def _reasoning(plan: Plan) -> Reasoning:
    """What the planner says of its plan; of one that it would not make today, why it says nothing."""
    from sixnd.planner.reasoning import reasoning
    from sixnd.planning import refuse_edited

    file = Path(f"{plan.name}'s plan")
    try:
        refuse_stale(plan, str(file))
        return reasoning(plan)
    except StalePlanError as error:
        return Reasoning(untold=str(error))
    except (AssertionError, ArithmeticError, LookupError, ValueError):
        try:
            refuse_edited(plan, file)  # no derivation leads to numbers that are not the planner's
        except StalePlanError as error:
            return Reasoning(untold=str(error))
        raise


def _png(subject: Subject) -> bytes:
    from sixnd.reports.law_picture import law_png

    assert isinstance(subject, LawDocument), "only a law has a picture: formats_of tells"
    return law_png(subject)
