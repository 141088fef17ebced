"""A training process of the runner that takes turns: ``sixnd.runner.worker``, but for waiting before a turn's steps."""

import contextlib
import sys
from pathlib import Path

from sixnd.runner.job import JobFolder


def main() -> None:
    """Train one rank of the job folder named on the command line."""
    from sixnd.runner import train
    from tests.benchmarks.turns import Turn

    turn = Turn()

    class Gated(train.Run):
        def _step(self, step: int) -> bool:
            turn.step_begins()
            return super()._step(step)

    train.Run = Gated  # type: ignore[misc]
    with contextlib.suppress(EOFError):  # the benchmark is done
        train.train_rank(JobFolder(Path(sys.argv[1])), 1)


if __name__ == "__main__":
    main()
