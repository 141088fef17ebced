"""The items of a run's tasks, made once of its held-out text and its seed."""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sixnd.runner.evaluation.generated import Drawn, Maker, arithmetic, brackets, copying, induction
from sixnd.runner.evaluation.held_out import Texts, choice, cloze
from sixnd.runner.evaluation.items import write_items
from sixnd.runner.evaluation.text import documents
from sixnd.runner.indexed_reader import IndexedReader
from sixnd.runner.job import Job, JobFolder
from sixnd.runner.tokenizers.file import load_tokenizer
from sixnd.runner.tokenizers.text_models import END_OF_DOCUMENT, PADDING, TextModel
from sixnd.specs.document import sha256_of
from sixnd.specs.evaluation import ITEM_TOKENS
from sixnd.specs.evaluation_record import TaskItems
from sixnd.specs.files import file_sha256
from sixnd.specs.plan import Plan

_TEXT_TOKENS = 500_000
"""Of each source's held-out text, from which items are made."""
_POOL = 1000
"""The most frequent tokens, which patterns are drawn from: rarer ones are hardly trained."""
_GENERATED: dict[str, Callable[[Maker, int], Drawn]] = {
    "arithmetic": arithmetic,
    "copying": copying,
    "induction": induction,
    "brackets": brackets,
}
_HELD_OUT: dict[str, Callable[[Maker, Texts, int], Drawn]] = {"cloze": cloze, "choice": choice}


def items_path(folder: JobFolder, plan: Plan, job: Job) -> Path:
    """Where the items are, named by all that decides them: tasks, seed, tokenizer, held-out text."""
    planned = plan.evaluation
    key = sha256_of(
        {
            "tasks": list(planned.tasks),
            "items": planned.items,
            "seed": planned.item_seed,
            "longest": _longest(plan),
            "tokenizer": file_sha256(folder.path / job.tokenizer),
            "held_out": [source.validation_prefix for source in job.sources],  # named by their content
        }
    )
    return folder.data_path / f"items-{key[:12]}.jsonl"


def build_items(folder: JobFolder, plan: Plan, job: Job) -> None:
    """Write the items of the plan's tasks."""
    model = load_tokenizer(folder.path / job.tokenizer)
    readers = {source.name: IndexedReader(folder.path / source.validation_prefix) for source in job.sources}
    ids = {name: _first_documents(reader) for name, reader in readers.items()}
    texts = {name: [model.decode(document[document != END_OF_DOCUMENT]) for document in ids[name]] for name in ids}
    pool = _pool(model, np.concatenate([document for name in ids for document in ids[name]]))
    drawn = {}
    for task in plan.evaluation.tasks:
        draw = random.Random(f"{plan.evaluation.item_seed}/{task}")  # noqa: S311 - no secret
        maker = Maker(model, pool, _longest(plan), draw)
        drawn[task] = _drawn(maker, task, texts, plan.evaluation.items)
    told = [
        TaskItems(task=task, items=len(one.items), discrete=one.discrete, chance=one.chance, chance_basis=one.basis)
        for task, one in drawn.items()
    ]
    write_items(items_path(folder, plan, job), [item for one in drawn.values() for item in one.items], told)


def _drawn(maker: Maker, task: str, texts: Texts, count: int) -> Drawn:
    return _GENERATED[task](maker, count) if task in _GENERATED else _HELD_OUT[task](maker, texts, count)


def _longest(plan: Plan) -> int:
    return min(ITEM_TOKENS, plan.model.sequence_length)


def _first_documents(reader: IndexedReader) -> list["np.ndarray[tuple[int], np.dtype[np.int64]]"]:
    found, seen = [], 0
    for document in documents(reader):
        found.append(document[: _TEXT_TOKENS - seen])
        seen += len(document)
        if seen >= _TEXT_TOKENS:
            break
    return found


def _pool(model: TextModel, tokens: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> list[int]:
    """The most frequent tokens that are whole text by themselves."""
    counts = np.bincount(tokens, minlength=2)
    counts[[END_OF_DOCUMENT, PADDING]] = 0
    ranked = [int(i) for i in np.argsort(-counts, kind="stable") if counts[i]][: 2 * _POOL]
    return [i for i in ranked if (text := model.decode([i])) and "�" not in text and text.strip()][:_POOL]
