"""Whatever is in a file, a command ends by sentences that name file, line and a next step: never by a traceback."""

import contextlib
import copy
import io
import json
import re
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sixnd import console
from sixnd.cli import main
from sixnd.planning import planned
from sixnd.specs.errors import SixndError
from sixnd.specs.load import load_budget
from sixnd.specs.notes import NOTES, Note
from sixnd.specs.record import RunRecord, event_line
from sixnd.specs.resolve import EXAMPLES
from sixnd.specs.yaml_reader import dump_yaml, read_yaml
from tests.reports import law_build
from tests.reports.build import big_plan, resumed_run, small_plan
from tests.reports.evaluation_build import with_evaluations
from tests.specs.example import SPEC

_CHILD = """\
extends: spec-below.yaml
name: above
environment: {SEED: 7, FOLDER: texts}
training: {seed: "${SEED}"}
layout: null
"""
_CODES = range(8)
_SPEC, _BELOW, _PLAN, _LAW, _RUN = "spec.yaml", "spec-below.yaml", "plan.yaml", "law.yaml", "run"
_RECORD = f"{_RUN}/record.jsonl"
_NOTES = f"{_RUN}/{NOTES}"

_WORDS = ["", " ", "x", "ünï–🙂", "a: b", "auto", "null", "${SEED}", "../..", "quickstart", "8 x h100-sxm", "1e400"]
_WORDS += [
    "-3 days",
    "0 USD",
    "1e300 FLOPs",
    "999999999999 x h100-sxm",
    "\u202e",
    "\x7f",
    "a\nb",
    "'",
    "[",
    "\U0010ffff",
]
_NUMBERS = [0, 1, -1, 3, 2**31, 2**63, 10**30, 10**400, 0.5, -0.5, 1e-300, 1e300, float("nan"), float("inf"), -0.0]
_ODD = st.one_of(
    st.sampled_from(_WORDS),
    st.sampled_from(_NUMBERS),
    st.sampled_from([None, True, False, [], {}, [None], [[]], {"": None}, {"name": "x"}, ["x", 1], {"a": {"b": None}}]),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12),
)
_BITS = [b"!!python/object:os.system ", b"&a ", b"*a", b"<<: *a\n", b"? ", b"- ", b"\t", b"\x00", b"\xff", b"\x1b[31m"]
_BITS += [
    b"%YAML 1.1\n",
    b"---\n",
    b"...\n",
    b"| \n",
    b"'",
    b'"',
    b"{",
    b"]",
    b": ",
    b"#",
    b"\r",
    b"\xe2\x80\xa8",
    b"\xef\xbb\xbf",
]
_LINES = [
    "{}",
    "null",
    "[]",
    '{"kind": "step"}',
    '{"kind": "note"}',
    '"text"',
    "{",
    "\x00",
    '{"kind": "end", "step": 1e999}',
]


class Room(NamedTuple):
    """Files, and a command that reads one of them."""

    files: dict[str, bytes | None]
    """By path; a folder is none."""
    command: list[str]
    read: str
    """The file or folder that the command is given."""


@cache
def _sound() -> dict[str, tuple[str, ...]]:
    """Files that every command takes."""
    examples = [EXAMPLES / f"{name}.yaml" for name in ("quickstart", "parallel-3d", "h100-1b", "corpus")]
    plans = [small_plan(steps=3), big_plan(), planned(load_budget(examples[0]), examples[0])]
    runs = [resumed_run(plans[0]), with_evaluations(plans[0], resumed_run(plans[0])), RunRecord(events=[])]
    note = Note(time="2026-11-27T10:00:00+00:00", attempt=1, step=2, text="a remark")
    return {
        _SPEC: (SPEC, _CHILD, *(example.read_text("utf-8") for example in examples)),
        _BELOW: (SPEC, *(example.read_text("utf-8") for example in examples)),
        _PLAN: tuple(plan.to_yaml() for plan in plans),
        _LAW: (law_build.law().to_yaml(),),
        _RECORD: tuple("".join(map(event_line, run.events)) for run in runs),
        _NOTES: (event_line(note) * 2,),
    }


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from _paths(child, (*path, key))


