from pathlib import Path

import pytest

from sixnd.specs.files import write_atomically


def test_a_file_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_atomically(path, "old")
    write_atomically(path, "neu: ≥ 3 µs\n")
    assert path.read_bytes() == "neu: ≥ 3 µs\n".encode()
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "half a \ud800 report")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_a_file_gets_the_permissions_of_a_plain_file(tmp_path: Path) -> None:
    plain, report = tmp_path / "plain", tmp_path / "report"
    plain.write_text("x")
    write_atomically(report, "x")
    assert report.stat().st_mode == plain.stat().st_mode
