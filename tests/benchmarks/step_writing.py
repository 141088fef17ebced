"""Write fitted constants into ``step-families.yaml`` and the table of errors into docs/step-time.md."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sixnd.specs.step_family import StepFamily
from tests.benchmarks.marks import between

ROOT = Path(__file__).parents[2]
CATALOG, DOCS = ROOT / "specs/catalogs/step-families.yaml", ROOT / "docs/step-time.md"
BEGIN, END = "<!-- written by tests/benchmarks/step_fit.py -->", "<!-- end -->"
_NOT_FITTED = ("description", "source")


def write(found: Mapping[str, Any], families: Mapping[str, StepFamily]) -> None:
    """Replace numbers and table; everything else in both files stays."""
    text = CATALOG.read_text("utf-8")
    for name, family in families.items():
        text = with_family(text, name, family)
    CATALOG.write_text(text, "utf-8")
    DOCS.write_text(between(DOCS.read_text("utf-8"), BEGIN, END, table(found)), "utf-8")


def with_family(text: str, name: str, family: StepFamily) -> str:
    """The catalog's text with one family's numbers."""
    start = re.search(rf"^{name}:$", text, re.MULTILINE)
    assert start, name
    following = re.search(r"^\S", text[start.end() :], re.MULTILINE)
    end = start.end() + following.start() if following else len(text)
    part = text[start.end() : end]
    for field, value in family:
        if field not in _NOT_FITTED:
            part, times = re.subn(rf"^  {field}: .*$", f"  {field}: {_written(field, value)}", part, flags=re.MULTILINE)
            assert times == 1, field
    return text[: start.end()] + part + text[end:]


def _written(field: str, value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {one:.3g}" for key, one in value.items()) + "}"
    return f"{1e6 * value:.1f}e-6" if field.endswith("_s") else f"{value:.3g}"


def table(found: Mapping[str, Any]) -> str:
    """The errors as a Markdown table."""
    lines = [
        "| held out | kind | rows | MAPE % | median % | 90th pct. % | bias % | in 80 % interval |",
        "|---" * 8 + "|",
    ]
    for name, each in found.items():
        for kind in ("dense", "moe"):
            one = each[kind]
            figures = [one[key] for key in ("n", "mape", "median", "p90", "bias", "coverage80")]
            lines.append(f"| {name} | {kind} | " + " | ".join(str(figure) for figure in figures) + " |")
    ranks = [f"{name} {one['ranking']['spearman']} and {one['ranking']['regret']} %" for name, one in found.items()]
    n = found["by group"]["ranking"]["n"]
    return "\n".join(lines) + f"\n\nRanking of {n} sweeps, Spearman and regret of the first choice: {'; '.join(ranks)}."
