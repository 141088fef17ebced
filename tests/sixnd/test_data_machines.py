import subprocess
import sys

import click
import pytest

from sixnd.data_machines import run_on
from tests.runner.data import preparing
from tests.runner.data.needs import needs


@pytest.mark.parametrize(
    ("place", "workers", "settings", "told"),
    [
        ("local", 2, ["partition=cpu"], "--set is for --on slurm and --on ray"),
        ("slurm", 2, ["partition=cpu"], "with --on slurm say --set at_once=N"),
    ],
)
def test_options_of_another_place_are_refused(place, workers, settings, told):
    with pytest.raises(click.UsageError, match=told):
        run_on(place, workers, settings)


@needs("datatrove", "ray")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("place", "settings", "told"),
    [
        ("slurm", [], "--set partition: Field required; there are partition, time,"),
        ("slurm", ["partition=cpu", "cpu=2"], "--set cpu: .*there are partition, time, cpus,"),
        ("slurm", ["partition=cpu", "cpus=many"], "--set cpus: "),
        ("ray", ["cpus=0"], "--set cpus: .*there are address, cpus,"),
    ],
)
def test_settings_that_do_not_exist_or_cannot_be_are_told_with_those_that_can(place, settings, told):
    with pytest.raises(click.UsageError, match=told):
        run_on(place, None, settings)


def test_a_missing_package_is_told_with_the_extra_that_brings_it(tmp_path):
    spec = preparing.corpus(tmp_path / "corpus")
    script = "import sys; sys.modules['datatrove'] = None; from sixnd.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", script, "data", "prepare", spec, "--into", tmp_path / "out", "--on", "slurm"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "pip install 'sixnd[cluster]'" in done.stderr
    assert not (tmp_path / "out").exists()
