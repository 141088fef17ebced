"""Entry of a training process: ``python -m torch.distributed.run … -m sixnd.runner.worker JOB_FOLDER``.

It imports nothing heavy at the top: Megatron's checkpoint writer spawns a helper process that imports this module
again, and with torch and Megatron here every rank would pay their import a second time at its first checkpoint.
"""

import os
import sys
from pathlib import Path

from sixnd.runner.orphans import end_with_parent


def main() -> None:
    """Train one rank of the job folder named on the command line."""
    end_with_parent()
    from sixnd.runner.job import JobFolder
    from sixnd.runner.train import train_rank

    train_rank(JobFolder(Path(sys.argv[1])), int(os.environ.get("SIXND_ATTEMPT", "1")))


if __name__ == "__main__":
    main()
elif __name__ == "__mp_main__":  # in the helper process
    end_with_parent()
