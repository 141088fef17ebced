"""Preparing data: sources become segments and shards, each done once, and the same whoever does them."""

import json
from pathlib import Path
from typing import Any

import pytest

from sixnd.runner.data import preparation, work
from sixnd.runner.data.accounts import account_of
from sixnd.runner.data.damage import DamageLog
from sixnd.runner.data.executors import run_local
from sixnd.runner.data.final_documents import final_documents
from sixnd.runner.data.pipeline import Pipeline
from sixnd.runner.data.preparation import Preparation, PreparedTokens
from sixnd.runner.data.prepared_folder import prepared_in, written_down
from sixnd.runner.data.shards import SUFFIX, read_shard
from sixnd.runner.data.stages import built
from sixnd.runner.data.work import Step, read_work, steps
from sixnd.runner.indexed_reader import IndexedReader
from sixnd.runner.tokenizers.file import load_tokenizer
from sixnd.specs.data_stages import StageChoice, resolved
from sixnd.specs.errors import InvalidDataError, SixndError
from sixnd.specs.plan import PlannedData, PlannedSource
from sixnd.specs.tokenizers import TokenizerChoice
from tests.runner.data.needs import needs

pytestmark = needs("zstandard", "tokenizers", "tiktoken")
_VOCABULARY = 300


def _source(name: str, stages: Any = (), **changes: Any) -> PlannedSource:
    return PlannedSource(
        name=name,
        recipe=None,
        path=f"{name}/*",
        weight=changes.pop("weight", 0.5),
        tokens=1000,
        unique_tokens=None,
        epochs=None,
        stages=resolved(list(stages)) if stages else [],
        **changes,
    )


def _data(*sources: PlannedSource, across: Any = (), **changes: Any) -> PlannedData:
    stages = resolved(list(across)) if across else []
    return PlannedData(sources=list(sources), tokens=2000, validation_fraction=0.1, across=stages, **changes)


def _write(folder: Path, name: str, files: dict[str, list[str]]) -> None:
    (folder / name).mkdir(parents=True, exist_ok=True)
    for file, texts in files.items():
        lines = [json.dumps({"id": f"{name}-{file}-{i}", "text": text}) for i, text in enumerate(texts)]
        (folder / name / file).write_text("\n".join(lines), "utf-8")


def _corpus(folder: Path) -> None:
    words = [f"word{i} of line {i * i} and then some more" for i in range(40)]
    _write(folder, "a", {f"{i}.jsonl": [f"{word} in {i}" for word in words] + [words[0]] for i in range(4)})
    _write(folder, "b", {"0.jsonl": [*words, words[0], "\x00\x01"]})


def _prepared(folder: Path, data: PlannedData, base: Path, log: list[str] | None = None, **changes: Any) -> Any:
    def run(where: Path, step: Step) -> None:
        if log is not None:
            log.append(step.name.partition("-")[0])
        run_local(where, step)

    def silent(_text: str) -> None:
        pass

    made = Preparation(folder, data, base, base / "cache", run, silent, **changes)
    return made.prepared(_VOCABULARY)


def _texts(folder: Path, name: str) -> list[str]:
    plan = read_work(folder)
    source = plan.source(name)
    shards = range(source.shards)
    return [one.text for shard in shards for one in final_documents(folder, plan, source, shard, DamageLog())]


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(work, "_SHARD_BYTES", 1)  # every file a shard
    _corpus(tmp_path / "corpus")
    return tmp_path / "corpus"


def test_stages_are_cut_behind_every_one_that_must_see_all_documents(tmp_path: Path, corpus: Path) -> None:
    data = _data(
        _source("a", ["normalise", "exact-dedup", "scrub-pii", "exact-dedup"]),
        _source("b"),
        across=["exact-dedup"],
    )
    _prepared(tmp_path / "w", data, corpus)
    plan = read_work(tmp_path / "w")
    kinds = [
        [[stage.stage for stage in segment.stages], segment.removes is not None, segment.signs is not None]
        for name in ("a", "b")
        for segment in plan.segments_of(name)
    ]
    assert kinds == [
        [["normalise"], False, True],
        [["scrub-pii"], True, True],
        [[], True, True],  # own documents without their duplicates, signed for what goes across sources
        [[], True, False],
        [[], False, True],
        [[], True, False],
    ]
    names = [step.name.partition("-")[0] for step in steps(plan)]
    assert names == [
        *["clean:a/0", "find:a/0", "clean:a/1", "find:a/1"],
        *["clean:a/2", "clean:b/0", "find:across", "clean:a/3", "clean:b/1"],
    ]


