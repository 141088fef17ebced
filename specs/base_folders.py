"""What a folder says of the trained model in it: a run of ours, or a Llama as Hugging Face's libraries read it.

Only what planning needs is read here: sizes, tokenizer, digest. The runner looks into every tensor before it trains.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sixnd.specs.continual import Origin, OriginSource
from sixnd.specs.document import sha256_of
from sixnd.specs.errors import InvalidDataError
from sixnd.specs.files import file_sha256
from sixnd.specs.plan import Plan
from sixnd.specs.tokenizers import TokenizerHeader, TokenizerKind, read_header

CHECKPOINT = re.compile(r"step_(\d{8,})")
"""Name of a checkpoint's folder in a run's."""
RUN_TOKENIZER = "data/tokenizer.tok"
RUN_DATA = "data/manifest.json"
"""What a run's preparation wrote down."""
MANIFEST = "sixnd.json"
"""Of a checkpoint."""
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_KINDS: dict[str, tuple[TokenizerKind, TokenizerKind]] = {"BPE": ("byte-bpe", "sp-bpe"), "Unigram": ("sp-unigram",) * 2}
"""Of `tokenizer.json`: what it is alone, and what it is beside SentencePiece's own file."""


@dataclass(frozen=True)
class Base:
    """A base, and what a spec takes from it."""

    origin: Origin
    shape: dict[str, int]
    vocab_size: int
    tied: bool
    sequence_length: int
    tokenizer_file: str
    """Relative to the base's folder."""
    tokenizer: TokenizerHeader


def read_base(path: Path) -> tuple[Base, Path]:
    """The base that a spec names, and its folder: a run's or a Llama's; raises ``SixndError`` saying what is wrong."""
    folder, checkpoint = base_folder(path)
    return _run(folder, checkpoint) if (folder / "plan.yaml").is_file() else _llama(folder), folder


def base_folder(path: Path) -> tuple[Path, Path | None]:
    """The folder of a run or of a Llama that a path names, and the checkpoint in it if the path names one."""
    run = path.parent.parent
    if (path / "plan.yaml").is_file() or (path / "config.json").is_file():
        return path, None
    if CHECKPOINT.fullmatch(path.name) and (run / "plan.yaml").is_file():
        return run, path
    runs = sorted(plan.parent for plan in path.glob("*/plan.yaml"))
    if len(runs) == 1:
        return runs[0], None
    if runs:
        raise InvalidDataError(f"{path} holds several runs", f"name one of {', '.join(run.name for run in runs)}")
    if not path.is_dir():
        raise InvalidDataError(f"{path} is no folder", "name a run's, a checkpoint's in it, or that of a Llama")
    raise InvalidDataError(
        f"{path} is neither a run (it has no plan.yaml), nor a checkpoint in one, nor a Llama (it has no config.json)",
        "name one of those",
    )


def _run(folder: Path, checkpoint: Path | None) -> Base:
    from sixnd.specs.load import load_plan

    plan = load_plan(folder / "plan.yaml")
    _refuse_other_models(folder, plan)
    at, sha256 = _checkpoint(folder, checkpoint, plan.fingerprint())
    training, model = plan.training, plan.model
    return Base(
        origin=Origin(
            kind="run",
            name=f"{plan.name}/{plan.fingerprint()}",
            step=at,
            sha256=sha256,
            peak_learning_rate=training.learning_rate,
            final_learning_rate=training.final_learning_rate or None if at == training.steps else None,
            sources=_sources(folder, plan),
        ),
        shape=model.shape.plain(),
        vocab_size=model.vocab_size,
        tied=model.tied_embeddings,
        sequence_length=model.sequence_length,
        tokenizer_file=RUN_TOKENIZER,
        tokenizer=read_header(folder / RUN_TOKENIZER),
    )


def _refuse_other_models(folder: Path, plan: Plan) -> None:
    if plan.model.architecture is not None:
        raise InvalidDataError(f"{folder}: its model has an architecture of its own", "name a run of model.shape")
    if plan.continual is not None and plan.continual.lora is not None:
        raise InvalidDataError(
            f"{folder}: it trained adapters, which stand beside its weights",
            "export it (`sixnd export --to huggingface`), which merges them, and name the folder that this writes",
        )
    if plan.training.mup is not None:
        raise InvalidDataError(
            f"{folder}: it was trained with muP, whose factors are part of the model",
            "export it (`sixnd export --to "
            "huggingface`), which folds them into the weights, and name the folder that this writes",
        )


def _checkpoint(folder: Path, named: Path | None, fingerprint: str) -> tuple[int, str]:
    """Step and digest of the checkpoint that is named, or of the newest with a sound manifest."""
    found = [path for path in (folder / "checkpoints").glob("step_*") if CHECKPOINT.fullmatch(path.name)]
    reasons = []
    for path in sorted(found, reverse=True) if named is None else [named]:
        try:
            return _manifest(path, fingerprint)
        except InvalidDataError as error:
            reasons.append(str(error))
    raise InvalidDataError("; ".join(reasons) or f"{folder} has no checkpoint yet", "let the run come to its next one")


def _manifest(checkpoint: Path, fingerprint: str) -> tuple[int, str]:
    said = _json(checkpoint / MANIFEST, "a checkpoint's manifest")
    manifest, told = said.get("manifest"), said.get("sha256")
    if not isinstance(manifest, dict) or told != sha256_of(manifest):
        raise InvalidDataError(f"{checkpoint / MANIFEST} is not as it was written", "name another checkpoint")
    if manifest.get("fingerprint") != fingerprint:
        raise InvalidDataError(f"{checkpoint} was written by another plan than its run's", "name another checkpoint")
    return int(manifest["step"]), str(told)


