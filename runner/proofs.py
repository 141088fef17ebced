"""Size and SHA-256 of files: taken when they are written, and compared, in parallel, before they are trusted."""

import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sixnd.runner.cores import cores
from sixnd.specs.document import Document
from sixnd.specs.files import file_sha256


class FileProof(Document):
    """What a file must be."""

    bytes: int
    sha256: str


def prove(folder: Path, names: Iterable[str]) -> dict[str, FileProof]:
    """Size and SHA-256 of these files, brought to the disk and read again."""
    return {name: _proof(folder / name) for name in names}


def damaged(folder: Path, proofs: Mapping[str, FileProof]) -> dict[str, str]:
    """The files that are not what they must be, each with what is wrong; none where all are, byte for byte.

    A length is soon compared: nothing is read where one of them is wrong.
    """
    short = {name: wrong for name, proof in proofs.items() if (wrong := wrong_size(folder / name, proof.bytes))}
    if short:
        return short
    with ThreadPoolExecutor(cores()) as threads:
        found = threads.map(lambda item: _wrong_content(folder / item[0], item[1].sha256), proofs.items())
        return {name: wrong for name, wrong in zip(proofs, found, strict=True) if wrong}


def wrong_size(path: Path, size: int) -> str:
    """What is wrong with a file's length; empty where nothing is."""
    try:
        found = path.stat().st_size
    except OSError:
        return "is missing"
    return "" if found == size else f"is cut: {found:,} bytes of {size:,}"


def sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _proof(path: Path) -> FileProof:
    sync(path)
    return FileProof(bytes=path.stat().st_size, sha256=file_sha256(path))


def _wrong_content(path: Path, sha256: str) -> str:
    try:
        found = file_sha256(path)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return "" if found == sha256 else "is damaged: its content is not what was written"
