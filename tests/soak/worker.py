"""A rank as it is, but that the last one makes one loss a NaN when the file ``spoil`` is put into the run's folder."""

import os
import sys
from pathlib import Path
from typing import Any

from sixnd.runner import worker
from sixnd.runner.orphans import end_with_parent

SPOIL = "spoil"


def spoil_when_told(told: Path) -> None:
    """Make the loss of the next micro-batch a NaN once, as a passing fault of the hardware would."""
    from sixnd.runner import trainer

    loss = trainer._loss

    def spoilt(*given: Any) -> Any:
        *others, losses = given
        if told.exists():
            told.unlink()
            losses = losses * float("nan")
        return loss(*others, losses)

    trainer._loss = spoilt


if __name__ == "__main__":
    if os.environ["RANK"] == "1":
        spoil_when_told(Path(sys.argv[1]) / SPOIL)
    worker.main()
elif __name__ == "__mp_main__":  # in the helper process
    end_with_parent()
