"""What a spec stands for, once what it extends, its environment variables and the command line's changes are in it.

A spec is laid over the one that it `extends`: mappings key by key, everything else whole, and `null` takes a key back
to its default. Changes (``--set path=value``) come next, the variables that the spec declares last. Every value keeps
the place that it came from, so mistakes are told where they stand.
"""

import copy
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sixnd.specs.errors import InvalidDocumentError, Problem
from sixnd.specs.errors import Path as DocPath
from sixnd.specs.laws import LAW_FILES
from sixnd.specs.yaml_reader import Marked, read_scalar, read_yaml

EXAMPLES = Path(__file__).parent / "examples"
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONGEST_CHAIN = 16
_VARIABLES = ("environment",)
"""Where `null` is no default to be taken back to, but a variable that must be set."""
_FILES: tuple[tuple[str, ...], ...] = (
    ("law",),
    ("cluster", "calibration"),
    ("continual", "base"),
    ("data", "mix"),
    ("data", "prepared"),
    ("data", "tokenizer", "file"),
    ("data", "sources", "*", "path"),
    ("data", "sources", "*", "stages", "*", "change", "model"),
    ("data", "sources", "*", "stages", "*", "change", "evaluation", "*"),
    ("data", "across", "*", "change", "evaluation", "*"),
)
"""Where a spec names files relative to itself; `*` is any place in a list."""
_OR_A_NAME = {("law",), ("cluster", "calibration"), ("data", "mix"), ("data", "prepared")}
"""Of these, only what ends as a file does is one: else it is a catalog's name."""


def resolve(marked: Marked, changes: Sequence[str] = ()) -> Marked:
    """The spec with all that it extends, the ``changes`` (`path=value`) and its variables.

    Raises ``InvalidDocumentError`` where what it extends, or a change, cannot be taken.
    """
    if not isinstance(marked.data, dict):
        return marked
    whole = _extended(marked, (os.path.realpath(marked.file),))
    for change in changes:
        _apply(whole, change)
    _substitute(whole)
    return whole


def presets() -> list[str]:
    """Names of the examples that come with sixnd: what `extends` can name without a file."""
    return sorted(file.stem for file in EXAMPLES.glob("*.yaml"))


def _extended(own: Marked, chain: tuple[str, ...]) -> Marked:
    """The spec over the one that it extends, which may extend another."""
    if "extends" not in own.data:
        return own
    named = own.data.pop("extends")
    file = _file_of(named, own)
    here = os.path.realpath(file)
    if here in chain or len(chain) > _LONGEST_CHAIN:
        raise _refused(own, ("extends",), f"'{named}' extends this spec in turn", "let one of them stand alone")
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise _refused(own, ("extends",), f"'{named}' cannot be read ({why})", "name a spec or a preset") from error
    base = read_yaml(text, str(file))
    if not isinstance(base.data, dict):
        raise _refused(own, ("extends",), f"'{named}' is no spec", "name a file of keys and values")
    base = _extended(base, (*chain, here))
    _rebase(base, os.path.dirname(own.file))
    return _laid_over(base, own)


def _file_of(named: Any, own: Marked) -> Path:
    if not isinstance(named, str) or not named:
        do = f"name a spec's file, or a preset: {', '.join(presets())}"
        raise _refused(own, ("extends",), "names nothing to extend", do)
    if named.endswith(LAW_FILES):
        return Path(own.file).parent / named
    if named not in presets():
        do = f"there are {', '.join(presets())}; or name a file that ends in .yaml"
        raise _refused(own, ("extends",), f"no preset is called '{named}'", do)
    return EXAMPLES / f"{named}.yaml"


def _refused(marked: Marked, path: DocPath, message: str, do: str) -> InvalidDocumentError:
    return marked.refused([*marked.problems, marked.problem(path, f"{'.'.join(map(str, path))}: {message}", do)])


def _rebase(base: Marked, folder: str) -> None:
    """Rewrite the files that ``base`` names relative to itself, relative to ``folder``."""
    origin = os.path.dirname(base.file)
    if os.path.realpath(origin) == os.path.realpath(folder):
        return

    def moved(path: DocPath, value: Any) -> Any:
        pattern = tuple("*" if isinstance(part, int) else part for part in path)
        is_file = isinstance(value, str) and pattern in _FILES
        if not is_file or os.path.isabs(value) or (pattern in _OR_A_NAME and not value.endswith(LAW_FILES)):
            return value
        return os.path.relpath(os.path.join(origin, value), folder or ".")

    base.data = _mapped(base.data, moved)


def _mapped(value: Any, change: Callable[[DocPath, Any], Any], path: DocPath = ()) -> Any:
    """The same data with every scalar given to ``change``, with where it stands."""
    if isinstance(value, dict):
        return {key: _mapped(child, change, (*path, key)) for key, child in value.items()}
    if isinstance(value, list):
        return [_mapped(child, change, (*path, i)) for i, child in enumerate(value)]
    return change(path, value)


