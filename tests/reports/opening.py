"""How long a page takes in a browser until its last chart is drawn, by the page's own clock and in real time."""

import base64
import hashlib
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_TOLD = re.compile(r"opened in (\d+(?:\.\d+)?) ms")
_PROBE = """
const opened = setInterval(() => {
  if (!document.documentElement.dataset.drawn) return;
  clearInterval(opened);
  requestAnimationFrame(() => console.log(`opened in ${performance.now()} ms`));
}, 5);
"""


def opening_s(page: str, folder: Path, patience_s: float = 120.0) -> float:
    """Seconds from asking for ``page`` to its drawn charts. Virtual time would not tell: this waits in real time."""
    assert BROWSER is not None
    file = folder / "opened.html"
    file.write_text(_with_probe(page), "utf-8")
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--enable-logging=stderr",
        "--disable-sync",
    ]
    flags += ["--disable-background-networking", "--remote-debugging-port=0", f"--user-data-dir={folder / 'opening'}"]
    told = folder / "opening.log"
    with told.open("wb") as log:
        browser = subprocess.Popen([BROWSER, *flags, file.as_uri()], stdout=log, stderr=log, start_new_session=True)
        try:
            return _wait(told, time.monotonic() + patience_s)
        finally:
            os.killpg(browser.pid, 9)
            browser.wait()


def _wait(told: Path, until: float) -> float:
    while time.monotonic() < until:
        found = _TOLD.search(told.read_text("utf-8", errors="replace"))
        if found:
            return float(found[1]) / 1000
        time.sleep(0.05)
    raise TimeoutError(f"the page was not drawn; {told.read_text('utf-8', errors='replace')[-2000:]}")


def _with_probe(page: str) -> str:
    """With one more script, let through the page's own Content-Security-Policy by its hash."""
    digest = base64.b64encode(hashlib.sha256(_PROBE.encode()).digest()).decode()
    page = page.replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
    body, _, rest = page.rpartition("</body>")
    return f"{body}<script>{_PROBE}</script></body>{rest}"
