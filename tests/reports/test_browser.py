"""The pages in a real browser, on a phone and on a desk, light and dark; skipped where none is installed."""

import os
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from sixnd.reports.html import run_html
from sixnd.specs.plan import Plan
from tests.reports import build
from tests.reports.browser import BROWSER, SCHEMES, WIDTHS_PX, Look, box_text, look
from tests.reports.pages import PAGES, forgetful_run

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")

_AXE = Path(os.environ.get("SIXND_NODE_MODULES", "node_modules")) / "axe-core" / "axe.min.js"


@pytest.mark.parametrize("kind", PAGES)
def test_a_page_is_laid_out_as_it_was_reviewed(kind: str, tmp_path: Path, golden: SnapshotAssertion) -> None:
    page = PAGES[kind]()
    seen = look(page, tmp_path)
    _assert_sound(seen, charts=page.count('<div class="chart"'))
    _assert_themed(seen)
    assert box_text(seen) == golden


def test_hostile_text_runs_nothing_and_fits_every_window(small_plan: Plan, tmp_path: Path) -> None:
    page = run_html(build.hostile_plan(small_plan), build.hostile_run(small_plan))
    seen = look(page, tmp_path)
    assert {frame["breached"] for frame in seen.frames.values()} == {"no"}
    _assert_sound(seen, charts=page.count('<div class="chart"'))


_POINT_AND_ZOOM = """
window.acting = async () => {
  const svg = document.querySelector("#chart-laws-chart svg"), data = document.documentElement.dataset;
  const pause = () => new Promise((done) => setTimeout(done, 200));
  const places = () => [...svg.querySelectorAll(".mark-symbol.role-mark path")].map((e) => e.outerHTML).join();
  svg.scrollIntoView();
  const box = svg.getBoundingClientRect();
  const at = { clientX: box.left + 0.6 * box.width, clientY: box.top + 0.6 * box.height };
  Object.assign(at, { bubbles: true, cancelable: true });
  const under = document.elementFromPoint(at.clientX, at.clientY);
  const turn = (more) => under.dispatchEvent(new WheelEvent("wheel", { deltaY: -400, ...at, ...more }));
  const before = places();
  turn({});
  await pause();
  data.turned = places() === before ? "stayed" : "zoomed";
  turn({ ctrlKey: true });
  await pause();
  data.held = places() === before ? "stayed" : "zoomed";
  const mark = svg.querySelector(".mark-symbol.role-mark path");
  for (const kind of ["pointerover", "mouseover", "pointermove", "mousemove"]) {
    mark.dispatchEvent(new MouseEvent(kind, { ...at }));
  }
  await pause();
  data.told = (document.querySelector(".vg-tooltip") || {}).textContent || "";
};
"""


@pytest.mark.integration
def test_the_wheel_zooms_a_chart_with_a_key_held_alone_and_a_mark_that_is_pointed_at_tells_its_numbers(
    tmp_path: Path,
) -> None:
    seen = look(PAGES["plan"](), tmp_path, script=_POINT_AND_ZOOM)
    for frame in seen.frames.values():
        assert (frame["marked"]["turned"], frame["marked"]["held"]) == ("stayed", "zoomed")
        assert "Law" in frame["marked"]["told"]
        assert "D/N" in frame["marked"]["told"]


@pytest.mark.integration
def test_a_run_from_a_base_fits_every_window(tmp_path: Path) -> None:
    page = forgetful_run()
    seen = look(page, tmp_path)
    _assert_sound(seen, charts=page.count('<div class="chart"'))
    _assert_themed(seen)


@pytest.mark.integration
@pytest.mark.skipif(not _AXE.is_file(), reason="no npm package axe-core (SIXND_NODE_MODULES)")
@pytest.mark.parametrize("kind", PAGES)
def test_axe_finds_nothing_serious_in_a_page(kind: str, tmp_path: Path) -> None:
    script = _AXE.read_text("utf-8") + "\n;"
    seen = look(PAGES[kind](), tmp_path, script=script, budget_ms=40_000, timeout_s=500)
    assert {frame: looked["grave"] for frame, looked in seen.frames.items() if looked["grave"]} == {}


def _assert_sound(seen: Look, *, charts: int) -> None:
    """Nothing sticks out, nothing is loaded, every chart is drawn, and the console has nothing to say."""
    assert seen.console == []
    for (width, scheme), frame in seen.frames.items():
        assert frame["inner"] == width
        assert frame["scroll"] <= width, scheme
        assert (frame["loaded"], frame["failed"], frame["over"]) == (0, 0, [])
        assert frame["charts"] == frame["marks"] == charts


def _assert_themed(seen: Look) -> None:
    """The dark page has other colours, on charts too, and the same boxes."""
    for width in WIDTHS_PX:
        light, dark = (seen.frames[width, scheme] for scheme in SCHEMES)
        assert light["paper"] != dark["paper"]
        assert light["boxes"] == dark["boxes"]
        assert not light["label"] or light["label"] != dark["label"]
