"""Quantities with units, as a person writes them: ``3e21 FLOPs``, ``$250k``, ``14 days``, ``512 x h100-sxm``.

Each dimension has one base unit in which the number is kept. Time and accelerator time refuse a bare number,
because hours and seconds are confused too easily; the others take one in their base unit.
"""

import difflib
import math
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from sixnd.specs.errors import SixndError

_PREFIX = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "B": 1e9, "T": 1e12}
_DIGITS = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+(?:_[0-9]+)*)"  # 1,000,000 or 1_000_000, but not the decimal 2,5
_NUMBER = rf"(?:{_DIGITS}(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_QUANTITY = re.compile(rf"\s*(?P<currency>\$)?\s*(?P<number>[+-]?{_NUMBER})\s*(?P<unit>[^\s0-9.,_].*?)?\s*", re.DOTALL)
ACCELERATORS_PATTERN = rf"^\s*{_DIGITS}\s*[x×*]\s*[A-Za-z0-9][A-Za-z0-9_.-]*\s*$"
_ACCELERATORS = re.compile(rf"\s*(?P<count>{_DIGITS})\s*[x×*]\s*(?P<name>[A-Za-z0-9][A-Za-z0-9_.-]*)\s*")


@dataclass(frozen=True)
class Units:
    """Units that share their prefixes: each of ``stems`` times each of ``prefixes``."""

    stems: dict[str, float]
    prefixes: dict[str, float]

    def factors(self) -> dict[str, float]:
        """Every unit, prefix and stem written together, with its size in the base unit."""
        return {f"{p}{stem}": scale * size for stem, size in self.stems.items() for p, scale in self.prefixes.items()}

    def pattern(self) -> str:
        """Regular expression of the units, as an editor checks them."""
        stems = "|".join(stem for stem in self.stems if stem)
        optional = "?" if "" in self.stems else ""
        prefixes = "|".join(prefix for prefix in self.prefixes if prefix)
        return (rf"(?:{prefixes})?\s?" if prefixes else "") + f"(?:{stems}){optional}"


@dataclass(frozen=True)
class Dimension:
    """A kind of quantity: its base unit, the units it knows, and an example for messages."""

    name: str
    base: str
    families: tuple[Units, ...]
    example: str
    bare_number: bool = True

    @cached_property
    def units(self) -> dict[str, float]:
        """Every unit with its size in the base unit."""
        return {unit: factor for family in self.families for unit, factor in family.factors().items()}

    @cached_property
    def pattern(self) -> str:
        """Regular expression (ECMA 262) of every quantity that this dimension reads."""
        units = "|".join(family.pattern() for family in self.families)
        optional = "?" if self.bare_number else ""
        currency = r"\$?\s*" if self.name == "money" else ""
        return rf"^\s*{currency}{_NUMBER}\s*(?:{units}){optional}\s*$"


def _same(size: float, *stems: str) -> dict[str, float]:
    return dict.fromkeys(stems, size)


_NO_PREFIX = {"": 1.0}
_DEVICE_HOURS = {
    f"{device}-{unit}": hours
    for device in ("GPU", "gpu", "accelerator", "CPU", "TPU")
    for unit, hours in {"hour": 1.0, "hours": 1.0, "h": 1.0, "day": 24.0, "days": 24.0}.items()
}

