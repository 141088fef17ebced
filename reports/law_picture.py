"""The charts of a fitted law as one PNG, for a slide or a README: light colours on white."""

import re
import textwrap
from typing import Any

from sixnd.reports.charts import ChartSpec
from sixnd.reports.html import asset
from sixnd.reports.law_charts import law_charts
from sixnd.reports.law_facts import law_facts
from sixnd.specs.law_document import LawDocument

_WIDTH_PX = 690
_CAPTION_COLUMNS = 118
_COLUMNS = 2


def law_png(document: LawDocument) -> bytes:
    """All charts, two beside each other. Raises ``SixndError`` where the ``report`` extra is not installed."""
    facts = law_facts(document)
    charts = law_charts(facts)
    import vl_convert

    picture = _with_light_colours(_arranged(charts, f"{facts.name}: {facts.verdict}"))
    return bytes(vl_convert.vegalite_to_png(picture, scale=1.0))


def _arranged(charts: list[ChartSpec], title: str) -> dict[str, Any]:
    config = dict(charts[0].spec["config"], background="white")
    config.pop("autosize")  # charts beside each other have none
    config["axis"] = config["axis"] | {"labelFontSize": 12.5, "titleFontSize": 12.5}
    return {
        "$schema": charts[0].spec["$schema"],
        "title": {"text": textwrap.wrap(title, 150), "fontSize": 15, "anchor": "start", "offset": 18},
        "padding": 24,
        "datasets": {name: rows for chart in charts for name, rows in chart.spec.get("datasets", {}).items()},
        "concat": [_panel(chart) for chart in charts],
        "columns": _COLUMNS,
        "spacing": {"row": 36, "column": 48},
        "resolve": {"scale": {"color": "independent", "shape": "independent", "strokeDash": "independent"}},
        "config": config,
    }


def _panel(chart: ChartSpec) -> dict[str, Any]:
    kept = _still({key: value for key, value in chart.spec.items() if key not in ("$schema", "config", "datasets")})
    lines = textwrap.wrap(chart.caption, _CAPTION_COLUMNS)
    title = {"text": lines, "fontSize": 12.5, "fontWeight": "normal", "anchor": "start", "offset": 8}
    return kept | {"width": _WIDTH_PX, "height": 400, "title": title}


def _still(spec: dict[str, Any]) -> dict[str, Any]:
    """Without what a picture cannot do: zoom."""
    layers = {"layer": [_still(layer) for layer in spec["layer"]]} if "layer" in spec else {}
    return {key: value for key, value in spec.items() if key != "params"} | layers


def _with_light_colours(spec: Any) -> Any:
    """The spec with every CSS variable replaced by its colour in the light theme, which no browser is there to do."""
    light = asset("report.css").partition("@media")[0]
    colours = {f"var({name})": colour for name, colour in re.findall(r"(--[\w]+): (#[0-9a-f]+);", light)}

    def painted(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: painted(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [painted(inner) for inner in value]
        return colours[value] if isinstance(value, str) and value.startswith("var(") else value

    return painted(spec)
