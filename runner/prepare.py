"""Text → tokenizer → Megatron's indexed files, as much of each source as the plan takes.

Every file is named by its content (Megatron caches indices by path, not content), and a manifest written last says
that all of it is there: a preparation that was cut short is done again, a finished one is taken as it is.
"""

import hashlib
import itertools
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sixnd.runner.corpus import documents
from sixnd.runner.data.document import Document
from sixnd.runner.indexed import indexed_writer, token_dtype
from sixnd.runner.job import JobFolder, SourceFiles
from sixnd.runner.tokenizer import Tokenizer
from sixnd.runner.tokenizer_file import write_tokenizer
from sixnd.runner.tokenizer_training import train
from sixnd.specs.document import sha256_of
from sixnd.specs.errors import SixndError
from sixnd.specs.files import write_atomically
from sixnd.specs.plan import Plan, PlannedSource
from sixnd.specs.record import DataPrepared, SourceData

_TOKENIZER_TEXT_BYTES = 8_000_000
_DOCUMENTS_AT_ONCE = 128
_TOKEN_SURPLUS = 1.05  # so that rounding to whole sequences never starts a second epoch

Say = Callable[[str], None]


@dataclass(frozen=True)
class Prepared:
    """The data of a job: tokenizer, files of each source, and what became of them."""

    tokenizer: str
    sources: list[SourceFiles]
    event: DataPrepared


@dataclass
class _Split:
    """Tokens of one source's training or validation part."""

    lengths: list[int] = field(default_factory=list)
    tokens: list[np.ndarray[Any, Any]] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(self.lengths)


def prepare(folder: JobFolder, plan: Plan, base_dir: Path, cache_dir: Path, say: Say) -> Prepared:
    """Prepare the data of a plan in its job folder; ``say`` is told what is being done."""
    manifest = folder.data_path / "manifest.json"
    key = _key(plan)
    done = _read_manifest(manifest, key)
    if done is not None:
        return done
    began = time.perf_counter()
    tokenizer_path = _tokenizer(folder, plan, base_dir, cache_dir, say)
    tokenizer = Tokenizer(tokenizer_path)
    parts = [_encode_source(source, plan, tokenizer, base_dir, cache_dir, say) for source in plan.data.sources]
    files = [_write_source(folder, source, part) for source, part in zip(plan.data.sources, parts, strict=True)]
    event = DataPrepared(
        tokenizer_sha256=hashlib.sha256(tokenizer_path.read_bytes()).hexdigest(),
        vocab_size=tokenizer.vocab_size,
        bytes_per_token=sum(p.bytes for p in parts) / sum(p.train.total + p.validation.total for p in parts),
        sources=[part.summary(source.name) for source, part in zip(plan.data.sources, parts, strict=True)],
        unigram_loss=_unigram_loss(plan, parts),
        seconds=time.perf_counter() - began,
    )
    prepared = Prepared(str(tokenizer_path.relative_to(folder.path)), files, event)
    _write_manifest(manifest, key, prepared)
    return prepared


@dataclass
class _Encoded:
    """One source, encoded."""

    train: _Split = field(default_factory=_Split)
    validation: _Split = field(default_factory=_Split)
    documents: int = 0
    bytes: int = 0
    licences: Counter[str] = field(default_factory=Counter)

    def summary(self, name: str) -> SourceData:
        return SourceData(
            name=name,
            documents=self.documents,
            bytes=self.bytes,
            licences=dict(sorted(self.licences.items())),
            train_tokens=self.train.total,
            validation_tokens=self.validation.total,
            sha256=_sha256(itertools.chain(self.validation.tokens, self.train.tokens)),
        )


def _tokenizer(folder: JobFolder, plan: Plan, base_dir: Path, cache_dir: Path, say: Say) -> Path:
    """Train the tokenizer on a sample of each source in proportion to its share; return its path."""
    path = folder.data_path / "tokenizer.model"
    say(f"training a tokenizer of {plan.model.vocab_size:,} entries on the run's own text")
    texts = itertools.chain.from_iterable(
        _first_bytes(documents(source, base_dir, cache_dir), source.weight * _TOKENIZER_TEXT_BYTES)
        for source in plan.data.sources
    )
    kind = plan.data.tokenizer.kind
    write_tokenizer(path, kind, train(kind, texts, plan.model.vocab_size, _threads()))
    return path


def _first_bytes(found: Iterator[Document], limit: float) -> Iterator[str]:
    """Texts until ``limit`` bytes are reached, the last one cut, so that one long document is not all there is."""
    left = int(limit)
    for document in found:
        text = document.text[: max(left, 1)]
        yield text
        left -= len(text.encode())
        if left <= 0:
            return