def _parent(data: Any, path: tuple[Any, ...]) -> Any:
    for part in path[:-1]:
        data = data[part]
    return data


def _like(value: Any) -> st.SearchStrategy[Any]:
    """Another of the same type: what a check of types lets through."""
    match value:
        case bool():
            return st.just(not value)
        case int():
            return st.sampled_from([0, 1, -1, 2, value + 1, value * 2, value // 3, value * 1000, 10**15, 2**63, -value])
        case float():
            return st.sampled_from([0.0, -value, value * 3, value / 1e6, value * 1e9, 1e-300, 1e300, 1.0])
        case str():
            return st.one_of(st.sampled_from([*_WORDS, value.upper(), value[:-1], value * 3]), st.text(max_size=4))
        case list():
            return st.sampled_from([[], value[:1], value[1:], value[::-1], value * 2, value * 40])
        case _:
            return st.sampled_from([{}, None])


def _changed_value(draw: st.DrawFn, data: Any) -> None:
    """One value less, another one, under another name, or in the place of another."""
    paths = list(_paths(data))
    if not paths:
        return
    path = draw(st.sampled_from(paths))
    parent, key = _parent(data, path), path[-1]
    match draw(st.sampled_from([*["nudge"] * 4, "replace", "replace", "delete", "rename", "swap", "add", "twice"])):
        case "nudge":
            parent[key] = copy.deepcopy(draw(_like(parent[key])))
        case "replace":
            parent[key] = copy.deepcopy(draw(_ODD))
        case "delete":
            del parent[key]
        case "rename" if isinstance(parent, dict):
            parent[draw(st.sampled_from(_WORDS))] = parent.pop(key)
        case "add" if isinstance(parent, dict):
            known = ["extends", "environment", "version", "layout", "data", "launch", "continual", "checkpoints", "x"]
            parent[draw(st.sampled_from(known))] = copy.deepcopy(draw(_ODD))
        case "twice" if isinstance(parent, list):
            parent.append(copy.deepcopy(parent[key]))
        case _:
            other = draw(st.sampled_from(paths))
            taken = _parent(data, other)[other[-1]]
            parent[key] = copy.deepcopy(taken)


def _changed_document(draw: st.DrawFn, text: str) -> bytes:
    data = read_yaml(text, "").data
    for _ in range(draw(st.integers(1, 3))):
        _changed_value(draw, data)
    return dump_yaml(data).encode("utf-8", "surrogatepass")


def _changed_bytes(draw: st.DrawFn, text: str) -> bytes:
    """Cut, flipped, or with marks of YAML where none belong."""
    made = bytearray(text.encode())
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(len(made) - 1, 0)))
        match draw(st.sampled_from(["cut", "flip", "insert", "insert", "drop"])):
            case "cut":
                del made[at:]
            case "flip" if made:
                made[at] ^= 1 << draw(st.integers(0, 7))
            case "drop":
                del made[at : at + draw(st.integers(1, 80))]
            case _:
                made[at:at] = draw(st.sampled_from(_BITS))
    return bytes(made)


def _changed_lines(draw: st.DrawFn, text: str) -> bytes:
    """Lines that are gone, twice, in another order or of another file."""
    lines = text.splitlines()
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines)))
        match draw(st.sampled_from(["drop", "twice", "move", "foreign"])):
            case "drop":
                del lines[at : at + 1]
            case "twice":
                lines[at:at] = lines[at : at + 1]
            case "move":
                lines[at:at] = [lines.pop(draw(st.integers(0, len(lines) - 1)))] if lines else []
            case _:
                lines.insert(at, draw(st.sampled_from(_LINES)))
    return ("\n".join(lines) + "\n").encode()


