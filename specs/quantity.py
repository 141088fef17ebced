"""Quantities with units, as a person writes them: ``3e21 FLOPs``, ``$250k``, ``14 days``, ``512 x h100-sxm``.

Each dimension has one base unit in which the number is kept. Time and accelerator time refuse a bare number,
because hours and seconds are confused too easily; the others take one in their base unit.
"""

import math
import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

_PREFIX = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "B": 1e9, "T": 1e12}
_HIGH_PREFIX = {"P": 1e15, "E": 1e18, "Z": 1e21, "Y": 1e24}
_NUMBER = r"[+-]?(?:\d[\d,_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_QUANTITY = re.compile(rf"^\s*(?P<currency>\$)?\s*(?P<number>{_NUMBER})\s*(?P<unit>.*?)\s*$")
_ACCELERATORS = re.compile(r"^\s*(?P<count>[\d,_]+)\s*[x×*]\s*(?P<name>[A-Za-z0-9][\w.-]*)\s*$")


@dataclass(frozen=True)
class Dimension:
    """A kind of quantity: its base unit, the units it knows, and an example for messages."""

    name: str
    base: str
    units: dict[str, float]
    example: str
    bare_number: bool = True


def _scaled(stems: tuple[str, ...], prefixes: dict[str, float]) -> dict[str, float]:
    return {f"{prefix}{stem}": factor for stem in stems for prefix, factor in prefixes.items()}


_SECONDS = {"s": 1, "sec": 1, "second": 1, "seconds": 1, "min": 60, "minute": 60, "minutes": 60}
_SECONDS |= {"h": 3600, "hour": 3600, "hours": 3600, "day": 86400, "days": 86400, "d": 86400}
_SECONDS |= {"week": 604800, "weeks": 604800}
_HOURS_PER = {"hour": 1.0, "hours": 1.0, "h": 1.0, "day": 24.0, "days": 24.0}

FLOPS = Dimension(
    "compute",
    "FLOPs",
    _scaled(("FLOP", "FLOPs", "FLOPS", "flops"), _PREFIX | _HIGH_PREFIX)
    | {"PF-day": 8.64e19, "PF-days": 8.64e19, "PFLOP/s-days": 8.64e19},
    "3e21 FLOPs",
)
TIME = Dimension("time", "seconds", {k: float(v) for k, v in _SECONDS.items()}, "14 days", bare_number=False)
ACCELERATOR_TIME = Dimension(
    "accelerator time",
    "accelerator-hours",
    {
        f"{p}{device}-{unit}": factor * hours
        for device in ("GPU", "gpu", "accelerator", "CPU", "TPU")
        for unit, hours in _HOURS_PER.items()
        for p, factor in {"": 1.0, "k": 1e3, "M": 1e6}.items()
    },
    "40000 GPU-hours",
    bare_number=False,
)
MONEY = Dimension("money", "USD", _scaled(("USD", "usd", "dollars"), _PREFIX) | dict(_PREFIX), "250k USD")
TOKENS = Dimension("tokens", "tokens", _scaled(("tokens", "token"), _PREFIX) | dict(_PREFIX), "20B tokens")
PARAMS = Dimension("parameters", "parameters", _scaled(("params", "parameters"), _PREFIX) | dict(_PREFIX), "7B params")
BYTES = Dimension(
    "memory",
    "bytes",
    _scaled(("B", "bytes"), {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12})
    | {"KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40},
    "80 GiB",
)


def parse_quantity(value: Any, dimension: Dimension) -> float:
    """Read ``value`` as a quantity of ``dimension``; return it in the dimension's base unit.

    Raises ``ValueError`` with what was expected when the unit is unknown, missing or of another
    dimension, or when the number is not positive and finite.
    """
    number, unit = _split(value, dimension)
    if not unit and not dimension.bare_number:
        raise ValueError(f"a number without a unit is ambiguous here; write it like '{dimension.example}'")
    factor = 1.0 if not unit else _factor(unit, dimension)
    result = number * factor
    if not math.isfinite(result) or result <= 0:
        raise ValueError(f"must be a positive, finite {dimension.name}, like '{dimension.example}'")
    return result


def _split(value: Any, dimension: Dimension) -> tuple[float, str]:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"expected a {dimension.name} such as '{dimension.example}', not {value!r}")
    if isinstance(value, int | float):
        return float(value), ""
    match = _QUANTITY.match(value)
    if match is None or (match["currency"] and dimension is not MONEY):
        raise ValueError(f"'{value}' is not a {dimension.name}; write it like '{dimension.example}'")
    return float(match["number"].replace(",", "").replace("_", "")), match["unit"]


