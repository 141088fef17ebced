"""Where in a file a mistake stands that pydantic found in a document, and what the document would have there."""

import difflib
import re
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from sixnd.specs.budget import BudgetSpec
from sixnd.specs.errors import Path as DocPath
from sixnd.specs.errors import Problem
from sixnd.specs.mistakes import mistake
from sixnd.specs.yaml_reader import Marked

_FIRST_SENTENCE = re.compile(r"[^.:;\n]{1,100}(?=[.:;\n]|$)")


def located_mistake(detail: ErrorDetails, marked: Marked, model: type[BaseModel]) -> Problem:
    """One mistake that pydantic found, as a person is told of it, where it stands."""
    path = _document_path(detail["loc"], marked.data)
    kind = detail["type"]
    if kind == "extra_forbidden":
        line, column = marked.at(path, key=True)
        return Problem(path, f"unknown key '{path[-1]}'", _known_key(path, model), line, column)
    if kind == "missing":
        line, column = marked.at(path[:-1], key=True)
        where = ".".join(str(part) for part in path[:-1]) or "the document"
        return Problem(path, f"'{path[-1]}' is missing from {where}", _lacking(path, model), line, column)
    return marked.problem(path, *mistake(detail, path))


def _document_path(loc: tuple[str | int, ...], data: Any) -> DocPath:
    """Pydantic's location without the parts that name a branch of a union instead of a place in the file."""
    path: list[str | int] = []
    for i, part in enumerate(loc):
        inside = isinstance(data, dict) and (part in data or i == len(loc) - 1)
        inside = inside or (isinstance(data, list) and isinstance(part, int) and part < len(data))
        if not inside:
            continue
        path.append(part)
        data = data.get(part) if isinstance(data, dict) else data[part]
    return tuple(path)


def _lacking(path: DocPath, model: type[BaseModel]) -> str:
    """What to add where a key is missing: it, with its only value if there is but one, and what it is."""
    key, parent = str(path[-1]), _model_at(path[:-1], model)
    field = parent.model_fields.get(key) if parent else None
    values = get_args(field.annotation) if field and get_origin(field.annotation) is Literal else ()
    what = _FIRST_SENTENCE.match(field.description) if field and field.description else None
    return f"add '{key}: {values[0] if len(values) == 1 else '…'}'" + (f" ({what[0].replace('`', '')})" if what else "")


def _known_key(path: DocPath, model: type[BaseModel]) -> str:
    parent = _model_at(path[:-1], model)
    known = list(parent.model_fields) if parent else []
    known += ["extends", "environment"] if parent is BudgetSpec else []
    near = difflib.get_close_matches(str(path[-1]), known, 1, 0.5) or _elsewhere(str(path[-1]), parent)
    return f"did you mean '{near[0]}'?" if near else f"known keys here: {', '.join(known)}"


def _elsewhere(key: str, parent: type[BaseModel] | None) -> list[str]:
    """The key with the section of ``parent`` that has it."""
    fields = parent.model_fields if parent else {}
    sections = {name: _model_in(field.annotation) for name, field in fields.items()}
    return [f"{name}.{key}" for name, section in sections.items() if section and key in section.model_fields]


def _model_at(path: DocPath, model: type[BaseModel]) -> type[BaseModel] | None:
    current: type[BaseModel] | None = model
    named = False
    for part in path:
        if isinstance(part, int) or named:  # a place in a list, a name in a mapping
            named = False
            continue
        field = current.model_fields.get(part) if current else None
        current = _model_in(field.annotation) if field else None
        named = field is not None and get_origin(field.annotation) is dict
    return current


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        found = _model_in(argument)
        if found:
            return found
    return None
