"""`sixnd data prepare` of the small corpus as a command of its own, which can be killed and run again."""

import os
import resource
import subprocess
import sys
from pathlib import Path

from tests.runner.data import small_corpus

ROOT = Path(__file__).resolve().parents[3]
SPEC = """
version: budget/1
name: small
budget: {compute: 1e15 FLOPs}
cluster: {accelerators: 1 x h100-sxm}
model: {params: 1M params, vocab_size: 300, sequence_length: 256}
data:
  across: [near-dedup]
  sources:
    - {name: prose, path: prose, stages: [normalise, exact-dedup]}
    - {name: notes, path: notes, stages: [normalise]}
"""
# Small shards, and a process that kills itself right before or after the k-th file that it puts in its place.
_COMMAND = """
import os, signal, sys
from sixnd.runner.data import work

work._SHARD_BYTES = 60_000
replace, left, when = os.replace, int(sys.argv[1]), sys.argv[2]

def counting(*paths):
    global left
    left -= 1
    if left == 0 and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    replace(*paths)
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

os.replace = counting
from sixnd.cli import main
sys.exit(main(["data", "prepare", *sys.argv[3:]]))
"""


def corpus(folder: Path) -> Path:
    """The small corpus and its spec, in a new folder; returns the spec."""
    small_corpus.write_corpus(folder)
    spec = folder / "spec.yaml"
    spec.write_text(SPEC)
    return spec


def command(spec: Path, into: Path, workers: int = 1, killed_at: int = 0, when: str = "after") -> list[str]:
    """The command; with ``killed_at`` it kills itself when it has put so many files in their place, or is about to."""
    options = ["--into", str(into), "--workers", str(workers)]
    return [sys.executable, "-c", _COMMAND, str(killed_at), when, str(spec), *options]


def prepare(
    spec: Path, into: Path, workers: int = 1, killed_at: int = 0, when: str = "after", file_bytes: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Run it to its end; ``file_bytes`` is the size beyond which no file may grow."""

    def limit() -> None:
        if file_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))

    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command(spec, into, workers, killed_at, when),
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
        check=False,
        preexec_fn=limit,
    )
