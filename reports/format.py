"""Numbers as people write them: ``405.9B``, ``3.80e25 FLOPs``, ``72.3 GB``, ``$113M``, ``97 days``.

Every renderer shows the text made here once, so that terminal, Markdown, HTML and JSON cannot disagree.
"""

import math
from collections.abc import Callable

_STEPS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
_BYTES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
_ENERGY = ((1e6, "GWh"), (1e3, "MWh"), (1.0, "kWh"), (1e-3, "Wh"))
_MASS = ((1e6, "kt"), (1e3, "t"), (1.0, "kg"), (1e-3, "g"))
_TIMES = ((86400.0, "days", 2.0), (3600.0, "h", 2.0), (60.0, "min", 2.0), (1.0, "s", 1.0), (1e-3, "ms", 1.0))
MINUS = "\N{MINUS SIGN}"


def significant(value: float, digits: int = 3) -> str:
    """``value`` to at most so many significant digits, grouped by thousands, never in exponent form."""
    if not math.isfinite(value):  # a ratio to nothing
        return str(value).replace("inf", "∞").replace("-", MINUS)
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])
    text = f"{value:,.{max(0, digits - 1 - exponent)}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", MINUS)


def count(value: float) -> str:
    """A count: ``17``, ``1,234``, ``405.9B``, ``15.6T``."""
    return significant(value, 4) if abs(value) < 1e4 else _scaled(value, _STEPS, 4, "")


def size(value: float) -> str:
    """A count that is an estimate, to three digits: ``80.1M``."""
    return _scaled(value, _STEPS, 3, "") if abs(value) >= 1e3 else significant(value)


def integer(value: float) -> str:
    """A count in full: ``95,367``."""
    return f"{value:,.0f}".replace("-", MINUS)


def flops(value: float) -> str:
    """FLOPs in exponent form, as papers write them: ``3.80e25``."""
    return "0" if value == 0 else f"{value:.2e}".replace("e+0", "e").replace("e+", "e")


def memory(value: float) -> str:
    """Bytes in decimal units: ``72.3 GB``."""
    return _scaled(value, _BYTES, 3, " ") if abs(value) >= 1e3 else f"{value:.0f} B"


def money(value: float) -> str:
    """US dollars: ``$113M``, ``$2,480``, ``$0.02``."""
    if abs(value) >= 1e4:
        return "$" + _scaled(value, _STEPS, 3, "")
    if abs(value) < 1:
        return f"${significant(value, 2)}"
    return f"${value:,.2f}" if abs(value) < 100 else f"${value:,.0f}"


def energy(value: float) -> str:
    """Kilowatt-hours, scaled: ``38.1 GWh``, ``12 Wh``."""
    return _scaled(value, _ENERGY, 3, " ")


def mass(value: float) -> str:
    """Kilograms, scaled: ``18.2 kt``, ``69.5 kg``, ``0.56 g``."""
    return _scaled(value, _MASS, 3, " ")


def duration(value: float) -> str:
    """Seconds in the unit a person would say: ``97 days``, ``3.2 h``, ``12.4 min``, ``840 ms``."""
    return _in_unit(value, *time_unit(value))


def _in_unit(value: float, scale: float, unit: str) -> str:
    return f"{significant(value / scale)} {unit}"


def hours(value: float) -> str:
    """Accelerator-hours: ``38.1M h``, ``420 h``, ``0.13 h``."""
    return f"{count(value) if abs(value) >= 1e4 else significant(value)} h"


def nats(value: float) -> str:
    """A loss: ``1.843 nats``."""
    return f"{value:.3f} nats".replace("-", MINUS)


def percent(value: float) -> str:
    """A share as a percentage: ``41.3 %``."""
    return f"{significant(value * 100)} %"


def share(value: float) -> str:
    """A part of a whole, to a tenth of a percent so that a column of them adds up by eye: ``14.6 %``."""
    return f"{value * 100:.1f} %"


def number(value: float) -> str:
    """A bare number in the shortest form a person reads easily: ``19.8``, ``1.2e-05``."""
    return significant(value, 4) if value == 0 or 1e-4 <= abs(value) < 1e6 else f"{value:.3g}"


def relative(actual: float, planned: float) -> str:
    """How far ``actual`` lies from ``planned``: ``+3.2 %``, ``×12.5`` from tenfold on, ``0 %`` when equal."""
    if planned == 0:
        return "" if actual else "0 %"
    ratio = actual / planned
    if ratio >= 10:
        return f"×{significant(ratio)}"
    change = (ratio - 1) * 100
    return "0 %" if change == 0 else _signed(change, 1, " %")


def difference(value: float, decimals: int, unit: str) -> str:
    """A signed difference with its unit: ``+0.012 nats``."""
    return _signed(value, decimals, unit)


def _signed(value: float, decimals: int, unit: str) -> str:
    text = f"{value:+.{decimals}f}"
    if float(text) == 0:
        return f"<{10**-decimals:.{decimals}f}{unit}" if value else f"0{unit}"
    return text.replace("-", MINUS) + unit


def _scaled(value: float, steps: tuple[tuple[float, str], ...], digits: int, gap: str) -> str:
    # 999.96e6 rounds to 1,000 of the smaller unit: take the larger one from where rounding reaches it.
    for scale, unit in steps:
        if abs(value) >= scale * (1 - 0.5 * 10**-digits):
            return significant(value / scale, digits) + gap + unit
    scale, unit = steps[-1]
    return significant(value / scale, digits) + gap + unit


def time_unit(value: float) -> tuple[float, str]:
    """Seconds in the unit in which a person would say a duration, and its name."""
    for scale, unit, least in _TIMES:
        if abs(value) >= scale * least:
            return scale, unit
    return _TIMES[-1][:2] if value else (1.0, "s")


FORMATS: dict[str, Callable[[float], str]] = {
    "count": count,
    "integer": integer,
    "flops": lambda value: f"{flops(value)} FLOPs",
    "memory": memory,
    "money": money,
    "energy": energy,
    "mass": mass,
    "duration": duration,
    "hours": hours,
    "nats": nats,
    "percent": percent,
    "share": share,
    "rate": lambda value: f"{count(value)} tokens/s",
    "number": number,
    "price": lambda value: f"${value:,.2f}",
    "size": size,
    "ratio": significant,
    "exponent": lambda value: f"{value:.4f}",
}
"""Formatter of each kind of quantity; the base units are those of the documents' field names."""


def interval(kind: str, value: float, low: float, high: float) -> str:
    """The interval of ``value``, its unit written once where both ends share it: ``88–110 days``, ``$98M–$131M``."""
    if kind == "duration":  # in the value's unit: 2.2 h (1.9–2.5), not 2.2 h (114 min–2.5 h)
        first, second = (_in_unit(end, *time_unit(value)) for end in (low, high))
    else:
        first, second = FORMATS[kind](low), FORMATS[kind](high)
    if first == second:
        return first
    number_low, _, unit_low = first.partition(" ")
    unit_high = second.partition(" ")[2]
    return f"{number_low}–{second}" if unit_low == unit_high else f"{first}–{second}"
