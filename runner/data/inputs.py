"""What a source reads: its items listed once, and the documents of any run of them.

Items come in an order that depends only on their names, so that the same files give the same corpus on every machine,
and the first of them are a fair sample of all.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from sixnd.runner.data.damage import DamageLog
from sixnd.runner.data.document import Document
from sixnd.runner.data.files import files_of, root_of
from sixnd.runner.data.item import Item
from sixnd.runner.data.readers import Origin, read_file
from sixnd.runner.data.recipes import recipe_documents, recipe_items
from sixnd.specs import catalog
from sixnd.specs.errors import SixndError
from sixnd.specs.plan import PlannedSource

__all__ = ["Item", "documents_of", "listed"]

_USERS = "as the user's"


def listed(source: PlannedSource, base_dir: Path, cache_dir: Path, damage: DamageLog) -> list[Item]:
    """All items of a source in fair order; archives of recipes are fetched into ``cache_dir`` and checked.

    Raises ``SixndError`` where there is none, or an archive cannot be had.
    """
    if source.recipe is not None:
        found = recipe_items(catalog.source(source.recipe), cache_dir)
        missing = f"recipe '{source.recipe}' finds nothing on this machine"
    elif source.path is not None:
        found = _files(source.path, base_dir, damage)
        missing = f"no file matches '{source.path}' in {base_dir}"
    else:
        raise SixndError(
            f"source '{source.name}' has neither a recipe nor a path, so it can be planned but not trained on",
            "add `path:` with your files to the spec",
        )
    if not found:
        raise SixndError(f"source '{source.name}': {missing}", "name text that is there, or take the source out")
    return found


def documents_of(
    items: Sequence[Item], source: PlannedSource, base_dir: Path, cache_dir: Path, damage: DamageLog
) -> Iterator[Document]:
    """The documents of some of a source's items, in their order; what cannot be read is noted and passed over."""
    if source.recipe is not None:
        recipe = catalog.source(source.recipe)
        yield from recipe_documents(items, recipe, source.name, cache_dir, damage)
        return
    origin = Origin(source.name, source.licence or _USERS, text_field=source.text_field)
    for item in items:
        yield from read_file(base_dir / item.path, origin, damage, item.name)


def _files(pattern: str, base_dir: Path, damage: DamageLog) -> list[Item]:
    root = root_of(pattern, base_dir)
    return [
        Item(name=path.relative_to(root).as_posix(), path=str(path.absolute()), bytes=_size(path))
        for path in files_of(pattern, base_dir, damage)
    ]


def _size(path: Path) -> int:
    """Bytes of a file; 0 where it cannot be told, which reading it will name."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
