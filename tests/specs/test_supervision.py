"""The spec's section on watching a run."""

import pytest

from sixnd.specs.budget import BudgetSpec
from sixnd.specs.errors import InvalidDocumentError
from sixnd.specs.load import parse
from sixnd.specs.supervision import Supervision
from tests.runner import tiny
from tests.specs.example import SPEC


def parsed(section: str) -> Supervision:
    return parse(f"{SPEC}supervision: {section}\n", "spec.yaml", BudgetSpec).supervision


def test_a_spec_that_says_nothing_of_it_has_the_defaults() -> None:
    assert parse(SPEC, "spec.yaml", BudgetSpec).supervision == Supervision()


def test_times_carry_their_units_and_a_factor_may_be_none() -> None:
    found = parsed("{time_limit: 23 hours, heartbeat: 1 s, hang_floor: 20 min, budget_factor: null, restarts: 5}")
    assert (found.time_limit, found.heartbeat, found.hang_floor) == (23 * 3600, 1, 1200)
    assert (found.budget_factor, found.restarts) == (None, 5)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("{non_finite: ignore}", "non_finite"),
        ("{budget_factor: 0.9}", "greater than 1"),
        ("{time_limit: 0 s}", "is no positive, finite time; write it like"),
        ("{heartbeat: 5}", "a number without a unit"),
        ("{window: 4}", "greater than or equal to 8"),
        ("{throughput_share: 1.2}", "less than 1"),
        ("{restart: 3}", "restarts"),
    ],
)
def test_what_cannot_be_is_refused_at_its_line(section: str, said: str) -> None:
    with pytest.raises(InvalidDocumentError, match=said) as refused:
        parsed(section)
    assert "spec.yaml:" in str(refused.value)


def test_how_a_run_is_watched_changes_no_fingerprint() -> None:
    plan = tiny.plan()
    watched = plan.spec.supervision.model_copy(update={"restarts": 9, "non_finite": "stop"})
    other = plan.model_copy(update={"spec": plan.spec.model_copy(update={"supervision": watched})})
    assert other.fingerprint() == plan.fingerprint()
