"""From loss to a task's metric: the two curves in use, fitted by least squares with every resample at once.

Bhagia et al. 2024 (arXiv:2412.04403, step 2): accuracy = a / (1 + exp(−k·(x − x₀))) + b over the task's own loss x.
Gadre et al. 2024 (arXiv:2403.08540, eq. 5): average top-1 error = ε − k·exp(−γ·L) over the validation loss L.
Only some tasks scale so smoothly; a prediction is worth its interval.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from sixnd.planner.fitting.resample import resamples
from sixnd.planner.fitting.runs import Array
from sixnd.planner.fitting.zoom import least, scan
from sixnd.specs.errors import UnfitRunsError

_SIDE = 41
_FEWEST = 5


@dataclass(frozen=True)
class AccuracyCurve:
    """accuracy = drop / (1 + exp(−steepness·(x − midpoint))) + best, with drop ≤ 0."""

    drop: float
    midpoint: float
    """Task loss, in the units of the points."""
    steepness: float
    best: float
    """Accuracy far below the midpoint."""

    def __call__(self, loss: Array) -> Array:
        """Accuracy at a task loss."""
        return np.asarray(self.drop * _logistic(np.asarray(loss), self.midpoint, self.steepness) + self.best)

    @property
    def worst(self) -> float:
        """Accuracy far above the midpoint: what guessing gets, if the curve is right."""
        return self.drop + self.best


@dataclass(frozen=True)
class ErrorCurve:
    """error = worst − scale·exp(−rate·L)."""

    worst: float
    """ε: error at high loss."""
    scale: float
    rate: float
    """γ, per nat."""

    def __call__(self, loss: Array) -> Array:
        """Top-1 error at a validation loss, nats per token."""
        return np.asarray(self.worst - self.scale * np.exp(-self.rate * np.asarray(loss)))


class _Curve(Protocol):
    def __call__(self, loss: Array) -> Array: ...


Curve = TypeVar("Curve", bound=_Curve)


@dataclass(frozen=True)
class TaskFit(Generic[Curve]):
    """A curve through a task's points, and the curves through resamples of the runs."""

    curve: Curve
    draws: tuple[Curve, ...]
    residual_sd: float
    """Of the points around the curve, in the metric's units."""
    loss_range: tuple[float, float]
    """Losses of the points."""
    notes: tuple[str, ...]


@dataclass(frozen=True)
class TaskPrediction:
    """A metric at a predicted loss."""

    value: float
    low: float
    high: float
    notes: tuple[str, ...]


def running_mean(values: Array, window: int, skip: float = 0.0) -> Array:
    """Means of each checkpoint of a run and up to ``window`` − 1 before it, the first share ``skip`` dropped.

    Single checkpoints of a run jump about; Bhagia et al. 2024 average five and skip a tenth.
    """
    kept = np.asarray(values, float)[int(np.ceil(skip * len(values))) :]
    sums = np.concatenate([[0.0], np.cumsum(kept)])
    ends = np.arange(1, kept.size + 1)
    starts = np.maximum(0, ends - window)
    return np.asarray((sums[ends] - sums[starts]) / (ends - starts))


