"""No mistake is told without its next step: every error for users is made with one, as a part of its own."""

import ast
from collections.abc import Iterator
from pathlib import Path

from sixnd.specs import claim, errors

ROOT = Path(__file__).parents[1]
ROOMS = ("specs", "planner", "runner", "reports", "sixnd")
FAMILY = {
    name
    for module in (errors, claim)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and issubclass(kind, errors.SixndError)
}
OTHERWISE = {
    "runner/attempt.py": "how a run ended, which is told with what is safe and how it goes on (runner/failure.py)",
    "runner/data/executors.py": "what an error of a kind that no other process can take over said, its next step in it",
}
"""Where the next step follows from what happened, with the reason."""


def calls(file: Path) -> Iterator[ast.Call]:
    """Every error of the family that a file makes."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FAMILY:
            yield node


def has_next_step(call: ast.Call) -> bool:
    """Whether there is a second part: given, unpacked, or within the problems of a document."""
    given = len(call.args) + len(call.keywords)
    return given > 1 or any(isinstance(part, ast.Starred) for part in call.args) or call.func.id == "ContradictionError"


def test_every_error_for_users_is_made_with_a_next_step() -> None:
    files = [file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py"))]
    found = {file: list(calls(file)) for file in files}
    assert sum(map(len, found.values())) > 200, "the search finds what is there"
    bare = [
        f"{file.relative_to(ROOT)}:{call.lineno}"
        for file, made in found.items()
        if str(file.relative_to(ROOT)) not in OTHERWISE
        for call in made
        if not has_next_step(call)
    ]
    assert bare == []


def test_a_mistake_and_its_next_step_are_one_sentence() -> None:
    error = errors.SixndError("this is wrong", "do that")
    assert (str(error), error.said, error.do) == ("this is wrong; do that", "this is wrong", "do that")