def test_what_an_earlier_source_has_stays_there(tmp_path: Path, corpus: Path) -> None:
    shared = "word0 of line 0 and then some more"
    data = _data(_source("a", ["exact-dedup"]), _source("b", ["normalise"]), across=["exact-dedup"])
    prepared = _prepared(tmp_path / "w", data, corpus)
    assert _texts(tmp_path / "w", "a").count(shared) == 1
    assert shared not in _texts(tmp_path / "w", "b")
    a, b = prepared.sources
    assert [(s.name, s.documents_in, s.documents_out) for s in a.stages.stages] == [
        ("exact-dedup", 164, 161),
        ("exact-dedup", 161, 161),
    ]
    assert [(s.name, s.documents_in, s.documents_out) for s in b.stages.stages] == [
        ("normalise", 42, 41),
        ("exact-dedup", 41, 39),
    ]


def test_the_account_is_that_of_one_pass_over_all_documents(tmp_path: Path, corpus: Path) -> None:
    chosen = ["normalise", StageChoice(filter="gopher-quality", change={"min_words": 9})]
    data = _data(_source("a", chosen), _source("b", chosen))
    prepared = _prepared(tmp_path / "w", data, corpus)
    alone = Pipeline(built(data.sources[0].stages, corpus))
    plan = read_work(tmp_path / "w")
    for shard in range(plan.source("a").shards):
        list(alone.documents(work_inputs(tmp_path / "w", plan, shard)))
    expected = alone.result("a").stages
    assert expected[1].removed, "a test of nothing"
    assert prepared.sources[0].stages.stages == expected


def work_inputs(folder: Path, plan: work.Work, shard: int) -> Any:
    from sixnd.runner.data.final_documents import input_documents

    return input_documents(folder, plan, plan.source("a"), shard, DamageLog())


def test_tokens_are_those_of_the_documents_that_are_left(tmp_path: Path, corpus: Path) -> None:
    prepared = _prepared(tmp_path / "w", _data(_source("a", ["exact-dedup"]), _source("b")), corpus)
    model = load_tokenizer(prepared.tokenizer)
    for source in prepared.sources:
        told: list[str] = []
        for prefix in source.prefixes:
            reader = IndexedReader(prefix)
            for tokens, lengths in reader.batches(0, reader.documents):
                ends = lengths.cumsum()
                told += [
                    model.decode(tokens[end - length : end - 1]) for end, length in zip(ends, lengths, strict=True)
                ]
        assert told == _texts(tmp_path / "w", source.name)
        assert source.tokens.documents == len(told)
        assert source.tokens.bytes == sum(len(text.encode()) for text in told)


def test_nothing_is_done_twice_and_only_what_a_change_touches_is_done_again(tmp_path: Path, corpus: Path) -> None:
    data = _data(_source("a", ["exact-dedup", "normalise"]), _source("b", ["normalise"]))
    first = _prepared(tmp_path / "w", data, corpus)
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "w").rglob("shard-*")}
    assert _prepared(tmp_path / "w", data, corpus) == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "w").rglob("shard-*")} == written

    changed = _data(_source("a", ["exact-dedup", "scrub-pii"]), _source("b", ["normalise"]))
    _prepared(tmp_path / "w", changed, corpus)
    own = read_work(tmp_path / "w").segments_of("a")
    assert all(path.stat().st_mtime_ns == when for path, when in written.items())
    assert (tmp_path / "w" / own[0].folder).is_dir()
    assert own[0].folder in {str(path.parent.relative_to(tmp_path / "w")) for path in written}
    assert own[1].folder not in {str(path.parent.relative_to(tmp_path / "w")) for path in written}


def test_sources_searched_together_are_searched_again_when_one_of_them_changes(tmp_path: Path, corpus: Path) -> None:
    before = _data(_source("a"), _source("b", ["normalise"]), across=["exact-dedup"])
    after = _data(_source("a"), _source("b", ["normalise", "scrub-pii"]), across=["exact-dedup"])
    _prepared(tmp_path / "w", before, corpus)
    changed = _prepared(tmp_path / "w", after, corpus)
    anew = _prepared(tmp_path / "anew", after, corpus)
    assert [one.tokens for one in changed.sources] == [one.tokens for one in anew.sources]
    assert _texts(tmp_path / "w", "b") == _texts(tmp_path / "anew", "b")


def test_a_file_that_changed_is_read_again(tmp_path: Path, corpus: Path) -> None:
    data = _data(_source("a"), _source("b", ["normalise"]))
    _prepared(tmp_path / "w", data, corpus)
    file = corpus / "b" / "0.jsonl"
    file.write_text(file.read_text().replace("word1 of", "word! of"))
    _prepared(tmp_path / "w", data, corpus)
    assert "word! of line 1 and then some more" in _texts(tmp_path / "w", "b")