def fit_accuracy(
    loss: Array,
    accuracy: Array,
    runs: Sequence[object],
    *,
    anchor: float | None = 1.0,
    chance: float | None = None,
    count: int = 200,
    seed: int = 0,
) -> TaskFit[AccuracyCurve]:
    """The accuracy curve through checkpoints of several ``runs`` (the name of each point's run).

    ``anchor`` adds the paper's ideal point: that accuracy at loss 0. ``chance`` fixes the accuracy at high loss at
    what guessing gets; without it the level is free, as in the paper, and one below 0 is impossible. Draws resample
    whole runs, since checkpoints of one run err together; the anchor stays.
    """
    x, y = _points(loss, accuracy)
    weights = _run_weights(runs, count, seed)
    if anchor is not None:
        x, y = np.append(x, 0.0), np.append(y, anchor)
        weights = np.hstack([weights, np.ones((len(weights), 1))])
    spread = float(np.ptp(x[x > 0]))
    low, high = np.array([0.0, np.log(0.1 / spread)]), np.array([2 * x.max(), np.log(100 / spread)])

    def shape(points: Array) -> Array:
        return _logistic(x, points[:, :1], np.exp(points[:, 1:]))

    found, linear = _fitted(shape, y, weights, low, high, _box if chance is None else _hung_from(chance))
    curves = tuple(
        AccuracyCurve(float(a), float(at[0]), float(np.exp(at[1])), float(b))
        for at, (a, b) in zip(found, linear, strict=True)
    )
    best = float(np.max(accuracy))
    notes = () if chance is None or best > chance + 0.05 else (_AT_CHANCE.format(best=best, chance=chance),)
    return _task_fit(curves, loss, accuracy, notes)


def fit_error(
    loss: Array, error: Array, runs: Sequence[object], *, count: int = 200, seed: int = 0
) -> TaskFit[ErrorCurve]:
    """The error curve through several ``runs`` (the name of each point's run); draws resample whole runs."""
    x, y = _points(loss, error)
    middle, spread = float(np.mean(x)), float(np.ptp(x))

    def shape(points: Array) -> Array:
        return np.asarray(-np.exp(-np.exp(points) * (x - middle)))

    low, high = np.array([np.log(0.01 / spread)]), np.array([np.log(100 / spread)])
    found, linear = _fitted(shape, y, _run_weights(runs, count, seed), low, high, _free)
    rates = np.exp(found[:, 0])
    curves = tuple(
        ErrorCurve(float(b), float(a * np.exp(rate * middle)), float(rate))
        for rate, (a, b) in zip(rates, linear, strict=True)
    )
    return _task_fit(curves, loss, error, ())


def predict(
    fit: TaskFit[Curve], loss: float, loss_draws: Array, *, level: float = 0.8, seed: int = 0
) -> TaskPrediction:
    """The metric at a predicted ``loss`` whose uncertainty is ``loss_draws``, with an interval of ``level``.

    The interval holds both fits' draws, paired by chance, and the scatter of single points around the curve.
    """
    rng = np.random.default_rng(seed)
    size = max(len(fit.draws), len(loss_draws))
    curves = rng.integers(len(fit.draws), size=size)
    losses = rng.choice(loss_draws, size=size)
    values = np.array([float(fit.draws[c](np.array(x))) for c, x in zip(curves, losses, strict=True)])
    low, high = np.quantile(values + rng.normal(0, fit.residual_sd, size), [(1 - level) / 2, (1 + level) / 2])
    beyond = max(fit.loss_range[0] - loss, loss - fit.loss_range[1], 0.0) / np.ptp(fit.loss_range)
    notes = (f"the loss lies {beyond:.0%} of the fitted range outside it",) if beyond > 0 else ()
    return TaskPrediction(float(fit.curve(np.array(loss))), float(low), float(high), fit.notes + notes)


_AT_CHANCE = "no run is clearly above chance (best {best:.1%}, chance {chance:.1%}): these points predict nothing"

_Linear = Callable[[Array, Array, Array, Array, Array], tuple[Array, Array]]
"""(Σw, Σws, Σws², Σwy, Σwsy) to the best (a, b) of y = a·s + b."""