FLOPS = Dimension(
    "compute",
    "FLOPs",
    (
        Units(_same(1.0, "FLOPs", "FLOP", "FLOPS", "flops"), _PREFIX | {"P": 1e15, "E": 1e18, "Z": 1e21, "Y": 1e24}),
        Units(_same(8.64e19, "PF-days", "PF-day", "PFLOP/s-days"), _NO_PREFIX),
    ),
    "3e21 FLOPs",
)
TIME = Dimension(
    "time",
    "seconds",
    (
        Units(
            _same(1.0, "seconds", "second", "sec", "s")
            | _same(60.0, "minutes", "minute", "min")
            | _same(3600.0, "hours", "hour", "h")
            | _same(86400.0, "days", "day", "d")
            | _same(604800.0, "weeks", "week"),
            _NO_PREFIX,
        ),
    ),
    "14 days",
    bare_number=False,
)
ACCELERATOR_TIME = Dimension(
    "accelerator time",
    "accelerator-hours",
    (Units(_DEVICE_HOURS, {"": 1.0, "k": 1e3, "M": 1e6}),),
    "40000 GPU-hours",
    bare_number=False,
)
MONEY = Dimension("money", "USD", (Units(_same(1.0, "USD", "usd", "dollars", ""), _PREFIX),), "250k USD")
TOKENS = Dimension("tokens", "tokens", (Units(_same(1.0, "tokens", "token", ""), _PREFIX),), "20B tokens")
PARAMS = Dimension("parameters", "parameters", (Units(_same(1.0, "params", "parameters", ""), _PREFIX),), "7B params")
BYTES = Dimension(
    "memory",
    "bytes",
    (
        Units(_same(1.0, "B", "bytes"), {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}),
        Units({"KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40}, _NO_PREFIX),
    ),
    "80 GiB",
)
DIMENSIONS = (FLOPS, TIME, ACCELERATOR_TIME, MONEY, TOKENS, PARAMS, BYTES)


def parse_quantity(value: Any, dimension: Dimension) -> float:
    """Read ``value`` as a quantity of ``dimension``; return it in the dimension's base unit.

    Raises ``ValueError`` with what was expected when the unit is unknown, missing or of another
    dimension, or when the number is not positive and finite.
    """
    number, unit = _split(value, dimension)
    if not unit and not dimension.bare_number:
        raise SixndError("a number without a unit is ambiguous here", f"write it like '{dimension.example}'")
    factor = 1.0 if not unit else _factor(unit, dimension)
    result = number * factor
    if not math.isfinite(result) or result <= 0:
        what = f"{value!r} is no positive, finite {dimension.name}"
        raise SixndError(what, f"write it like '{dimension.example}'")
    return result


def _split(value: Any, dimension: Dimension) -> tuple[float, str]:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise SixndError(f"{value!r} is not a {dimension.name}", f"write it like '{dimension.example}'")
    if isinstance(value, int | float):
        return _finite(value), ""
    match = _QUANTITY.fullmatch(value)
    if match is None or (match["currency"] and dimension is not MONEY):
        raise SixndError(f"{value!r} is not a {dimension.name}", f"write it like '{dimension.example}'")
    return float(match["number"].replace(",", "").replace("_", "")), match["unit"] or ""


def _finite(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # an integer beyond a double's range: refused by the caller like any infinity
        return math.inf


def _factor(unit: str, dimension: Dimension) -> float:
    if unit in dimension.units:
        return dimension.units[unit]
    compact = re.sub(r"\s+", "", unit)
    if compact in dimension.units:
        return dimension.units[compact]
    for other in DIMENSIONS:
        if compact in other.units and compact not in _PREFIX:
            what = f"'{unit}' is a unit of {other.name}, but {dimension.name} is expected here"
            raise SixndError(what, f"write it like '{dimension.example}'")
    near = difflib.get_close_matches(compact, dimension.units, 1)
    hint = f"did you mean '{near[0]}'?" if near else f"write it like '{dimension.example}'"
    raise SixndError(f"unknown unit '{unit}' for {dimension.name}", hint)


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
    match = _ACCELERATORS.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise SixndError(f"{value!r} is no count of an accelerator", "write it like '512 x h100-sxm'")
    count = int(match["count"].replace(",", "").replace("_", ""))
    if count < 1:
        raise SixndError("at least one accelerator is needed", "write it like '8 x h100-sxm'")
    return AcceleratorCount(count, match["name"])


def _read(dimension: Dimension) -> BeforeValidator:
    return BeforeValidator(lambda value: parse_quantity(value, dimension))


def _read_auto(dimension: Dimension) -> BeforeValidator:
    return BeforeValidator(lambda value: None if _is_auto(value) else parse_quantity(value, dimension))


def _write(dimension: Dimension) -> PlainSerializer:
    def write(value: float | None) -> str:
        return "auto" if value is None else format_quantity(value, dimension)

    return PlainSerializer(write, return_type=str)


def _whole(value: Any) -> Any:
    """`32e3` is a float to YAML; where a count is asked for it is taken as the whole number it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _is_auto(value: Any) -> bool:
    return value is None or value == "auto"


def _schema(dimension: Dimension, *, auto: bool = False) -> WithJsonSchema:
    options: list[dict[str, Any]] = [{"const": "auto"}, {"type": "null"}] if auto else []
    if dimension.bare_number:
        options.append({"type": "number", "exclusiveMinimum": 0})
    options.append({"type": "string", "pattern": dimension.pattern})
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
_AUTO_COUNT = WithJsonSchema({"anyOf": [{"const": "auto"}, {"type": "null"}, {"type": "integer", "minimum": 1}]})
_AUTO_NUMBER = WithJsonSchema(
    {"anyOf": [{"const": "auto"}, {"type": "null"}, {"type": "number", "exclusiveMinimum": 0}]}
)
_AUTO_SWITCH = WithJsonSchema({"anyOf": [{"const": "auto"}, {"type": "null"}, {"type": "boolean"}]})
WHOLE = BeforeValidator(_whole)
AutoCount = Annotated[Annotated[int, Field(ge=1), WHOLE] | None, _auto, _write_auto, _AUTO_COUNT]
AutoNumber = Annotated[Annotated[float, Field(gt=0, allow_inf_nan=False)] | None, _auto, _write_auto, _AUTO_NUMBER]
AutoShare = Annotated[
    Annotated[float, Field(ge=0, allow_inf_nan=False)] | None,
    _auto,
    _write_auto,
    WithJsonSchema({"anyOf": [{"const": "auto"}, {"type": "null"}, {"type": "number", "minimum": 0}]}),
]
AutoSwitch = Annotated[bool | None, _auto, _write_auto, _AUTO_SWITCH]
Accelerators = Annotated[
    AcceleratorCount,
    BeforeValidator(parse_accelerators),
    PlainSerializer(str, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": ACCELERATORS_PATTERN,
            "examples": ["512 x h100-sxm"],
        }
    ),
]
