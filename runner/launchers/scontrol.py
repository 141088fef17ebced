"""What Slurm itself is asked about the job that a run is part of."""

import os
import re
import subprocess
from datetime import datetime

_PATIENCE_S = 30.0
_END = re.compile(r"\bEndTime=(\S+)")


def end_of_job(job: str) -> float | None:
    """When Slurm will end the job, in seconds since the epoch; none where it does not tell, or is not at hand.

    Slurm before 22.05 sets no variable that says so. Its times are this machine's local ones.
    """
    try:
        told = subprocess.run(
            ["scontrol", "show", "job", job],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
            env=os.environ | {"SLURM_TIME_FORMAT": "standard"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _END.search(told.stdout)
    try:
        return None if found is None else datetime.fromisoformat(found[1]).timestamp()
    except ValueError:  # "Unknown": the job has no limit, or has not begun
        return None
