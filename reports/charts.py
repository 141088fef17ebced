"""Charts as Vega-Lite specs, built through altair: what all have in common.

Colours are CSS variables, so that one spec serves the light theme, the dark one and print.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sixnd.specs.errors import SixndError

if TYPE_CHECKING:
    import altair

_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
_HEIGHT_PX = 260
ROW_PX = 30
_ZOOM = {
    "name": "zoom",
    "bind": "scales",
    "select": {"type": "interval", "encodings": ["x"], "zoom": "wheel![event.ctrlKey || event.metaKey]"},
}


@dataclass(frozen=True)
class ChartSpec:
    """A chart: its Vega-Lite spec, its caption, and a text that says what it shows."""

    key: str
    caption: str
    alternative: str
    spec: dict[str, Any]


def require_altair() -> None:
    """Raise ``SixndError`` with the command that installs what charts need, if it is missing."""
    try:
        import altair  # noqa: F401
        import vl_convert  # noqa: F401
    except ImportError as error:
        raise SixndError(
            f"an HTML report needs {error.name}", "install it with: pip install 'sixnd[report]'"
        ) from error


def spec_of(chart: "altair.TopLevelMixin", height: int = _HEIGHT_PX) -> dict[str, Any]:
    """The Vega-Lite spec of a chart as wide as its place in the page, which a reader can zoom along its x axis."""
    spec: dict[str, Any] = chart.properties(width="container", height=height).configure(**_config()).to_dict()
    return _zoomed(spec)


def _zoomed(spec: dict[str, Any]) -> dict[str, Any]:
    """The spec with its x scale bound to dragging, and to the wheel with Ctrl or ⌘: without, the wheel moves the page.

    Written by hand, since altair numbers what it binds, and a report would be another one each time it is made.
    """
    units = spec.get("layer", [spec])
    at = next((i for i, unit in enumerate(units) if _is_continuous(unit.get("encoding", {}).get("x", {}))), None)
    if at is None:
        return spec
    made = units[at] | {"params": [_ZOOM]}
    return spec | {"layer": [*units[:at], made, *units[at + 1 :]]} if "layer" in spec else made


def _is_continuous(x: dict[str, Any]) -> bool:
    return "field" in x and x.get("type") == "quantitative"


def _config() -> dict[str, Any]:
    axis = {
        "domainColor": "var(--rule)",
        "gridColor": "var(--grid)",
        "tickColor": "var(--rule)",
        "labelColor": "var(--muted)",
        "titleColor": "var(--muted)",
        "titleFontWeight": "normal",
        "labelFont": _FONT,
        "titleFont": _FONT,
        "labelFontSize": 11,
        "titleFontSize": 11,
        "labelOverlap": True,
        "labelSeparation": 8,
    }
    legend = {"labelColor": "var(--ink)", "labelFont": _FONT, "labelFontSize": 12, "orient": "top", "title": None}
    return {
        "background": "transparent",
        "font": _FONT,
        "axis": axis,
        "legend": legend,
        "view": {"stroke": None},
        "range": {"category": ["var(--c1)", "var(--c2)", "var(--c3)", "var(--c4)"]},
        "text": {"color": "var(--ink)", "fontSize": 11},
        "autosize": {"type": "fit-x", "contains": "padding"},
    }


def si_axis() -> "altair.Axis":
    """Ticks as people write counts: 0, 500k, 1.5B (d3 would write 0M and 1.5G)."""
    import altair as alt

    expression = "datum.value === 0 ? '0' : replace(format(datum.value, '~s'), 'G', 'B')"
    return alt.Axis(labelExpr=expression, tickCount=5)
