"""YAML 1.2 with line and column: ``3e23`` is a number, ``no`` is a string, a duplicate key is a problem.

PyYAML's C parser does the parsing; scalars are resolved by the YAML 1.2 core schema (YAML 1.2.2 §10.3.2)
instead of PyYAML's YAML 1.1 rules. Only plain data comes out: tags that construct objects are refused.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from sixnd.specs.errors import InvalidDocumentError, Path, Problem

_INT = re.compile(r"^[-+]?[0-9]+$")
_RADIX = re.compile(r"^(0o[0-7]+|0x[0-9a-fA-F]+)$")
_FLOAT = re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
_SPECIAL = {".inf": float("inf"), "+.inf": float("inf"), "-.inf": float("-inf"), ".nan": float("nan")}
_NULL = {"", "~", "null", "Null", "NULL"}
_TRUE, _FALSE = {"true", "True", "TRUE"}, {"false", "False", "FALSE"}
_DEPTH_LIMIT = 64
_NODE_LIMIT = 200_000

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass
class Marked:
    """A document's plain data with the line and column of every key and value (both from 1)."""

    data: Any
    text: str
    values: dict[Path, tuple[int, int]] = field(default_factory=dict)
    keys: dict[Path, tuple[int, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    nodes: int = 0

    def at(self, path: Path, *, key: bool = False) -> tuple[int, int]:
        """Line and column of ``path``, or of its nearest ancestor that stands in the file."""
        for length in range(len(path), -1, -1):
            prefix = path[:length]
            if key and length == len(path) and prefix in self.keys:
                return self.keys[prefix]
            if prefix in self.values:
                return self.keys.get(prefix, self.values[prefix]) if length < len(path) else self.values[prefix]
        return (1, 1)


def read_yaml(text: str, file: str) -> Marked:
    """Parse one YAML document. Syntax errors raise; duplicate keys are collected in ``problems``."""
    marked = Marked(None, text)
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        message = " ".join(part for part in (error.context, error.problem) if part)
        raise InvalidDocumentError(file, [Problem((), f"not valid YAML: {message}", line, column)], text) from error
    except yaml.YAMLError as error:  # a character YAML does not allow
        raise InvalidDocumentError(file, [Problem((), f"not valid YAML: {error}")], text) from error
    if node is not None:
        marked.data = _construct(node, (), marked)
    return marked


def _construct(node: yaml.Node, path: Path, marked: Marked) -> Any:
    line, column = node.start_mark.line + 1, node.start_mark.column + 1
    marked.values[path] = (line, column)
    marked.nodes += 1
    if len(path) > _DEPTH_LIMIT or marked.nodes > _NODE_LIMIT:
        too_big = f"nested deeper than {_DEPTH_LIMIT} levels or larger than {_NODE_LIMIT} values"
        raise InvalidDocumentError("document", [Problem(path, too_big, line, column)], marked.text)
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node, path, marked)
    if isinstance(node, yaml.SequenceNode):
        return [_construct(child, (*path, i), marked) for i, child in enumerate(node.value)]
    assert isinstance(node, yaml.MappingNode)
    return _mapping(node, path, marked)


def _mapping(node: yaml.MappingNode, path: Path, marked: Marked) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line, column = key_node.start_mark.line + 1, key_node.start_mark.column + 1
        if not isinstance(key_node, yaml.ScalarNode):
            marked.problems.append(Problem(path, "a key must be a plain word", line, column))
            continue
        key = str(key_node.value)
        if key == "<<":
            marked.problems.append(Problem(path, "merge keys (<<) are not YAML 1.2; write it out", line, column))
            continue
        if key in result:
            first = marked.keys[(*path, key)][0]
            message = f"duplicate key '{key}' (first given on line {first}); keep one of them"
            marked.problems.append(Problem((*path, key), message, line, column))
            continue
        marked.keys[(*path, key)] = (line, column)
        result[key] = _construct(value_node, (*path, key), marked)
    return result


def _scalar(node: yaml.ScalarNode, path: Path, marked: Marked) -> Any:
    text = str(node.value)
    if not str(node.tag).startswith("tag:yaml.org,2002:"):
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        marked.problems.append(Problem(path, f"the tag '{node.tag}' is not allowed here", line, column))
        return text
    if node.style in ("'", '"', "|", ">"):
        return text
    return _resolve_plain(text)


def _resolve_plain(text: str) -> Any:
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INT.match(text) and len(text) < 400:
        return int(text)
    if _RADIX.match(text):
        return int(text, 0)
    if _FLOAT.match(text):
        return float(text)
    return _SPECIAL.get(text.lower(), text)


def dump_yaml(data: Any) -> str:
    """Write plain data as YAML that ``read_yaml`` reads back unchanged, keys in the order given."""
    return str(yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100))


class _Dumper(yaml.SafeDumper):
    """Safe dumper whose strings are quoted whenever YAML 1.2 would read them as something else."""


def _represent_str(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "'" if not isinstance(_resolve_plain(value), str) and "\n" not in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


def _represent_float(dumper: yaml.SafeDumper, value: float) -> yaml.ScalarNode:
    special = {float("inf"): ".inf", float("-inf"): "-.inf"}.get(value)
    text = special or (".nan" if value != value else repr(value))
    return dumper.represent_scalar("tag:yaml.org,2002:float", text)


_Dumper.add_representer(str, _represent_str)
_Dumper.add_representer(float, _represent_float)
