import itertools
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from megatron.core.datasets import helpers

from sixnd.runner.batches import PhasedDataset, StepSampler, build_datasets, micro_batches, most_drawn
from sixnd.runner.deal import deal
from sixnd.runner.job import Job, JobFolder
from sixnd.runner.prepare import Prepared
from sixnd.specs.plan import Plan
from tests.runner import tiny
from tests.runner.alone import one_rank
from tests.runner.annealed import annealed, source, write_shards


@given(data=st.sampled_from([1, 2, 4]), micro=st.sampled_from([1, 2]), first=st.integers(1, 5), count=st.integers(1, 4))
def test_a_steps_sequences_do_not_depend_on_the_layout(data: int, micro: int, first: int, count: int) -> None:
    plan = tiny.plan(tiny.layout(data=data, micro_batch=micro), steps=20)
    last = first + count - 1
    samplers = [StepSampler(plan.training.batches, plan.layout, rank, first, last) for rank in range(data)]
    dealt = [list(sampler) for sampler in samplers]
    assert all(len(batches) == len(sampler) for batches, sampler in zip(dealt, samplers, strict=True))
    per_step = len(dealt[0]) // count
    for step in range(first, last + 1):
        own = slice((step - first) * per_step, (step - first + 1) * per_step)
        together = sorted(i for batches in dealt for batch in batches[own] for i in batch)
        assert together == list(range((step - 1) * tiny.BATCH, step * tiny.BATCH))


def test_a_resumed_sampler_goes_on_where_the_first_would_have_been() -> None:
    plan = tiny.plan(tiny.layout(data=2), steps=20)
    resumed = StepSampler(plan.training.batches, plan.layout, 1, 5, 9)
    assert list(resumed) == list(StepSampler(plan.training.batches, plan.layout, 1, 1, 9))[-len(resumed) :]


@settings(max_examples=300, deadline=None)
@given(
    logs=st.lists(st.floats(-6.0, 0.0), min_size=2, max_size=50),
    samples=st.integers(1, 3000),
)
def test_the_blend_never_asks_a_source_for_more_than_it_has_and_hardly_for_less(
    logs: list[float], samples: int
) -> None:
    weights = [10**log for log in logs]
    shares = [weight / sum(weights) for weight in weights]
    sources, index = np.zeros(samples, dtype=np.int16), np.zeros(samples, dtype=np.int64)
    helpers.build_blending_indices(sources, index, shares, len(shares), samples, False)
    drawn = np.bincount(sources, minlength=len(shares))
    held = np.array(most_drawn(weights, samples))
    assert all(drawn <= held)
    assert sum(held) <= samples + len(shares)


SHARES = {"prose": (0.9, 0.3), "code": (0.09, 0.65), "sums": (0.01, 0.05)}
STEPS, LAST = 300, 130


def phased_plan(*, repeat: bool = False) -> Plan:
    """More than 1,000 sequences a phase, so that a thousandth is more than one of them."""
    sources = [source(name, shares[0]) for name, shares in SHARES.items()]
    return annealed(tiny.plan(steps=STEPS, sources=sources), [each[1] for each in SHARES.values()], LAST, repeat=repeat)


@dataclass
class Built:
    """Data of which every token is another number: a source's from 10^6 times its number on."""

    plan: Plan
    folder: JobFolder
    job: Job
    document_of: dict[int, tuple[str, int]]

    def train(self) -> PhasedDataset:
        return build_datasets(self.folder, self.plan, self.job)[0]


def built(plan: Plan, root: Path, tokenizer: Path, count: int) -> Built:
    folder, document_of, files = JobFolder(root), dict[int, tuple[str, int]](), []
    folder.create(plan)
    shutil.copy(tokenizer, root / "data" / tokenizer.name)
    lengths = np.random.default_rng(0).integers(3, 60, count)
    for number, planned in enumerate(plan.data.sources):
        ends = 10**6 * (number + 1) + np.cumsum([0, *lengths])
        numbered = [np.arange(*pair, dtype=np.int32) for pair in itertools.pairwise(ends)]
        document_of |= {int(token): (planned.name, i) for i, tokens in enumerate(numbered) for token in tokens}
        shards = write_shards(root / planned.name, numbered, 3)
        files.append(deal(planned, plan, shards, folder.data_path).files(folder.path))
    settings = {"processes": 1, "threads_per_process": 1, "command": [], "environment": {}}
    return Built(plan, folder, Job(tokenizer=f"data/{tokenizer.name}", sources=files, **settings), document_of)


