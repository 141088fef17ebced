"""Two plans, or two runs, side by side: which numbers differ, and which fields and decisions make them differ."""

import json
from collections.abc import Iterator
from typing import Any

from sixnd.reports.difference_documents import ChoicePair, Curves, Difference, FieldPair, NumberPair
from sixnd.reports.documents import Figure
from sixnd.reports.format import MINUS, significant
from sixnd.reports.plan_facts import plan_facts
from sixnd.reports.run_documents import RunFacts
from sixnd.reports.run_facts import run_facts
from sixnd.specs.plan import Decision, Plan
from sixnd.specs.record import RunRecord

_CURVES = ("loss", "validation_loss", "tokens_per_s")
_ABSOLUTE = {"loss": "nats", "validation_loss": "nats"}
"""Numbers whose differences are told as they are, not as a share."""
_FEW = 3


def plan_difference(first: Plan, second: Plan) -> Difference:
    """What differs between two plans."""
    return Difference(**_plans(first, second), kind="plans", state="", measured=[], curves=[], warnings=[])


def run_difference(first: tuple[Plan, RunRecord], second: tuple[Plan, RunRecord]) -> Difference:
    """What differs between two runs: what became of them, and their plans."""
    (plan, record), (other_plan, other_record) = first, second
    one, other = run_facts(plan, record), run_facts(other_plan, other_record)
    parts = _plans(plan, other_plan)
    measured = _measured(one, other)
    parts["verdict"] = _verdict(measured, parts["fields"], parts["choices"])
    curves = [
        Curves(key=key, label=curve.label, unit=curve.unit, first=curve, second=other.curve_of(key))
        for key in _CURVES
        if (curve := one.curve_of(key)).tokens and other.curve_of(key).tokens
    ]
    state = f"{parts['first']}: {one.state_text} {parts['second']}: {other.state_text}"
    return Difference(
        **parts, kind="runs", state=state, measured=measured, curves=curves, warnings=_warnings(plan, other_plan)
    )


def _plans(first: Plan, second: Plan) -> dict[str, Any]:
    names = _names(first, second)
    one, other = plan_facts(first), plan_facts(second)
    keys = dict.fromkeys(number.key for number in (*one.key_numbers, *other.key_numbers))
    at = [{number.key: number for number in facts.key_numbers} for facts in (one, other)]
    numbers = [
        _pair(key, (at[0].get(key) or at[1][key]).label, *(side[key].figure if key in side else None for side in at))
        for key in keys
    ]
    fields = list(_fields(first.spec.plain(), second.spec.plain()))
    choices = list(_choices(first.decisions, second.decisions))
    return {
        "name": f"{names[0]} and {names[1]}",
        "first": names[0],
        "second": names[1],
        "verdict": _verdict(numbers, fields, choices),
        "planned": numbers,
        "fields": fields,
        "choices": choices,
    }


def _names(first: Plan, second: Plan) -> tuple[str, str]:
    if first.name != second.name:
        return first.name, second.name
    one, other = first.fingerprint(), second.fingerprint()
    if one != other:
        return f"{first.name}/{one}", f"{second.name}/{other}"
    return f"{first.name}, first", f"{second.name}, second"


def _measured(one: RunFacts, other: RunFacts) -> list[NumberPair]:
    return [_pair(row.key, row.label, row.actual, other.row(row.key).actual) for row in one.rows]


def _pair(key: str, label: str, first: Figure | None, second: Figure | None) -> NumberPair:
    return NumberPair(
        key=key,
        label=label,
        first=first,
        second=second,
        change=_change(key, first, second),
        apart=_apart(first, second),
    )


def _change(key: str, first: Figure | None, second: Figure | None) -> str:
    """From the first to the second: as a share, losses and percentages as they are, a text as equal or not."""
    if first is None or second is None:
        return ""
    if first.value is None or second.value is None:
        return "the same" if first.text == second.text else "differs"
    if first.value == second.value:
        return "the same"
    if key in _ABSOLUTE:
        return f"{second.value - first.value:+.3f} {_ABSOLUTE[key]}".replace("-", MINUS)
    if first.value <= 0 or second.value <= 0:
        return "differs"
    if first.text.endswith("%"):
        return f"{100 * (second.value - first.value):+.1f} points".replace("-", MINUS)
    ratio = second.value / first.value
    if not 0.5 <= ratio <= 2:
        return f"× {significant(ratio)}" if ratio > 1 else f"÷ {significant(1 / ratio)}"
    return f"{100 * (ratio - 1):+.1f} %".replace("-", MINUS)


def _apart(first: Figure | None, second: Figure | None) -> bool | None:
    if first is None or second is None:
        return None
    ends = (first.low, first.high, second.low, second.high)
    if any(end is None for end in ends):
        return None
    low, high, other_low, other_high = (float(end) for end in ends if end is not None)
    return high < other_low or other_high < low


def _fields(first: Any, second: Any, path: tuple[str, ...] = ()) -> Iterator[FieldPair]:
    """Fields of the specs that differ; lists of named parts are held together by their names."""
    if isinstance(first, dict) and isinstance(second, dict):
        for key in dict.fromkeys([*first, *second]):
            yield from _fields(first.get(key), second.get(key), (*path, key))
    elif _named(first) and _named(second):
        one, other = ({each["name"]: each for each in side} for side in (first, second))
        yield from _fields(one, other, path)
    elif first != second:
        yield FieldPair(path=".".join(path), first=_written(first), second=_written(second))


def _named(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) and "name" in each for each in value)


def _written(value: Any) -> str:
    if value is None:
        return "–"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _choices(first: list[Decision], second: list[Decision]) -> Iterator[ChoicePair]:
    sides = [{decision.what: decision for decision in side} for side in (first, second)]
    for what in dict.fromkeys([*sides[0], *sides[1]]):
        one, other = sides[0].get(what), sides[1].get(what)
        values = ["–" if side is None else side.value for side in (one, other)]
        if values[0] != values[1]:
            told = other or one
            assert told is not None, "one of the two has it"
            yield ChoicePair(what=what, first=values[0], second=values[1], reason=told.reason)


def _verdict(numbers: list[NumberPair], fields: list[FieldPair], choices: list[ChoicePair]) -> str:
    """The changes a reader looks for first, and from how many fields they come."""
    leading = ("params", "tokens", "loss", "wall_time", "money", "tokens_per_s", "memory")
    at = {number.key: number for number in numbers}
    told = [
        f"{at[key].label} {at[key].change}" for key in leading if key in at and at[key].change not in ("", "the same")
    ]
    source = f"{_count(len(fields), 'field')} of the specs and {_count(len(choices), 'decision')} differ"
    head = "; ".join(told) or "No number that matters differs"
    few = f" ({', '.join(field.path for field in fields)})" if 0 < len(fields) <= _FEW else ""
    return f"{head}. {source[0].upper()}{source[1:]}{few}."


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def _warnings(first: Plan, second: Plan) -> list[str]:
    if first.data.plain() == second.data.plain() and first.model.vocab_size == second.model.vocab_size:
        return []
    return [
        "The two were trained on other data or with another vocabulary: their losses per token are not those of the "
        "same text."
    ]