def _factor(unit: str, dimension: Dimension) -> float:
    if unit in dimension.units:
        return dimension.units[unit]
    compact = re.sub(r"\s+", "", unit)
    if compact in dimension.units:
        return dimension.units[compact]
    others = (FLOPS, TIME, ACCELERATOR_TIME, MONEY, TOKENS, PARAMS, BYTES)
    for other in others:
        if compact in other.units and compact not in _PREFIX:
            raise ValueError(f"'{unit}' is a unit of {other.name}, but {dimension.name} is expected here, "
                             f"like '{dimension.example}'")  # fmt: skip
    raise ValueError(f"unknown unit '{unit}' for {dimension.name}; write it like '{dimension.example}'")


def format_quantity(value: float, dimension: Dimension) -> str:
    """Render ``value`` (base unit) so that ``parse_quantity`` reads it back to nine digits."""
    return f"{value:.9g} {dimension.base}"


@dataclass(frozen=True)
class AcceleratorCount:
    """So many of one accelerator, as in ``512 x h100-sxm``."""

    count: int
    name: str

    def __str__(self) -> str:
        return f"{self.count} x {self.name}"


def parse_accelerators(value: Any) -> AcceleratorCount:
    """Read ``512 x h100-sxm``. The name is checked against the catalog by whoever has one."""
    if isinstance(value, AcceleratorCount):
        return value
    match = _ACCELERATORS.match(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"expected a count and an accelerator such as '512 x h100-sxm', not {value!r}")
    count = int(match["count"].replace(",", "").replace("_", ""))
    if count < 1:
        raise ValueError("at least one accelerator is needed, as in '8 x h100-sxm'")
    return AcceleratorCount(count, match["name"])


def _read(dimension: Dimension) -> BeforeValidator:
    return BeforeValidator(lambda value: parse_quantity(value, dimension))


def _read_auto(dimension: Dimension) -> BeforeValidator:
    return BeforeValidator(lambda value: None if _is_auto(value) else parse_quantity(value, dimension))


def _write(dimension: Dimension) -> PlainSerializer:
    def write(value: float | None) -> str:
        return "auto" if value is None else format_quantity(value, dimension)

    return PlainSerializer(write, return_type=str)


def _is_auto(value: Any) -> bool:
    return value is None or value == "auto"


def _schema(dimension: Dimension, *, auto: bool = False) -> WithJsonSchema:
    options: list[dict[str, Any]] = [{"const": "auto"}] if auto else []
    if dimension.bare_number:
        options.append({"type": "number", "exclusiveMinimum": 0})
    options.append({"type": "string", "pattern": rf"^\s*\$?\s*{_NUMBER}\s*\S*(\s\S+)?\s*$"})
    return WithJsonSchema({"anyOf": options, "examples": [dimension.example]})


Flops = Annotated[float, _read(FLOPS), _write(FLOPS), _schema(FLOPS)]
Seconds = Annotated[float, _read(TIME), _write(TIME), _schema(TIME)]
AcceleratorHours = Annotated[float, _read(ACCELERATOR_TIME), _write(ACCELERATOR_TIME), _schema(ACCELERATOR_TIME)]
Usd = Annotated[float, _read(MONEY), _write(MONEY), _schema(MONEY)]
Tokens = Annotated[float, _read(TOKENS), _write(TOKENS), _schema(TOKENS)]
Bytes = Annotated[float, _read(BYTES), _write(BYTES), _schema(BYTES)]
AutoUsd = Annotated[float | None, _read_auto(MONEY), _write(MONEY), _schema(MONEY, auto=True)]
AutoTokens = Annotated[float | None, _read_auto(TOKENS), _write(TOKENS), _schema(TOKENS, auto=True)]
AutoParams = Annotated[float | None, _read_auto(PARAMS), _write(PARAMS), _schema(PARAMS, auto=True)]
"""``None`` in these and the next stands for ``auto``: the planner chooses."""

_auto = BeforeValidator(lambda value: None if _is_auto(value) else value)
_write_auto = PlainSerializer(lambda value: "auto" if value is None else value)
_AUTO_COUNT = WithJsonSchema({"anyOf": [{"const": "auto"}, {"type": "integer", "minimum": 1}]})
_AUTO_NUMBER = WithJsonSchema({"anyOf": [{"const": "auto"}, {"type": "number", "exclusiveMinimum": 0}]})
_AUTO_SWITCH = WithJsonSchema({"anyOf": [{"const": "auto"}, {"type": "boolean"}]})
AutoCount = Annotated[Annotated[int, Field(ge=1)] | None, _auto, _write_auto, _AUTO_COUNT]
AutoNumber = Annotated[Annotated[float, Field(gt=0, allow_inf_nan=False)] | None, _auto, _write_auto, _AUTO_NUMBER]
AutoSwitch = Annotated[bool | None, _auto, _write_auto, _AUTO_SWITCH]
Accelerators = Annotated[
    AcceleratorCount,
    BeforeValidator(parse_accelerators),
    PlainSerializer(str, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\s*[\d,_]+\s*[x×*]\s*[A-Za-z0-9][\w.-]*\s*$",
            "examples": ["512 x h100-sxm"],
        }
    ),
]
