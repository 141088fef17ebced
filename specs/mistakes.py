"""What pydantic says of a value, as a person would: what it is, and what it should be."""

import difflib
import re
from typing import Any

from pydantic_core import ErrorDetails

from sixnd.specs.errors import Path, SixndError

_SHOULD = re.compile(
    r"(?:Input|String|List|Tuple|Dictionary|Value|Keys) should (?P<be>(?:be|have) .*?)( after validation.*)?"
)
_SHOULD_BE = {
    "string_pattern_mismatch": "be letters, digits, dot, dash and underscore, at most 64, a letter or digit first",
    "model_type": "be a mapping of keys and values",
    "dict_type": "be a mapping of keys and values",
    "list_type": "be a list",
    "string_type": "be a word or text",
    "bool_type": "be true or false",
}
_LONGEST_SHOWN = 60


def mistake(detail: ErrorDetails, path: Path) -> tuple[str, str]:
    """What is wrong with the value at ``path``, and what to do about it."""
    name, kind, context = ".".join(str(part) for part in path) or "the document", detail["type"], detail.get("ctx", {})
    cause = context.get("error")
    if isinstance(cause, SixndError):
        return f"{name}: {cause.said}", cause.do or _as_documented(name)
    if kind == "union_tag_invalid":
        return f"{name}: no {context['discriminator']} '{context['tag']}'", f"give one of {context['expected_tags']}"
    if kind == "union_tag_not_found":
        return f"{name} does not say of what kind it is", f"give its {context['discriminator']}"
    should = _SHOULD.fullmatch(detail["msg"])
    if should is None and kind not in _SHOULD_BE:
        return f"{name}: {detail['msg'].removeprefix('Value error, ')}", _as_documented(name)
    wanted = _SHOULD_BE.get(kind) or (should["be"] if should else "")
    return f"{name}: {_shown(detail.get('input'))} cannot be taken", f"it should {wanted}{_nearest(detail)}"


def _shown(given: Any) -> str:
    """The value as it is written in YAML where it is short, else what it is."""
    if isinstance(given, dict):
        return "a mapping" if given else "an empty mapping"
    if isinstance(given, list | tuple):
        return f"a list of {len(given)}" if given else "an empty list"
    if given is None or isinstance(given, bool):
        return "null" if given is None else str(given).lower()
    return repr(given) if len(str(given)) < _LONGEST_SHOWN else f"{repr(given)[:_LONGEST_SHOWN]}…"


def _nearest(detail: ErrorDetails) -> str:
    """Of words that are expected, the one that was meant."""
    words = re.findall(r"'([^']*)'", str(detail.get("ctx", {}).get("expected", "")))
    near = difflib.get_close_matches(str(detail.get("input")), words, 1)
    return f"; did you mean '{near[0]}'?" if near else ""


def _as_documented(name: str) -> str:
    return f"see {name} in the reference (docs/, or `sixnd schema`)"
