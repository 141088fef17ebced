import pytest
from pydantic import ValidationError

from sixnd.specs import catalog
from sixnd.specs.laws import SurfaceLaw


def changed(**constants: float) -> SurfaceLaw:
    known = catalog.planning_law("besiroglu-2024").law
    return SurfaceLaw.model_validate(known.plain() | constants)


@pytest.mark.parametrize(
    "constants", [{"A": 1e-300}, {"A": 1e300, "alpha": 0.01, "beta": 0.01}, {"B": 1e250}], ids=["none", "all", "few"]
)
def test_constants_whose_best_model_no_float_holds_are_no_law(constants):
    with pytest.raises(ValidationError, match="and none has so many or few"):
        changed(**constants)


@pytest.mark.parametrize("constants", [{"A": 1.0}, {"alpha": 0.05}, {"beta": 1.2}, {"B": 1e6}])
def test_odd_constants_that_some_runs_may_tell_are_one(constants):
    assert changed(**constants).form == "chinchilla"
