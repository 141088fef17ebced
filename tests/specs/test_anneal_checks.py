"""Mistakes in a spec's annealing are told with their place, all at once."""

import pytest

from sixnd.specs.budget import BudgetSpec
from sixnd.specs.errors import InvalidDocumentError
from sixnd.specs.load import parse
from tests.specs.example import spec_with


def parsed(anneal: str, kind: str = "kind: code, ") -> BudgetSpec:
    given = "    - {name: code, " + kind + "recipe: python-stdlib, weight: 2}\n"
    changes = ("    - {name: code, recipe: python-stdlib, weight: 2}\n", given), ("data:\n", f"data:\n  {anneal}\n")
    return parse(spec_with(*changes), "spec.yaml", BudgetSpec)


@pytest.mark.parametrize(
    "anneal", ["{}", "{share: 0.2}", "{mix: smollm3-stage-3}", "{weights: {code: 3, prose: 1}}", "{repeat: true}"]
)
def test_sound_ones_are_read(anneal):
    assert parsed(f"anneal: {anneal}").data.anneal is not None


@pytest.mark.parametrize(
    ("anneal", "said"),
    [
        ("{mix: olmo-2, weights: {code: 1}}", "keep one of them"),
        ("{mix: olmo2}", "did you mean 'olmo-2'?"),
        ("{mix: proportional}", "not in the catalog of mixes"),
        ("{weights: {cod: 1, sums: 1}}", "no source is named 'cod'; did you mean 'code'?"),
        ("{weights: {cod: 1, sums: 1}}", "no source is named 'sums'; the sources are code, prose"),
        ("{weights: {code: 0}}", "sum to 0"),
        ("{weights: {code: -1}}", "greater than or equal to 0"),
        ("{share: 1}", "less than 1"),
        ("{share: 0}", "greater than 0"),
    ],
)
def test_what_cannot_be_is_refused_in_words(anneal, said):
    with pytest.raises(InvalidDocumentError) as caught:
        parsed(f"anneal: {anneal}")
    assert said in str(caught.value)
    assert "spec.yaml:" in str(caught.value)


@pytest.mark.parametrize(("anneal", "said"), [("{}", "no source says that it is"), ("{mix: olmo-2}", "say kind at")])
def test_blends_by_kind_need_kinds(anneal, said):
    with pytest.raises(InvalidDocumentError, match=said):
        parsed(f"anneal: {anneal}", kind="kind: law, ")


def weighted(code: str, anneal: str, kind: str = "code") -> BudgetSpec:
    given = f"    - {{name: code, kind: {kind}, recipe: python-stdlib, weight: {code}}}\n"
    changes = ("    - {name: code, recipe: python-stdlib, weight: 2}\n", given), ("data:\n", f"data:\n  {anneal}\n")
    return parse(spec_with(*changes), "spec.yaml", BudgetSpec)


@pytest.mark.parametrize("anneal", ["{weights: {code: 1}}", "{mix: smollm3-stage-3}"])
def test_a_source_of_weight_0_is_one_that_annealing_alone_reads(anneal):
    assert weighted("0", f"anneal: {anneal}").data.sources[0].weight == 0


@pytest.mark.parametrize(
    "anneal", ["mix: null", "anneal: {weights: {prose: 1}}", "anneal: {mix: olmo-2}", "anneal: {}"]
)
def test_a_source_that_nothing_reads_is_refused_at_its_weight(anneal):
    with pytest.raises(InvalidDocumentError, match=r"weight 0 is for a source that annealing alone reads") as caught:
        weighted("0", anneal, kind="dialogue")
    assert ("data", "sources", 0, "weight") in [problem.path for problem in caught.value.problems]
