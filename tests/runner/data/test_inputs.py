from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from sixnd.runner.data.damage import DamageLog
from sixnd.runner.data.document import Document
from sixnd.runner.data.inputs import Item, documents_of, listed
from sixnd.specs.errors import SixndError
from sixnd.specs.plan import PlannedSource


def source(**fields: str) -> PlannedSource:
    plain = {"name": "s", "recipe": None, "path": None, "weight": 1, "tokens": 1, "unique_tokens": None, "epochs": None}
    return PlannedSource.model_validate(plain | fields)


def documents(wanted: PlannedSource, folder: Path, damage: DamageLog | None = None) -> Iterator[Document]:
    damage = damage or DamageLog()
    return documents_of(listed(wanted, folder, folder, damage), wanted, folder, folder, damage)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "more").mkdir()
    (tmp_path / "a.txt").write_text("some text")
    (tmp_path / "b.bin").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "more" / "c.jsonl").write_text('{"text": "one"}\n{"no": 1}\n{"text": "two", "license": "MIT"}\n')
    return tmp_path


@pytest.mark.parametrize("pattern", ["**", "{}/**", "more/c.jsonl"])
def test_names_of_a_users_files_are_the_same_in_every_place(folder: Path, pattern: str) -> None:
    wanted = source(path=pattern.format(folder))
    items = listed(wanted, folder, folder, DamageLog())
    assert {item.name for item in items} <= {"a.txt", "b.bin", "more/c.jsonl", "c.jsonl"}
    ids = [d.id for d in documents(wanted, folder)]
    assert len(ids) == len(set(ids))
    assert not any(str(folder) in name for name in ids)


def test_a_users_files_are_read_and_mistakes_in_them_are_noted(folder: Path) -> None:
    damage = DamageLog()
    wanted = source(path="**", licence="CC0-1.0")
    found = list(documents(wanted, folder, damage))
    assert {d.text: d.licence for d in found} == {"some text": "CC0-1.0", "one": "CC0-1.0", "two": "MIT"}
    assert {one.kind for one in damage.found()} == {"not UTF-8", "no text under 'text'"}


def test_any_run_of_items_can_be_read_alone_from_plain_data(folder: Path) -> None:
    wanted = source(recipe="python-stdlib")
    items = listed(wanted, folder, folder, DamageLog())[:30]
    plain = [Item.model_validate_json(item.model_dump_json()) for item in items]
    apart = [d for item in plain for d in documents_of([item], wanted, folder, folder, DamageLog())]
    assert apart == list(documents_of(items, wanted, folder, folder, DamageLog()))
    assert [d.id for d in apart] == [d.id for d in islice(documents(wanted, folder), len(apart))]


def test_sizes_are_those_of_the_files(folder: Path) -> None:
    sizes = {item.name: item.bytes for item in listed(source(path="**"), folder, folder, DamageLog())}
    assert sizes == {"a.txt": 9, "b.bin": 3, "more/c.jsonl": (folder / "more/c.jsonl").stat().st_size}


def test_a_source_without_files_is_refused(folder: Path) -> None:
    with pytest.raises(SixndError, match=r"source 's': no file matches 'missing/\*'"):
        documents(source(path="missing/*"), folder)


def test_a_source_for_planning_only_cannot_be_trained_on(tmp_path: Path) -> None:
    with pytest.raises(SixndError, match="can be planned but not trained on"):
        documents(source(), tmp_path)
