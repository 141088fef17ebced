"""A real Slurm of one node on loopback, in a folder of its own, from what Debian's `slurm-wlm` installs."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo")
_SYSTEM = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
_MISSING = [program for program in _PROGRAMS if shutil.which(program, path=_SYSTEM) is None]
_PATIENCE_S = 30.0

needs_slurm = pytest.mark.skipif(bool(_MISSING), reason=f"needs Slurm (apt-get install slurm-wlm): no {_MISSING[:1]}")

# Without cgroups and without binding: neither is to be had in most containers, and nothing here depends on them.
_CONFIGURATION = """\
ClusterName=sixnd
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=sched_min_interval=0,sched_interval=1,batch_sched_delay=0
ReturnToService=2
KillWait=2
MailProg=/bin/true
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName=localhost NodeAddr=127.0.0.1 CPUs=2 RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes=localhost Default=YES MaxTime=INFINITE State=UP
"""


@contextlib.contextmanager
def one_node(folder: Path) -> Iterator[dict[str, str]]:
    """A running Slurm with the partition ``main``; gives the variables by which its clients find it."""
    for name in ("state", "spool"):
        (folder / name).mkdir()
    configuration = folder / "slurm.conf"
    configuration.write_text(_filled(folder))
    environment = {"SLURM_CONF": str(configuration), "PATH": _SYSTEM}
    with contextlib.ExitStack() as running:
        for command in _daemons(folder):
            running.enter_context(_daemon(command, folder, environment))
        _wait_until_idle(environment, folder)
        yield environment


def _filled(folder: Path) -> str:
    user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    controller_port, node_port = _free_ports(2)
    return _CONFIGURATION.format(folder=folder, user=user, controller_port=controller_port, node_port=node_port)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def _daemons(folder: Path) -> list[list[str]]:
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    places = {"socket": "munge.socket", "pid-file": "munge.pid", "log-file": "munge.log", "seed-file": "munge.seed"}
    munge = [f"--{option}={folder / name}" for option, name in places.items()]
    return [
        ["munged", "--foreground", "--force", f"--key-file={key}", *munge],
        ["slurmctld", "-D"],
        ["slurmd", "-D", "-N", "localhost"],
    ]


@contextlib.contextmanager
def _daemon(command: list[str], folder: Path, environment: dict[str, str]) -> Iterator[None]:
    program = shutil.which(command[0], path=_SYSTEM) or command[0]
    with (folder / f"{command[0]}.out").open("wb") as output:
        process = subprocess.Popen(
            [program, *command[1:]], stdout=output, stderr=output, env=os.environ | environment, start_new_session=True
        )
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
                break


def _wait_until_idle(environment: dict[str, str], folder: Path) -> None:
    given_up = time.monotonic() + _PATIENCE_S
    state = ""
    while time.monotonic() < given_up:
        told = subprocess.run(
            ["sinfo", "-h", "-o", "%T"], capture_output=True, text=True, env=os.environ | environment, check=False
        )
        state = told.stdout.strip() or told.stderr.strip()
        if state == "idle":
            return
        time.sleep(0.2)
    logs = "\n".join(path.read_text(errors="replace")[-1500:] for path in sorted(folder.glob("*.log")))
    raise RuntimeError(f"Slurm did not come up in {_PATIENCE_S:.0f} s: {state}\n{logs}")
