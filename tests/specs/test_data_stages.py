"""Stages that a spec names are checked where they stand, and come out complete."""

import pytest

from sixnd.specs import catalog
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.data_stages import StageChoice, resolved
from sixnd.specs.errors import InvalidDocumentError
from sixnd.specs.load import parse
from sixnd.specs.text_filters import CorpusStageSettings, NearDedup
from tests.specs.example import spec_with

SOURCE = "    - {name: prose, recipe: installed-docs}\n"


def refused(*changes: tuple[str, str]) -> str:
    with pytest.raises(InvalidDocumentError) as caught:
        parse(spec_with(*changes), "spec.yaml", BudgetSpec)
    return str(caught.value)


@pytest.mark.parametrize(
    ("across", "said"),
    [
        ("[exact-dedup, scrub-pii]", "'scrub-pii' looks at one document at a time"),
        ("code", "'normalise' looks at one document at a time"),
        ("[near-dedpu]", "did you mean 'near-dedup'?"),
    ],
)
def test_only_stages_that_see_the_whole_corpus_run_across_sources(across, said):
    told = refused(("data:\n", f"data:\n  across: {across}\n"))
    assert said in told
    assert "spec.yaml:8:11" in told


def test_a_curve_that_misses_most_pairs_is_refused_at_its_place():
    choice = "{filter: near-dedup, change: {bands: 9, rows: 13}}"
    told = refused((SOURCE, f"    - {{name: prose, recipe: installed-docs, stages: [{choice}]}}\n"))
    assert "9 bands of 13 rows find 40% of the pairs at Jaccard 0.8" in told
    assert "spec.yaml:10:" in told


@pytest.mark.parametrize("name", ["decontaminate", "perplexity"])
def test_a_stage_without_the_files_it_needs_is_refused_at_its_place(name):
    told = refused((SOURCE, f"    - {{name: prose, recipe: installed-docs, stages: [{name}]}}\n"))
    assert f"'{name}' needs" in told
    assert "spec.yaml:10:" in told


def test_deduplication_across_sources_is_taken():
    spec = parse(spec_with(("data:\n", "data:\n  across: [exact-dedup, near-dedup]\n")), "spec.yaml", BudgetSpec)
    assert [settings.stage for settings in resolved(spec.data.across)] == ["exact-dedup", "near-dedup"]


def test_changed_settings_are_complete():
    (chosen,) = resolved([StageChoice(filter="near-dedup", change={"bands": 20})])
    assert chosen == NearDedup(ngram=5, bands=20, rows=6, threshold=0.8, seed=1)


def test_every_profile_but_none_takes_out_what_is_there_twice():
    for name in set(catalog.names("text-profiles")) - {"none"}:
        assert any(isinstance(settings, CorpusStageSettings) for settings in resolved(name))
