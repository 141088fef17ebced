from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from sixnd.runner import peak_memory
from sixnd.runner.peak_memory import PeakMemory
from tests.runner import alone


@pytest.fixture(autouse=True)
def rank(tmp_path: Path) -> Iterator[None]:
    with alone.one_rank(tmp_path):
        yield


def _own(monkeypatch: pytest.MonkeyPatch, peak: int) -> None:
    monkeypatch.setattr(peak_memory, "_own_peak_bytes", lambda: peak)


def test_the_peak_is_told_again_only_when_it_has_grown_by_more_than_a_hundredth(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memory = PeakMemory()
    _own(monkeypatch, 1000)
    assert memory.has_grown()
    assert memory.bytes(grown=True) == 1000
    _own(monkeypatch, 1010)
    assert not memory.has_grown()
    assert memory.bytes(grown=False) == 1000
    _own(monkeypatch, 1011)
    assert memory.has_grown()
    assert memory.bytes(grown=True) == 1011


def test_the_fullest_rank_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    _own(monkeypatch, 1000)
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda peaks, **_op: peaks.fill_(5000))
    memory = PeakMemory()
    assert memory.bytes(grown=True) == 5000
    assert not memory.has_grown(), "another rank's peak is not this one's"


def test_a_process_has_a_peak() -> None:
    assert PeakMemory().bytes(grown=True) > 1e7