def _laid_over(base: Marked, own: Marked) -> Marked:
    """``own`` over ``base``, with the places of both."""
    made = Marked(copy.deepcopy(base.data), own.text, own.file)
    made.texts = {**base.texts, base.file: base.text, **own.texts}
    made.values, made.keys = dict(base.values), dict(base.keys)
    made.files = {path: base.files.get(path, base.file) for path in (*base.values, *base.keys)}
    made.problems = [*(replace(problem, file=problem.file or base.file) for problem in base.problems), *own.problems]
    _lay(made, own, ())
    return made


def _lay(made: Marked, own: Marked, path: DocPath) -> None:
    over, under = own.get(path), made.get(path)
    _take_place(made, own, path)
    for key, value in over.items():
        child = (*path, key)
        if isinstance(value, dict) and isinstance(under.get(key, {}), dict):
            under.setdefault(key, {})
            _lay(made, own, child)
        elif value is None and path != _VARIABLES:
            made.forget(child)
            under.pop(key, None)
        else:
            made.forget(child)
            under[key] = copy.deepcopy(value)
            for inside in [each for each in (*own.values, *own.keys) if each[: len(child)] == child]:
                _take_place(made, own, inside)


def _take_place(made: Marked, own: Marked, path: DocPath) -> None:
    for places, found in ((made.values, own.values), (made.keys, own.keys)):
        if path in found:
            places[path] = found[path]
    made.files.pop(path, None)


def _apply(marked: Marked, change: str) -> None:
    """One change from the command line: `path=value`, the value read as YAML; a list's item by number or by name."""
    origin = f"--set {change}"
    name, equals, text = change.partition("=")
    parts = name.strip().split(".")
    if not equals or not all(parts):
        problem = Problem((), "is no change of a value", "write path=value, e.g. budget.time='14 days'", 0, 0)
        raise InvalidDocumentError(origin, [problem])
    value = read_yaml(text, origin).data
    parent: Any = marked.data
    path: DocPath = ()
    for part in parts[:-1]:
        parent, path = _child(parent, path, part, origin)
    key = _key(parent, parts[-1], origin)
    path = (*path, key)
    marked.forget(path)
    parent[key] = value
    for inside in (path, *_paths_in(value, path)):
        marked.values[inside], marked.files[inside] = (0, 0), origin


def _child(parent: Any, path: DocPath, part: str, origin: str) -> tuple[Any, DocPath]:
    key = _key(parent, part, origin)
    if isinstance(parent, dict) and parent.get(key) is None:
        parent[key] = {}
    return parent[key], (*path, key)


def _key(parent: Any, part: str, origin: str) -> str | int:
    """The key of a mapping, or the place in a list of the item with that number or name."""
    if isinstance(parent, dict):
        return part
    if isinstance(parent, list):
        if part.isdecimal() and int(part) < len(parent):
            return int(part)
        for i, item in enumerate(parent):
            if isinstance(item, dict) and item.get("name") == part:
                return i
        known = [str(item["name"]) for item in parent if isinstance(item, dict) and "name" in item]
        do = f"there are {', '.join(known)}" if known else f"number one of its {len(parent)}, from 0"
        raise InvalidDocumentError(origin, [Problem((), f"nothing in the list is called '{part}'", do, 0, 0)])
    message = f"'{part}' would be inside of {parent!r}, which holds nothing"
    raise InvalidDocumentError(origin, [Problem((), message, f"name a path that ends before '{part}'", 0, 0)])


def _paths_in(value: Any, path: DocPath) -> Iterator[DocPath]:
    children: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from _paths_in(child, (*path, key))


def _substitute(marked: Marked) -> None:
    """Put the variables that the spec declares in the place of `${NAME}`; a spec that declares none is left alone."""
    if "environment" not in marked.data:
        return
    declared = marked.data.pop("environment")
    variables = _variables(declared, marked)

    def filled(path: DocPath, value: Any) -> Any:
        if not isinstance(value, str) or not (used := _VARIABLE.findall(value)):
            return value
        for name in used:
            if name not in variables:
                message = f"{'.'.join(map(str, path))}: ${{{name}}} is not declared"
                do = "name it under 'environment', with a default or null"
                marked.problems.append(marked.problem(path, message, do))
                return value
        marked.variables[path] = tuple(dict.fromkeys(used))
        text = _VARIABLE.sub(lambda found: variables[found[1]], value)
        return read_scalar(text) if _VARIABLE.fullmatch(value) else text

    marked.data = _mapped(marked.data, filled)


def _variables(declared: Any, marked: Marked) -> dict[str, str]:
    if not isinstance(declared, dict):
        do = "give names with their defaults, e.g. {SCRATCH: /scratch}"
        raise _refused(marked, ("environment",), "is no mapping", do)
    found: dict[str, str] = {}
    for name, default in declared.items():
        path = ("environment", name)
        if not _NAME.fullmatch(str(name)) or isinstance(default, dict | list):
            do = "give the name of a variable, and as its default a word, a number or null"
            raise _refused(marked, path, "declares no variable", do)
        given = os.environ.get(name)
        if given is None and default is None:
            raise _refused(marked, path, "is not set in the environment, and has no default", "set it or give one")
        found[name] = given if given is not None else str(default)
    return found
