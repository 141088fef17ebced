"""Reports as one HTML file that works offline: styles, charts and their library are all inside it.

Nothing in a document can become script: text is escaped by the template, chart data is JSON whose ``<`` is
escaped, and the page's Content-Security-Policy runs only the two scripts whose hashes it names and loads nothing.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from sixnd.reports.charts import ChartSpec, require_altair
from sixnd.reports.difference_charts import difference_charts
from sixnd.reports.difference_documents import Difference
from sixnd.reports.difference_tables import difference_tables
from sixnd.reports.evaluation_charts import evaluation_charts, task_chart_keys
from sixnd.reports.forgetting_charts import COMPARISON_CHARTS, FORGETTING_CHARTS, comparison_charts, forgetting_charts
from sixnd.reports.forgetting_comparison import Run, forgetting_comparison
from sixnd.reports.forgetting_tables import comparison_tables
from sixnd.reports.ladder_charts import ladder_charts
from sixnd.reports.ladder_facts import ladder_facts
from sixnd.reports.ladder_tables import ladder_tables
from sixnd.reports.law_charts import law_charts
from sixnd.reports.law_facts import law_facts
from sixnd.reports.law_tables import law_tables
from sixnd.reports.plan_charts import plan_charts
from sixnd.reports.plan_facts import plan_facts
from sixnd.reports.plan_tables import left_out, plan_tables
from sixnd.reports.run_charts import run_charts
from sixnd.reports.run_facts import run_facts
from sixnd.reports.run_tables import run_tables
from sixnd.reports.table_report import TableReport
from sixnd.specs.ladder import Ladder
from sixnd.specs.law_document import LawDocument
from sixnd.specs.plan import Plan
from sixnd.specs.reasoning import Reasoning
from sixnd.specs.record import RunRecord


def plan_html(plan: Plan, reasoning: Reasoning | None = None) -> str:
    """The whole plan as a page, with the planner's reasoning where it is given.

    Raises ``SixndError`` where the ``report`` extra is not installed.
    """
    facts = plan_facts(plan, reasoning)
    charts = plan_charts(facts)
    tables = {table.key: table for table in plan_tables(facts)}
    return _page("plan.html.jinja", charts, facts=facts, tables=tables, left_out=left_out(facts))


def run_html(plan: Plan, record: RunRecord) -> str:
    """What happened against what was planned, as a page. Raises ``SixndError`` without the ``report`` extra."""
    facts = run_facts(plan, record)
    charts = [*run_charts(facts), *evaluation_charts(facts.evaluation), *forgetting_charts(facts.forgetting)]
    return _page(
        "run.html.jinja",
        charts,
        facts=facts,
        tables={table.key: table for table in run_tables(facts)},
        plan_tables={table.key: table for table in plan_tables(facts.plan)},
        task_charts=task_chart_keys(facts.evaluation),
        forgetting_charts=FORGETTING_CHARTS,
    )


def comparison_html(runs: Sequence[Run]) -> str:
    """What several runs forgot of their base, as a page. Raises ``SixndError`` without the ``report`` extra."""
    facts = forgetting_comparison(runs)
    require_altair()
    return _page(
        "forgetting.html.jinja",
        comparison_charts(facts),
        facts=facts,
        tables={table.key: table for table in comparison_tables(facts)},
        chart_keys=COMPARISON_CHARTS,
    )


def difference_html(facts: Difference) -> str:
    """Two plans or runs side by side, as a page. Raises ``SixndError`` without the ``report`` extra."""
    require_altair()
    tables = {table.key: table for table in difference_tables(facts)}
    return _page("difference.html.jinja", difference_charts(facts), facts=facts, tables=tables)


def ladder_html(ladder: Ladder) -> str:
    """The small runs and what they would tell, as a page. Raises ``SixndError`` without the ``report`` extra."""
    facts = ladder_facts(ladder)
    tables = {table.key: table for table in ladder_tables(facts)}
    return _page("ladder.html.jinja", ladder_charts(facts), facts=facts, tables=tables)


def tables_html(made: TableReport) -> str:
    """Findings and tables as a page. Raises ``SixndError`` without the ``report`` extra."""
    return _page("tables.html.jinja", [], made=made)


def law_html(document: LawDocument) -> str:
    """What was fitted and how sure it is, as a page. Raises ``SixndError`` without the ``report`` extra."""
    facts = law_facts(document)
    return _page(
        "law.html.jinja", law_charts(facts), facts=facts, tables={table.key: table for table in law_tables(facts)}
    )


def _page(template: str, charts: list[ChartSpec], **context: Any) -> str:
    library, starter = _library(), asset("charts.js")
    return (
        _environment()
        .get_template(template)
        .render(
            charts={chart.key: chart for chart in charts},
            chart_data=script_safe_json({chart.key: chart.spec for chart in charts}),
            style=asset("report.css"),
            library=library,
            starter=starter,
            script_hashes=" ".join(f"'sha256-{_hash(script)}'" for script in (library, starter)),
            **context,
        )
    )


def script_safe_json(data: Any) -> str:
    """JSON that cannot close the script element it stands in, nor open a comment there."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@cache
def _library() -> str:
    """Vega, Vega-Lite and vega-embed as one classic script."""
    require_altair()
    import vl_convert

    bundle = str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
    assert "</script" not in bundle.lower()
    return f"(function(){{{bundle}}})();"


@cache
def asset(name: str) -> str:
    """The text of a file beside the templates."""
    return files("sixnd.reports").joinpath(f"templates/{name}").read_text("utf-8")


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("sixnd.reports", "templates"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
