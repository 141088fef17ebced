from pathlib import Path

import pytest

from sixnd.specs.files import remove_unfinished, replaced_atomically, write_atomically


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


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    names = [".hidden", ".shard-1.json", "shard.json", "folder/.shard.bin.lock"]
    (tmp_path / "folder").mkdir()
    for name in names:
        (tmp_path / name).write_text("kept")
    with replaced_atomically(tmp_path / "folder" / "shard-00001.jsonl.zst") as left:
        (tmp_path / "folder" / left.name).with_name(left.name[:-1] + "_").write_text("half")
    remove_unfinished(tmp_path)
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {*names, "folder/shard-00001.jsonl.zst"}
