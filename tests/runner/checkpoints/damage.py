"""Checkpoints of a few bytes, as files."""

from pathlib import Path

from sixnd.runner.checkpoints.files import Manifest, file_names, partial_folder, publish
from sixnd.runner.proofs import prove

FILES = {"common.pt": b"step and schedule", "__0_0.distcp": bytes(range(256)), ".metadata": b"where each tensor is"}


def written(root: Path, step: int, loss: float | None = None, fingerprint: str = "abc") -> Path:
    """A whole checkpoint after ``step`` steps."""
    partial = partial_folder(root, step, attempt=1)
    partial.mkdir(parents=True)
    for name, content in FILES.items():
        (partial / name).write_bytes(content)
    proofs = prove(partial, file_names(partial))
    manifest = Manifest(step=step, fingerprint=fingerprint, layout="TP1 PP1 DP1", validation_loss=loss, files=proofs)
    return publish(partial, manifest)


def flip(path: Path, place: int, bit: int = 0) -> None:
    """Turn one bit of a file over."""
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= 1 << bit
    path.write_bytes(content)
