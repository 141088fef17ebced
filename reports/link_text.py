"""The numbers of a derivation as people write them, the same in `sixnd explain` and in reports."""

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


def value_text(value: float | str, unit: str) -> str:
    """The value with its unit; a choice in words as it is."""
    if isinstance(value, str):
        return value
    if unit in _EXACT and float(value).is_integer() and value < 1e15:
        return f"{value:,.0f}" + ("" if value < 1e4 else f" ({fmt.count(value)})") + f" {unit}"
    kind = _KINDS.get(unit)
    if kind is None:
        return f"{_plain(value)} {unit}".rstrip()
    shown = fmt.FORMATS[kind](value)
    return f"{shown} {unit}" if kind == "count" else shown


def end_text(value: float, unit: str) -> str:
    """An end of an interval, without the unit that the value has told."""
    return fmt.FORMATS[_KINDS[unit]](value) if unit in _KINDS else _plain(value)


def _plain(value: float) -> str:
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:.5g}" if abs(value) < 1e6 else f"{value:.4g}"
