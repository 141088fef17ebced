"""The loss a plan predicts, and what its tokens are worth where data repeats, both with intervals."""

import numpy as np

from sixnd.planner import laws
from sixnd.planner.draft import Drafter
from sixnd.planner.mix import REPETITION_LAW
from sixnd.planner.question import drawn_question
from sixnd.planner.repetition import Repetition
from sixnd.specs.plan import Estimate

_LEVEL = 0.8


def loss_estimate(drafter: Drafter, params: float, tokens: float) -> Estimate:
    """Loss at N and D, nats a token: the law's uncertainty, repetition's and the residuals of the fit."""
    law, center = drafter.law, drafter.loss(params, tokens)
    drawn = drawn_question(drafter.spec, drafter.training_mfu)
    outside, wider = laws.decades_outside(law, params, tokens), laws.widening(law, params, tokens)
    found = laws.percentiles(drawn.loss(params, tokens), center, _LEVEL, wider, laws.loss_spread(law, params, tokens))
    widened = (
        f", widened by {laws.WIDENING_PER_DECADE:.0%} a decade for {outside:.1f} decades outside its range"
        if outside
        else ""
    )
    repeated = f"; repeated tokens by {REPETITION_LAW}" if _repeats(drafter, tokens) else ""
    return Estimate(
        value=center,
        low=found.low,
        high=found.high,
        unit="nats per token",
        basis=f"{drafter.law_name} at N and D{repeated}; interval from the fit's covariance and residuals"
        f"{_missed(drafter)}{widened}",
        extrapolated=outside > 0,
    )


def _missed(drafter: Drafter) -> str:
    missed = drafter.law.missed_per_decade
    return f", and the {missed:.1%} a decade that its form missed on its own larger runs" if missed else ""


def worth_estimate(drafter: Drafter, tokens: float) -> Estimate | None:
    """Unique tokens that the run's tokens are worth; none where nothing is read twice, or sizes are not told."""
    if not _repeats(drafter, tokens):
        return None
    drawn = drawn_question(drafter.spec, drafter.training_mfu)
    center = float(drafter.question.worth.tokens(tokens))
    found = laws.percentiles(drawn.worth.tokens(tokens), center, _LEVEL)
    return Estimate(
        value=center,
        low=found.low,
        high=found.high,
        unit="tokens",
        basis=f"{REPETITION_LAW}, whose constants are weakly identified: the interval carries that",
    )


def _repeats(drafter: Drafter, tokens: float) -> bool:
    worth = drafter.question.worth
    return isinstance(worth, Repetition) and bool(np.any(worth.epochs(tokens) > 1))
