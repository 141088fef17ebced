import hashlib
import io
import tarfile
from itertools import islice
from pathlib import Path

import pytest

from sixnd.runner import corpus
from sixnd.specs.catalog import SourceRecipe
from sixnd.specs.errors import SixndError
from sixnd.specs.plan import PlannedSource


def source(**fields: str) -> PlannedSource:
    plain = {"name": "s", "recipe": None, "path": None, "weight": 1, "tokens": 1, "unique_tokens": None, "epochs": None}
    return PlannedSource.model_validate(plain | fields)


def test_the_standard_library_is_code_under_its_licence_without_its_tests(tmp_path: Path) -> None:
    found = list(islice(corpus.documents(source(recipe="python-stdlib"), tmp_path, tmp_path), 40))
    assert all(document.licence == "PSF-2.0" and document.id.endswith(".py") for document in found)
    assert not any({"test", "tests", "site-packages"} & set(document.id.split("/")) for document in found)
    again = [d.id for d in islice(corpus.documents(source(recipe="python-stdlib"), tmp_path, tmp_path), 40)]
    assert [d.id for d in found] == again


def test_installed_documentation_comes_from_permissive_packages_only(tmp_path: Path) -> None:
    found = list(islice(corpus.documents(source(recipe="installed-docs"), tmp_path, tmp_path), 60))
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
    from email.message import Message

    class Distribution:
        metadata = Message()

    for name, value in fields.items():
        Distribution.metadata[name] = value
    licence = corpus._permissive_licence(Distribution())  # type: ignore[arg-type]
    assert (licence is not None) is permissive
    Distribution.metadata = Message()


def test_docstrings_are_taken_from_code_and_broken_code_gives_none() -> None:
    module, function = "About the module, at length. " * 3, "What f does, at length. " * 3
    code = f'"""{module}"""\ndef f():\n    """{function}"""\n    return 1\n'
    text = corpus._docstrings(code)
    assert "About the module" in text
    assert "What f does" in text
    assert "return 1" not in text
    assert corpus._docstrings("def broken(:") == ""


def archive(tmp_path: Path, text: str) -> tuple[SourceRecipe, Path]:
    path = tmp_path / "plays.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name in ("pkg/texts/play_gut.txt", "pkg/setup.py"):
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    recipe = SourceRecipe(
        kind="pip-archive", description="d", licence="public domain", requirement="plays==1", sha256=digest,
        members="*/texts/*_gut.txt",
    )  # fmt: skip
    return recipe, path


def test_an_archive_gives_its_members_without_the_gutenberg_frame(tmp_path: Path) -> None:
    body = "ACT I\n" + "To be, or not to be. " * 30
    frame = f"Licence talk\n*** START OF THE PROJECT GUTENBERG EBOOK X ***\n{body}\nEnd of Project Gutenberg's X\nmore"
    recipe, path = archive(tmp_path, frame)
    path.rename(tmp_path / str(recipe.sha256))
    (document,) = corpus._pip_archive(recipe, tmp_path)
    assert document.id == "play_gut.txt"
    assert document.text == body.strip()


def test_an_archive_whose_digest_is_not_the_catalogs_is_not_opened(tmp_path: Path) -> None:
    recipe, path = archive(tmp_path, "x" * 500)
    path.write_bytes(path.read_bytes() + b"tampered")
    path.rename(tmp_path / str(recipe.sha256))
    with pytest.raises(SixndError, match="it was not opened"):
        list(corpus._pip_archive(recipe, tmp_path))


def test_an_archive_that_cannot_be_fetched_is_told_with_a_way_out(tmp_path: Path) -> None:
    recipe, _ = archive(tmp_path / "", "x")
    missing = recipe.model_copy(update={"requirement": "no-such-package-of-sixnd==0.0.0", "sha256": "0" * 64})
    with pytest.raises(SixndError, match=r"cannot fetch no-such-package-of-sixnd.*take the source out"):
        list(corpus._pip_archive(missing, tmp_path / "cache"))


def test_the_users_files_are_read_and_mistakes_in_them_are_placed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("some text")
    (tmp_path / "b.bin").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "c.jsonl").write_text('{"text": "one"}\n{"text": "two"}\n')
    texts = {d.text for d in corpus.documents(source(path="*"), tmp_path, tmp_path)}
    assert texts == {"some text", "one", "two"}
    (tmp_path / "c.jsonl").write_text('{"text": "one"}\n{"no": 1}\n')
    with pytest.raises(SixndError, match=r"c\.jsonl:2: expected a JSON object with a 'text'"):
        list(corpus.documents(source(path="*.jsonl"), tmp_path, tmp_path))
    with pytest.raises(SixndError, match=r"no file matches 'missing/\*'"):
        list(corpus.documents(source(path="missing/*"), tmp_path, tmp_path))


def test_a_source_for_planning_only_cannot_be_trained_on(tmp_path: Path) -> None:
    with pytest.raises(SixndError, match="can be planned but not trained on"):
        list(corpus.documents(source(), tmp_path, tmp_path))
