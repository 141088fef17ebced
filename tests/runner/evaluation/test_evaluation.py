"""Evaluation in the loop: what is predicted, what is counted, and which items are asked."""

import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.runner.evaluation.build import build_items, items_path
from sixnd.runner.evaluation.evaluation import Evaluator, source_loss
from sixnd.runner.evaluation.generated import Maker, arithmetic, brackets, copying, induction
from sixnd.runner.evaluation.held_out import choice, cloze
from sixnd.runner.evaluation.items import Item, read_items
from sixnd.runner.evaluation.metrics import answered, mean, task_score, wilson
from sixnd.runner.evaluation.rows import held_out_rows, item_rows
from sixnd.runner.evaluation.scores import _likeliest
from sixnd.runner.evaluation.text import HeldOut, held_out
from sixnd.runner.indexed import indexed_writer
from sixnd.runner.indexed_reader import IndexedReader
from sixnd.runner.job import Job, JobFolder
from sixnd.runner.prepare import Prepared
from sixnd.runner.tokenizers.file import load_tokenizer
from sixnd.runner.trainer import Trainer
from sixnd.specs.document import Document
from sixnd.specs.errors import InvalidDataError
from sixnd.specs.evaluation_record import SourceLosses, TaskScores, TasksWritten
from sixnd.specs.plan import Plan
from tests.runner import alone, tiny
from tests.runner.conftest import sources

TASKS = ["arithmetic", "copying", "induction", "brackets", "cloze"]
CLOSES = {"(": ")", "[": "]", "{": "}"}
TEXT = " ".join(
    f"The {first} {second} went to the old town and came back with a new {last}."
    for first in ("grey", "small", "young", "tall")
    for second in ("horse", "farmer", "sailor")
    for last in ("hat", "friend", "story", "lamp")
)


@pytest.fixture
def folder(data: tuple[Path, Prepared], tmp_path: Path) -> tuple[JobFolder, Job]:
    root, prepared = data
    made = JobFolder(tmp_path / "run")
    made.path.mkdir()
    (made.path / "data").symlink_to(root / "data")
    paths = {"tokenizer": prepared.tokenizer, "sources": prepared.sources}
    return made, Job(processes=1, threads_per_process=1, command=[], environment={}, **paths)


@pytest.fixture
def maker(folder: tuple[JobFolder, Job]) -> Maker:
    where, job = folder
    return Maker(load_tokenizer(where.path / job.tokenizer), range(40, 200), 128, random.Random(5))  # noqa: S311


def evaluated(**changes: Any) -> Plan:
    made = tiny.plan(steps=6, sources=sources(12))
    asked = {"source_batches": 2, "tasks": TASKS, "task_steps": [2, 6], "items": 20} | changes
    return made.model_copy(update={"evaluation": made.evaluation.model_copy(update=asked)})


def log_chances(model: Any, ids: list[int]) -> torch.Tensor:
    with torch.no_grad():
        logits = model(torch.tensor([ids]), torch.arange(len(ids))[None], None)[0].double()
    return torch.log_softmax(logits, dim=-1)


def nats_of(model: Any, prompt: list[int], continuation: list[int]) -> tuple[float, bool]:
    found = log_chances(model, [0, *prompt, *continuation[:-1]])[-len(continuation) :]
    nats = -float(found[torch.arange(len(continuation)), torch.tensor(continuation)].sum())
    return nats, found.argmax(dim=-1).tolist() == continuation


def test_sources_and_tasks_score_as_plain_log_softmax_over_the_whole_vocabulary(
    folder: tuple[JobFolder, Job], tmp_path: Path
) -> None:
    where, job = folder
    plan = evaluated()
    with alone.one_rank(tmp_path / "self"):
        trainer, kept = Trainer(plan), list[Document]()
        evaluator = Evaluator(where, plan, job, trainer, 1, kept.append, iter)
        for step in (1, 2, 3, 6):
            evaluator.after(step)
        model = trainer.chunks[0].module.eval()
        kinds = [type(event) for event in kept]
        assert kinds == [TasksWritten, TaskScores, SourceLosses, SourceLosses, TaskScores]
        _check_sources(model, kept[2], where, job)
        _check_tasks(model, kept[1], where, kept[0])


def test_padding_of_the_vocabulary_is_never_the_likeliest(tmp_path: Path) -> None:
    logits = torch.tensor([[[0.0, 3.0, 3.0, 1.0, 9.0], [2.0, 1.0, 0.0, 0.0, 9.0]]])
    with alone.one_rank(tmp_path / "self"):
        assert _likeliest(logits, 4).tolist() == [[1, 0]]
        assert _likeliest(logits, 5).tolist() == [[4, 4]]