def _changed_event(draw: st.DrawFn, text: str) -> bytes:
    """A record in which values of one event are others."""
    lines = text.splitlines()
    if not lines:
        return draw(st.sampled_from(_LINES)).encode()
    at = draw(st.integers(0, len(lines) - 1))
    data = json.loads(lines[at])
    _changed_value(draw, data)
    lines[at] = json.dumps(data)
    return ("\n".join(lines) + "\n").encode()


@st.composite
def _file(draw: st.DrawFn, name: str, *, changed: bool) -> bytes:
    text = draw(st.sampled_from(_sound()[name]))
    if not changed:
        return text.encode()
    ways: list[Callable[[st.DrawFn, str], bytes]] = [_changed_bytes, _changed_lines]
    ways += [_changed_document] * 4 if name.endswith(".yaml") else [_changed_event] * 4
    return draw(st.sampled_from(ways))(draw, text)


_OF_SPECS = [["validate"], ["plan"], ["show"], ["show", "--resolved"], ["sweep", "FILE", "budget.time=3 min"]]
_OF_SPECS += [
    ["diff", "FILE", "--set", "training.seed=3"],
    ["plan", "FILE", "--set", "SET"],
    ["show", "FILE", "--set", "SET"],
]
_OF_BOTH = [["validate"], ["explain", "FILE", "N"], ["run", "FILE", "-q", "--launcher", "slurm", "--dry-run"]]
_OF_BOTH += [["export", "FILE", "--to", "megatron-lm", "-o", "out.sh"]]
_OF_PLANS = [["report", "FILE", "-o", f"out{suffix}"] for suffix in (".json", ".md")] + [
    ["report"],
    ["diff", "FILE", "FILE"],
]
_OF_LAWS = [["validate"], *_OF_PLANS[:3]]
_OF_RUNS = [*_OF_PLANS, ["status"], ["status", "--json"], ["note", "FILE", "a remark"], ["diff", "FILE", "FILE"]]
_OF_RUNS += [["stop", "--no-wait"], ["export", "FILE", "--to", "megatron-lm", "-o", "out.sh"]]
_OF_RUNS += [["run", "OTHER", "-q", "--resume-from", "FILE", "--launcher", "slurm", "--dry-run"]]
_BESIDE = [
    f"{_RUN}/{name}"
    for name in ("heartbeats/rank-00000.json", "lock", "stop-request", "job.yaml", "data/manifest.json")
]
"""What else a run folder holds: nothing that a reader of a run may stumble over."""
_SET = st.one_of(
    st.sampled_from(
        ["", "=", "x=1", "budget=", "budget.time=", "data.sources.9.name=x", "name.x=1", "extends=x", "a=["]
    ),
    st.tuples(
        st.sampled_from(["budget.time", "cluster", "layout.tensor", "data.sources.0", "training.seed"]), _ODD
    ).map(lambda pair: f"{pair[0]}={pair[1]}".replace("\x00", "")),
)


@st.composite
def rooms(draw: st.DrawFn) -> Room:
    """A command and what it reads, which is not as it should be."""
    kind = draw(st.sampled_from(["spec", "spec", "spec", "plan", "plan", "run", "run", "law"]))
    files: dict[str, bytes | None]
    if kind == "run":
        which = draw(st.sampled_from([f"{_RUN}/{_PLAN}", _RECORD, _RECORD, _NOTES, *_BESIDE]))
        contents = {f"{_RUN}/{_PLAN}": _PLAN, _RECORD: _RECORD, _NOTES: _NOTES}
        files = {path: draw(_file(name, changed=path == which)) for path, name in contents.items()}
        if which in _BESIDE:
            files[which] = draw(
                st.sampled_from([None, b"", b"\x00\xff", b"{}", b"[1", *(line.encode() for line in _LINES)])
            )
        files[_SPEC] = _sound()[_SPEC][0].encode()
        read, verbs = _RUN, _OF_RUNS
    else:
        read = which = {"spec": _SPEC, "plan": _PLAN, "law": _LAW}[kind]
        below = draw(st.booleans())
        files = {read: draw(_file(read, changed=kind != "spec" or not below))}
        if kind == "spec":
            files[_BELOW] = draw(_file(_BELOW, changed=below))
        verbs = {"spec": [*_OF_SPECS, *_OF_BOTH], "plan": [*_OF_BOTH, *_OF_PLANS], "law": _OF_LAWS}[kind]
    match draw(st.sampled_from([*["as it is"] * 20, "missing", "folder", "empty"])):
        case "missing":
            files.pop(which)
        case "folder":
            files[which] = None
        case "empty":
            files[which] = b""
    verb, *rest = draw(st.sampled_from(verbs))
    command = [verb, *(rest if "FILE" in rest else ["FILE", *rest])]
    return Room(files, [draw(_SET) if word == "SET" else word for word in command], read)


