"""Ranks and their helpers do not outlive the process that started them."""

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

CHILD = "from sixnd.runner.orphans import end_with_parent; {}; import time; print('up', flush=True); time.sleep(60)"
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE, start_new_session=True)
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's way is Linux's")
@pytest.mark.parametrize(("call", "ends"), [("end_with_parent()", True), ("pass", False)])
def test_a_process_ends_with_its_parent_where_it_says_so(tmp_path: Path, call: str, ends: bool):
    words = [sys.executable, "-c", PARENT, CHILD.format(call)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    deadline = time.monotonic() + (20 if ends else 0.5)
    while (alive := child.is_running() and child.status() != psutil.STATUS_ZOMBIE) and time.monotonic() < deadline:
        time.sleep(0.01)
    if alive:
        child.kill()
    assert alive is not ends