def _check_sources(model: Any, told: Any, where: JobFolder, job: Job) -> None:
    text_model = load_tokenizer(where.path / job.tokenizer)
    for source, files in zip(told.sources, job.sources, strict=True):
        reader = IndexedReader(where.path / files.validation_prefix)
        tokens = next(reader.batches(0, reader.documents))[0][: source.tokens].tolist()
        rows = [[0, *tokens][first : first + tiny.LENGTH + 1] for first in range(0, len(tokens), tiny.LENGTH)]
        nats = sum(
            -float(log_chances(model, row[:-1])[torch.arange(len(row) - 1), torch.tensor(row[1:])].sum())
            for row in rows
        )
        size = len(text_model.decode([i for i in tokens if i]).encode())
        assert 2 * tiny.BATCH * tiny.LENGTH - 8 <= source.tokens <= 2 * tiny.BATCH * tiny.LENGTH
        assert source.bytes == size
        assert source.loss == pytest.approx(nats / source.tokens, rel=1e-5)
        assert source.bits_per_byte == pytest.approx(nats / size / math.log(2), rel=1e-5)


def _check_tasks(model: Any, told: Any, where: JobFolder, written: Any) -> None:
    items = read_items(where.path / written.path)
    assert {score.task for score in told.scores} == {task.task for task in written.tasks if task.items}
    for score in told.scores:
        per_byte, right = [], []
        for item in items.of(score.task):
            scored = [nats_of(model, item.prompt, choice) for choice in item.choices]
            nats = [each for each, _ in scored]
            per_byte.append(nats[item.answer] / item.answer_bytes)
            right.append(nats.index(min(nats)) == item.answer if len(nats) > 1 else scored[0][1])
        assert score.discrete.value == sum(right) / len(right), score.task
        assert score.measure("nats per byte").value == pytest.approx(sum(per_byte) / len(per_byte), rel=1e-5)


def test_items_are_the_same_when_made_again_and_refused_when_changed(folder: tuple[JobFolder, Job]) -> None:
    where, job = folder
    plan = evaluated(item_seed=7)
    build_items(where, plan, job)
    path = items_path(where, plan, job)
    first = read_items(path)
    build_items(where, plan, job)
    assert read_items(path).sha256 == first.sha256
    assert items_path(where, evaluated(item_seed=8), job) != path
    path.write_text(path.read_text().replace("20", "21", 1))
    with pytest.raises(InvalidDataError, match="items were changed"):
        read_items(path)


def test_generated_items_have_the_right_answers(maker: Maker) -> None:
    decode = maker.model.decode
    for item in arithmetic(maker, 30).items:
        asked = decode(item.prompt).rsplit("\n", 1)[-1].removesuffix("=")
        assert sum(map(int, asked.split("+"))) == int(decode(item.choices[0]))
    for item in copying(maker, 10).items:
        assert item.prompt[:8] == item.choices[0]
    for item in induction(maker, 10).items:
        pattern, again = item.prompt[:8], item.prompt[8:]
        assert [*again, *item.choices[0]] == pattern[: len(again) + 1]


def test_brackets_close_what_is_open_last_and_each_kind_equally_often(maker: Maker) -> None:
    items = brackets(maker, 30).items
    for item in items:
        opened: list[str] = []
        for symbol in maker.model.decode(item.prompt).split():
            if symbol in CLOSES:
                opened.append(symbol)
            else:
                assert CLOSES[opened.pop()] == symbol
        assert maker.model.decode(item.choices[item.answer]).strip() == CLOSES[opened[-1]]
    assert [sum(item.answer == kind for item in items) for kind in range(3)] == [10, 10, 10]


def test_held_out_items_continue_the_text_they_come_from(maker: Maker) -> None:
    decode, texts = maker.model.decode, {"prose": [TEXT]}
    words, passages = cloze(maker, texts, 20), choice(maker, texts, 5)
    assert len(words.items) == 20
    assert len(passages.items) == 5
    for item in words.items:
        assert decode(item.prompt) + decode(item.choices[0]) + "." in TEXT
    for item in passages.items:
        continued = [decode(item.prompt) + decode(choice) in TEXT for choice in item.choices]
        assert continued[item.answer]
        assert sum(continued) == 1
    most = max(sum(other.choices == item.choices for other in words.items) for item in words.items)
    assert words.chance == most / 20


