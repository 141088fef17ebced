from email.message import Message
from itertools import islice
from pathlib import Path

import pytest

from sixnd.runner.data import recipes
from sixnd.runner.data.damage import DamageLog
from sixnd.runner.data.document import Document
from sixnd.runner.data.item import Item
from sixnd.specs import catalog


def first(name: str, count: int, cache: Path) -> list[Document]:
    recipe = catalog.source(name)
    items = recipes.recipe_items(recipe, cache)
    return list(islice(recipes.recipe_documents(items, recipe, "s", cache, DamageLog()), count))


def test_the_standard_library_is_code_under_its_licence_without_its_tests(tmp_path: Path) -> None:
    found = first("python-stdlib", 40, tmp_path)
    assert all(document.licence == "PSF-2.0" and document.id.endswith(".py") for document in found)
    assert not any({"test", "tests", "site-packages"} & set(document.id.split("/")) for document in found)
    assert found == first("python-stdlib", 40, tmp_path)


def test_installed_documentation_comes_from_permissive_packages_only(tmp_path: Path) -> None:
    found = first("installed-docs", 60, tmp_path)
    assert len(found) == 60
    assert all("GPL" not in document.licence for document in found)
    assert len({document.id.split("/")[0] for document in found}) > 5, "all packages are mixed"


@pytest.mark.parametrize(
    ("fields", "permissive"),
    [
        ({"License-Expression": "MIT"}, True),
        ({"License": "BSD-3-Clause"}, True),
        ({"Classifier": "License :: OSI Approved :: Apache Software License"}, True),
        ({"License": "GPL-3.0"}, False),
        ({"License": "MIT", "Classifier": "License :: OSI Approved :: GNU LGPL"}, False),
        ({}, False),
    ],
)
def test_only_a_stated_permissive_licence_counts(fields: dict[str, str], permissive: bool) -> None:
    class Distribution:
        metadata = Message()

    for name, value in fields.items():
        Distribution.metadata[name] = value
    licence = recipes._permissive_licence(Distribution())  # type: ignore[arg-type]
    assert (licence is not None) is permissive


def test_a_readme_is_read_from_its_packages_metadata(tmp_path: Path) -> None:
    folder = tmp_path / "p-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: p\nVersion: 1\n\n" + "About p. " * 40)
    item = Item(name="p/README", path=str(folder / "METADATA"), bytes=1, kind="readme", licence="MIT")
    recipe = catalog.source("installed-docs")
    (document,) = recipes.recipe_documents([item], recipe, "s", tmp_path, DamageLog())
    assert (document.text, document.licence, document.id) == ("About p. " * 40, "MIT", "p/README")


def test_what_cannot_be_read_is_noted_and_the_rest_is_read(tmp_path: Path) -> None:
    (tmp_path / "latin.py").write_bytes(b"# \xe9\n" * 100)
    (tmp_path / "good.py").write_text("pass\n" * 100)
    paths = {name: str(tmp_path / name) for name in ("latin.py", "gone.py", "good.py")}
    items = [Item(name=name, path=path, bytes=1, kind="text") for name, path in paths.items()]
    damage = DamageLog()
    found = list(recipes.recipe_documents(items, catalog.source("python-stdlib"), "s", tmp_path, damage))
    assert [document.id for document in found] == ["good.py"]
    assert {one.kind: one.count for one in damage.found()} == {"not UTF-8": 1, "damaged file": 1}