def _fitted(
    shape: Callable[[Array], Array], y: Array, weights: Array, low: Array, high: Array, linear: _Linear
) -> tuple[Array, Array]:
    """Shape parameters (1 + r, k) and linear ones (1 + r, 2) of least squares: all points, then each resample."""

    def solved(points: Array, w: Array) -> tuple[Array, Array, Array]:
        s = shape(points)
        moments = np.sum(w, axis=1), s @ w.T, s**2 @ w.T, w @ y, s @ (w * y).T
        a, b = linear(*moments)
        n, s1, s2, y1, sy = moments
        return a, b, (w @ y**2) + a**2 * s2 + b**2 * n + 2 * (a * b * s1 - a * sy - b * y1)

    ones = np.ones((1, y.size))
    best, _ = least(lambda points: solved(points, ones)[2][:, 0], low, high, points=_SIDE)
    found = np.vstack([best, scan(lambda points: solved(points, weights)[2], low, high, points=_SIDE)])
    pairs = []
    for at, w in zip(found, np.vstack([ones, weights]), strict=True):
        a, b, _ = solved(at[None], w[None])
        pairs.append((a[0, 0], b[0, 0]))
    return found, np.array(pairs)


def _free(n: Array, s1: Array, s2: Array, y1: Array, sy: Array) -> tuple[Array, Array]:
    a = (n * sy - s1 * y1) / np.maximum(n * s2 - s1**2, np.finfo(float).tiny)
    return a, (y1 - a * s1) / n


def _box(n: Array, s1: Array, s2: Array, y1: Array, sy: Array) -> tuple[Array, Array]:
    """Within −1 ≤ a ≤ 0 and 0 ≤ b ≤ 1: the free solution, or the best point of the four edges."""
    a, b = _free(n, s1, s2, y1, sy)
    outside = (a < -1) | (a > 0) | (b < 0) | (b > 1)
    least_cost = np.where(outside, np.inf, -np.inf)
    s2 = np.maximum(s2, np.finfo(float).tiny)
    edges = [(fixed * np.ones_like(a), np.clip((y1 - fixed * s1) / n, 0, 1)) for fixed in (-1.0, 0.0)]
    edges += [(np.clip((sy - fixed * s1) / s2, -1, 0), fixed * np.ones_like(a)) for fixed in (0.0, 1.0)]
    for a_edge, b_edge in edges:
        cost = a_edge**2 * s2 + b_edge**2 * n + 2 * (a_edge * b_edge * s1 - a_edge * sy - b_edge * y1)
        better = cost < least_cost
        a, b, least_cost = np.where(better, a_edge, a), np.where(better, b_edge, b), np.where(better, cost, least_cost)
    return a, b


def _hung_from(chance: float) -> _Linear:
    """With a + b = chance and b within chance … 1."""

    def linear(n: Array, s1: Array, s2: Array, y1: Array, sy: Array) -> tuple[Array, Array]:
        # y − chance = (b − chance)·(1 − s)
        squares = np.maximum(n - 2 * s1 + s2, np.finfo(float).tiny)
        b = chance + np.clip((y1 - sy - chance * (n - s1)) / squares, 0, 1 - chance)
        return chance - b, b

    return linear


def _points(loss: Array, metric: Array) -> tuple[Array, Array]:
    x, y = np.asarray(loss, float), np.asarray(metric, float)
    assert x.shape == y.shape, "a metric for every loss"
    if np.unique(x).size < _FEWEST or not (np.all(np.isfinite(x)) and np.all(np.isfinite(y))):
        raise UnfitRunsError(
            f"a task's curve needs {_FEWEST} points of different finite loss",
            f"there are {np.unique(x).size}: add runs",
        )
    return x, y


def _run_weights(runs: Sequence[object], count: int, seed: int) -> Array:
    """How often each point counts in each resample of whole runs: (draws, n)."""
    names, of = np.unique([str(run) for run in runs], return_inverse=True)
    return np.asarray(resamples(names.size, count, seed)[:, of])


def _logistic(x: Array, midpoint: Array | float, steepness: Array | float) -> Array:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * steepness * (x - midpoint))))


def _task_fit(curves: tuple[Curve, ...], loss: Array, metric: Array, notes: tuple[str, ...]) -> TaskFit[Curve]:
    residual_sd = float(np.sqrt(np.mean((curves[0](np.asarray(loss)) - metric) ** 2)))
    return TaskFit(curves[0], curves[1:], residual_sd, (float(np.min(loss)), float(np.max(loss))), notes)
