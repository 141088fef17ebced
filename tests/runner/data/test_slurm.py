"""On a real Slurm of one node, where `slurm-wlm` and datatrove are installed; else skipped."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sixnd.runner.data import work
from sixnd.runner.data.executors import run_local
from sixnd.runner.data.work import Step
from sixnd.specs.errors import SixndError
from tests.runner.data import small_corpus
from tests.runner.data.needs import needs
from tests.slurm import needs_slurm, one_node

pytest.importorskip("datatrove")
from sixnd.runner.data.slurm import SlurmSettings, run_slurm  # only where datatrove is

pytestmark = [needs("zstandard", "rensa"), pytest.mark.filterwarnings("ignore::DeprecationWarning")]

ROOT = Path(__file__).resolve().parents[3]
SETTINGS = SlurmSettings(partition="main", memory_gb_per_cpu=1, at_once=1, poll_s=0.1)
INTERRUPTED = """
import os, signal, sys
from pathlib import Path
from sixnd.runner.data.slurm import SlurmSettings, run_slurm
from sixnd.runner.data.work import Step

settings = SlurmSettings(partition="main", memory_gb_per_cpu=1, poll_s=0.1)
vanish = lambda step, done, total, seconds: done and os.kill(os.getpid(), signal.SIGKILL)
run_slurm(Path(sys.argv[1]), Step(sys.argv[2], 3), settings, progress=vanish)
"""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A Slurm that this process's clients find."""
    with pytest.MonkeyPatch.context() as patch, one_node(tmp_path_factory.mktemp("slurm")) as environment:
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setenv("PYTHONPATH", str(ROOT))
        yield


@pytest.fixture
def corpus(tmp_path, monkeypatch) -> Path:
    """Two sources in three shards each, in a folder whose name neither a shell nor Slurm would leave alone."""
    monkeypatch.setattr(work, "_SHARD_BYTES", 60_000)
    folder = tmp_path / "a 'corpus' of $HOME 100%A"
    small_corpus.write_corpus(folder)
    return folder


def jobs() -> list[tuple[str, str]]:
    answer = subprocess.run(["squeue", "-h", "-r", "-o", "%i %T"], capture_output=True, text=True, check=True)
    return [(line.split()[0], line.split()[1]) for line in answer.stdout.splitlines()]


def cancel_the_second(step: str, done: int, total: int, seconds: float) -> None:
    """Once the first of several tasks, which run one by one, is finished, the next one is cancelled as it runs."""
    if done == 1 and total > 1:
        while not (running := [job for job, state in jobs() if state == "RUNNING" and job.endswith("_1")]):
            time.sleep(0.05)
        subprocess.run(["scancel", *running], check=True)


@needs_slurm
@pytest.mark.integration
def test_a_preparation_by_slurm_that_lost_a_job_is_the_local_one_byte_for_byte(slurm, corpus, tmp_path):
    small_corpus.prepare(corpus, tmp_path / "local", run_local)
    folder = corpus / "prepared"
    with pytest.raises(SixndError, match=r"1 of 3 tasks did not finish \(\d\).*1 cancelled.*runs only these again"):
        small_corpus.prepare(
            corpus, folder, lambda where, step: run_slurm(where, step, SETTINGS, progress=cancel_the_second)
        )
    finished = small_corpus.finished(folder)
    assert finished
    launched = []
    # two tasks a job and one job an array: several arrays at once
    packed = SlurmSettings(partition="main", memory_gb_per_cpu=1, tasks_per_job=2, most_in_array=1, poll_s=0.1)

    def again(where: Path, step: Step) -> None:
        run_slurm(where, step, packed, progress=lambda *now: launched.append(now))

    small_corpus.prepare(corpus, folder, again)
    assert launched[0][1:3] == (2, 3)
    assert finished.items() <= small_corpus.finished(folder).items()
    assert small_corpus.outputs(folder) == small_corpus.outputs(tmp_path / "local")


@needs_slurm
@pytest.mark.integration
def test_jobs_that_a_killed_command_left_in_the_queue_are_waited_for(slurm, corpus, tmp_path):
    step = first_step(corpus, tmp_path / "prepared")
    command = [sys.executable, "-c", INTERRUPTED, tmp_path / "prepared", step.name]
    assert subprocess.run(command, check=False, timeout=60).returncode == -signal.SIGKILL
    assert jobs()
    run_slurm(tmp_path / "prepared", step, SETTINGS)
    assert not jobs()
    assert len(list((tmp_path / "prepared").glob("cluster/*/launch-*"))) == 1


@needs_slurm
@pytest.mark.integration
def test_ctrl_c_cancels_the_jobs(slurm, corpus, tmp_path):
    step = first_step(corpus, tmp_path / "prepared")

    def interrupt(name: str, done: int, total: int, seconds: float) -> None:
        if jobs():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_slurm(tmp_path / "prepared", step, SETTINGS, progress=interrupt)
    while jobs():
        time.sleep(0.1)
    assert not list((tmp_path / "prepared").glob("*/*/shard-00002.json"))


@needs_slurm
@pytest.mark.integration
def test_what_a_task_refuses_reaches_the_command_that_waits(slurm, corpus, tmp_path):
    step = first_step(corpus, tmp_path / "prepared")
    for items in (tmp_path / "prepared").glob("prose/items-*"):
        items.unlink()
    with pytest.raises(SixndError, match=r"3 of 3 tasks did not finish.*3 failed.*\ntask 0: .*items-.*no such file"):
        run_slurm(tmp_path / "prepared", step, SETTINGS)


def first_step(corpus: Path, folder: Path) -> Step:
    """The first step of a preparation that has been begun and nothing more."""
    found: list[Step] = []

    class Begun(Exception):  # noqa: N818
        pass

    def stop(where: Path, step: Step) -> None:
        found.append(step)
        raise Begun

    with pytest.raises(Begun):
        small_corpus.prepare(corpus, folder, stop)
    return found[0]


def test_without_slurm_it_is_said_where_to_run(corpus, tmp_path, monkeypatch):
    step = first_step(corpus, tmp_path / "prepared")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SixndError, match="run this where jobs of Slurm are submitted"):
        run_slurm(tmp_path / "prepared", step, SETTINGS)


@pytest.mark.parametrize(
    "changed",
    [{"partition": "main\n#SBATCH --uid=0"}, {"account": "a; rm"}, {"time": "$(date)"}, {"cpus": 0}, {"at_once": 0}],
)
def test_settings_that_slurm_would_read_otherwise_are_refused(changed):
    with pytest.raises(ValueError, match=next(iter(changed))):
        SlurmSettings(**{"partition": "main"} | changed)