@pytest.fixture(scope="module")
def enough(tmp_path_factory: pytest.TempPathFactory, data: tuple[Path, Prepared]) -> Iterator[Built]:
    root = tmp_path_factory.mktemp("phases")
    with one_rank(root / "group"):
        yield built(phased_plan(), root / "job", data[0] / data[1].tokenizer, 3000)


def read(dataset: PhasedDataset, first: int, last: int) -> list[int]:
    return [int(token) for sample in range(first, last) for token in dataset[sample]["tokens"]]


def test_no_token_is_read_twice_and_no_document_in_both_phases(enough: Built) -> None:
    dataset, switch = enough.train(), (STEPS - LAST) * tiny.BATCH
    assert len(dataset) == STEPS * tiny.BATCH
    main, annealing = read(dataset, 0, switch), read(dataset, switch, len(dataset))
    assert len({*main, *annealing}) == len(main) + len(annealing) == STEPS * tiny.BATCH * tiny.LENGTH
    assert not {enough.document_of[token] for token in main} & {enough.document_of[token] for token in annealing}


def test_shares_of_each_phase_are_the_planned_ones_and_stand_in_the_record(enough: Built) -> None:
    dataset = enough.train()
    mix, first = dataset.mix(), 0
    for phase, planned in zip(mix.phases, enough.plan.phases, strict=True):
        sequences = planned.steps * tiny.BATCH
        drawn = Counter(enough.document_of[read(dataset, i, i + 1)[0]][0] for i in range(first, first + sequences))
        first += sequences
        assert drawn == phase.sequences
        for part in planned.sources:
            assert phase.sequences[part.name] / sequences == pytest.approx(part.share, abs=0.001)
    assert sum(mix.sequences.values()) == STEPS * tiny.BATCH


@pytest.mark.parametrize("first", [2, STEPS - LAST, STEPS - LAST + 1, STEPS - 3])
def test_a_run_resumed_in_either_phase_or_at_the_switch_reads_what_it_would_have_read(
    enough: Built, first: int
) -> None:
    tokens = lambda last: torch.cat([b["tokens"] for b in micro_batches(enough.train(), last)])  # noqa: E731
    whole = tokens(StepSampler(enough.plan.training.batches, enough.plan.layout, 0, 1, STEPS))
    resumed = StepSampler(enough.plan.training.batches, enough.plan.layout, 0, first, STEPS)
    assert torch.equal(tokens(resumed), whole[(first - 1) * tiny.BATCH :])


def test_a_phase_with_too_few_tokens_repeats_its_own_documents_only(
    tmp_path: Path, enough: Built, data: tuple[Path, Prepared]
) -> None:
    few = built(phased_plan(), tmp_path, data[0] / data[1].tokenizer, 400)
    dataset, switch = few.train(), (STEPS - LAST) * tiny.BATCH
    main, annealing = read(dataset, 0, switch), read(dataset, switch, len(dataset))
    assert len(set(main)) < len(main), "it repeats"
    assert not {few.document_of[token] for token in main} & {few.document_of[token] for token in annealing}


def test_annealing_that_may_repeat_reads_the_same_documents_in_another_order(
    tmp_path: Path, enough: Built, data: tuple[Path, Prepared]
) -> None:
    again = built(phased_plan(repeat=True), tmp_path, data[0] / data[1].tokenizer, 3000)
    dataset, switch = again.train(), (STEPS - LAST) * tiny.BATCH
    main, annealing = read(dataset, 0, switch), read(dataset, switch, len(dataset))
    assert set(main) & set(annealing)
    assert len(set(annealing)) == len(annealing), "within the phase none is read twice"
    of_code = [[t for t in each if again.document_of[t][0] == "code"] for each in (main, annealing)]
    assert of_code[0][:100] != of_code[1][:100]
