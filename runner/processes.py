"""Processes of one attempt on this machine: ended politely or for certain, and asked where they stand."""

import contextlib
import os
import platform
import signal
import subprocess
import time
from collections.abc import Sequence

import psutil

from sixnd.runner.supervision.heartbeat import Beat

STACKS = signal.SIGUSR2
"""On it a rank writes the Python stacks of all its threads to its log, even where it hangs inside a library."""
_DUMP_S = 1.0


def stop(process: subprocess.Popen[bytes], polite: signal.Signals = signal.SIGINT) -> None:
    """End the training processes: politely, then for certain. SIGTERM would ask ranks in training to save first."""
    for number, patience_s in ((polite, 15), (signal.SIGKILL, 5)):
        if process.poll() is None:
            os.killpg(process.pid, number)
            try:
                process.wait(timeout=patience_s)
            except subprocess.TimeoutExpired:
                continue


def end_hung(process: subprocess.Popen[bytes], beats: Sequence[Beat]) -> None:
    """Have every rank of this machine write its stacks to the log, and kill them all."""
    ranks = _ranks_under(process, beats)
    for number, wait_s in ((STACKS, 0.0), (signal.SIGCONT, _DUMP_S), (signal.SIGKILL, 0.0)):
        for rank in ranks:  # SIGCONT lets a process that was stopped answer
            with contextlib.suppress(psutil.NoSuchProcess):
                rank.send_signal(number)
        time.sleep(wait_s)
    stop(process)


def _ranks_under(process: subprocess.Popen[bytes], beats: Sequence[Beat]) -> list[psutil.Process]:
    """The ranks' processes: what beats name and this attempt really started, so that no old number is met."""
    named = {beat.pid for beat in beats if beat.host == platform.node()}
    try:
        return [child for child in psutil.Process(process.pid).children(recursive=True) if child.pid in named]
    except psutil.NoSuchProcess:
        return []
