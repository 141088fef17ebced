"""Plans, or runs, side by side: which numbers differ, and which fields and decisions make them differ."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from sixnd.reports.difference_documents import ChoiceRow, Curves, Difference, FieldRow, NumberRow
from sixnd.reports.documents import Figure
from sixnd.reports.format import MINUS, significant
from sixnd.reports.plan_facts import plan_facts
from sixnd.reports.run_documents import RunFacts
from sixnd.reports.run_facts import run_facts
from sixnd.specs.plan import Plan
from sixnd.specs.record import RunRecord

_CURVES = ("loss", "validation_loss", "tokens_per_s")
_ABSOLUTE = {"loss": "nats", "validation_loss": "nats"}
"""Numbers whose differences are told as they are, not as a share."""
_LEADING = ("params", "tokens", "loss", "wall_time", "money", "tokens_per_s", "memory")
_FEW = 3
_NONE = "–"


def plan_difference(*plans: Plan) -> Difference:
    """What differs between two plans, or more."""
    return Difference(**_plans(plans), kind="plans", state="", measured=[], curves=[], warnings=[])


def run_difference(*runs: tuple[Plan, RunRecord]) -> Difference:
    """What differs between two runs, or more: what became of them, and their plans."""
    plans = [plan for plan, _ in runs]
    facts = [run_facts(plan, record) for plan, record in runs]
    parts = _plans(plans)
    measured = _measured(facts)
    parts["verdict"] = _verdict(measured, parts["fields"], parts["choices"])
    curves = [curve for key in _CURVES if (curve := _curves(facts, key)) is not None]
    state = " ".join(f"{name}: {one.state_text}" for name, one in zip(parts["names"], facts, strict=True))
    return Difference(**parts, kind="runs", state=state, measured=measured, curves=curves, warnings=_warnings(plans))


def _curves(facts: Sequence[RunFacts], key: str) -> Curves | None:
    """None where a run has no such curve."""
    series = [one.curve_of(key) for one in facts]
    if not all(one.tokens for one in series):
        return None
    return Curves(key=key, label=series[0].label, unit=series[0].unit, series=series)


def _plans(plans: Sequence[Plan]) -> dict[str, Any]:
    names = _names(plans)
    at = [{number.key: number for number in plan_facts(plan).key_numbers} for plan in plans]
    labels = {key: number.label for side in reversed(at) for key, number in side.items()}
    keys = dict.fromkeys(key for side in at for key in side)
    numbers = [_row(key, labels[key], [side[key].figure if key in side else None for side in at]) for key in keys]
    fields = list(_fields([plan.spec.plain() for plan in plans]))
    choices = list(_choices(plans))
    return {
        "name": f"{', '.join(names[:-1])} and {names[-1]}",
        "names": names,
        "verdict": _verdict(numbers, fields, choices),
        "planned": numbers,
        "fields": fields,
        "choices": choices,
        "flops_per_token": [plan.model.flops_per_token for plan in plans],
    }


def _names(plans: Sequence[Plan]) -> list[str]:
    """Each by its name; those of one name by their fingerprints, or by their places where these are one too."""
    names, full = [plan.name for plan in plans], [f"{plan.name}/{plan.fingerprint()}" for plan in plans]
    found = []
    for i, (name, long) in enumerate(zip(names, full, strict=True)):
        place = ("first", "second")[i] if len(plans) == 2 else f"{i + 1}"
        found.append(name if names.count(name) == 1 else long if full.count(long) == 1 else f"{name}, {place}")
    return found


def _measured(facts: Sequence[RunFacts]) -> list[NumberRow]:
    return [_row(row.key, row.label, [one.row(row.key).actual for one in facts]) for row in facts[0].rows]


def _row(key: str, label: str, values: list[Figure | None]) -> NumberRow:
    first, *others = values
    return NumberRow(
        key=key,
        label=label,
        values=values,
        changes=[_change(key, first, other) for other in others],
        apart=[_apart(first, other) for other in others],
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


def _fields(sides: Sequence[Any], path: tuple[str, ...] = ()) -> Iterator[FieldRow]:
    """Fields of the specs that differ; lists of named parts are held together by their names."""
    if all(isinstance(side, dict) for side in sides):
        for key in dict.fromkeys(key for side in sides for key in side):
            yield from _fields([side.get(key) for side in sides], (*path, key))
    elif all(_named(side) for side in sides):
        yield from _fields([{each["name"]: each for each in side} for side in sides], path)
    elif any(side != sides[0] for side in sides):
        yield FieldRow(path=".".join(path), values=[_written(side) for side in sides])


def _named(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) and "name" in each for each in value)


def _written(value: Any) -> str:
    if value is None:
        return _NONE
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _choices(plans: Sequence[Plan]) -> Iterator[ChoiceRow]:
    sides = [{decision.what: decision for decision in plan.decisions} for plan in plans]
    for what in dict.fromkeys(what for side in sides for what in side):
        made = [side.get(what) for side in sides]
        values = [_NONE if one is None else one.value for one in made]
        if len(set(values)) > 1:
            reason = next(one.reason for one in reversed(made) if one is not None)
            yield ChoiceRow(what=what, values=values, reason=reason)


def _verdict(numbers: list[NumberRow], fields: list[FieldRow], choices: list[ChoiceRow]) -> str:
    """The changes a reader looks for first, and from how many fields they come."""
    at = {number.key: number for number in numbers}
    told = [text for key in _LEADING if key in at and (text := _moved(at[key]))]
    source = f"{_count(len(fields), 'field')} of the specs and {_count(len(choices), 'decision')} differ"
    head = "; ".join(told) or "No number that matters differs"
    few = f" ({', '.join(field.path for field in fields)})" if 0 < len(fields) <= _FEW else ""
    return f"{head}. {source[0].upper()}{source[1:]}{few}."


def _moved(row: NumberRow) -> str:
    """Of two the change, of more the range; empty where nothing moved."""
    if set(row.changes) <= {"", "the same"}:
        return ""
    if len(row.changes) == 1:
        return f"{row.label} {row.changes[0]}"
    known = sorted((one.value, one.text) for one in row.values if one is not None and one.value is not None)
    return f"{row.label} {known[0][1]} to {known[-1][1]}" if known else f"{row.label} differs"


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def _warnings(plans: Sequence[Plan]) -> list[str]:
    texts = Counter((json.dumps(plan.data.plain(), sort_keys=True), plan.model.vocab_size) for plan in plans)
    if len(texts) == 1:
        return []
    who = "The two" if len(plans) == 2 else "They"
    return [
        f"{who} were trained on other data or with another vocabulary: their losses per token are not those of the "
        "same text."
    ]
