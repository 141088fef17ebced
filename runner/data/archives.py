"""Archives that package registries serve: fetched once, checked by SHA-256, unpacked to a plain tar in the cache.

The plain tar lets any process read a member at its place without reading what stands before it. No member is ever
written under its own name.
"""

import bz2
import fnmatch
import gzip
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from sixnd.runner.data.item import Item
from sixnd.specs.catalog import SourceRecipe
from sixnd.specs.errors import SixndError
from sixnd.specs.files import file_sha256, replaced_atomically

_UNPACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".dz": gzip.decompress,
    ".bz2": bz2.decompress,
}


def members(recipe: SourceRecipe, cache_dir: Path) -> list[Item]:
    """The archive's members that the recipe names, in the archive's order."""
    tar_path = _unpacked(recipe, cache_dir)
    with tarfile.open(tar_path, "r:") as tar:
        return [
            Item(name=name, path=tar_path.name, bytes=member.size, kind="member", offset=member.offset_data)
            for member in tar
            if member.isreg() and fnmatch.fnmatchcase(name := member.name.removeprefix("./"), recipe.members or "*")
        ]


def content(item: Item, recipe: SourceRecipe, cache_dir: Path) -> bytes:
    """Bytes of one member, decompressed by the ending of its name; the archive is fetched where the cache lacks it."""
    path = cache_dir / item.path
    if path.name != _tar_of(recipe):
        raise SixndError(
            f"{item.name} was listed from another release than {recipe.requirement}", "list the source anew"
        )
    with (path if path.is_file() else _unpacked(recipe, cache_dir)).open("rb") as file:
        file.seek(item.offset)
        packed = file.read(item.bytes)
    unpack = _UNPACKERS.get(Path(item.name).suffix)
    return unpack(packed) if unpack else packed


def _tar_of(recipe: SourceRecipe) -> str:
    return f"{recipe.sha256}.tar"


def _unpacked(recipe: SourceRecipe, cache_dir: Path) -> Path:
    archive = _checked(recipe, cache_dir)
    target = cache_dir / _tar_of(recipe)
    if not target.is_file():
        with replaced_atomically(target) as tar:
            _unpack(archive, tar)
    return target


def _checked(recipe: SourceRecipe, cache_dir: Path) -> Path:
    """The archive in the cache, fetched if it is not there; nothing reads it before its digest is the recipe's."""
    assert recipe.sha256 is not None
    known = cache_dir / recipe.sha256
    if not known.is_file():
        cache_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache_dir, prefix="download.") as folder:
            _download(recipe, Path(folder)).replace(known)
    digest = file_sha256(known)
    if digest != recipe.sha256:
        known.unlink(missing_ok=True)
        raise SixndError(
            f"{recipe.requirement} has SHA-256 {digest}, not {recipe.sha256}: it was not opened",
            "remove it and fetch it anew",
        )
    return known


def _download(recipe: SourceRecipe, folder: Path) -> Path:
    assert recipe.requirement is not None
    command = _commands(recipe, folder)
    try:
        result = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    except FileNotFoundError:
        raise SixndError(*_cannot(recipe, f"{command[0]} is not on this machine")) from None
    found = [path for path in folder.iterdir() if path.name != "requirements.txt"]
    if result.returncode or not found:
        raise SixndError(*_cannot(recipe, _reason(result.stderr, command[0])))
    return found[0]


def _commands(recipe: SourceRecipe, folder: Path) -> list[str]:
    """The registry's own client; pip is given the digest, as it runs a source package's code to read its metadata."""
    requirement = str(recipe.requirement)
    if recipe.kind == "npm-archive":
        return ["npm", "pack", "--silent", "--ignore-scripts", requirement]
    if recipe.kind == "debian-package":
        return ["apt-get", "download", "--quiet", requirement]
    pinned = folder / "requirements.txt"
    pinned.write_text(f"{requirement} --hash=sha256:{recipe.sha256}\n")
    options = ["--no-deps", "--require-hashes", "--quiet", "--disable-pip-version-check", "--dest", str(folder)]
    return [sys.executable, "-m", "pip", "download", *options, "--requirement", str(pinned)]


def _reason(stderr: str, client: str) -> str:
    told = [line.strip() for line in stderr.splitlines() if line.strip() and not line.startswith(("W:", "[notice]"))]
    errors = [line for line in told if line.lower().startswith(("error", "e:", "npm error"))]
    return (errors or told or [f"{Path(client).name} gave no reason"])[-1]


def _cannot(recipe: SourceRecipe, why: str) -> tuple[str, str]:
    return (
        f"cannot fetch {recipe.requirement}: {why}",
        f"go on-line once, put the archive into the cache as {recipe.sha256}, or take the source out of the spec",
    )


def _unpack(archive: Path, target: Path) -> None:
    with archive.open("rb") as file:
        debian = file.read(8) == b"!<arch>\n"
    with target.open("wb") as out:
        if debian:
            _unpack_debian(archive, out.fileno())
        elif zipfile.is_zipfile(archive):
            _repack(archive, target)
        else:
            with gzip.open(archive) as packed:
                shutil.copyfileobj(packed, out, 1 << 20)


def _unpack_debian(archive: Path, out: int) -> None:
    command = ["dpkg-deb", "--fsys-tarfile", str(archive)]
    try:
        subprocess.run(command, stdout=out, stderr=subprocess.PIPE, check=True)
    except FileNotFoundError:
        raise SixndError(
            "a Debian package is opened by dpkg-deb, which is not here", "install the package dpkg"
        ) from None
    except subprocess.CalledProcessError as error:
        raise SixndError(
            f"dpkg-deb cannot open {archive}: {error.stderr.decode().strip()}", "remove it and fetch it anew"
        ) from error


def _repack(archive: Path, target: Path) -> None:
    with zipfile.ZipFile(archive) as packed, tarfile.open(target, "w:") as tar:
        for name in packed.namelist():
            info = packed.getinfo(name)
            if info.is_dir():
                continue
            member = tarfile.TarInfo(name)
            member.size = info.file_size
            with packed.open(name) as stream:
                tar.addfile(member, stream)
