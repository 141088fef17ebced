"""Folders as a run of ours, and as Hugging Face's libraries, leave a trained model: what planning reads of them."""

import hashlib
import json
from pathlib import Path
from typing import Any

from sixnd.specs.document import sha256_of
from sixnd.specs.plan import Plan, PlannedSource
from sixnd.specs.tokenizers import TokenizerHeader
from tests.runner import tiny

EXAMPLES = Path(__file__).parents[2] / "specs" / "examples" / "continual"
TOKENIZER = json.dumps({"model": {"type": "BPE", "vocab": {}}}).encode()
SPEC = """\
version: budget/1
name: code
budget: {compute: 1e12 FLOPs}
cluster: {accelerators: 1 x cpu-2core}
continual:
  base: BASE
data:
  sources:
    - {name: code, path: "*.py"}
"""
SHAPE = {"layers": 4, "hidden": 64, "heads": 4, "kv_heads": 2, "ffn": 128}


def plan_of_base(**options: Any) -> Plan:
    """A tiny plan of two sources."""
    shares = {"prose": 0.75, "notes": 0.25}
    sources = [
        PlannedSource(name=name, recipe=None, path="*.txt", weight=share, tokens=1, unique_tokens=None, epochs=None)
        for name, share in shares.items()
    ]
    return tiny.plan(sources=sources, **options)


def a_run(folder: Path, plan: Plan | None = None, steps: tuple[int, ...] = (4, 6)) -> Path:
    """A run folder with checkpoints after these steps."""
    made = plan or plan_of_base()
    (folder / "data").mkdir(parents=True)
    (folder / "plan.yaml").write_text(made.to_yaml())
    (folder / "data" / "tokenizer.tok").write_bytes(header().encode() + b"\n" + TOKENIZER)
    files = [
        {"name": s.name, "train_prefix": f"data/{s.name}-train-0a", "validation_prefix": f"data/{s.name}-validation-0b"}
        for s in made.data.sources
    ]
    told = {"sources": [{"name": s.name, "train_tokens": 1000} for s in made.data.sources]}
    (folder / "data" / "manifest.json").write_text(json.dumps({"sources": files, "event": told}))
    for step in steps:
        a_checkpoint(folder, step, made.fingerprint())
    return folder


def a_checkpoint(run: Path, step: int, fingerprint: str) -> Path:
    """A checkpoint by its manifest."""
    folder = run / "checkpoints" / f"step_{step:08d}"
    folder.mkdir(parents=True)
    manifest = {"step": step, "fingerprint": fingerprint, "files": {}}
    (folder / "sixnd.json").write_text(json.dumps({"sha256": sha256_of(manifest), "manifest": manifest}))
    return folder


def header() -> str:
    """The first line of the tokenizer's file."""
    digest = hashlib.sha256(TOKENIZER).hexdigest()
    return TokenizerHeader(kind="byte-bpe", vocab_size=tiny.VOCABULARY, sha256=digest).model_dump_json()


def a_llama(folder: Path, **changes: Any) -> Path:
    """A Llama's folder; its weights are no weights, which planning does not look at."""
    folder.mkdir(parents=True)
    config = {
        "model_type": "llama",
        "num_hidden_layers": 4,
        "hidden_size": 64,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 128,
        "vocab_size": tiny.VOCABULARY,
        "max_position_embeddings": 32,
        "tie_word_embeddings": True,
    }
    kept = {name: value for name, value in (config | changes).items() if value != "left out"}
    (folder / "config.json").write_text(json.dumps(kept))
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "tokenizer.json").write_bytes(TOKENIZER)
    return folder


def spec_file(folder: Path, base: Path | str, *changes: tuple[str, str]) -> Path:
    """A spec beside its base."""
    text = SPEC.replace("BASE", str(base))
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = folder / "code.yaml"
    path.write_text(text)
    return path
