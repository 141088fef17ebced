"""Megatron's indices over the data, in ``data/index/``: proved by SHA-256, or made anew.

Megatron writes them where they stay and takes whatever is there: one that a kill tore would fail every start, and one
in which a bit was turned would train on other batches, unseen.
"""

import contextlib
import json
from pathlib import Path

from sixnd.runner.proofs import FileProof, damaged, prove
from sixnd.specs.files import write_atomically

_PROOFS = "proofs.json"


def prove_indices(folder: Path) -> None:
    """Write down what the indices must be, those that are new; a full disk leaves them unproved."""
    proofs = _proofs(folder)
    new = sorted({path.name for path in folder.glob("*.npy")} - proofs.keys())
    with contextlib.suppress(OSError):
        if new:
            proofs |= prove(folder, new)
            write_atomically(folder / _PROOFS, json.dumps({name: proof.plain() for name, proof in proofs.items()}))


def remove_unproved(folder: Path) -> dict[str, str]:
    """Remove every index that is not what it must be, for Megatron to make it anew; what is wrong with damaged ones."""
    proofs = _proofs(folder)
    there = {path.name for path in folder.glob("*.npy")}
    wrong = damaged(folder, {name: proof for name, proof in proofs.items() if name in there})
    bad = wrong.keys() | (there - proofs.keys())
    if bad:
        kept = {name: proof.plain() for name, proof in proofs.items() if name in there - bad}
        write_atomically(folder / _PROOFS, json.dumps(kept))
    for name in bad:
        (folder / name).unlink()
    return wrong


def _proofs(folder: Path) -> dict[str, FileProof]:
    try:
        content = json.loads((folder / _PROOFS).read_bytes())
        return {name: FileProof.model_validate(proof) for name, proof in content.items()}
    except (OSError, ValueError):  # pydantic's errors are ValueErrors
        return {}
