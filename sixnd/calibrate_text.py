"""What `sixnd calibrate` prints: constants and measured configurations, before and after, and what to know of them."""

import math
import textwrap

from sixnd.console import text_table
from sixnd.reports import format as fmt
from sixnd.specs.calibration import CalibratedConstant, Calibration, Evidence

Row = tuple[str, ...]


def calibration_text(made: Calibration, width: int) -> str:
    """The calibration, ``width`` columns wide."""
    before, after = made.relative_error_before, made.relative_error
    interval = f"80 % interval of step time: a factor {1 + before:.3g} before, {1 + after:.3g} for runs like these"
    parts = [
        textwrap.fill(f"{made.name}: {made.accelerator} in {made.precision}. {interval}.", width),
        text_table("Measured", [_EVIDENCE, *(_evidence(i, one) for i, one in enumerate(made.evidence, 1))]),
        "\n".join(_wrapped(f"{i}. ", _told(one), width) for i, one in enumerate(made.evidence, 1)),
        text_table("Constants", [_CONSTANTS, *map(_constant, made.constants)]),
    ]
    parts += ["\n".join(["Notes", *(_wrapped("- ", note, width) for note in made.notes)])] if made.notes else []
    return "\n\n".join(parts)


_EVIDENCE = ("", "steps", "measured", "±", "predicted before", "", "after", "")


def _evidence(number: int, one: Evidence) -> Row:
    before, after = (fmt.percent(p / one.measured_s - 1) for p in (one.predicted_before_s, one.predicted_s))
    times = [fmt.duration(value) for value in (one.measured_s, one.predicted_before_s, one.predicted_s)]
    return (f"{number}", str(one.steps), times[0], fmt.percent(one.noise), times[1], before, times[2], after)


def _told(one: Evidence) -> str:
    return f"{one.what}; {one.source}"


_CONSTANTS = ("", "catalog", "now", "uncertain by a factor", "before")


def _constant(one: CalibratedConstant) -> Row:
    return (
        one.name,
        fmt.significant(one.before),
        fmt.significant(one.value),
        f"{math.exp(one.spread):.2f}",
        f"{math.exp(one.spread_before):.2f}",
    )


def _wrapped(bullet: str, text: str, width: int) -> str:
    return textwrap.fill(
        text, width, initial_indent=f"  {bullet}", subsequent_indent="  " + " " * len(bullet), break_on_hyphens=False
    )