def test_text_too_short_gives_no_item(maker: Maker) -> None:
    assert not cloze(maker, {"prose": ["Too short."]}, 20).items
    assert not choice(maker, {"prose": ["Too short."]}, 20).items


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=4), st.integers(1, 17), st.integers(0, 9))
def test_every_held_out_token_is_predicted_once_from_what_stands_before_it(
    sizes: list[int], length: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    texts = [HeldOut(str(i), generator.integers(2, 99, size), 1) for i, size in enumerate(sizes)]
    rows, places = held_out_rows(texts, length)
    for text, place in zip(texts, places, strict=True):
        assert rows.labels[place][rows.mask[place]].tolist() == text.tokens.tolist()
        assert rows.tokens[place][rows.mask[place]].tolist() == [0, *text.tokens[:-1]]
    assert int(rows.mask.sum()) == sum(sizes)


def test_rows_of_items_count_the_continuation_alone() -> None:
    items = [Item("t", "", [5, 6], [[7], [8, 9]], 0, 1), Item("t", "", [4], [[3]], 0, 1)]
    rows = item_rows(items, 4)
    assert rows.length == 4
    assert [row[mask].tolist() for row, mask in zip(rows.labels, rows.mask, strict=True)] == [[7], [8, 9], [3]]
    assert rows.tokens[:, 0].tolist() == [0, 0, 0]


@pytest.mark.parametrize("most", range(1, 30))
def test_text_is_cut_between_two_characters_and_its_bytes_are_counted(
    folder: tuple[JobFolder, Job], tmp_path: Path, most: int
) -> None:
    where, job = folder
    model, text = load_tokenizer(where.path / job.tokenizer), "naïve 日本語 ✓ the end"
    ids = [*model.encode([text])[0].tolist(), 0]
    with indexed_writer(tmp_path / "text", np.dtype(np.uint16)) as writer:
        writer.add([np.array(ids, np.uint16)] * 2)
    found = held_out("s", IndexedReader(tmp_path / "text"), model, most)
    shown = model.decode([i for i in found.tokens.tolist() if i])
    assert (text + text).startswith(shown)
    assert found.bytes == len(shown.encode())
    assert most - 4 < len(found.tokens) <= most or len(found.tokens) == 2 * len(ids)


@given(st.integers(1, 500), st.data())
def test_wilsons_interval_holds_the_share_and_narrows_with_items(items: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, items))
    low, high = wilson(right, items)
    assert 0 <= low <= right / items <= high <= 1
    wider = wilson(right, items)
    narrow = wilson(right * 4, items * 4)
    assert narrow[1] - narrow[0] < wider[1] - wider[0]


def test_wilsons_interval_is_the_published_one() -> None:
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)  # Newcombe 1998, table I, method 3


def test_an_answer_is_exact_only_when_every_token_is_the_likeliest() -> None:
    item = Item("t", "", [1], [[7, 8]], 0, 4)
    assert answered(item, np.array([[2.0, 2.0]])).right
    half = answered(item, np.array([[2.0, 1.0]]))
    assert not half.right
    assert (half.graded, half.nats_per_byte, half.probability) == (0.5, 0.5, pytest.approx(math.exp(-2)))


def test_choices_are_weighed_by_their_likelihood() -> None:
    item = Item("t", "", [1], [[7], [8], [9]], 1, 2)
    found = answered(item, np.array([[math.log(4), 0], [math.log(2), 0], [math.log(4), 0]]))
    assert found.right
    assert found.probability == pytest.approx(0.5)
    assert found.graded == pytest.approx(0.25 + 2 / 16)
    tied = answered(item, np.array([[1.0, 0], [1.0, 0], [2.0, 0]]))
    assert not tied.right


def test_a_tasks_score_is_over_its_items() -> None:
    items = [Item("t", "", [1], [[7], [8]], 0, 2), Item("t", "", [1], [[7], [8]], 1, 2)]
    score = task_score("t", items, np.array([[1.0, 0], [3.0, 0], [1.0, 0], [3.0, 0]]))
    assert (score.items, score.discrete.name, score.discrete.value) == (2, "accuracy", 0.5)
    assert score.measure("nats per byte").value == 1.0
    assert score.measure("Brier score").better == "lower"


def test_the_bootstrap_holds_the_mean_and_is_the_same_again() -> None:
    values = np.random.default_rng(3).normal(5, 1, 100).tolist()
    first = mean("x", "lower", values)
    assert first == mean("x", "lower", values)
    assert first.low < first.value < first.high
    assert first.high - first.low == pytest.approx(2 * 1.96 * np.std(values) / 10, rel=0.15)


def test_bits_per_byte_follow_from_the_loss() -> None:
    found = source_loss(HeldOut("s", np.arange(10), 25), 20.0)
    assert (found.loss, found.tokens, found.bytes) == (2.0, 10, 25)
    assert found.bits_per_byte == pytest.approx(2.0 * 10 / 25 / math.log(2))
