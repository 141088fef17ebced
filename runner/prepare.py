"""The data of a job: text → tokenizer and tokens → Megatron's indexed files, dealt to the phases of the plan.

Every file is named by its content (Megatron caches indices by path, not content), and a manifest written last says
what each of them must be: a preparation that was cut short goes on where it was. A finished one is read whole at every
start, and what is no longer as it was written is written anew, from the tokens it was dealt from.
"""

import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sixnd.runner.cores import cores
from sixnd.runner.data.executors import run_local
from sixnd.runner.data.preparation import Preparation, PreparedSource, PreparedTokens
from sixnd.runner.data.prepared_folder import prepared_in
from sixnd.runner.data.step_progress import StepTeller
from sixnd.runner.data.token_shards import forget_damaged
from sixnd.runner.data.work import Step
from sixnd.runner.deal import Dealt, Part, deal, tokens_missing
from sixnd.runner.index_cache import remove_unproved
from sixnd.runner.indexed_reader import IndexedReader
from sixnd.runner.job import JobFolder, SourceFiles
from sixnd.runner.proofs import FileProof, damaged, prove
from sixnd.runner.repeated import repeated_shares
from sixnd.runner.replayed import check_tokenizer, data_to_prepare, from_text, replayed
from sixnd.runner.tokenizers.file import load_tokenizer
from sixnd.specs.base_folders import RUN_DATA, RUN_TOKENIZER
from sixnd.specs.document import sha256_of
from sixnd.specs.files import file_sha256, replaced_atomically, write_atomically
from sixnd.specs.plan import Plan
from sixnd.specs.record import DataPrepared, SourceData

_COUNTED_TOKENS = 20_000_000

Say = Callable[[str], None]


@dataclass(frozen=True)
class Prepared:
    """The data of a job: tokenizer, files of each source, and what became of them."""

    tokenizer: str
    sources: list[SourceFiles]
    event: DataPrepared


def prepare(folder: JobFolder, plan: Plan, base_dir: Path, cache_dir: Path, say: Say) -> Prepared:
    """Prepare the data of a plan in its job folder; ``say`` is told what is being done."""
    manifest = folder.path / RUN_DATA
    key = _key(plan)
    _tell_damage(remove_unproved(folder.data_path / "index"), say)
    done = _read_manifest(manifest, key, say)
    if done is not None:
        return done
    began = time.perf_counter()
    tokens = _tokens(folder, plan, base_dir, cache_dir, say)
    check_tokenizer(plan, tokens.tokenizer)
    with replaced_atomically(folder.path / RUN_TOKENIZER) as temporary:
        shutil.copyfile(tokens.tokenizer, temporary)
    own = {
        source.name: (found, deal(source, plan, found.prefixes, folder.data_path))
        for source, found in zip(from_text(plan), tokens.sources, strict=True)
    }
    taken = replayed(plan, base_dir, folder.data_path)
    told = {name: _told(*each) for name, each in own.items()} | {name: each.told for name, each in taken.items()}
    parts = {name: dealt for name, (_, dealt) in own.items()} | {name: each.parts for name, each in taken.items()}
    repeated = repeated_shares(parts)
    dealt = [parts[source.name] for source in plan.data.sources]
    event = DataPrepared(
        tokenizer_sha256=file_sha256(tokens.tokenizer),
        vocab_size=load_tokenizer(tokens.tokenizer).vocab_size,
        bytes_per_token=sum(s.tokens.bytes for s in tokens.sources) / sum(s.tokens.tokens for s in tokens.sources),
        sources=[
            told[source.name].model_copy(update={"repeated_share": repeated[source.name]})
            for source in plan.data.sources
        ],
        unigram_loss=_unigram_loss(plan, dealt),
        seconds=time.perf_counter() - began,
    )
    files = [each.files(folder.path) for each in dealt]
    prepared = Prepared(RUN_TOKENIZER, files, event)
    _write_manifest(manifest, key, prepared)
    return prepared


