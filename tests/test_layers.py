"""The house's walls: who may import whom, and what the light verbs never import."""

import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.specs.example import SPEC

ROOT = Path(__file__).parents[1]
ROOMS = ("specs", "planner", "runner", "reports")
HEAVY = ("torch", "megatron", "pandas", "scipy", "altair", "sentencepiece")
NOT_FOR_HELP = (*HEAVY, "pydantic", "numpy", "rich", "jinja2", "yaml")
PROBE = """
import json, sys
from sixnd.cli import main
code = main(json.loads(sys.argv[1]))
loaded = {name.partition(".")[0] for name in sys.modules}
print(json.dumps({"code": code, "loaded": sorted(loaded)}), file=sys.stderr)
"""


def imported_by(arguments: list[str]) -> set[str]:
    """Top-level modules that are loaded after a verb has run, in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(arguments)], capture_output=True, text=True, check=True, timeout=60
    )
    told = json.loads(done.stderr.splitlines()[-1])
    assert told["code"] == 0, done.stderr
    return set(told["loaded"])


def broken_contracts(folder: Path, *, intruder: tuple[str, str] | None = None) -> list[str]:
    """Contracts of pyproject.toml that the rooms break, with one more module in a room if an ``intruder`` is given."""
    package = folder / "sixnd"
    shutil.copytree(ROOT / "sixnd", package)
    for room in ROOMS:
        shutil.copytree(ROOT / room, package / room)
    if intruder is not None:
        (package / intruder[0]).write_text(intruder[1])
    lint = "from importlinter.cli import lint_imports_command as run; run()"
    command = [sys.executable, "-c", lint, "--no-cache", str(ROOT / "pyproject.toml")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120, check=False)
    lines = done.stdout.splitlines()
    kept, broken = ([line for line in lines if line.endswith(word)] for word in (" KEPT", " BROKEN"))
    assert kept, done.stdout + done.stderr
    assert done.returncode == (1 if broken else 0)
    return broken


def test_the_rooms_import_only_what_the_import_table_allows(tmp_path):
    assert broken_contracts(tmp_path) == []


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("planner/intruder.py", "sixnd.reports.terminal"),
        ("reports/intruder.py", "sixnd.runner.launch"),
        ("specs/intruder.py", "sixnd.planner.plan"),
        ("runner/intruder.py", "sixnd.console"),
    ],
)
def test_an_import_that_the_table_forbids_breaks_a_contract(tmp_path, module, imported):
    assert broken_contracts(tmp_path, intruder=(module, f"def late():\n    import {imported}\n")) != []


def test_every_module_of_the_front_door_is_named_in_the_contracts():
    contracts = (ROOT / "pyproject.toml").read_text()
    modules = [file.stem for file in (ROOT / "sixnd").glob("*.py") if file.stem != "__init__"]
    assert modules
    assert [name for name in modules if contracts.count(f'"sixnd.{name}"') != 2] == []


def test_help_imports_nothing_but_click():
    assert imported_by(["--help"]).isdisjoint(NOT_FOR_HELP)


def test_help_takes_less_than_three_tenths_of_a_second():
    """Processor time, the best of three: a busy machine must not fail it, a heavy import must."""
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "sixnd.cli", "--help"], stdout=subprocess.DEVNULL, check=True, timeout=60)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) < 0.3


@pytest.mark.parametrize("verb", ["validate", "plan"])
def test_validating_and_planning_never_import_training_or_data_frames(tmp_path, verb):
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC)
    assert imported_by([verb, str(spec)]).isdisjoint(HEAVY)


@pytest.mark.parametrize("arguments", [["catalog"], ["schema", "plan"], ["doctor"]], ids=lambda a: a[0])
def test_looking_things_up_never_imports_training_or_data_frames(arguments):
    assert imported_by(arguments).isdisjoint(HEAVY)
