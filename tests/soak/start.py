"""`sixnd` as it is, but that its ranks are those of ``worker.py``."""

import signal
import sys

from sixnd.cli import main
from sixnd.runner import launch
from sixnd.runner.job import JobFolder, training_command


def _command(folder: JobFolder, *rest: object) -> list[str]:
    words = training_command(folder, *rest)
    return ["tests.soak.worker" if word == "sixnd.runner.worker" else word for word in words]


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a soak in the background would ignore
    launch.training_command = _command
    sys.exit(main())
