import importlib
import itertools
import json
import re
import sys
from html import escape
from html.parser import HTMLParser

import pytest

from sixnd.reports.html import law_html, plan_html, run_html, script_safe_json
from sixnd.reports.plan_facts import plan_facts
from sixnd.reports.plan_tables import plan_tables
from sixnd.specs.errors import SixndError
from sixnd.specs.plan import Plan
from sixnd.specs.record import RunRecord
from tests.reports import build, law_build

_VOID = {"meta", "img", "br", "hr", "link", "input"}


class _Page(HTMLParser):
    """Elements in order, with a check that every one is closed by its own end tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["script"]:
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def pages(big_plan: Plan, small_plan: Plan, resumed: RunRecord) -> dict[str, str]:
    return {"plan": plan_html(big_plan), "run": run_html(small_plan, resumed), "law": law_html(law_build.law())}


@pytest.fixture(scope="module")
def hostile(small_plan: Plan) -> str:
    return run_html(build.hostile_plan(small_plan), build.hostile_run(small_plan))


@pytest.mark.parametrize("which", ["plan", "run", "law"])
def test_a_page_is_well_formed_small_and_said_to_be_english(pages: dict[str, str], which: str) -> None:
    page = _Page(pages[which])
    assert page.open == []
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("title")) == len(page.all("h1")) == 1
    assert len(pages[which].encode()) < 2.5e6


@pytest.mark.parametrize("which", ["plan", "run", "law"])
def test_a_page_loads_nothing(pages: dict[str, str], which: str) -> None:
    page = _Page(pages[which])
    loading = {"src", "href", "srcset", "data", "action", "poster"}
    assert not [(tag, loading & attributes.keys()) for tag, attributes in page.elements if loading & attributes.keys()]
    style = re.search(r"<style>(.*?)</style>", pages[which], re.DOTALL)
    assert style is not None
    assert "@import" not in style[1]
    assert "url(" not in style[1]
    policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert "unsafe-eval" not in policy


@pytest.mark.parametrize("which", ["plan", "run", "law"])
def test_headings_never_skip_a_level(pages: dict[str, str], which: str) -> None:
    levels = [int(tag[1]) for tag, _ in _Page(pages[which]).elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


@pytest.mark.parametrize("which", ["plan", "run", "law"])
def test_every_header_cell_has_a_scope_and_every_chart_a_text(pages: dict[str, str], which: str) -> None:
    page = _Page(pages[which])
    assert {th.get("scope") for th in page.all("th")} == {"col", "row"}
    charts = [div for div in page.all("div") if "data-chart" in div]
    assert len(charts) == len(page.all("figure")) == len(page.all("figcaption"))
    assert all(div["role"] == "img" and div["aria-label"] for div in charts)


@pytest.mark.parametrize("which", ["plan", "run", "law"])
def test_every_chart_of_the_page_has_its_spec(pages: dict[str, str], which: str) -> None:
    specs = _chart_data(pages[which])
    keys = {div["data-chart"] for div in _Page(pages[which]).all("div") if "data-chart" in div}
    assert keys == specs.keys()
    expected = {
        "plan": {
            "law",
            "laws-chart",
            "layouts",
            "sensitivity-money",
            "sensitivity-wall-time",
            "memory-chart",
            "time-chart",
            "pipeline-chart",
        },
        "run": {"losses", "grad_norm", "learning_rate", "tokens_per_s", "mfu", "mix", "time-chart"},
        "law": {"isoflops", "frontier-params", "frontier-tokens", "frontier-loss", "residuals-chart", "left-out"},
    }
    assert keys == expected[which]


@pytest.mark.parametrize("which", ["plan", "run", "law"])
def test_every_chart_can_be_zoomed_along_a_continuous_axis_and_tells_its_marks(
    pages: dict[str, str], which: str
) -> None:
    for key, spec in _chart_data(pages[which]).items():
        text = json.dumps(spec)
        assert text.count('"bind": "scales"') == 1, key
        assert '"tooltip"' in text, key


def test_a_page_made_twice_is_the_same(big_plan: Plan) -> None:
    assert plan_html(big_plan) == plan_html(big_plan)


def test_a_plan_s_page_shows_every_table_that_markdown_shows(small_plan: Plan) -> None:
    page = plan_html(small_plan)
    for table in plan_tables(plan_facts(small_plan)):
        assert escape(table.title, quote=False) in page, table.key


def test_a_run_that_did_not_start_has_a_page_without_charts(small_plan: Plan) -> None:
    page = run_html(small_plan, RunRecord(events=[]))
    assert _chart_data(page) == {}
    assert "not started" in page


def test_an_interval_far_from_the_curves_is_told_instead_of_drawn(small_plan: Plan, resumed: RunRecord) -> None:
    far = build.estimate(20.0, "nats", "a law far outside its range", 0.5, extrapolated=True)
    estimates = small_plan.estimates.model_copy(update={"loss": far})
    page = run_html(small_plan.model_copy(update={"estimates": estimates}), resumed)
    assert "The predicted final loss, 20.000 nats (10.000–30.000), lies too far from the curves" in page
    assert "predicted final loss" not in json.dumps(_chart_data(page))


def test_hostile_text_is_shown_and_never_becomes_an_element(hostile: str) -> None:
    page = _Page(hostile)
    assert page.open == []
    assert len(page.all("script")) == 3
    assert page.all("img") == []
    assert "<script>document.documentElement.dataset.breached=1</script>" in "".join(page.text)
    assert "{{ 7*7 }}" in hostile


def test_hostile_text_in_chart_data_cannot_close_its_script(hostile: str) -> None:
    data = re.search(r'<script type="application/json" id="chart-data">(.*?)</script>', hostile, re.DOTALL)
    assert data is not None
    json.loads(data[1])
    assert not re.search("[<>&\N{LINE SEPARATOR}]", data[1])


def test_hostile_names_of_runs_stay_text_in_a_law_s_page() -> None:
    made = law_build.law()
    runs = [run.model_copy(update={"row": build.HOSTILE}) for run in made.fit.runs]
    page = _Page(law_html(made.model_copy(update={"fit": made.fit.model_copy(update={"runs": runs})})))
    assert page.open == []
    assert len(page.all("script")) == 3
    assert page.all("img") == []


def test_script_safe_json_reads_back_unchanged() -> None:
    data = {"a": [build.HOSTILE, "</ScRiPt>", "<!--<script>", 1.5, None]}
    assert json.loads(script_safe_json(data)) == data


def test_a_missing_extra_is_told_with_the_command_that_installs_it(
    big_plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "altair", None)
    with pytest.raises(SixndError, match=r"pip install 'sixnd\[report\]'"):
        plan_html(big_plan)


def test_terminal_and_markdown_need_no_chart_library() -> None:
    import subprocess

    code = (
        "import sys; import sixnd.reports.terminal, sixnd.reports.markdown, sixnd.reports.html;"
        "sys.exit(bool({'altair', 'pandas', 'vl_convert', 'torch'} & set(sys.modules)))"
    )
    assert importlib.util.find_spec("sixnd.reports.html")
    subprocess.run([sys.executable, "-c", code], check=True)


def _chart_data(page: str) -> dict[str, object]:
    found = re.search(r'id="chart-data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data: dict[str, object] = json.loads(found[1])
    return data