def _sources(folder: Path, plan: Plan) -> list[OriginSource]:
    """What a run was trained on, where its tokens are still there; nothing else."""
    if not (folder / RUN_DATA).is_file():
        return []
    said = _json(folder / RUN_DATA, "what a run's preparation wrote down")
    try:
        tokens = {one["name"]: int(one["train_tokens"]) for one in said["event"]["sources"]}
        files = {one["name"]: one for one in said["sources"]}
        return [
            OriginSource(
                name=source.name,
                weight=source.weight,
                tokens=tokens[source.name],
                train_prefix=files[source.name]["train_prefix"],
                validation_prefix=files[source.name]["validation_prefix"],
            )
            for source in plan.data.sources
            if source.weight
        ]
    except (KeyError, TypeError, ValueError) as error:
        path = folder / RUN_DATA
        raise InvalidDataError(
            f"{path}: not what a preparation of this version writes ({error})", "run `sixnd data prepare` again"
        ) from error


def _llama(folder: Path) -> Base:
    said = _json(folder / "config.json", "the configuration of a Llama")
    if said.get("model_type") != "llama":
        raise InvalidDataError(
            f'{folder / "config.json"}: model_type is {json.dumps(said.get("model_type"))}, and only "llama" is taken',
            "name the folder of a Llama",
        )
    shape = _shape(folder, said)
    file, header = _llama_tokenizer(folder, _size(folder, said, "vocab_size"))
    return Base(
        origin=Origin(kind="llama", name=folder.resolve().name, sha256=llama_sha256(folder)),
        shape=shape,
        vocab_size=header.vocab_size,
        tied=bool(said.get("tie_word_embeddings", False)),
        sequence_length=_size(folder, said, "max_position_embeddings", 2048),
        tokenizer_file=file,
        tokenizer=header,
    )


def _shape(folder: Path, said: dict[str, Any]) -> dict[str, int]:
    shape = {
        "layers": _size(folder, said, "num_hidden_layers"),
        "hidden": _size(folder, said, "hidden_size"),
        "heads": _size(folder, said, "num_attention_heads"),
        "ffn": _size(folder, said, "intermediate_size"),
    }
    shape["kv_heads"] = _size(folder, said, "num_key_value_heads", shape["heads"])
    head_dim = _size(folder, said, "head_dim", shape["hidden"] // shape["heads"])
    if head_dim * shape["heads"] != shape["hidden"]:
        raise InvalidDataError(
            f"{folder / 'config.json'}: head_dim {head_dim} × {shape['heads']} heads is not hidden_size "
            f"{shape['hidden']}, as it is in a model of ours",
            "name another model",
        )
    return shape


def _size(folder: Path, said: dict[str, Any], name: str, default: int | None = None) -> int:
    value = said.get(name)
    value = default if value is None else value
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidDataError(
            f"{folder / 'config.json'}: {name} is {value!r}, and no positive whole number", "fetch it anew"
        )
    return value


def llama_sha256(folder: Path) -> str:
    """Digest of a Llama's configuration and weights; every byte is read."""
    return sha256_of({path.name: file_sha256(path) for path in [folder / "config.json", *llama_files(folder)]})


def llama_files(folder: Path) -> list[Path]:
    """The files of safetensors in a Llama's folder, by name; raises ``InvalidDataError`` where there is none."""
    found = sorted(folder.glob("*.safetensors"))
    if found:
        return found
    pickles = sorted(path.name for pattern in _PICKLES for path in folder.glob(pattern))
    there = f" ({pickles[0]} is no safetensors)" if pickles else ""
    raise InvalidDataError(
        f"{folder}: there are no weights in safetensors{there}",
        "others are not opened, since a pickle can run any program. Have them converted where you trust them",
    )


def _llama_tokenizer(folder: Path, entries: int) -> tuple[str, TokenizerHeader]:
    """The file with the tokenizer's own data, and what is to be in it; the runner builds it, and so checks it."""
    model = _json(folder / "tokenizer.json", "a tokenizer of the `tokenizers` library").get("model")
    kind = model.get("type") if isinstance(model, dict) else None
    beside = (folder / "tokenizer.model").is_file()
    if kind == "WordPiece" and not beside:
        found: TokenizerKind = "wordpiece"
    elif kind in _KINDS and (beside or kind == "BPE"):
        found = _KINDS[kind][beside]
    else:
        raise InvalidDataError(
            f"{folder / 'tokenizer.json'}: its model is {kind!r}, which is no tokenizer of ours", "name another model"
        )
    file = "tokenizer.model" if beside else "tokenizer.json"
    return file, TokenizerHeader(kind=found, vocab_size=entries, sha256=file_sha256(folder / file))


def _json(path: Path, what: str) -> dict[str, Any]:
    try:
        said = json.loads(path.read_bytes())
    except OSError as error:
        raise InvalidDataError(f"{path}: cannot be read ({error.strerror})", f"it should be {what}") from error
    except ValueError as error:
        raise InvalidDataError(f"{path}: is no JSON ({error})", f"it should be {what}") from error
    if not isinstance(said, dict):
        raise InvalidDataError(f"{path}: is no mapping", f"it should be {what}")
    return said