def _lay_out(room: Room, folder: Path) -> None:
    (folder / _RUN).mkdir()
    for path, content in room.files.items():
        (folder / path).parent.mkdir(exist_ok=True)
        if content is None:
            (folder / path).mkdir()
        else:
            (folder / path).write_bytes(content)


class Told(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    err: str
    error: Exception | None
    """What was raised, if anything."""


def _told(command: list[str]) -> Told:
    """The output must be text that a terminal or pipe takes."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", errors=mode) for mode in ("strict", "backslashreplace"))
    raised: list[Exception] = []

    def told(error: Exception, tell: Callable[[Exception], int] = console._told) -> int:
        raised.append(error)
        return tell(error)

    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), mock.patch.object(console, "_told", told):
        code = main(command)
        out.flush()
        err.flush()
    return Told(code, err.buffer.getvalue().decode(), raised[0] if raised else None)  # type: ignore[attr-defined]


def _assert_says_what_to_do(told: Told, folder: Path) -> None:
    """Every mistake has its place and a next step: as parts of the error, and in what is printed."""
    error = told.error
    if isinstance(error, SixndError):
        assert error.do, error
    for problem in getattr(error, "problems", ()):
        assert problem.message, error
        assert problem.do, error
        assert problem.sentence in told.err, told.err
    for line in told.err.splitlines():
        place = re.match(rf"(?:sixnd: )?{re.escape(str(folder))}/(?P<file>[^:\s]+?)(?P<at>:\d+:\d+)?: ", line)
        if place and told.code in (3, 4, 5):
            assert "; " in line[place.end() :], line
            assert place["at"] or told.code == 5 or not (folder / place["file"]).is_file(), line


def _assert_told_in_a_sentence(room: Room) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _lay_out(room, folder)
        words = {"FILE": str(folder / room.read), "OTHER": str(folder / _SPEC)} | {
            f"out{s}": str(folder / f"out{s}") for s in (".json", ".md", ".sh")
        }
        told = _told([words.get(word, word) for word in room.command])
        code, err = told.code, told.err
        assert "Traceback" not in err, err
        assert code in _CODES
        if code not in (0, 2):
            assert str(folder) in err or "--set" in err, err
        _assert_says_what_to_do(told, folder)


_REPR_IS_LONG = pytest.mark.filterwarnings("ignore:Generating overly large repr")
"""As an error the warning would hide what failed."""
_HEALTH = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


@_REPR_IS_LONG
@settings(max_examples=300, derandomize=True, suppress_health_check=_HEALTH, database=None)
@given(rooms())
def test_no_mutated_file_makes_a_command_print_a_traceback(room: Room) -> None:
    _assert_told_in_a_sentence(room)


@pytest.mark.integration
@_REPR_IS_LONG
@settings(max_examples=2000, derandomize=True, suppress_health_check=_HEALTH, database=None)
@given(rooms())
def test_none_of_two_thousand_mutated_files_makes_a_command_print_a_traceback(room: Room) -> None:
    _assert_told_in_a_sentence(room)
