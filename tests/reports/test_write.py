from pathlib import Path

import pytest

from sixnd.reports.write import write_report


def test_a_report_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report("old", path)
    write_report("neu: ≥ 3 µs\n", path)
    assert path.read_bytes() == "neu: ≥ 3 µs\n".encode()
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_a_failed_write_leaves_the_old_report_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report("old", path)
    with pytest.raises(UnicodeEncodeError):
        write_report("half a \ud800 report", path)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_a_report_gets_the_permissions_of_a_plain_file(tmp_path: Path) -> None:
    plain, report = tmp_path / "plain", tmp_path / "report"
    plain.write_text("x")
    write_report("x", report)
    assert report.stat().st_mode == plain.stat().st_mode
