"""What every test shares: property tests without a deadline, since a busy machine is not a defect.

Processes that tests start find the tests' own modules too, wherever they are started from.
"""

import os
from pathlib import Path

from hypothesis import settings

settings.register_profile("house", deadline=None, print_blob=True)
settings.load_profile("house")

_PLACES = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, _PLACES))
