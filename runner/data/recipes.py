"""Text from this machine: the items of each recipe of the catalog, and their documents with their licences."""

import hashlib
import importlib.metadata
import re
import sysconfig
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sixnd.runner.data import archives, forms
from sixnd.runner.data.damage import DamageLog
from sixnd.runner.data.document import Document
from sixnd.runner.data.item import Item, ItemKind
from sixnd.specs.catalog import SourceRecipe

_PERMISSIVE = re.compile(r"\b(MIT|BSD|Apache|PSF|Python Software Foundation|ISC)\b", re.IGNORECASE)
_RESTRICTIVE = re.compile(r"\b(GPL|LGPL|AGPL|MPL|proprietary|non-?commercial)\b", re.IGNORECASE)
_LEAST_CHARACTERS = 200
_MOST_BYTES = 4_000_000
"""Largest file of a package or of the standard library: what is larger is generated."""


def recipe_items(recipe: SourceRecipe, cache_dir: Path) -> list[Item]:
    """The recipe's items in the order of a hash of their names; of two with one name the first found."""
    found = {item.name: item for item in reversed(list(_RECIPES[recipe.kind](recipe, cache_dir)))}
    return sorted(found.values(), key=lambda item: hashlib.sha256(item.name.encode()).digest())


def recipe_documents(
    items: Sequence[Item], recipe: SourceRecipe, source: str, cache_dir: Path, damage: DamageLog
) -> Iterator[Document]:
    """Documents of some of the recipe's items; texts of under 200 characters are none."""
    for item in items:
        try:
            for number, text in enumerate(_texts(item, recipe, cache_dir)):
                if len(text) >= _LEAST_CHARACTERS:
                    name = f"{item.name}:{number}" if number else item.name
                    yield Document(name, text, item.licence or recipe.licence, source, path=item.name, offset=number)
        except UnicodeDecodeError as error:
            damage.note("not UTF-8", f"{item.name}, byte {error.start}")
        except (EOFError, OSError, zlib.error) as error:
            damage.note("damaged file", f"{item.name}: {error}")


def _texts(item: Item, recipe: SourceRecipe, cache_dir: Path) -> Iterator[str]:
    match item.kind:
        case "readme":
            metadata: Any = importlib.metadata.PathDistribution(Path(item.path).parent).metadata
            yield metadata.get_payload()
        case "docstrings":
            yield forms.docstrings(_text(item))
        case "member":
            yield from forms.texts(recipe.form, archives.content(item, recipe, cache_dir))
        case _:
            yield _text(item)


def _text(item: Item) -> str:
    return Path(item.path).read_text("utf-8")


def _stdlib_code(_recipe: SourceRecipe, _cache_dir: Path) -> Iterator[Item]:
    root = Path(sysconfig.get_paths()["stdlib"])
    skipped = {"site-packages", "test", "tests", "idle_test", "__pycache__", "lib2to3"}
    for path in root.rglob("*.py"):
        name = path.relative_to(root)
        if not skipped & set(name.parts):
            yield from _file(name.as_posix(), path, "text", None)


def _installed_docs(_recipe: SourceRecipe, _cache_dir: Path) -> Iterator[Item]:
    """README texts, docstrings and documentation files of permissively licensed packages, all mixed."""
    for distribution in importlib.metadata.distributions():
        licence = _permissive_licence(distribution)
        if licence and distribution.metadata["Name"] != "sixnd":  # what it trains on must not change with it
            yield from _package_prose(distribution, licence)


def _package_prose(distribution: importlib.metadata.Distribution, licence: str) -> Iterator[Item]:
    package = distribution.metadata["Name"].lower()
    for file in distribution.files or []:
        path = Path(str(distribution.locate_file(file)))
        if file.name in {"METADATA", "PKG-INFO"} and file.parent.suffix in {".dist-info", ".egg-info"}:
            yield from _file(f"{package}/README", path, "readme", licence)
        elif file.suffix in {".py", ".rst", ".md"} and "dist-info" not in str(file):
            yield from _file(f"{package}/{file}", path, "docstrings" if file.suffix == ".py" else "text", licence)


def _file(name: str, path: Path, kind: ItemKind, licence: str | None) -> Iterable[Item]:
    """The file as an item, unless it is missing or larger than what people write."""
    try:
        size = path.stat().st_size
    except OSError:
        return ()
    return (Item(name=name, path=str(path), bytes=size, kind=kind, licence=licence),) if size <= _MOST_BYTES else ()


def _permissive_licence(distribution: importlib.metadata.Distribution) -> str | None:
    """What the metadata says of the licence, if that is permissive and nothing else."""
    metadata: Any = distribution.metadata
    stated = [metadata.get("License-Expression"), metadata.get("License")]
    stated += [value for value in metadata.get_all("Classifier") or [] if value.startswith("License ::")]
    words = " | ".join(value.splitlines()[0] for value in stated if value and value.strip())
    return words if _PERMISSIVE.search(words) and not _RESTRICTIVE.search(words) else None


_RECIPES: dict[str, Callable[[SourceRecipe, Path], Iterable[Item]]] = {
    "stdlib-code": _stdlib_code,
    "installed-docs": _installed_docs,
    "pip-archive": archives.members,
    "npm-archive": archives.members,
    "debian-package": archives.members,
}
