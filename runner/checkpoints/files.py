"""Checkpoints as folders: ``step_00000100/``, whole and proved by a manifest of SHA-256, or not there.

The manifest is written last, into a folder that is not yet named as a checkpoint; so a folder without one was never
finished. What is being written or removed has a name of its own, which nobody takes for a checkpoint.
"""

import contextlib
import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from sixnd.runner.proofs import FileProof, damaged, sync, wrong_size
from sixnd.specs.base_folders import CHECKPOINT, MANIFEST
from sixnd.specs.document import Document
from sixnd.specs.errors import SixndError
from sixnd.specs.files import write_atomically

_PARTIAL, _REMOVED, _DAMAGED = ".partial", ".removed", ".damaged"

OnDamage = Callable[[Path, str], None]
"""Told the folder of a checkpoint that is skipped, and what is wrong with which file."""


class Manifest(Document):
    """What a checkpoint is, and every file of it."""

    version: Literal["checkpoint/1"] = "checkpoint/1"
    step: int
    """Steps done."""
    fingerprint: str
    """Of the plan, without its layout."""
    layout: str
    """On which it was written; it can be loaded on any."""
    validation_loss: float | None
    """Nats a token, measured after the same step; none where it was not."""
    files: dict[str, FileProof]


class DamagedError(Exception):
    """A folder named as a checkpoint that cannot be taken; the message names the file and what is wrong with it."""


def folder_name(step: int) -> str:
    """Name of the checkpoint after ``step`` steps."""
    return f"step_{step:08d}"


def checkpoint_folders(root: Path) -> list[Path]:
    """Folders that are named as checkpoints, the newest first."""
    found = [path for path in root.glob("step_*") if CHECKPOINT.fullmatch(path.name) and path.is_dir()]
    return sorted(found, key=step_of, reverse=True)


def step_of(folder: Path) -> int:
    """The step that a checkpoint's name tells."""
    match = CHECKPOINT.fullmatch(folder.name)
    assert match is not None, folder
    return int(match[1])


def partial_folder(root: Path, step: int, attempt: int) -> Path:
    """Where a checkpoint is written before it gets its name.

    It is the attempt's own: writers that outlive a killed attempt cannot reach into a later one's.
    """
    return root / f"{folder_name(step)}-{attempt}{_PARTIAL}"


def discard(path: Path) -> None:
    """Remove a folder, or a file, that is no checkpoint; what cannot be removed stays."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
        return
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def newest_checkpoint(root: Path, judge: Callable[[Path], str | None], skipped: OnDamage) -> Path | None:
    """The newest checkpoint in which ``judge`` finds nothing wrong, or ``None`` where there never was one.

    Raises ``SixndError`` where there are some, and none can be taken: to begin anew would throw them away unasked.
    """
    reasons = []
    for folder in checkpoint_folders(root):
        reason = judge(folder)
        if reason is None:
            return folder
        reasons.append(f"{folder.name}: {reason}")
        skipped(folder, reason)
    reasons += [f"{path.name} was found damaged before" for path in _named(root, _DAMAGED) if not reasons]
    if reasons:
        raise SixndError(
            f"no checkpoint in {root} can be taken ({'; '.join(reasons)})",
            f"restore one of them from a copy, or move {root.parent} away to begin anew",
        )
    return None


def refuse_foreign(folder: Path, manifest: Manifest, fingerprint: str) -> None:
    """Raise ``SixndError`` where the checkpoint is another plan's."""
    if manifest.fingerprint != fingerprint:
        raise SixndError(f"{folder} was written by another plan ({manifest.fingerprint})", "move it away to go on")


def set_aside(folder: Path) -> None:
    """Take a damaged checkpoint's name away; it is kept until training has saved that step or a later one.

    Where the file system refuses, it keeps its name and is skipped at each start.
    """
    aside = folder.with_name(folder.name + _DAMAGED)
    discard(aside)
    with contextlib.suppress(OSError):
        folder.rename(aside)


def file_names(folder: Path) -> list[str]:
    """Files of a checkpoint but its manifest, in order of their names."""
    return sorted(path.name for path in folder.iterdir() if path.is_file() and path.name != MANIFEST)


def publish(partial: Path, manifest: Manifest) -> Path:
    """Give a written folder its manifest, then its name as a checkpoint; an old one of that name is replaced."""
    final = partial.parent / folder_name(manifest.step)
    content = manifest.plain()
    write_atomically(partial / MANIFEST, json.dumps({"sha256": manifest.digest(), "manifest": content}, indent=1))
    sync(partial / MANIFEST)
    sync(partial)
    condemned = _condemned(final)
    if final.exists():
        final.rename(condemned)
    partial.rename(final)
    sync(final.parent)
    discard(condemned)
    return final


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a checkpoint; raises ``DamagedError`` where it is missing or not as it was written."""
    try:
        content = json.loads((folder / MANIFEST).read_bytes())
        told, manifest = content["sha256"], Manifest.model_validate(content["manifest"])
    except OSError as error:
        raise DamagedError(f"{MANIFEST} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise DamagedError(f"{MANIFEST} is not a manifest") from error
    if manifest.digest() != told or manifest.step != step_of(folder):
        raise DamagedError(f"{MANIFEST} is not as it was written")
    return manifest


def check_files(folder: Path, manifest: Manifest, names: Iterable[str] | None = None) -> None:
    """Raise ``DamagedError`` unless these files (by default all) are what the manifest says, byte for byte."""
    chosen = sorted(manifest.files) if names is None else names
    for name, wrong in damaged(folder, {name: manifest.files[name] for name in chosen}).items():
        raise DamagedError(f"{name} {wrong}")


def sized_manifest(folder: Path) -> Manifest | None:
    """The manifest of a checkpoint of which every file has its length, else none; nothing is read to the end."""
    try:
        manifest = read_manifest(folder)
    except DamagedError:
        return None
    return None if any(wrong_size(folder / name, proof.bytes) for name, proof in manifest.files.items()) else manifest


def remove(folder: Path) -> None:
    """Remove a checkpoint: its name goes at once, so that it is never there in part."""
    condemned = _condemned(folder)
    folder.rename(condemned)
    discard(condemned)


def remove_unfinished(root: Path) -> None:
    """Remove what was being written or removed when a process was killed; nobody may write there now."""
    for path in [*_named(root, _PARTIAL), *_named(root, _REMOVED)]:
        discard(path)


def remove_damaged(root: Path, step: int) -> None:
    """Remove what was set aside of ``step`` and before: a checkpoint that is whole has taken its place."""
    for path in _named(root, _DAMAGED):
        if step_of(path.with_suffix("")) <= step:
            discard(path)


def _condemned(folder: Path) -> Path:
    """The name under which a checkpoint is removed, free to be taken."""
    path = folder.with_name(folder.name + _REMOVED)
    discard(path)
    return path


def _named(root: Path, ending: str) -> list[Path]:
    return sorted(root.glob(f"step_*{ending}"))