def test_only_as_many_shards_are_prepared_as_are_asked_for_unless_a_stage_must_see_all(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "_TOKENIZER_TEXT_BYTES", 4000)
    data = _data(_source("a", ["normalise"]), _source("b", ["exact-dedup"]))

    def missing(name: str, shards: Any) -> float:
        return max(0, 2 - len(shards)) * 100.0 if name == "a" else 0.0

    prepared = _prepared(tmp_path / "w", data, corpus, missing=missing)
    plan = read_work(tmp_path / "w")
    assert len(prepared.sources[0].prefixes) == 2
    cleaned = sorted(path.name for path in (tmp_path / "w" / plan.segments_of("a")[0].folder).glob(f"*{SUFFIX}"))
    assert len(cleaned) == 2 < plan.source("a").shards
    assert prepared.sources[0].stages.stages[0].documents_in == 82
    assert prepared.sources[1].stages.stages[0].documents_in == 42, "all were read"


def test_a_missing_package_or_file_of_a_stage_is_told_before_anything_is_read(tmp_path: Path, corpus: Path) -> None:
    named = StageChoice(filter="decontaminate", change={"evaluation": ["nowhere.jsonl"]})
    log: list[str] = []
    with pytest.raises(SixndError, match=r"nowhere\.jsonl"):
        _prepared(tmp_path / "w", _data(_source("a", [named]), _source("b")), corpus, log)
    assert not log


def test_a_tokenizer_of_ones_own_is_taken_and_one_of_another_size_refused(tmp_path: Path, corpus: Path) -> None:
    first = _prepared(tmp_path / "w", _data(_source("a"), _source("b")), corpus)
    (corpus / "mine.tok").write_bytes(first.tokenizer.read_bytes())
    data = _data(_source("a"), _source("b"), tokenizer=TokenizerChoice(file="mine.tok"))
    again = _prepared(tmp_path / "x", data, corpus)
    assert again.tokenizer.read_bytes() == first.tokenizer.read_bytes()
    silent = Preparation(tmp_path / "y", data, corpus, corpus, run_local, print)
    with pytest.raises(SixndError, match=r"has 300 entries and the plan 301"):
        silent.prepared(301)


def _document(folder: Path, data: PlannedData, tokens: PreparedTokens) -> Any:
    return written_down(folder, "mine", data, tokens)


def test_prepared_data_is_taken_back_as_it_was_and_refused_when_it_was_changed(tmp_path: Path, corpus: Path) -> None:
    data = _data(_source("a", ["exact-dedup"]), _source("b"))
    tokens = _prepared(tmp_path / "w", data, corpus)
    document = _document(tmp_path / "w", data, tokens)
    assert prepared_in(document) == tokens
    assert [source.tokens for source in document.sources] == [source.tokens.tokens for source in tokens.sources]

    binary = tokens.sources[0].prefixes[1].with_suffix(".bin")
    whole = binary.read_bytes()
    binary.write_bytes(whole[:-2] + b"\0\1")
    with pytest.raises(InvalidDataError, match="was changed"):
        prepared_in(document)
    binary.write_bytes(whole)
    tokens.tokenizer.unlink()
    with pytest.raises(InvalidDataError, match="no longer has the tokenizer"):
        prepared_in(document)
    with pytest.raises(InvalidDataError, match="is no folder of prepared data"):
        prepared_in(document.model_copy(update={"folder": str(tmp_path / "moved")}))


def test_a_damaged_shard_is_named(tmp_path: Path, corpus: Path) -> None:
    _prepared(tmp_path / "w", _data(_source("a", ["normalise"]), _source("b")), corpus)
    shard = next((tmp_path / "w").rglob(f"shard-*{SUFFIX}"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 0xFF
    shard.write_bytes(bytes(content))
    with pytest.raises(InvalidDataError, match=r"shard-0000.*cannot be read"):
        list(read_shard(shard))


def test_damage_of_listing_reading_and_tokenising_is_in_the_account(tmp_path: Path, corpus: Path) -> None:
    (corpus / "a" / "zz.jsonl").write_text('{"text": "whole"}\nnot json\n')
    (corpus / "b" / "empty.jsonl").touch()
    prepared = _prepared(tmp_path / "w", _data(_source("a", ["normalise"]), _source("b")), corpus)
    assert [(one.kind, one.count) for one in prepared.sources[0].damage] == [("not JSON", 1)]
    assert [(one.kind, one.count) for one in prepared.sources[1].damage] == [("empty file", 1)]
    plan = read_work(tmp_path / "w")
    assert account_of(tmp_path / "w", plan, plan.source("a"), plan.source("a").shards).damage


def test_a_sample_is_cut_in_proportion_so_that_no_long_text_is_all_of_it() -> None:
    texts = iter(["abc", "d" * 100, "never"])
    assert list(preparation._first_bytes(texts, 10)) == ["abc", "d" * 7]
