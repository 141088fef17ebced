import gzip
import hashlib
import io
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from sixnd.runner.data import archives, recipes
from sixnd.runner.data.damage import DamageLog
from sixnd.runner.data.document import Document
from sixnd.specs.catalog import SourceRecipe
from sixnd.specs.errors import SixndError

PLAY = "ACT I\n" + "To be, or not to be. " * 30
FILES = {"pkg/texts/play.txt": PLAY.encode(), "pkg/setup.py": b"raise SystemExit"}


def tar_of(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def zip_of(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def recipe_of(archive: bytes, cache: Path, **fields: str) -> SourceRecipe:
    digest = hashlib.sha256(archive).hexdigest()
    cache.mkdir(exist_ok=True)
    (cache / digest).write_bytes(archive)
    plain = {"kind": "pip-archive", "description": "d", "licence": "public domain", "requirement": "plays==1"}
    return SourceRecipe.model_validate(plain | {"sha256": digest, "members": "*/texts/*.txt*"} | fields)


def documents(recipe: SourceRecipe, cache: Path) -> list[Document]:
    return list(recipes.recipe_documents(recipes.recipe_items(recipe, cache), recipe, "s", cache, DamageLog()))


@pytest.mark.parametrize("packed", [tar_of, zip_of])
def test_an_archive_gives_the_members_that_the_recipe_names(tmp_path: Path, packed) -> None:
    recipe = recipe_of(packed(FILES), tmp_path)
    (document,) = documents(recipe, tmp_path)
    assert (document.id, document.text, document.licence) == ("pkg/texts/play.txt", PLAY, "public domain")


def test_a_compressed_member_is_unpacked(tmp_path: Path) -> None:
    recipe = recipe_of(tar_of({"pkg/texts/play.txt.gz": gzip.compress(PLAY.encode())}), tmp_path)
    assert [document.text for document in documents(recipe, tmp_path)] == [PLAY]


def test_links_in_an_archive_are_no_members(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        link = tarfile.TarInfo("pkg/texts/passwords.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    assert archives.members(recipe_of(packed.getvalue(), tmp_path), tmp_path) == []


def test_members_are_read_on_a_machine_whose_cache_lacks_the_unpacked_archive(tmp_path: Path) -> None:
    recipe = recipe_of(tar_of(FILES), tmp_path)
    (item,) = recipes.recipe_items(recipe, tmp_path)
    (tmp_path / item.path).unlink()
    assert archives.content(item, recipe, tmp_path) == PLAY.encode()


def test_a_member_of_another_release_is_not_looked_for_in_this_one(tmp_path: Path) -> None:
    (item,) = recipes.recipe_items(recipe_of(tar_of(FILES), tmp_path), tmp_path)
    newer = recipe_of(tar_of({**FILES, "pkg/new.py": b"pass"}), tmp_path, requirement="plays==2")
    with pytest.raises(SixndError, match="listed from another release than plays==2"):
        archives.content(item, newer, tmp_path)


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")
def test_a_debian_package_gives_its_members(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(
        "Package: plays\nVersion: 1\nArchitecture: all\nMaintainer: N <n@example.org>\nDescription: plays\n"
    )
    (tree / "usr/texts").mkdir(parents=True)
    (tree / "usr/texts/play.txt").write_text(PLAY)
    subprocess.run(["dpkg-deb", "--build", str(tree), str(tmp_path / "plays.deb")], check=True, capture_output=True)
    cache = tmp_path / "cache"
    recipe = recipe_of((tmp_path / "plays.deb").read_bytes(), cache, kind="debian-package", requirement="plays=1")
    assert [(d.id, d.text) for d in documents(recipe, cache)] == [("usr/texts/play.txt", PLAY)]


def test_an_archive_whose_digest_is_not_the_catalogs_is_not_opened(tmp_path: Path) -> None:
    recipe = recipe_of(tar_of(FILES), tmp_path)
    with (tmp_path / str(recipe.sha256)).open("ab") as file:
        file.write(b"tampered")
    with pytest.raises(SixndError, match="it was not opened"):
        documents(recipe, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "client", "requirement"),
    [("pip-archive", "pip", "no-such-package-of-sixnd==0.0.0"), ("npm-archive", "npm", "no-such@0.0.0")],
)
def test_an_archive_that_cannot_be_fetched_is_told_with_ways_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, client: str, requirement: str
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("npm_config_offline", "true")
    if client != "pip" and shutil.which(client) is None:
        pytest.skip(f"needs {client}")
    recipe = recipe_of(b"x", tmp_path, kind=kind, requirement=requirement)
    (tmp_path / str(recipe.sha256)).unlink()
    with pytest.raises(SixndError, match=rf"cannot fetch {requirement}: \S.*put the archive into the cache.*take the"):
        documents(recipe, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_machine_without_the_registrys_client_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    recipe = recipe_of(b"x", tmp_path, kind="debian-package")
    (tmp_path / str(recipe.sha256)).unlink()
    with pytest.raises(SixndError, match="apt-get is not on this machine"):
        documents(recipe, tmp_path)


def test_what_pip_fetches_must_have_the_digest_before_pip_looks_into_it(tmp_path: Path) -> None:
    recipe = recipe_of(tar_of(FILES), tmp_path)
    command = archives._commands(recipe, tmp_path)
    assert "--require-hashes" in command
    assert f"--hash=sha256:{recipe.sha256}" in (tmp_path / "requirements.txt").read_text()
