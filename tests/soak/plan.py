"""What the soak trains: two ranks, an annealing phase, validation, a checkpoint every ten steps."""

from typing import Any

from sixnd.specs import catalog
from sixnd.specs.plan import Plan
from tests.runner import tiny
from tests.runner.annealed import annealed
from tests.runner.conftest import sources

STEPS, ANNEALED, EVERY = 320, 60, 10
_RULES = {
    "heartbeat": 0.5,
    "non_finite": "retry",
    "budget_factor": None,  # the tiny plan's estimates are made up
    "hang_floor": 120.0,
}


def plan(budget_s: float | None = None, **rules: Any) -> Plan:
    """The plan with other rules of watching, and with a budget of wall-clock; neither is in its fingerprint."""
    made = tiny.plan(
        tiny.layout(data=2),
        steps=STEPS,
        sources=sources(STEPS),
        checkpoint_every=EVERY,
        keep_last=3,
        learning_rate=3e-3,
    )
    made = annealed(made, [0.25, 0.75], ANNEALED)
    supervision = made.spec.supervision.model_copy(update=_RULES | rules)
    budget = made.spec.budget.model_copy(update={} if budget_s is None else {"time": budget_s})
    spec = made.spec.model_copy(update={"supervision": supervision, "budget": budget})
    evaluation = made.evaluation.model_copy(update={"every_steps": 25})
    stamps = {"spec_sha256": spec.digest(), "catalog_sha256": catalog.sha256()}
    return made.model_copy(update={"name": "soak", "spec": spec, "evaluation": evaluation} | stamps)