def _tokens(folder: JobFolder, plan: Plan, base_dir: Path, cache_dir: Path, say: Say) -> PreparedTokens:
    """Tokens of every source: those that were prepared before, or as many as the plan reads."""
    if plan.spec.data.prepared is not None:
        say(f"taking the data prepared in {plan.spec.data.prepared.folder}")
        return prepared_in(plan.spec.data.prepared)
    workers = cores()
    teller = StepTeller(say)

    def run(where: Path, step: Step) -> None:
        run_local(where, step, workers=workers, progress=teller.tell)

    sources = {source.name: source for source in plan.data.sources}

    def missing(name: str, shards: Sequence[Path]) -> float:
        return tokens_missing(sources[name], plan, shards)

    work = folder.data_path / "work"
    _tell_damage(forget_damaged(work), say)
    data = data_to_prepare(plan, base_dir, folder.data_path)
    return Preparation(work, data, base_dir, cache_dir, run, say, missing).prepared(plan.model.vocab_size)


def _tell_damage(wrong: dict[str, str], say: Say) -> None:
    for name, what in wrong.items():
        say(f"{name} {what}; it is written anew before anything is trained on it")


def _told(found: PreparedSource, parts: Dealt) -> SourceData:
    """What became of one source."""
    return SourceData(
        name=found.name,
        documents=found.tokens.documents,
        bytes=found.tokens.bytes,
        licences=found.tokens.licences,
        languages=found.tokens.languages,
        stages=found.stages.stages,
        damage=found.damage,
        train_tokens=parts.train_tokens,
        validation_tokens=parts.validation.tokens,
        sha256=parts.sha256,
    )


def _unigram_loss(plan: Plan, dealt: Sequence[Dealt]) -> float:
    """Cross-entropy (nats) of the main phase's token frequencies on the validation blend.

    Frequencies are of the first 20M tokens of each part at most, and smoothed by one count an entry, so that a token
    never seen in training has a finite loss.
    """
    vocabulary = plan.model.vocab_size
    train, validation, seen = np.zeros(vocabulary), np.zeros(vocabulary), 0
    for parts in dealt:
        train_counts, validation_counts = (_frequencies(part, vocabulary) for part in (parts.main, parts.validation))
        train += parts.weight * train_counts / max(train_counts.sum(), 1)
        validation += parts.weight * validation_counts / validation_counts.sum()
        seen += int(train_counts.sum())
    probability = (train / train.sum() * seen + 1) / (seen + vocabulary)
    return float(-(validation / validation.sum() * np.log(probability)).sum())


def _frequencies(part: Part, vocabulary: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    counts = np.zeros(vocabulary, np.int64)
    for tokens, _lengths in IndexedReader(part.prefix).batches(0, part.documents):
        counts += np.bincount(tokens, minlength=vocabulary)
        if counts.sum() >= _COUNTED_TOKENS:
            break
    return counts


def _key(plan: Plan) -> str:
    """Digest of all that decides the prepared data; how far attention reaches does not."""
    held_out = plan.evaluation.model_dump(mode="json", include={"every_steps", "batches"})
    data = plan.data.model_dump(mode="json", exclude={"document_masks"})
    parts = {"data": data, "model": plan.model.plain(), "evaluation": held_out}
    if plan.continual is not None:
        parts["continual"] = plan.continual.plain() | {"source_batches": plan.evaluation.source_batches}
    return sha256_of(parts | {"global_batch": plan.training.global_batch})


def _write_manifest(path: Path, key: str, prepared: Prepared) -> None:
    root = path.parent.parent
    names = [prepared.tokenizer]
    for source in prepared.sources:
        names += [f"{prefix}{end}" for prefix in sorted(source.prefixes) for end in (".bin", ".idx")]
    content = {
        "key": key,
        "files": {name: proof.plain() for name, proof in prove(root, names).items()},
        "tokenizer": prepared.tokenizer,
        "sources": [source.plain() for source in prepared.sources],
        "event": prepared.event.plain(),
    }
    write_atomically(path, json.dumps(content, indent=1))


def _read_manifest(path: Path, key: str, say: Say) -> Prepared | None:
    """What a finished preparation left, if it was for the same key and every byte of it is as it was written."""
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_bytes())
        proofs = {name: FileProof.model_validate(proof) for name, proof in content["files"].items()}
    except (ValueError, KeyError):  # damaged, or of before files were proved by their content
        return None
    if content["key"] != key:
        return None
    wrong = damaged(path.parent.parent, proofs)
    _tell_damage(wrong, say)
    if wrong:
        return None
    sources = [SourceFiles.model_validate(source) for source in content["sources"]]
    return Prepared(content["tokenizer"], sources, DataPrepared.model_validate(content["event"]))
