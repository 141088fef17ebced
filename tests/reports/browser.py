"""A page in a headless Chromium: four frames of it at once, on a phone and on a desk, light and dark; and its boxes.

Boxes are of what the style sheet alone lays out, so that a golden file holds on every machine: left edge and width of
blocks, grid cells and charts, to the pixel, since they follow from the frame's width and the root's 16 px; and whether
a block stands beside the one before. Heights, and widths of tables, follow the fonts that are installed, and are not
compared: a table is only looked at for whether it stays inside its page.
"""

import base64
import hashlib
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from html import escape, unescape
from pathlib import Path
from typing import Any

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WIDTHS_PX = (390, 1280)
SCHEMES = ("light", "dark")
Frame = tuple[int, str]
"""Width in pixels, and colour scheme."""

_PROBE = """
const all = (selector) => [...document.querySelectorAll(selector)];
const LAID_OUT = "header, section, h1, h2, h3, .hero > div, .scroll, figure, .chart, details, pre, .warnings ul";
const name = (e) => e.id ? "#" + e.id : e.matches("h1, h2, h3, dt") ? JSON.stringify(e.textContent.trim()) :
  e.matches(".hero > div") ? JSON.stringify(e.firstElementChild.textContent.trim()) : "";
const boxes = () => {
  let last = { top: -1, bottom: -1 };
  return all(LAID_OUT).map((e) => {
    const box = e.getBoundingClientRect();
    const beside = box.top < last.bottom && box.top >= last.top && box.left >= last.right - 1 && last.bottom > 0;
    last = box;
    const kind = e.tagName.toLowerCase() + (e.classList.length ? "." + e.classList[0] : "");
    const place = `x=${Math.round(box.left)} w=${Math.round(box.width)}`;
    return `${kind} ${name(e)} ${place}${beside ? " beside" : ""}${box.height < 1 ? " EMPTY" : ""}`.replace("  ", " ");
  });
};
const wait = setInterval(async () => {
  const root = document.documentElement, data = parent.document.documentElement.dataset;
  if (document.querySelector("[data-chart]") && !root.dataset.drawn) return;
  clearInterval(wait);
  if (window.acting) await window.acting();
  const charts = all("[data-chart]");
  const label = document.querySelector("[data-chart] svg .role-axis-label text");
  const seen = {
    inner: innerWidth,
    scroll: root.scrollWidth,
    loaded: performance.getEntriesByType("resource").length,
    charts: charts.length,
    marks: charts.filter((chart) => chart.querySelector("svg path[d]")).length,
    failed: charts.filter((chart) => chart.textContent.includes("could not be drawn")).length,
    over: all("body *").filter((e) => !e.closest("thead, svg") && e.getBoundingClientRect().right > innerWidth)
      .map((e) => e.outerHTML.slice(0, 120)),
    paper: getComputedStyle(document.body).backgroundColor,
    label: label ? getComputedStyle(label).fill : "",
    breached: root.dataset.breached || "no",
    marked: { ...root.dataset },
    boxes: boxes(),
  };
  if (window.axe) {
    const { violations } = await axe.run(document, { resultTypes: ["violations"] });
    const grave = violations.filter((one) => ["serious", "critical"].includes(one.impact));
    seen.grave = grave.map((one) => [one.id, ...one.nodes.map((node) => node.html.slice(0, 200))]);
  }
  data[frameElement.id] = JSON.stringify(seen);
}, 20);
"""
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars"),
    *("--window-size=1400,1000", "--enable-logging=stderr"),
)


@dataclass(frozen=True)
class Look:
    """What four frames of a page showed, and what Chromium's console said."""

    frames: dict[Frame, dict[str, Any]]
    console: list[str]


def look(page: str, folder: Path, *, script: str = "", budget_ms: int = 8000, timeout_s: int = 120) -> Look:
    """``page`` at both widths in both schemes, ``budget_ms`` of its own time long.

    ``script`` runs in it first; what it sets as ``window.acting`` is awaited once the charts are drawn, and what it
    puts into the root's data attributes comes back as ``marked``.
    """
    page = _with_script(page, script + _PROBE)
    frames = "".join(_frame(page, width, scheme) for width in WIDTHS_PX for scheme in SCHEMES)
    file = folder / "frames.html"
    file.write_text(f'<!doctype html><html><meta charset="utf-8"><body>{frames}</body></html>', "utf-8")
    assert BROWSER is not None
    flags = [*_FLAGS, f"--virtual-time-budget={budget_ms}", f"--user-data-dir={folder / 'profile'}"]
    done = subprocess.run(
        [BROWSER, *flags, "--dump-dom", file.as_uri()], capture_output=True, text=True, timeout=timeout_s, check=True
    )
    root = re.search(r"<html[^>]*>", done.stdout)
    assert root is not None, done.stderr[-2000:]
    seen = {name: json.loads(unescape(value)) for name, value in re.findall(r'data-(\w+)="([^"]*)"', root[0])}
    console = [line for line in done.stderr.splitlines() if ":CONSOLE:" in line]
    assert len(seen) == len(WIDTHS_PX) * len(SCHEMES), (sorted(seen), console)
    return Look({(w, s): seen[f"f{w}{s}"] for w in WIDTHS_PX for s in SCHEMES}, console)


def box_text(seen: Look) -> str:
    """The boxes at every width, a line each, for a golden file."""
    parts = [f"{width} px\n" + "\n".join(seen.frames[width, SCHEMES[0]]["boxes"]) for width in WIDTHS_PX]
    return "\n\n".join(parts) + "\n"


def _frame(page: str, width: int, scheme: str) -> str:
    style = f"width:{width}px;height:900px;border:0;color-scheme:{scheme}"
    return f'<iframe id="f{width}{scheme}" style="{style}" srcdoc="{escape(page)}"></iframe>'


def _with_script(page: str, script: str) -> str:
    """The page with one more script, whose hash is let through the page's own Content-Security-Policy."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = page.replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
    body, _, rest = page.rpartition("</body>")  # the last: the chart library has the word in it too
    return f"{body}<script>{script}</script></body>{rest}"
