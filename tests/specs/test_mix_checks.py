"""Mistakes in a spec's data mix are told with their place, all at once."""

import pytest

from sixnd.specs.budget import BudgetSpec
from sixnd.specs.errors import InvalidDocumentError
from sixnd.specs.load import parse
from tests.specs.example import spec_with

SOURCES = (
    "    - {name: code, recipe: python-stdlib, weight: 2}\n    - {name: prose, recipe: installed-docs}\n",
    "data:\n  sources:\n",
)


def refused(mix: str, *sources: str) -> str:
    text = spec_with((SOURCES[0], "".join(f"    - {each}\n" for each in sources)), ("data:\n", f"data:\n  {mix}\n"))
    with pytest.raises(InvalidDocumentError) as caught:
        parse(text, "spec.yaml", BudgetSpec)
    return str(caught.value)


@pytest.mark.parametrize(
    ("mix", "sources", "said"),
    [
        ("mix: llama-1", ["{name: web}"], "none does"),
        ("mix: llama1", ["{name: web, weight: auto}"], "did you mean 'llama-1'?"),
        ("mix: temperature", ["{name: web, weight: auto, unique_tokens: 1B tokens}"], "needs a temperature"),
        ("temperature: 3", ["{name: web, weight: auto, unique_tokens: 1B tokens}"], "means nothing without"),
        ("mix: proportional", ["{name: web, weight: auto}"], "say unique_tokens"),
        ("mix: llama-1", ["{name: laws, kind: law, weight: auto}"], "nothing would be read of it"),
        ("mix: llama-1", ["{name: web, weight: auto}", "{name: code}"], "leaves nothing to the others"),
        ("mix: llama-1", ["{name: web, kind: webb, weight: auto}"], "'web'"),
        ("max_epochs: 0", ["{name: web}"], "greater than 0"),
        ("mix: absent.yaml", ["{name: web, weight: auto}"], "cannot be read"),
    ],
)
def test_a_mix_that_cannot_be_is_refused_in_words(mix, sources, said):
    told = refused(mix, *sources)
    assert said in told
    assert "spec.yaml:" in told
