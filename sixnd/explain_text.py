"""What `sixnd explain` prints: a numbered derivation, each step with its formula, its value and its source."""

import textwrap

from sixnd.planner.explanation import Explanation, Step
from sixnd.reports.link_text import end_text, value_text


def explanation_text(found: Explanation, width: int) -> str:
    """A derivation, ``width`` columns wide."""
    by = "pinned by the spec" if found.pinned else "derived"
    head = textwrap.fill(f"{found.name}: {found.value} ({by})", width, subsequent_indent="  ", break_on_hyphens=False)
    numbered = [_step(i, step, width) for i, step in enumerate(found.steps, 1)]
    return "\n".join([head, "", *numbered, *_sources(found.steps, width)])


def _step(i: int, step: Step, width: int) -> str:
    wrap = textwrap.TextWrapper(width, initial_indent=" " * 5, subsequent_indent=" " * 7, break_on_hyphens=False)
    head = textwrap.fill(
        f"{i:>2}. {step.step} = {value_text(step.value, step.unit)}",
        width,
        subsequent_indent=" " * 5,
        break_on_hyphens=False,
    )
    spans = ", ".join(
        f"{level}: {end_text(low, step.unit)} to {end_text(high, step.unit)}" for level, (low, high) in _ends(step)
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
