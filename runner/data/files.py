"""Which files a pattern means, in an order that depends on their names alone."""

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from sixnd.runner.data.damage import DamageLog

_WILD = re.compile(r"[*?\[]")
_WILDCARDS = {"*": "[^/]*", "?": "[^/]"}


def files_of(pattern: str, base_dir: Path, damage: DamageLog) -> list[Path]:
    """Files that match ``pattern`` (a file, a folder, or a glob with ``**``), relative to ``base_dir``.

    They come in the order of a hash of their names, so that the first ones are a fair sample of all. Links are
    followed; folders that hold themselves, or were read by another name, are noted as damage and left out.
    """
    root, wild = _split(base_dir / pattern)
    if not wild and not root.is_dir():
        return [root] if root.exists() or root.is_symlink() else []
    matches = re.compile(_expression(wild or ["**", "*"]))
    found = [path for path in _walk(root, damage) if matches.fullmatch(path.relative_to(root).as_posix())]
    return sorted(found, key=lambda path: hashlib.sha256(path.relative_to(root).as_posix().encode()).digest())


def root_of(pattern: str, base_dir: Path) -> Path:
    """The folder that names of the pattern's files are relative to: all before the first part with a wildcard."""
    root, wild = _split(base_dir / pattern)
    return root if wild or root.is_dir() else root.parent


def _split(path: Path) -> tuple[Path, list[str]]:
    """The folders before the first part with a wildcard, and the parts from there on."""
    parts = PurePosixPath(path.as_posix()).parts
    first = next((i for i, part in enumerate(parts) if _WILD.search(part)), len(parts))
    return Path(*parts[:first]), list(parts[first:])


def _expression(parts: list[str]) -> str:
    translated = [r"(?:[^/]+/)*" if part == "**" else _one_part(part) + "/" for part in parts]
    if parts[-1] == "**":
        return "".join(translated) + "[^/]+"
    return "".join(translated).removesuffix("/")


def _one_part(part: str) -> str:
    """The expression of one folder's or file's name, in which no wildcard matches a slash."""
    pieces = re.split(r"(\*|\?|\[!?[^\]]+\])", part)
    return "".join(_WILDCARDS.get(piece) or _letters(piece) for piece in pieces)


def _letters(piece: str) -> str:
    if _WILD.match(piece):
        return piece.replace("[!", "[^", 1)
    return re.escape(piece)


def _walk(root: Path, damage: DamageLog) -> Iterator[Path]:
    seen: dict[tuple[int, int], Path] = {}
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            status = folder.stat()
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            damage.note(_kind_of(error), str(folder))
            continue
        known = seen.setdefault((status.st_dev, status.st_ino), folder)
        if known != folder:
            inside = known in folder.parents
            damage.note("symbolic link to a folder that holds it" if inside else "folder read already", str(folder))
            continue
        folders = []
        for entry in entries:
            if _is_folder(entry):
                folders.append(Path(entry.path))
            else:
                yield Path(entry.path)
        waiting += reversed(folders)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder; what cannot be told, such as a link to itself, is left for its reader to name."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _kind_of(error: OSError) -> str:
    return f"cannot be read ({os.strerror(error.errno).lower()})" if error.errno else "cannot be read"
