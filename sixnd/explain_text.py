"""What `sixnd explain` prints: a numbered derivation, each step with its formula, its value and its source."""

import textwrap

from sixnd.planner.explanation import Explanation, Step
from sixnd.reports import format as fmt

_KINDS = {
    "parameters": "count",
    "tokens": "count",
    "FLOPs": "flops",
    "bytes": "memory",
    "s": "duration",
    "USD": "money",
    "share": "percent",
    "share of peak": "percent",
}
_EXACT = ("parameters", "tokens")


def explanation_text(found: Explanation, width: int) -> str:
    """A derivation, ``width`` columns wide."""
    by = "pinned by the spec" if found.pinned else "derived"
    head = textwrap.fill(f"{found.name}: {found.value} ({by})", width, subsequent_indent="  ", break_on_hyphens=False)
    numbered = [_step(i, step, width) for i, step in enumerate(found.steps, 1)]
    return "\n".join([head, "", *numbered, *_sources(found.steps, width)])


def _step(i: int, step: Step, width: int) -> str:
    wrap = textwrap.TextWrapper(width, initial_indent=" " * 5, subsequent_indent=" " * 7, break_on_hyphens=False)
    head = textwrap.fill(
        f"{i:>2}. {step.step} = {_value(step)}", width, subsequent_indent=" " * 5, break_on_hyphens=False
    )
    spans = ", ".join(
        f"{level}: {_end(low, step.unit)} to {_end(high, step.unit)}" for level, (low, high) in _ends(step)
    )
    lines = [wrap.fill(text) for text in (step.formula, spans) if text]
    return "\n".join([head, *lines])


def _ends(step: Step) -> list[tuple[str, tuple[float, float]]]:
    return list((step.intervals or {}).items())


def _sources(steps: list[Step], width: int) -> list[str]:
    """Each source once, with the steps that rest on it."""
    where: dict[str, list[int]] = {}
    for i, step in enumerate(steps, 1):
        if step.source:
            where.setdefault(step.source, []).append(i)
    if not where:
        return []
    wrap = textwrap.TextWrapper(width, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
    return ["", "Sources", *(wrap.fill(f"{_places(places)}: {source}") for source, places in where.items())]


def _places(places: list[int]) -> str:
    return ", ".join(map(str, places))


def _value(step: Step) -> str:
    return step.value if isinstance(step.value, str) else _number(step.value, step.unit)


def _number(value: float, unit: str) -> str:
    if unit in _EXACT and float(value).is_integer() and value < 1e15:
        return f"{value:,.0f}" + ("" if value < 1e4 else f" ({fmt.count(value)})") + f" {unit}"
    kind = _KINDS.get(unit)
    if kind is None:
        return f"{_plain(value)} {unit}".rstrip()
    shown = fmt.FORMATS[kind](value)
    return f"{shown} {unit}" if kind == "count" else shown


def _end(value: float, unit: str) -> str:
    """An end of an interval, without the unit that the value has told."""
    return fmt.FORMATS[_KINDS[unit]](value) if unit in _KINDS else _plain(value)


def _plain(value: float) -> str:
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:.5g}" if abs(value) < 1e6 else f"{value:.4g}"
