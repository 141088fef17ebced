"""Data that was prepared for other settings is refused, each mistake with its place."""

import pytest

from sixnd.specs.data_stages import resolved
from sixnd.specs.errors import InvalidDocumentError
from sixnd.specs.load import load_budget, load_sources
from sixnd.specs.plan import PlannedSource
from sixnd.specs.prepared_checks import prepared_for, prepared_problems, sources_settings_sha256
from sixnd.specs.tokenizers import TokenizerHeader
from tests.specs.example import spec_with
from tests.specs.preparing import prepared

PROSE = "{name: prose, recipe: installed-docs}"


@pytest.fixture
def written(tmp_path):
    """Writes a spec that names prepared data, and that data as prepared for the first of two texts; gives the path."""

    def write(*changes: tuple[str, str], **measured: object):
        path = tmp_path / "spec.yaml"
        path.write_text(spec_with())
        (tmp_path / "prepared.yaml").write_text(prepared(load_budget(path), **measured).to_yaml())
        path.write_text(spec_with(*changes, ("data:\n", "data:\n  prepared: prepared.yaml\n")))
        return path

    return write


def refused(path) -> str:
    with pytest.raises(InvalidDocumentError) as caught:
        load_budget(path)
    return str(caught.value)


def test_measured_tokens_take_the_place_of_declared_ones(written):
    spec = load_budget(written((PROSE, "{name: prose, recipe: installed-docs, unique_tokens: 5B tokens}")))
    assert [source.unique_tokens for source in spec.data.counted_sources] == [990_000, 990_000], "less the held out"
    assert spec.data.measured_tokens == {"code": 1_000_000, "prose": 1_000_000}


@pytest.mark.parametrize(
    ("change", "line", "said"),
    [
        ((PROSE, "{name: prose, recipe: installed-docs, stages: [scrub-pii]}"), 11, "sixnd data prepare"),
        ((PROSE, "{name: prose, path: docs/*.txt}"), 11, "other settings"),
        ((PROSE, "{name: prose, recipe: installed-docs, licence: MIT}"), 11, "other settings"),
        ((PROSE, "{name: prose, recipe: installed-docs, text_field: body}"), 11, "other settings"),
        ((PROSE, "{name: books, recipe: installed-docs}"), 11, "not in the data that was prepared"),
        (("model:\n", "model:\n  vocab_size: 50000\n"), 13, "32,768 in the data"),
        (("  sources:\n", "  tokenizer: {kind: sp-bpe}\n  sources:\n"), 9, "prepared with byte-bpe"),
    ],
)
def test_data_that_was_prepared_for_another_spec_is_refused_at_its_place(written, change, line, said):
    told = refused(written(change))
    assert said in told
    assert f"spec.yaml:{line}:" in told


def test_weights_and_kinds_may_change_after_the_data_was_prepared(written):
    assert load_budget(written((PROSE, "{name: prose, recipe: installed-docs, kind: books, weight: 9}")))


def test_a_source_of_which_nothing_is_left_is_refused(written):
    assert "no tokens left" in refused(written(tokens=0))


def test_a_spec_whose_prepared_data_is_stale_or_absent_can_be_read_to_prepare_it_anew(written, tmp_path):
    path = written((PROSE, "{name: prose, recipe: installed-docs, stages: [scrub-pii]}"))
    assert load_sources(path).data.prepared is None
    (tmp_path / "prepared.yaml").unlink()
    assert load_sources(path).data.prepared is None


def test_settings_have_the_same_digest_in_a_spec_and_in_its_plan(written):
    spec = load_budget(written())
    plain = {"weight": 0.5, "tokens": 1, "unique_tokens": None, "epochs": None}
    planned = [
        PlannedSource(name=s.name, recipe=s.recipe, path=s.path, stages=resolved(s.stages or []), **plain)
        for s in spec.data.sources
    ]
    assert sources_settings_sha256(planned, []) == sources_settings_sha256(spec.data.sources, [])


def test_what_comes_before_counts_only_where_stages_run_across_sources(written):
    one, two = load_budget(written()).data.sources
    exact = resolved(["scrub-pii"])
    assert sources_settings_sha256([one, two], []) == sources_settings_sha256([two, one], [])
    assert sources_settings_sha256([one, two], exact) != sources_settings_sha256([two, one], exact)


def test_where_prepared_data_lies_is_no_part_of_what_it_is(written):
    spec = load_budget(written())
    here, there, other = prepared(spec), prepared(spec, folder="/elsewhere"), prepared(spec, tokens=2)
    assert here.content_sha256() == there.content_sha256() != other.content_sha256()


def test_prepared_data_stays_that_of_sources_whose_paths_are_written_otherwise(written):
    spec = load_budget(written())
    moved = [source.model_copy(update={"licence": "MIT"}) for source in spec.data.sources]
    other = spec.model_copy(update={"data": spec.data.model_copy(update={"sources": moved})})
    assert len(prepared_problems(other)) == 2
    settled = other.data.model_copy(update={"prepared": prepared_for(spec.data.prepared, moved, [])})
    assert prepared_problems(other.model_copy(update={"data": settled})) == []


def test_a_tokenizer_file_of_another_size_than_the_prepared_one_is_refused(written, tmp_path):
    header = TokenizerHeader(kind="byte-bpe", vocab_size=8_000, sha256="0" * 64)
    (tmp_path / "other.tok").write_text(header.model_dump_json() + "\n")
    told = refused(written(("  sources:\n", "  tokenizer: {file: other.tok}\n  sources:\n")))
    assert "8,000 entries here and 32,768" in told


def test_stages_across_sources_are_part_of_what_was_prepared(written):
    told = refused(written(("  sources:\n", "  across: [exact-dedup]\n  sources:\n")))
    assert told.count("across sources were changed") == 2
