"""A run that is put to more than ten faults ends with exactly the losses of one that nobody disturbed."""

from pathlib import Path

import pytest

from tests.soak.soak import FAULTS, ordered, soak
from tests.soak.table import page


@pytest.mark.soak
def test_a_run_with_every_fault_ends_as_one_without(tmp_path: Path) -> None:
    done = soak(tmp_path, print)
    assert len(done.rows) >= 10
    assert all(f"| {row.fault.name} | {row.fault.done} |" in page(done, 0.0) for row in done.rows)


def test_the_order_is_the_seeds() -> None:
    names = [fault.name for fault in ordered(1)]
    assert names == [fault.name for fault in ordered(1)]
    assert names != [fault.name for fault in ordered(2)]
    assert sorted(names) == sorted({fault.name for fault in FAULTS})
