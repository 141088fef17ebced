"""The catalogs: every entry is sound, has its citation, and is found by name."""

import re

import numpy as np
import pytest

from sixnd.specs import catalog
from sixnd.specs.errors import SixndError

ENTRIES = [(kind, name) for kind in catalog.kinds() for name in catalog.names(kind)]


@pytest.mark.parametrize(("kind", "name"), ENTRIES)
def test_every_entry_is_valid_by_its_model(kind, name):
    assert catalog.entry(kind, name).plain()


@pytest.mark.parametrize(("kind", "name"), [entry for entry in ENTRIES if entry[0] != "sources"])
def test_every_number_has_its_citation(kind, name):
    cited = _citations(catalog.entry(kind, name).plain())
    assert cited
    for citation in cited:
        assert len(citation) > 15, citation
        assert not citation.startswith("to be")


def _citations(plain) -> list[str]:
    own = [value for key, value in plain.items() if key.endswith("source") and value is not None]
    return own + [c for value in plain.values() if isinstance(value, dict) for c in _citations(value)]


@pytest.mark.parametrize("name", catalog.names("sources"))
def test_every_text_recipe_has_a_licence_and_an_archive_is_pinned_by_its_digest(name):
    recipe = catalog.source(name)
    assert recipe.licence
    pin = {"pip-archive": r".+==.+", "npm-archive": r".+@\d.+", "debian-package": r".+=.+"}.get(recipe.kind)
    if pin:
        assert re.fullmatch(pin, recipe.requirement or "")
        assert re.fullmatch("[0-9a-f]{64}", recipe.sha256 or "")
        assert recipe.members


@pytest.mark.parametrize("missing", ["requirement", "sha256"])
def test_an_archive_that_is_not_pinned_is_no_recipe(missing):
    plain = catalog.source("metamath").plain() | {missing: None}
    with pytest.raises(ValueError, match="an archive needs `requirement` and `sha256`"):
        catalog.SourceRecipe.model_validate(plain)


@pytest.mark.parametrize("name", catalog.planning_laws())
def test_a_law_s_covariance_is_one(name):
    law = catalog.law(name)
    covariance = np.array(law.log_covariance)
    assert covariance.shape == (5, 5)
    assert np.array_equal(covariance, covariance.T)
    assert np.linalg.eigvalsh(covariance).min() > 0


@pytest.mark.parametrize("name", catalog.names("laws"))
def test_a_law_s_fitted_ranges_rise(name):
    law = catalog.law(name)
    for bounds in (law.fitted_params, law.fitted_tokens, law.fitted_compute):
        assert bounds is None or bounds[0] < bounds[1]


@pytest.mark.parametrize("name", set(catalog.names("laws")) - set(catalog.planning_laws()))
def test_a_law_that_cannot_plan_says_why_and_names_those_that_can(name):
    with pytest.raises(SixndError, match="besiroglu-2024"):
        catalog.planning_law(name)


@pytest.mark.parametrize("name", catalog.names("accelerators"))
def test_an_accelerator_s_price_lies_in_its_range_and_is_dated(name):
    price = catalog.accelerator(name).price
    assert price.low <= price.usd_per_hour <= price.high
    assert price.date[:2] == "20"


@pytest.mark.parametrize("kind", catalog.kinds())
def test_an_unknown_name_names_the_nearest(kind):
    known = catalog.names(kind)[0]
    with pytest.raises(SixndError, match=f"did you mean '{known}'"):
        catalog.entry(kind, known + "x")
    with pytest.raises(SixndError, match="known: .*" + known):
        catalog.entry(kind, "§§§§")


def test_the_digest_of_the_catalogs_is_stable():
    assert catalog.sha256() == catalog.sha256()
    assert len(catalog.sha256()) == 64
