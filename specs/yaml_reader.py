"""YAML 1.2 with line and column: ``3e23`` is a number, ``no`` is a string, a duplicate key is a problem.

PyYAML's C parser does the parsing; scalars are resolved by the YAML 1.2 core schema (YAML 1.2.2 §10.3.2)
instead of PyYAML's YAML 1.1 rules. Only plain data comes out: tags are refused. Anchors and aliases are
read; an alias' values stand where its anchor stands, and a limit on values stops aliases that blow up.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from sixnd.specs.errors import InvalidDocumentError, Path, Problem

_INT = re.compile(r"[-+]?[0-9]{1,400}")  # a longer one is read as a float: past a double's range it is infinite
_RADIX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)")
_NAN = {".nan", ".NaN", ".NAN"}
_NULL = {"", "~", "null", "Null", "NULL"}
_TRUE, _FALSE = {"true", "True", "TRUE"}, {"false", "False", "FALSE"}
_DEPTH_LIMIT = 64
_NODE_LIMIT = 200_000
_PLAIN, _QUOTED = "plain", "quoted"  # in place of the tags that PyYAML would guess by YAML 1.1
_STR = "tag:yaml.org,2002:str"
_SHORT = 8
_BARE = re.compile(r"[A-Za-z0-9/$.][A-Za-z0-9 ./_$*+-]*[A-Za-z0-9_*/]|[A-Za-z0-9]")

_BaseLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BaseDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Loader(_BaseLoader):
    """PyYAML's parser without its guesses: a node's tag tells plain from quoted, or is one that the file gave."""

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:  # noqa: ARG002
        return _PLAIN if kind is not yaml.ScalarNode or implicit[0] else _QUOTED

    def descend_resolver(self, *_: Any) -> None:
        """Path resolvers are not used."""

    def ascend_resolver(self) -> None:
        """Path resolvers are not used."""


@dataclass
class Marked:
    """A document's plain data with the line and column of every key and value (both from 1; 0 where there is none)."""

    data: Any
    text: str
    file: str = "document"
    values: dict[Path, tuple[int, int]] = field(default_factory=dict)
    keys: dict[Path, tuple[int, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    nodes: int = 0
    files: dict[Path, str] = field(default_factory=dict)
    """Where a value comes from that does not stand in ``file``: another one, or the command line."""
    texts: dict[str, str] = field(default_factory=dict)
    """What those files hold."""
    variables: dict[Path, tuple[str, ...]] = field(default_factory=dict)
    """Environment variables that a value was made of."""

    def at(self, path: Path, *, key: bool = False) -> tuple[int, int]:
        """Line and column of ``path``, or of its nearest ancestor that stands in the file."""
        for length in range(len(path), -1, -1):
            prefix = path[:length]
            if key and length == len(path) and prefix in self.keys:
                return self.keys[prefix]
            if prefix in self.values:
                return self.keys.get(prefix, self.values[prefix]) if length < len(path) else self.values[prefix]
        return (1, 1)

    def has(self, path: Path) -> bool:
        """Whether the document gives a value at ``path``."""
        return path in self.values or path in self.keys

    def get(self, path: Path) -> Any:
        """The value that it gives there."""
        found = self.data
        for part in path:
            found = found[part]
        return found

    def placed(self, problem: Problem) -> Problem:
        """The problem with the file that its place is in, where that is not this document's own."""
        for length in range(len(problem.path), -1, -1):
            prefix = problem.path[:length]
            if self.has(prefix):
                return replace(problem, file=problem.file or self.files.get(prefix, ""))
        return problem

    def problem(self, path: Path, message: str, do: str) -> Problem:
        """A mistake at ``path``."""
        return Problem(path, message, do, *self.at(path))

    def refused(self, problems: Sequence[Problem]) -> InvalidDocumentError:
        """The document with what is wrong in it, each mistake in the file that it stands in."""
        return InvalidDocumentError(self.file, [self.placed(one) for one in problems], self.text, self.texts)

    def forget(self, path: Path) -> None:
        """Forget where ``path`` and all below it stand."""
        for places in (self.values, self.keys, self.files):
            for inside in [each for each in places if each[: len(path)] == path]:
                del places[inside]


def read_yaml(text: str, file: str) -> Marked:
    """Parse one YAML document. Syntax errors raise; duplicate keys are collected in ``problems``."""
    marked = Marked(None, text, file)
    try:
        node = yaml.compose(text, Loader=_Loader)
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        raise InvalidDocumentError(file, [_syntax_problem(error, text)], text) from error
    if node is not None:
        marked.data = _construct(node, (), marked)
    return marked


def _syntax_problem(error: yaml.YAMLError | UnicodeEncodeError, text: str) -> Problem:
    """What is wrong and where; for what is never closed, where it was opened."""
    if not isinstance(error, yaml.MarkedYAMLError):  # a character that YAML does not allow
        code = int(ord(text[error.start]) if isinstance(error, UnicodeEncodeError) else getattr(error, "character", 0))
        before = text[: max(text.find(chr(code)), 0)]
        message = f"not valid YAML: the character U+{code:04X} is not allowed"
        return Problem((), message, "remove it", before.count("\n") + 1, len(before) - before.rfind("\n"))
    marks = [mark for mark in (error.problem_mark, error.context_mark) if mark is not None]
    inside = [mark for mark in marks if mark.line < len(text.splitlines())] or marks
    line, column = (inside[0].line + 1, inside[0].column + 1) if inside else (1, 1)
    message = " ".join(part for part in (error.context, error.problem) if part)
    do = "look at indentation, quotes and brackets here and in the lines above"
    return Problem((), f"not valid YAML: {message}", do, line, column)


def _construct(node: yaml.Node, path: Path, marked: Marked) -> Any:
    line, column = node.start_mark.line + 1, node.start_mark.column + 1
    marked.values[path] = (line, column)
    marked.nodes += 1
    if len(path) > _DEPTH_LIMIT or marked.nodes > _NODE_LIMIT:
        too_big = f"nested deeper than {_DEPTH_LIMIT} levels or larger than {_NODE_LIMIT} values"
        problem = Problem(path, too_big, "no document of sixnd is; write less, or name other files", line, column)
        raise InvalidDocumentError(marked.file, [problem], marked.text)
    if node.tag not in (_PLAIN, _QUOTED):
        message = f"the tag '{node.tag}' is not allowed here"
        marked.problems.append(Problem(path, message, "remove it", line, column))
    if isinstance(node, yaml.ScalarNode):
        return read_scalar(str(node.value)) if node.tag == _PLAIN else str(node.value)
    if isinstance(node, yaml.SequenceNode):
        return [_construct(child, (*path, i), marked) for i, child in enumerate(node.value)]
    assert isinstance(node, yaml.MappingNode)
    return _mapping(node, path, marked)


def _mapping(node: yaml.MappingNode, path: Path, marked: Marked) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line, column = key_node.start_mark.line + 1, key_node.start_mark.column + 1
        if not isinstance(key_node, yaml.ScalarNode):
            marked.problems.append(Problem(path, "a key is no plain word", "write `key: value`", line, column))
            continue
        key = str(key_node.value)
        if key == "<<" and key_node.tag == _PLAIN:
            marked.problems.append(Problem(path, "merge keys (<<) are not YAML 1.2", "write it out", line, column))
            continue
        if key in result:
            first = marked.keys[(*path, key)][0]
            message = f"duplicate key '{key}' (first given on line {first})"
            marked.problems.append(Problem((*path, key), message, "keep one of them", line, column))
            continue
        marked.keys[(*path, key)] = (line, column)
        result[key] = _construct(value_node, (*path, key), marked)
    return result


def read_scalar(text: str) -> Any:
    """What an unquoted word stands for by the core schema of YAML 1.2."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INT.fullmatch(text):
        return int(text)
    if _RADIX.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITE.fullmatch(text):
        return float("-inf" if text[0] == "-" else "inf")
    return float("nan") if text in _NAN else text


def dump_yaml(data: Any) -> str:
    """Write plain data as YAML that ``read_yaml`` reads back unchanged, keys in the order given."""
    return str(yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100))


def on_one_line(value: Any) -> str:
    """A scalar, or a list of them, as it may stand anywhere in YAML, also inside of brackets and braces.

    A word is bare where it holds letters, digits and the marks of quantities and paths alone, and is read as itself.
    """
    if isinstance(value, list):
        return f"[{', '.join(map(on_one_line, value))}]"
    if isinstance(value, str):
        bare = _BARE.fullmatch(value) and isinstance(read_scalar(value), str)
        return value if bare else json.dumps(value, ensure_ascii=False)
    return dump_yaml(value).removesuffix("...\n").strip()


class _Dumper(_BaseDumper):
    """Safe dumper that writes by YAML 1.2, and quotes a string that 1.1 or 1.2 would read as something else."""

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: tuple[bool, bool]) -> str:
        guess = str(super().resolve(kind, value, implicit))
        if kind is not yaml.ScalarNode or not implicit[0]:
            return guess
        tag = _TAGS[type(read_scalar(value))]
        return "ambiguous" if tag == _STR != guess else tag

    def represent_list(self, data: list[Any]) -> yaml.Node:
        """A short list of numbers on one line, as people write vectors."""
        short = len(data) <= _SHORT and bool(data) and all(type(each) in (int, float) for each in data)
        node: yaml.Node = self.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=short)
        return node

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        """Equal parts are written out each time: a person reads and diffs them where they stand."""
        return True


_Dumper.add_representer(list, _Dumper.represent_list)

_TAGS = {
    type(None): "tag:yaml.org,2002:null",
    bool: "tag:yaml.org,2002:bool",
    int: "tag:yaml.org,2002:int",
    float: "tag:yaml.org,2002:float",
    str: _STR,
}


def _represent_float(dumper: yaml.SafeDumper, value: float) -> yaml.ScalarNode:
    special = {float("inf"): ".inf", float("-inf"): "-.inf"}.get(value)
    text = special or (".nan" if value != value else repr(value))
    return dumper.represent_scalar(_TAGS[float], text)


_Dumper.add_representer(float, _represent_float)
