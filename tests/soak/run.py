"""The run of the soak as processes and files: started, waited for, ended, and what it left."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from sixnd.runner.job import JobFolder, job_folder
from sixnd.specs.record import Launch, RunRecord, Step, read_record
from tests.runner.conftest import ROOT
from tests.soak.plan import plan

_LOOK_EVERY_S = 0.02
_PATIENCE_S = 900.0
"""So long may anything take, also on a machine with too much to do."""


class Run:
    """One run folder and the `sixnd run` that trains in it, if one does."""

    def __init__(self, work: Path, name: str, texts: Path) -> None:
        self.work, self.name, self.texts = work, name, texts
        self.folder: JobFolder = job_folder(plan(), work / name)
        self.log = work / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.rules: dict[str, Any] = {}
        self.seen: set[psutil.Process] = set()
        self.attempt = self.told_from = 0
        self.began: float | None = None  # when it was started, until its first step
        self.start_s = 0.0  # the longest that has taken

    def start(self, **rules: Any) -> None:
        """Give the command."""
        self.rules, self.attempt = rules, len(self.record().of(Launch)) + 1
        self.told_from = self.log.stat().st_size if self.log.exists() else 0
        self.process, self.began = self._popen(*self._words(rules)), time.monotonic()

    def tried(self, **rules: Any) -> int:
        """Give the command a second time, and wait for its end: the exit code."""
        return self._popen(*self._words(rules)).wait(_PATIENCE_S)

    def sixnd(self, verb: str) -> subprocess.Popen[bytes]:
        """Another verb on the run's folder, under way."""
        return self._popen(verb, str(self.folder.path))

    def _words(self, rules: dict[str, Any]) -> list[str]:
        document = self.work / f"{self.name}.yaml"
        document.write_text(plan(**rules).to_yaml())
        return ["run", str(document), "--runs-dir", str(self.work / self.name), "--base-dir", str(self.texts)]

    def _popen(self, *words: str) -> subprocess.Popen[bytes]:
        path = os.pathsep.join(part for part in (os.environ.get("PYTHONPATH"), str(ROOT)) if part)
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.soak.start", *words],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | {"PYTHONPATH": path},
                cwd=self.work,
            )

    def record(self) -> RunRecord:
        """What the run has written down."""
        path = self.folder.record_path
        return read_record(path) if path.exists() else RunRecord(events=[])

    def step(self) -> int:
        """The last step in the record."""
        last = self.record().last(Step)
        return 0 if last is None else int(last.step)

    def told(self) -> str:
        """What was printed since the last start."""
        return self.log.read_bytes()[self.told_from :].decode(errors="replace")

    def wait(self, what: str, true: Callable[[RunRecord], bool]) -> None:
        """Until something is in the record of a run that still goes on."""
        deadline = time.monotonic() + _PATIENCE_S
        while not true(self.record()):
            assert self.process is not None
            assert self.process.poll() is None, f"the run ended before {what}: {self.told()[-3000:]}"
            assert time.monotonic() < deadline, f"never {what}"
            time.sleep(_LOOK_EVERY_S)

    def wait_step(self, step: int) -> None:
        """Until this start of the run has done a step as far as that."""
        if self.began is not None:
            self.wait("its first step", lambda record: _has(record, 0, self.attempt))
            self.start_s, self.began = max(self.start_s, time.monotonic() - self.began), None
        self.wait(f"step {step}", lambda record: _has(record, step, self.attempt))
        self.look()

    def look(self) -> None:
        """Take note of all processes of the run."""
        assert self.process is not None
        self.seen |= set(psutil.Process(self.process.pid).children(recursive=True))

    def launcher(self) -> psutil.Process:
        """The torchrun under `sixnd run`."""
        assert self.process is not None
        [found] = psutil.Process(self.process.pid).children()
        return found

    def ranks(self) -> dict[int, psutil.Process]:
        """The training processes."""
        found = [child for child in self.launcher().children() if "RANK" in child.environ()]
        return {int(child.environ()["RANK"]): child for child in found}

    def ended(self, code: int) -> str:
        """The end of `sixnd run`, with that exit code and with no process left; what it told."""
        assert self.process is not None
        found = self.process.wait(_PATIENCE_S)
        self.process = None
        assert found == code, f"exit code {found}, not {code}: {self.told()[-3000:]}"
        self.gone()
        return self.told()

    def gone(self) -> None:
        """All processes of the run are gone, soon."""
        _gone, alive = psutil.wait_procs([process for process in self.seen if _lives(process)], timeout=30)
        assert not [process for process in alive if _lives(process)], f"left behind: {alive}"
        self.seen = set()

    def end_for_certain(self) -> None:
        """Leave no process, also where the soak failed."""
        if self.process is not None:
            with contextlib.suppress(psutil.NoSuchProcess):  # it has ended, which is why the soak failed
                self.look()
            self.process.kill()
            self.process.wait()
        for process in self.seen:
            if _lives(process):
                process.kill()

    def asked(self) -> str:
        """Pause the run at once, with a checkpoint."""
        self.look()
        self.ranks()[0].terminate()
        return self.ended(7)


def _has(record: RunRecord, step: int, attempt: int) -> bool:
    return any(done.step >= step and done.attempt >= attempt for done in record.of(Step))


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
