from pathlib import Path

import pytest

from sixnd.runner.lock import exclusive
from sixnd.specs.errors import SixndError


def test_who_comes_second_is_refused_until_the_first_is_done(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with (
        exclusive(lock, "held", "wait for it"),
        pytest.raises(SixndError, match=r"^held; wait for it$"),
        exclusive(lock, "held", "wait for it"),
    ):
        pass
    with exclusive(lock, "held", "wait for it"):
        assert [entry.name for entry in tmp_path.iterdir()] == ["lock"]
