"""Folders as Hugging Face's libraries read them: weights in safetensors, never pickle."""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sixnd.runner.export.huggingface import Llama, Weights, from_llama
from sixnd.runner.export.huggingface_config import read_config
from sixnd.specs.errors import InvalidDataError, SixndError, next_step
from sixnd.specs.files import plain_mode

SHARD_BYTES = 5_000_000_000
"""A file of weights is not larger, unless one tensor is."""
_ONE_FILE, _INDEX = "model.safetensors", "model.safetensors.index.json"


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A temporary folder that becomes ``path`` when the block ends without an error; one with content is refused."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise SixndError(f"{path} is there already and not empty", "name a new folder")
    if not path.resolve().parent.is_dir():
        raise SixndError(f"{path.parent} is no folder", "make it, or name another place")
    try:
        temporary = Path(tempfile.mkdtemp(dir=path.resolve().parent, prefix=f".{path.name}."))
        try:
            yield temporary
            _open_to_others(temporary)
            temporary.rename(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise SixndError(f"cannot write {path}: {error.strerror or error}", next_step(error)) from error


def _open_to_others(folder: Path) -> None:
    """Give folder and files the permissions of what is written plainly; safetensors and mkdtemp keep theirs private."""
    mode = plain_mode()
    for file in folder.iterdir():
        file.chmod(mode)
    folder.chmod(mode | (mode & 0o444) >> 2)


def write_weights(folder: Path, weights: Weights, shard_bytes: int = SHARD_BYTES) -> None:
    """Write a Llama's weights as one file, or as several of at most ``shard_bytes`` with an index."""
    from safetensors.torch import save_file

    shards = _shards(weights, shard_bytes)
    if len(shards) == 1:
        save_file(weights, folder / _ONE_FILE, metadata={"format": "pt"})
        return
    names = [f"model-{i:05d}-of-{len(shards):05d}.safetensors" for i in range(1, len(shards) + 1)]
    for name, shard in zip(names, shards, strict=True):
        save_file(shard, folder / name, metadata={"format": "pt"})
    index = {
        "metadata": {"total_size": sum(tensor.nbytes for tensor in weights.values())},
        "weight_map": {tensor: name for name, shard in zip(names, shards, strict=True) for tensor in shard},
    }
    (folder / _INDEX).write_text(json.dumps(index, indent=1), "utf-8")


def _shards(weights: Weights, shard_bytes: int) -> list[Weights]:
    shards: list[Weights] = [{}]
    held = 0
    for name, tensor in weights.items():
        if shards[-1] and held + tensor.nbytes > shard_bytes:
            shards.append({})
            held = 0
        shards[-1][name] = tensor
        held += tensor.nbytes
    return shards


def load_llama(folder: Path, rows: int | None = None) -> tuple[Llama, Weights]:
    """The Llama in a folder: its sizes, and its weights under Megatron's names as one rank holds them whole.

    Embedding and head are padded by zeros to so many ``rows``. Raises ``InvalidDataError`` for anything that a model
    of ours cannot be, and for weights that are not safetensors.
    """
    llama = read_config(folder)
    if rows is not None and rows < llama.vocab_size:
        raise InvalidDataError(
            f"{folder}: its vocabulary has {llama.vocab_size:,} entries, more than {rows:,} rows", "name another model"
        )
    return llama, from_llama(_read_weights(folder, llama), llama, rows)


def _read_weights(folder: Path, llama: Llama) -> Weights:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    found: Weights = {}
    for file in _files(folder):
        try:
            found |= load_file(file)
        except (OSError, SafetensorError) as error:
            raise InvalidDataError(f"{file}: cannot be read as safetensors ({error})", "fetch it anew") from error
    # Old conversions kept the rotary frequencies, which follow from the sizes.
    found = {name: tensor for name, tensor in found.items() if not name.endswith("rotary_emb.inv_freq")}
    if llama.tied:
        found.pop("lm_head.weight", None)
    _check(found, llama, folder)
    return found


def _files(folder: Path) -> list[Path]:
    if (folder / _INDEX).is_file():
        try:
            names = sorted(set(json.loads((folder / _INDEX).read_text("utf-8"))["weight_map"].values()))
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise InvalidDataError(f"{folder / _INDEX}: no index of weights ({error})", "fetch it anew") from error
        if any(not isinstance(name, str) or Path(name).name != name for name in names):
            raise InvalidDataError(f"{folder / _INDEX}: names a file outside its folder", "fetch it anew")
        return [folder / name for name in names]
    if (folder / _ONE_FILE).is_file():
        return [folder / _ONE_FILE]
    raise InvalidDataError(
        f"{folder}: there is no {_ONE_FILE}",
        "have them written as safetensors: no others are taken, since a pickle can run any program",
    )


def _check(found: Weights, llama: Llama, folder: Path) -> None:
    wanted = llama.shapes()
    wrong = [f"{name} is missing" for name in wanted if name not in found]
    wrong += [f"{name} is not a Llama's" for name in found if name not in wanted]
    wrong += [
        f"{name} is {list(found[name].shape)} and config.json asks for {list(shape)}"
        for name, shape in wanted.items()
        if name in found and tuple(found[name].shape) != shape
    ]
    if wrong:
        more = f", and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise InvalidDataError(
            f"{folder}: the weights are not those of its config.json: {'; '.join(wrong[:3])}{more}", "fetch it anew"
        )
