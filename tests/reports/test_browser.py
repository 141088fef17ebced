"""The pages in a real browser; skipped where none is installed."""

import base64
import hashlib
import re
import shutil
import subprocess
from html import escape, unescape
from pathlib import Path

import pytest

from sixnd.reports.html import law_html, plan_html, run_html
from sixnd.specs.plan import Plan
from sixnd.specs.record import RunRecord
from tests.reports import build, law_build
from tests.reports.evaluation_build import with_evaluations

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


def _look(page: str, folder: Path, width: int, *, dark: bool = False) -> dict[str, str]:
    """What the probe saw of ``page`` in a frame so wide (a window is never narrower than 500 pixels).

    The probe's hash is let through the page's own Content-Security-Policy.
    """
    digest = base64.b64encode(hashlib.sha256(_PROBE.encode()).digest()).decode()
    page = page.replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
    body, _, rest = page.rpartition("</body>")  # the last: the chart library has the word in it too
    page = f"{body}<script>{_PROBE}</script></body>{rest}"
    frame = f'<iframe style="width:{width}px;height:900px;border:0" srcdoc="{escape(page)}"></iframe>'
    file = folder / "frame.html"
    file.write_text(f'<!doctype html><html><meta charset="utf-8"><body>{frame}</body></html>', "utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    flags += ["--disable-background-networking", "--disable-component-update", "--virtual-time-budget=5000"]
    flags += [f"--user-data-dir={folder / 'profile'}", "--window-size=1400,1000", "--hide-scrollbars"]
    flags += [f"--blink-settings=preferredColorScheme={0 if dark else 1}"]
    assert _BROWSER is not None
    done = subprocess.run(
        [_BROWSER, *flags, "--dump-dom", file.as_uri()], capture_output=True, text=True, timeout=60, check=True
    )
    root = re.search(r"<html[^>]*>", done.stdout)
    assert root is not None, done.stderr[-2000:]
    seen = {name: unescape(value) for name, value in re.findall(r'data-(\w+)="([^"]*)"', root[0])}
    assert seen.get("seen") == "yes", done.stderr[-2000:]
    return seen


@pytest.mark.parametrize("width", [390, 1280])
def test_a_run_page_draws_its_charts_and_fits_its_window(
    small_plan: Plan, resumed: RunRecord, tmp_path: Path, width: int
) -> None:
    seen = _look(run_html(small_plan, resumed), tmp_path, width)
    _assert_sound(seen, width, charts=5)


@pytest.mark.parametrize("width", [390, 1280])
def test_a_page_of_evaluations_draws_a_pair_of_charts_a_task_and_fits_its_window(
    small_plan: Plan, resumed: RunRecord, tmp_path: Path, width: int
) -> None:
    page = run_html(small_plan, with_evaluations(small_plan, resumed))
    _assert_sound(_look(page, tmp_path, width), width, charts=5 + 1 + 2 * 2)


def test_a_plan_page_draws_its_charts_and_fits_a_phone(big_plan: Plan, tmp_path: Path) -> None:
    _assert_sound(_look(plan_html(big_plan), tmp_path, 390), 390, charts=7)


@pytest.mark.parametrize("width", [390, 1280])
def test_a_law_page_draws_its_charts_and_fits_its_window(tmp_path: Path, width: int) -> None:
    _assert_sound(_look(law_html(law_build.law()), tmp_path, width), width, charts=6)


def test_hostile_text_runs_nothing_and_fits_a_phone(small_plan: Plan, tmp_path: Path) -> None:
    page = run_html(build.hostile_plan(small_plan), build.hostile_run(small_plan))
    seen = _look(page, tmp_path, 390)
    assert seen["breached"] == "no"
    _assert_sound(seen, 390, charts=5)


def test_page_and_charts_follow_the_theme(big_plan: Plan, tmp_path: Path) -> None:
    page = plan_html(big_plan)
    light, dark = _look(page, tmp_path, 1280), _look(page, tmp_path, 1280, dark=True)
    assert light["paper"] != dark["paper"]
    assert light["label"] != dark["label"]
    assert "rgb" in dark["label"]


def _assert_sound(seen: dict[str, str], width: int, *, charts: int) -> None:
    assert int(seen["inner"]) == width
    assert int(seen["scroll"]) <= width
    assert (seen["loaded"], seen["failed"], seen["over"]) == ("0", "0", "0")
    assert int(seen["charts"]) == int(seen["marks"]) == charts
