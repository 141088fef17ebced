"""Documents dealt to validation, annealing and the main phase."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from megatron.core.datasets.indexed_dataset import IndexedDataset

from sixnd.runner.deal import Dealt, Part, deal
from sixnd.runner.indexed import verified, with_suffix
from sixnd.runner.indexed_reader import IndexedReader
from sixnd.specs.errors import InvalidDataError, SixndError
from sixnd.specs.plan import Plan
from tests.runner import tiny
from tests.runner.annealed import annealed, documents, source, write_shards


def plan(steps: int = 20, last: int = 4, *, repeat: bool = False) -> Plan:
    made = tiny.plan(steps=steps, sources=[source("prose", 0.75), source("code", 0.25)])
    return annealed(made, [0.25, 0.75], last, repeat=repeat)


def tokens(part: Part) -> list[list[int]]:
    dataset = IndexedDataset(str(part.prefix))
    return [dataset[i].tolist() for i in range(len(dataset))]


def dealt(made: Plan, shards: list[Path], into: Path) -> Dealt:
    into.mkdir(parents=True, exist_ok=True)
    return deal(made.data.sources[1], made, shards, into)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(count=st.integers(40, 900), shards=st.integers(1, 7), last=st.integers(1, 19), seed=st.integers(0, 9))
def test_documents_are_dealt_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, count: int, shards: int, last: int, seed: int
) -> None:
    folder, given_documents = tmp_path_factory.mktemp("deal"), documents(count, seed)
    try:
        parts = dealt(plan(last=last), write_shards(folder, given_documents, shards), folder / "data").parts
    except SixndError:
        assert count < 200, "there was enough"
        return
    found = [document for part in parts for document in tokens(part)]
    assert found == [each.tolist() for each in given_documents[: len(found)]]
    assert [(part.documents, part.tokens) for part in parts] == [
        (len(tokens(part)), sum(map(len, tokens(part)))) for part in parts
    ]


def test_each_part_holds_what_it_needs_and_no_more_than_the_plan_reads(tmp_path: Path) -> None:
    made, shards = plan(), write_shards(tmp_path, documents(2000, 1), 5)
    found = dealt(made, shards, tmp_path / "data")
    main, annealing = (phase.sources[1].tokens for phase in made.phases)
    held_out = made.evaluation.batches * tiny.BATCH * 0.25 * tiny.LENGTH
    sequence, longest = tiny.LENGTH + 1, 60
    assert found.annealing is not None
    for part, needed in ((found.validation, max(held_out, 0.1 * (main + annealing))), (found.annealing, annealing)):
        assert needed <= part.tokens <= 1.05 * needed + sequence + longest
    assert 1.05 * main <= found.main.tokens <= 1.05 * main + sequence + longest


@pytest.mark.parametrize(("fraction", "alike"), [(0.0, True), (0.1, False)])
def test_runs_of_any_length_hold_out_the_same_documents_where_no_share_is_asked_for(
    tmp_path: Path, fraction: float, alike: bool
) -> None:
    shards, found = write_shards(tmp_path, documents(4000, 1), 5), []
    for steps in (40, 160):
        made = plan(steps)
        made = made.model_copy(update={"data": made.data.model_copy(update={"validation_fraction": fraction})})
        found.append(tokens(dealt(made, shards, tmp_path / str(steps)).validation))
    assert (found[0] == found[1]) == alike


def test_a_source_that_annealing_alone_reads_keeps_a_sequence_for_the_main_phase_and_the_rest_for_annealing(
    tmp_path: Path,
) -> None:
    made = tiny.plan(steps=20, sources=[source("prose", 1.0), source("code", 0.0)])
    made = annealed(made, [0.25, 0.75], last=4)
    found = dealt(made, write_shards(tmp_path, documents(2000, 1), 5), tmp_path / "data")
    assert found.weight == 0
    assert found.annealing is not None
    read = made.phases[1].sources[1].tokens
    assert made.data.sources[1].tokens == read
    assert 1.05 * read <= found.annealing.tokens <= 1.05 * read + tiny.LENGTH + 61
    assert found.main.tokens <= tiny.LENGTH + 61
    assert found.validation.tokens >= 0.1 * read


def test_too_little_is_divided_by_what_each_phase_reads(tmp_path: Path) -> None:
    made, shards = plan(), write_shards(tmp_path, documents(60, 1), 3)
    found = dealt(made, shards, tmp_path / "data")
    main, annealing = (phase.sources[1].tokens for phase in made.phases)
    assert found.annealing is not None
    assert found.main.tokens < main
    assert found.documents == 60
    assert found.annealing.tokens / found.main.tokens == pytest.approx(annealing / main, rel=0.15)


def test_where_annealing_repeats_both_phases_read_the_same_files(tmp_path: Path) -> None:
    shards = write_shards(tmp_path, documents(2000, 1), 2)
    found = dealt(plan(repeat=True), shards, tmp_path / "data")
    assert found.annealing == found.main
    assert len(found.parts) == 2
    files = found.files(tmp_path)
    assert files.anneal_prefix == files.train_prefix


def test_a_source_that_annealing_leaves_out_has_no_part_of_it(tmp_path: Path) -> None:
    made = annealed(tiny.plan(steps=20, sources=[source("prose", 0.75), source("code", 0.25)]), [1.0, 0.0], 4)
    found = dealt(made, write_shards(tmp_path, documents(2000, 1), 2), tmp_path / "data")
    assert found.annealing is None
    assert found.files(tmp_path).anneal_prefix is None


def test_files_are_the_same_however_documents_were_sharded_and_are_not_written_again(tmp_path: Path) -> None:
    texts = documents(2000, 1)
    first = dealt(plan(), write_shards(tmp_path / "one", texts, 1), tmp_path / "data")
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "data").iterdir()}
    again = dealt(plan(), write_shards(tmp_path / "many", texts, 9), tmp_path / "data")
    assert again == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "data").iterdir()} == written
    assert all(verified(part.prefix).tokens == part.tokens for part in first.parts)


def test_a_part_cut_short_is_written_again_and_other_text_has_another_name(tmp_path: Path) -> None:
    shards = write_shards(tmp_path, documents(2000, 1), 2)
    first = dealt(plan(), shards, tmp_path / "data")
    binary = with_suffix(first.main.prefix, ".bin")
    whole = binary.read_bytes()
    binary.write_bytes(whole[:-2])
    assert dealt(plan(), shards, tmp_path / "data") == first
    assert binary.read_bytes() == whole
    other = dealt(plan(), write_shards(tmp_path / "other", documents(2000, 2), 2), tmp_path / "data")
    assert other.main.prefix != first.main.prefix
    assert other.sha256 != first.sha256


def test_a_source_without_a_sequence_for_every_part_is_told_with_numbers(tmp_path: Path) -> None:
    shards = write_shards(tmp_path, documents(2, 1), 1)
    with pytest.raises(SixndError, match=r"source 'code' holds 2 documents: .* to anneal on.* needs at least 33"):
        dealt(plan(), shards, tmp_path / "data")


def test_shards_are_read_as_megatron_reads_them_and_a_cut_one_is_named(tmp_path: Path) -> None:
    [prefix] = write_shards(tmp_path, documents(50, 1), 1)
    reader = IndexedReader(prefix)
    joined = np.concatenate([each for each, _ in reader.batches(10, 30)])
    dataset = IndexedDataset(str(prefix))
    assert joined.tolist() == [token for i in range(10, 30) for token in dataset[i].tolist()]
    binary = with_suffix(prefix, ".bin")
    binary.write_bytes(binary.read_bytes()[:-2])
    with pytest.raises(InvalidDataError, match=r"shard-00000\.bin"):
        IndexedReader(prefix)
