"""The pages in a real browser; skipped where none is installed."""

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from html import escape, unescape
from pathlib import Path

import pytest

from sixnd.reports.difference import plan_difference, run_difference
from sixnd.reports.html import comparison_html, difference_html, law_html, plan_html, run_html
from sixnd.specs.plan import Plan
from sixnd.specs.record import RunRecord
from tests.reports import build, law_build
from tests.reports.evaluation_build import with_evaluations
from tests.reports.test_forgetting import HELD_OUT, continued, measured

_BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(_BROWSER is None, reason="no Chromium on this machine")

_PROBE = """
const all = (selector) => [...document.querySelectorAll(selector)];
const wait = setInterval(() => {
  const root = document.documentElement, data = parent.document.documentElement.dataset;
  if (!root.dataset.drawn) return;
  clearInterval(wait);
  const charts = all("[data-chart]");
  const label = document.querySelector("[data-chart] svg .role-axis-label text");
  Object.assign(data, {
    inner: innerWidth,
    scroll: root.scrollWidth,
    loaded: performance.getEntriesByType("resource").length,
    charts: charts.length,
    marks: charts.filter((chart) => chart.querySelector("svg path[d]")).length,
    failed: charts.filter((chart) => chart.textContent.includes("could not be drawn")).length,
    over: all("body *").filter((e) => !e.closest("thead, svg") && e.getBoundingClientRect().right > innerWidth).length,
    paper: getComputedStyle(document.body).backgroundColor,
    label: label ? getComputedStyle(label).fill : "",
    breached: root.dataset.breached || "no",
    seen: "yes",
  });
}, 20);
"""

_AXE = Path(os.environ.get("SIXND_NODE_MODULES", "node_modules")) / "axe-core" / "axe.min.js"
_AUDIT = """
;const audit = setInterval(async () => {
  const data = document.documentElement.dataset;
  if (document.querySelector("[data-chart]") && !data.drawn) return;
  clearInterval(audit);
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  const grave = violations.filter((one) => ["serious", "critical"].includes(one.impact));
  data.axe = JSON.stringify(grave.map((one) => [one.id, ...one.nodes.map((node) => node.html.slice(0, 200))]));
}, 20);
"""


