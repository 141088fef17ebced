"""General text from a base run's own folder: its tokens as that run was trained on them, and what it held out.

What it held out stays held out, so that forgetting is measured on text that the base has not seen.
"""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from sixnd.runner.deal import Dealt, Part, phase_share
from sixnd.runner.indexed import verified, with_suffix
from sixnd.runner.tokenizers.file import tokenizer_data, write_tokenizer
from sixnd.specs.base_folders import RUN_DATA, base_folder
from sixnd.specs.errors import InvalidDataError
from sixnd.specs.files import replaced_atomically
from sixnd.specs.plan import Plan, PlannedData, PlannedSource
from sixnd.specs.record import SourceData

_SUFFIXES = (".bin", ".idx", ".json")
_DIGITS = 12


@dataclass(frozen=True)
class Replayed:
    """One source of the base: its parts in the run's folder, and what the base's preparation told of it."""

    parts: Dealt
    told: SourceData


def from_text(plan: Plan) -> list[PlannedSource]:
    """The plan's sources whose tokens do not come from a base's folder."""
    kept = _kept(plan)
    return [source for source in plan.data.sources if source.name not in kept]


def replayed(plan: Plan, base_dir: Path, into: Path) -> dict[str, Replayed]:
    """Every source whose tokens come from the base's folder, taken into the folder ``into``.

    Raises ``InvalidDataError`` where the base's files are not there any more, or are not what they were.
    """
    kept = _kept(plan)
    if not kept:
        return {}
    assert plan.continual is not None, "it has general sources"
    run, _checkpoint = base_folder(base_dir / plan.continual.base)
    told = _told(run)
    return {
        source.name: Replayed(_taken(plan, source.name, run, *kept[source.name], into), told[source.name])
        for source in plan.data.sources
        if source.name in kept
    }


def _kept(plan: Plan) -> dict[str, tuple[str, str]]:
    """By source, the prefixes of its training and held-out tokens in the base's folder."""
    general = plan.continual.general if plan.continual else []
    return {s.name: (s.train_prefix, s.validation_prefix) for s in general if s.train_prefix and s.validation_prefix}


def _told(run: Path) -> dict[str, SourceData]:
    event = json.loads((run / RUN_DATA).read_bytes())["event"]
    return {source["name"]: SourceData.model_validate(source) for source in event["sources"]}


def _taken(plan: Plan, name: str, run: Path, train: str, validation: str, into: Path) -> Dealt:
    """The parts of one source; annealing, where it reads the source, reads what the main phase does."""
    (held_out, _), (read, sha256) = (_part(run / prefix, into) for prefix in (validation, train))
    return Dealt(
        name,
        phase_share(plan, "main", name),
        validation=held_out,
        main=read,
        annealing=read if phase_share(plan, "annealing", name) else None,
        sha256=sha256,
    )


def _part(prefix: Path, into: Path) -> tuple[Part, str]:
    """The files at one prefix, proved, and linked or copied, and the SHA-256 of their tokens."""
    summary, taken = verified(prefix), into / prefix.name
    linked = [_linked(with_suffix(prefix, suffix), into) for suffix in _SUFFIXES]
    if not all(linked):
        verified(taken)  # what was copied may have been damaged on the way
    return Part(taken, 0, summary.documents, summary.tokens), summary.bin_sha256


def _linked(file: Path, into: Path) -> bool:
    """Give the file a second name, or make a copy where another file system lies between; whether it is a name."""
    target = into / file.name
    target.unlink(missing_ok=True)
    try:
        os.link(file, target)
    except OSError:
        with replaced_atomically(target) as temporary:
            shutil.copyfile(file, temporary)
        return False
    return True


def data_to_prepare(plan: Plan, base_dir: Path, into: Path) -> PlannedData:
    """The plan's data without what the base's folder holds, with the base's tokenizer as a file of ours.

    Raises ``InvalidDataError`` where the tokenizer is not what was planned with, or no tokenizer of ours.
    """
    data = plan.data.model_copy(update={"sources": from_text(plan)})
    if plan.continual is None:
        return data
    choice = data.tokenizer
    assert choice.file is not None, "a base has one"
    assert choice.trained is not None, "a base has one"
    source = base_dir / choice.file
    kind, content = (choice.trained.kind, _bytes(source)) if plan.continual.kind == "llama" else tokenizer_data(source)
    if hashlib.sha256(content).hexdigest() != choice.trained.sha256:
        raise InvalidDataError(f"{source} is not the tokenizer that was planned with: it was changed", "plan anew")
    file = into / f"base-{choice.trained.sha256[:_DIGITS]}.tok"
    write_tokenizer(file, kind, content)
    return data.model_copy(update={"tokenizer": choice.model_copy(update={"file": str(file)})})


def check_tokenizer(plan: Plan, file: Path) -> None:
    """Raise ``InvalidDataError`` unless the tokens of a continual run were made by its base's tokenizer."""
    trained = plan.data.tokenizer.trained if plan.continual else None
    if trained is not None and hashlib.sha256(tokenizer_data(file)[1]).hexdigest() != trained.sha256:
        raise InvalidDataError(
            f"the data was prepared with another tokenizer than the base's ({file})", "prepare it again from this spec"
        )


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidDataError(f"{path}: cannot be read ({error.strerror})", "it is the base's tokenizer") from error
