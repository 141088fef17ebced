"""On Ray as it starts itself on one machine, where it and datatrove are installed; else skipped.

In a process of its own: Ray starts many, and warns of what datatrove does.
"""

import os
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from sixnd.runner.data import work
from sixnd.runner.data.executors import run_local
from sixnd.specs.errors import SixndError
from tests.runner.data import small_corpus
from tests.runner.data.needs import needs

ROOT = Path(__file__).resolve().parents[3]
ON_RAY = """
import sys
from pathlib import Path
from sixnd.runner.data import work
from sixnd.runner.data.ray import RaySettings, run_ray
from sixnd.specs.errors import SixndError
from tests.runner.data import small_corpus

def run(folder, step):
    run_ray(folder, step, RaySettings(cpus=2, memory_gb_per_cpu=0.5), progress=lambda *now: print(*now[:3]))

work._SHARD_BYTES = 60_000
try:
    small_corpus.prepare(Path(sys.argv[1]), Path(sys.argv[2]), run)
except SixndError as error:
    print(error)
"""


def on_ray(corpus: Path, folder: Path) -> list[str]:
    """Lines that a preparation on Ray prints: its progress, and what went wrong."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", ON_RAY, corpus, folder]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=400, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout.splitlines()


@needs("datatrove", "ray", "zstandard", "rensa")
@pytest.mark.filterwarnings("ignore")
def test_an_address_at_which_nothing_answers_is_told_at_once(tmp_path):
    from sixnd.runner.data.ray import RaySettings, run_ray

    small_corpus.write_corpus(tmp_path / "corpus")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        settings = RaySettings(address=f"127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(SixndError, match="nothing answers at 127"):
            small_corpus.prepare(tmp_path / "corpus", tmp_path / "out", partial(run_ray, settings=settings))


@needs("datatrove", "ray", "zstandard", "rensa")
@pytest.mark.integration
def test_a_preparation_on_ray_is_the_local_one_byte_for_byte_and_goes_on_where_it_failed(tmp_path, monkeypatch):
    monkeypatch.setattr(work, "_SHARD_BYTES", 60_000)
    corpus, folder = tmp_path / "corpus", tmp_path / "prepared on Ray"
    small_corpus.write_corpus(corpus)
    small_corpus.prepare(corpus, tmp_path / "local", run_local)
    assert on_ray(corpus, folder)[0].startswith("clean:prose/0-")
    assert small_corpus.outputs(folder) == small_corpus.outputs(tmp_path / "local")

    before, after = sorted(folder.glob("notes/[01]-*/shard-00001.jsonl.zst"))
    whole = before.read_bytes()
    before.write_bytes(whole[: len(whole) // 2])
    after.with_name("shard-00001.json").unlink()
    told = on_ray(corpus, folder)
    assert "1 of 3 tasks did not finish (1)" in told[-2]
    assert told[-1].startswith(f"task 1: {before}: the shard cannot be read")

    before.write_bytes(whole)
    told = on_ray(corpus, folder)
    assert [line.split()[1:] for line in told if line.startswith("clean:notes/1")] == [["2", "3"], ["3", "3"]]
    assert small_corpus.outputs(folder) == small_corpus.outputs(tmp_path / "local")