def _with_script(page: str, script: str) -> str:
    """The page with one more script, whose hash is let through the page's own Content-Security-Policy."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = page.replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
    body, _, rest = page.rpartition("</body>")  # the last: the chart library has the word in it too
    return f"{body}<script>{script}</script></body>{rest}"


def _look(page: str, folder: Path, width: int, *, dark: bool = False) -> dict[str, str]:
    """What the probe saw of ``page`` in a frame so wide (a window is never narrower than 500 pixels)."""
    page = _with_script(page, _PROBE)
    frame = f'<iframe style="width:{width}px;height:900px;border:0" srcdoc="{escape(page)}"></iframe>'
    seen = _shown(f'<!doctype html><html><meta charset="utf-8"><body>{frame}</body></html>', folder, dark=dark)
    assert seen.get("seen") == "yes", seen
    return seen


def _shown(
    page: str, folder: Path, *, dark: bool = False, budget_ms: int = 5000, timeout_s: int = 60
) -> dict[str, str]:
    """The data attributes of the page's root once its scripts have run."""
    file = folder / "frame.html"
    file.write_text(page, "utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    flags += ["--disable-background-networking", "--disable-component-update", f"--virtual-time-budget={budget_ms}"]
    flags += [f"--user-data-dir={folder / 'profile'}", "--window-size=1400,1000", "--hide-scrollbars"]
    flags += [f"--blink-settings=preferredColorScheme={0 if dark else 1}"]
    assert _BROWSER is not None
    done = subprocess.run(
        [_BROWSER, *flags, "--dump-dom", file.as_uri()], capture_output=True, text=True, timeout=timeout_s, check=True
    )
    root = re.search(r"<html[^>]*>", done.stdout)
    assert root is not None, done.stderr[-2000:]
    return {name: unescape(value) for name, value in re.findall(r'data-(\w+)="([^"]*)"', root[0])}


@pytest.mark.parametrize("width", [390, 1280])
def test_a_run_page_draws_its_charts_and_fits_its_window(
    small_plan: Plan, resumed: RunRecord, tmp_path: Path, width: int
) -> None:
    seen = _look(run_html(small_plan, resumed), tmp_path, width)
    _assert_sound(seen, width, charts=7)


@pytest.mark.parametrize("width", [390, 1280])
def test_a_page_of_evaluations_draws_a_pair_of_charts_a_task_and_fits_its_window(
    small_plan: Plan, resumed: RunRecord, tmp_path: Path, width: int
) -> None:
    page = run_html(small_plan, with_evaluations(small_plan, resumed))
    _assert_sound(_look(page, tmp_path, width), width, charts=7 + 1 + 2 * 2)


def test_a_plan_page_draws_its_charts_and_fits_a_phone(big_plan: Plan, tmp_path: Path) -> None:
    _assert_sound(_look(plan_html(big_plan), tmp_path, 390), 390, charts=8)


@pytest.mark.parametrize("width", [390, 1280])
def test_a_law_page_draws_its_charts_and_fits_its_window(tmp_path: Path, width: int) -> None:
    _assert_sound(_look(law_html(law_build.law()), tmp_path, width), width, charts=6)


@pytest.mark.parametrize("width", [390, 1280])
def test_a_page_of_two_plans_or_two_runs_fits_its_window(
    small_plan: Plan, big_plan: Plan, resumed: RunRecord, tmp_path: Path, width: int
) -> None:
    plans = difference_html(plan_difference(small_plan, big_plan))
    _assert_sound(_look(plans, tmp_path, width), width, charts=plans.count('<div class="chart"'))
    runs = difference_html(run_difference((small_plan, resumed), (small_plan, resumed)))
    _assert_sound(_look(runs, tmp_path, width), width, charts=runs.count('<div class="chart"'))


def test_hostile_text_runs_nothing_and_fits_a_phone(small_plan: Plan, tmp_path: Path) -> None:
    page = run_html(build.hostile_plan(small_plan), build.hostile_run(small_plan))
    seen = _look(page, tmp_path, 390)
    assert seen["breached"] == "no"
    _assert_sound(seen, 390, charts=7)


def test_page_and_charts_follow_the_theme(big_plan: Plan, tmp_path: Path) -> None:
    page = plan_html(big_plan)
    light, dark = _look(page, tmp_path, 1280), _look(page, tmp_path, 1280, dark=True)
    assert light["paper"] != dark["paper"]
    assert light["label"] != dark["label"]
    assert "rgb" in dark["label"]


@pytest.mark.integration
@pytest.mark.skipif(not _AXE.is_file(), reason="no npm package axe-core (SIXND_NODE_MODULES)")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("kind", ["plan", "run", "law", "difference", "comparison"])
def test_axe_finds_nothing_serious_in_a_page(
    small_plan: Plan, big_plan: Plan, resumed: RunRecord, tmp_path: Path, kind: str, dark: bool
) -> None:
    pages: dict[str, Callable[[], str]] = {
        "plan": lambda: plan_html(big_plan),
        "run": lambda: run_html(small_plan, with_evaluations(small_plan, resumed)),
        "law": lambda: law_html(law_build.law()),
        "difference": lambda: difference_html(run_difference((small_plan, resumed), (small_plan, resumed))),
    }
    sources = [source for source in small_plan.data.sources if source.name in HELD_OUT]
    whole = small_plan.model_copy(update={"data": small_plan.data.model_copy(update={"sources": sources})})
    replayed = [continued(whole, share) for share in (0.0, 0.25)]
    pages["comparison"] = lambda: comparison_html([(plan, measured(plan, resumed)) for plan in replayed])
    page = _with_script(pages[kind](), _AXE.read_text("utf-8") + _AUDIT)
    seen = _shown(page, tmp_path, dark=dark, budget_ms=20_000, timeout_s=300)
    assert json.loads(seen["axe"]) == []


def _assert_sound(seen: dict[str, str], width: int, *, charts: int) -> None:
    assert int(seen["inner"]) == width
    assert int(seen["scroll"]) <= width
    assert (seen["loaded"], seen["failed"], seen["over"]) == ("0", "0", "0")
    assert int(seen["charts"]) == int(seen["marks"]) == charts
