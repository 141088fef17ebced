"""One question to the allocator, answered with intervals: what `sixnd allocate` tells."""

from dataclasses import astuple, dataclass, replace

import numpy as np

from sixnd.planner import laws
from sixnd.planner.allocation import Question, compute_for_loss, params_for_compute, tokens_for_loss
from sixnd.planner.laws import Interval, Numbers, Surface
from sixnd.planner.mix import repetition
from sixnd.planner.repetition import Repetition
from sixnd.specs.errors import InfeasibleError, SixndError
from sixnd.specs.laws import NamedLaw

_DRAWS_OF_A_SEARCH = 500
"""Draws behind an interval that needs a search for each of them."""
LEVELS = (0.8, 0.95)


@dataclass(frozen=True)
class Asked:
    """What is fixed; the rest is chosen."""

    compute: float | None = None
    """C = 6ND, FLOPs."""
    params: float | None = None
    tokens: float | None = None
    loss: float | None = None
    """Target, nats a token."""
    served_tokens: float = 0.0
    """Tokens served, weighted by the cost of their FLOPs (``allocation.served_tokens``)."""
    unique_tokens: float | None = None
    """Unique tokens there are; none stands for enough."""


@dataclass(frozen=True)
class Answer:
    """N, D, C and loss, each with an interval of each level; and what repetition is worth."""

    params: float
    tokens: float
    compute: float
    loss: float
    intervals: dict[str, dict[float, Interval]]
    decades_outside: float
    epochs: float | None
    tokens_worth: float | None
    """Unique tokens that D is worth."""
    loss_of_new_data: float | None
    """Loss of the same N and D if nothing repeated."""
    over_training: float
    """D/N over twenty."""
    lifetime_flops: float
    """Training and serving."""


def answer(named: NamedLaw, asked: Asked) -> Answer:
    """The best N and D for what is asked, by a law.

    Raises ``SixndError`` where the question leaves nothing to choose, or everything; ``InfeasibleError`` where
    nothing answers it.
    """
    _check(asked)
    law, question = named.law, _question(named, laws.surface(named.law), asked)
    params, tokens = (float(value) for value in _solved(question, asked))
    loss = float(question.loss(params, tokens))
    epochs = None if asked.unique_tokens is None else tokens / asked.unique_tokens
    repeats = epochs is not None and epochs > 1
    return Answer(
        params=params,
        tokens=tokens,
        compute=6 * params * tokens,
        loss=loss,
        intervals=_intervals(named, asked, (params, tokens, loss)),
        decades_outside=laws.decades_outside(law, params, tokens),
        epochs=epochs,
        tokens_worth=float(question.worth.tokens(tokens)) if repeats else None,
        loss_of_new_data=float(laws.surface(law).loss(params, tokens)) if repeats else None,
        over_training=tokens / params / laws.CHINCHILLA_RATIO,
        lifetime_flops=6 * params * tokens + 2 * params * asked.served_tokens,
    )


def _check(asked: Asked) -> None:
    fixed = [n for n in ("compute", "params", "tokens", "loss") if getattr(asked, n) is not None]
    if "compute" in fixed and "loss" in fixed:
        raise SixndError("compute and loss both decide how much is spent", "give one of them")
    if not ({"compute", "loss"} & set(fixed)) and len(fixed) < 2:
        raise SixndError("there is no question", "give a compute budget, a target loss, or both N and D")
    if len(fixed) > 2:
        raise SixndError(f"{', '.join(fixed)} leave nothing to choose", "give two at most")


def _question(named: NamedLaw, surface: Surface, asked: Asked) -> Question:
    if asked.unique_tokens is None:
        return Question(surface, served_tokens=asked.served_tokens)
    unique, worn = np.array([asked.unique_tokens]), repetition(named)
    worth = Repetition(np.ones(1), unique, worn.repeated_tokens, worn.excess_params, surface)
    return Question(surface, worth, asked.served_tokens)


def _solved(question: Question, asked: Asked) -> tuple[Numbers, Numbers]:
    """N and D; one pair a draw where the surface holds draws."""
    if asked.params is not None and asked.tokens is not None:
        return asked.params, asked.tokens
    if asked.loss is not None:
        return _for_loss(question, asked, asked.loss)
    assert asked.compute is not None
    if asked.params is not None:
        return asked.params, asked.compute / 6 / asked.params
    if asked.tokens is not None:
        return asked.compute / 6 / asked.tokens, asked.tokens
    params = params_for_compute(question, asked.compute)
    return params, asked.compute / 6 / params


def _for_loss(question: Question, asked: Asked, target: float) -> tuple[Numbers, Numbers]:
    if asked.params is not None:
        shape = np.shape(question.surface.A)
        found = tokens_for_loss(question, np.full(shape, asked.params), target)[()]
        _refuse_unreachable(found, f"{asked.params:.3g} parameters reach a loss of {target:g} with no number of tokens")
        return asked.params, found
    if asked.tokens is not None:
        mirrored = _mirrored(question)
        shape = np.shape(question.surface.A)
        found = tokens_for_loss(mirrored, np.full(shape, asked.tokens), target)[()]
        _refuse_unreachable(found, f"{asked.tokens:.3g} tokens reach a loss of {target:g} with no number of parameters")
        return found, asked.tokens
    compute = compute_for_loss(question, target)
    params = params_for_compute(question, compute)
    return params, compute / 6 / params


def _mirrored(question: Question) -> Question:
    """N and D exchanged: the D for a loss at given N is the N for a loss at given D."""
    if isinstance(question.worth, Repetition):
        raise SixndError("the N for a loss on a fixed number of repeated tokens is not solved for", "leave one out")
    s = question.surface
    return replace(question, surface=s.mirrored())


def _refuse_unreachable(found: Numbers, why: str) -> None:
    if np.ndim(found) == 0 and not np.isfinite(found):
        raise InfeasibleError(f"{why} by this law", "ask for a higher loss or let go of one of them")


def _intervals(named: NamedLaw, asked: Asked, best: tuple[float, float, float]) -> dict[str, dict[float, Interval]]:
    """Intervals of what is chosen, from the law's draws; wider outside the range it was fitted on."""
    law, drawn = named.law, laws.draws(named.law)
    if drawn is None:
        return {}
    if asked.loss is not None:
        drawn = _thinned(drawn)
    question = _question(named, drawn, asked)
    params, tokens = _solved(question, asked)
    center = {"N": best[0], "D": best[1], "C": 6 * best[0] * best[1], "L": best[2]}
    at_best = question.loss(best[0], best[1])
    values = {"N": params, "D": tokens, "C": 6 * np.asarray(params) * tokens, "L": at_best}
    wider = laws.widening(law, best[0], best[1])
    spread = dict.fromkeys(values, 0.0) | {"L": laws.loss_spread(law, best[0], best[1])}
    return {
        name: {level: _interval(values[name], center[name], level, wider, spread[name]) for level in LEVELS}
        for name in values
        if np.ptp(values[name]) > 1e-9 * center[name]
    }


def _interval(values: Numbers, center: float, level: float, wider: float, spread: float) -> Interval:
    finite = np.where(np.isfinite(values), values, np.finfo(float).max ** 0.25)
    return laws.percentiles(finite, center, level, wider, spread)


def _thinned(drawn: Surface) -> Surface:
    step = max(1, np.size(drawn.A) // _DRAWS_OF_A_SEARCH)
    return Surface(*(v if np.ndim(v) == 0 else v[::step] for v in astuple(drawn)))
