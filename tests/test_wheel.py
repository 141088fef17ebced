"""The wheel: it holds every file of the rooms and nothing else, and works where only it is installed."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = {"sixnd": "sixnd", **{room: f"sixnd/{room}" for room in ("specs", "planner", "runner", "reports")}}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    """The wheel, built offline from a copy, so that the checkout stays as it is."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source / file)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)]
    done = subprocess.run(build, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = out.glob("*.whl")
    return zipfile.ZipFile(file)


def test_the_wheel_holds_every_file_of_the_rooms_and_nothing_else(wheel):
    expected = {
        f"{name}/{file.relative_to(ROOT / folder)}"
        for folder, name in FOLDERS.items()
        for file in (ROOT / folder).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts and not file.name.startswith(".")
    }
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == expected


@pytest.mark.parametrize(
    "name",
    [
        "sixnd/py.typed",
        "sixnd/specs/catalogs/laws.yaml",
        "sixnd/specs/examples/quickstart.yaml",
        "sixnd/specs/schema/plan.json",
        "sixnd/cli.py",
    ],
)
def test_what_a_user_needs_beside_the_code_is_in_the_wheel(wheel, name):
    assert name in wheel.namelist()


def test_the_wheel_names_its_licence_and_its_command(wheel):
    (entry_points,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert "sixnd = sixnd.cli:main" in wheel.read(entry_points).decode()
    (metadata,) = (name for name in wheel.namelist() if name.endswith("METADATA"))
    assert "License-Expression: Apache-2.0" in wheel.read(metadata).decode()


def test_what_is_in_the_wheel_works_on_its_own(wheel, tmp_path):
    wheel.extractall(tmp_path / "site")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    script = (
        "import sixnd, sixnd.specs; from sixnd.cli import main; assert 'site' in sixnd.specs.__file__;"
        f"raise SystemExit(main(['validate', r'{tmp_path}/site/sixnd/specs/examples/quickstart.yaml']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=elsewhere, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("quickstart.yaml: ok\n")