def _encode_source(
    source: PlannedSource, plan: Plan, tokenizer: Tokenizer, base_dir: Path, cache_dir: Path, say: Say
) -> _Encoded:
    """Encode documents until the plan's tokens are reached or the source ends; the first ones are held out."""
    say(f"reading and tokenising {source.name}: {source.tokens / 1e6:,.1f}M tokens planned")
    validation_samples = plan.evaluation.batches * plan.training.global_batch * source.weight
    held_out = max(plan.data.validation_fraction * source.tokens, validation_samples * plan.model.sequence_length)
    dtype, part = token_dtype(tokenizer.vocab_size), _Encoded()
    found = documents(source, base_dir, cache_dir)
    while part.train.total < source.tokens * _TOKEN_SURPLUS:
        batch = list(itertools.islice(found, _DOCUMENTS_AT_ONCE))
        if not batch:
            break
        for document, ids in zip(batch, tokenizer.encode_documents([d.text for d in batch], _threads()), strict=True):
            split = part.validation if part.validation.total < held_out else part.train
            split.lengths.append(len(ids))
            split.tokens.append(np.array(ids, dtype=dtype))
            part.documents += 1
            part.bytes += len(document.text.encode())
            part.licences[document.licence] += 1
    _check_enough(source, part, plan.model.sequence_length)
    return part


def _check_enough(source: PlannedSource, part: _Encoded, sequence_length: int) -> None:
    """Both parts must hold a sequence; less is told with what was found."""
    least = sequence_length + 1
    if part.train.total < least or part.validation.total < least:
        raise SixndError(
            f"source '{source.name}' holds {part.documents} documents: {part.train.total:,} tokens to train on and "
            f"{part.validation.total:,} held out; each needs at least {least:,}. Give it more text or several files."
        )


def _write_source(folder: JobFolder, source: PlannedSource, part: _Encoded) -> SourceFiles:
    prefixes = {
        name: _write_indexed(folder, f"{source.name}-{name}", split)
        for name, split in (("train", part.train), ("validation", part.validation))
    }
    return SourceFiles(
        name=source.name,
        weight=source.weight,
        train_prefix=prefixes["train"],
        validation_prefix=prefixes["validation"],
    )


def _write_indexed(folder: JobFolder, name: str, split: _Split) -> str:
    """Write ``.bin`` and ``.idx``; return their prefix, which carries a digest of the tokens."""
    prefix = folder.data_path / f"{name}-{_sha256(split.tokens)[:12]}"
    with indexed_writer(prefix, split.tokens[0].dtype) as writer:
        for first in range(0, len(split.tokens), _DOCUMENTS_AT_ONCE):
            writer.add(split.tokens[first : first + _DOCUMENTS_AT_ONCE])
    return str(prefix.relative_to(folder.path))


def _sha256(documents: Iterable[np.ndarray[Any, Any]]) -> str:
    """SHA-256 of documents' tokens, one after the other."""
    digest = hashlib.sha256()
    for tokens in documents:
        digest.update(tokens.tobytes())
    return digest.hexdigest()


def _unigram_loss(plan: Plan, parts: list[_Encoded]) -> float:
    """Cross-entropy (nats) of the training blend's token frequencies on the validation blend.

    Frequencies are smoothed by one count an entry, so that a token never seen in training has a finite loss.
    """
    vocabulary = plan.model.vocab_size
    train, validation = np.zeros(vocabulary), np.zeros(vocabulary)
    for source, part in zip(plan.data.sources, parts, strict=True):
        for total, split in ((train, part.train), (validation, part.validation)):
            counts = np.bincount(np.concatenate(split.tokens), minlength=vocabulary)
            total += source.weight * counts / counts.sum()
    seen = sum(part.train.total for part in parts)
    probability = (train / train.sum() * seen + 1) / (seen + vocabulary)
    return float(-(validation / validation.sum() * np.log(probability)).sum())


def _threads() -> int:
    return len(os.sched_getaffinity(0))


def _key(plan: Plan) -> str:
    """Digest of all that decides the prepared data."""
    parts = {"data": plan.data.plain(), "model": plan.model.plain(), "evaluation": plan.evaluation.plain()}
    return sha256_of(parts | {"global_batch": plan.training.global_batch})


def _write_manifest(path: Path, key: str, prepared: Prepared) -> None:
    root = path.parent.parent
    names = [prepared.tokenizer]
    for source in prepared.sources:
        names += [
            f"{prefix}{end}" for prefix in (source.train_prefix, source.validation_prefix) for end in (".bin", ".idx")
        ]
    content = {
        "key": key,
        "bytes": {name: (root / name).stat().st_size for name in names},
        "tokenizer": prepared.tokenizer,
        "sources": [source.plain() for source in prepared.sources],
        "event": prepared.event.plain(),
    }
    write_atomically(path, json.dumps(content, indent=1))


def _read_manifest(path: Path, key: str) -> Prepared | None:
    """What a finished preparation left, if it was for the same key and every file is still whole."""
    if not path.is_file():
        return None
    content = json.loads(path.read_text("utf-8"))
    root = path.parent.parent
    whole = all(
        (root / name).is_file() and (root / name).stat().st_size == size for name, size in content["bytes"].items()
    )
    if content["key"] != key or not whole:
        return None
    sources = [SourceFiles.model_validate(source) for source in content["sources"]]
    return Prepared(content["tokenizer"], sources, DataPrepared.model_validate(content["event"]))
