"""Programs that take turns on one machine: each does some steps when it is told to, and nothing while others do theirs.

Drift of a shared machine then counts for all of them alike, and no two of them share a core.
"""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[2]
_SOCKET = "SPEED_SOCKET"


class Turn:
    """In a program: counts its steps, and waits before the first step of each turn."""

    def __init__(self) -> None:
        self.connection = Client(os.environ[_SOCKET])
        self.times: list[float] = []
        self.left, self.began = 0, 0.0

    def step_begins(self) -> bool:
        """Called as each step begins; whether there is to be one. A step lasts until the next begins."""
        if self.left:
            self._ended()
            self.left -= 1
        if not self.left:
            if self.times:
                self.connection.send_bytes(json.dumps(self.times).encode())
                self.times = []
            self.left = int(self.connection.recv_bytes())
        self.began = time.perf_counter()
        return self.left > 0

    def _ended(self) -> None:
        self.times.append(time.perf_counter() - self.began)


class Program:
    """A started program of one or more processes that takes turns."""

    def __init__(self, command: list[str], environment: dict[str, str], processes: int, log: Path) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="turns-")
        self.log = log
        with Listener(f"{self.folder.name}/socket", backlog=processes) as listener, log.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                env=os.environ | environment | {_SOCKET: str(listener.address), "PYTHONPATH": str(ROOT)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            self.connections = [_accepted(listener, self.process, log) for _ in range(processes)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for connection in self.connections:
            connection.close()  # the program's processes end at it
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()

    def steps(self, count: int) -> list[float]:
        """Let it do so many steps; seconds of each, the slowest process's."""
        for connection in self.connections:
            connection.send_bytes(str(count).encode())
        told = [json.loads(self._answer(connection)) for connection in self.connections]
        return [max(each) for each in zip(*told, strict=True)]

    def _answer(self, connection: Connection) -> bytes:
        try:
            return connection.recv_bytes()
        except EOFError as error:
            raise RuntimeError(f"{self.process.args} ended early:\n{self.log.read_text()[-3000:]}") from error


def _accepted(listener: Listener, process: "subprocess.Popen[bytes]", log: Path) -> Connection:
    """A process's connection, or what the program said where it ends before it connects."""
    listening = listener._listener._socket  # type: ignore[attr-defined]
    listening.settimeout(1.0)
    while True:
        try:
            connection = listener.accept()
        except TimeoutError:
            if process.poll() is not None:
                raise RuntimeError(f"{process.args} did not start:\n{log.read_text()[-3000:]}") from None
        else:
            return connection


def interleaved(programs: list[Program], rounds: int, steps: int) -> Iterator[list[list[float]]]:
    """Seconds of each program's steps, round by round; who begins a round changes from one to the next."""
    for number in range(rounds):
        order = range(len(programs)) if number % 2 == 0 else reversed(range(len(programs)))
        found = {at: programs[at].steps(steps) for at in order}
        yield [found[at] for at in range(len(programs))]
