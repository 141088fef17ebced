"""Constants of the step-time model re-fitted to measured steps: the most probable ones given the catalog's as prior.

Everything is done in logarithms, of constants and of seconds. The prior is normal around the catalog's constants; a
measured step is normal around its prediction, with the model's own error and the noise of the measurement. Rows that
contradict the others after a first fit pull less (Huber 1964). What the rows cannot tell stays where the catalog has
it, and the interval of a prediction narrows by what they tell of that very configuration.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np

from sixnd.planner.candidates import Floats, Layouts, stage_kinds
from sixnd.planner.machine import Machine
from sixnd.planner.runtime import Runtime, runtime, with_constants
from sixnd.planner.step_rates import Rates, rates_of
from sixnd.planner.step_seconds import relative_error, seconds_of
from sixnd.planner.step_work import work
from sixnd.planner.transformer import Transformer
from sixnd.specs.calibration import Calibration
from sixnd.specs.families import Architecture
from sixnd.specs.plan import PlannedLayout
from sixnd.specs.step_family import StepFamily

WIDTHS = {
    "matmul": 0.075,
    "attention": 0.2,
    "attention_flash2": 0.2,
    "memory": 0.15,
    "scale_up": 0.15,
    "network": 0.1,
    "expert_matmul": 0.25,
    "misaligned": 0.15,
    "cast": 0.3,
    "bytes_per_logit": 0.25,
    "layer_overhead_s": 0.35,
    "expert_overhead_s": 0.35,
    "graph_overhead": 0.25,
    "launch_s": 0.25,
    "collective_s": 0.25,
    "step_overhead_s": 0.5,
    "exposed_tensor": 0.3,
    "exposed_dispatch": 0.35,
    "exposed_data": 0.3,
    "exposed_gather": 0.25,
}
"""Standard deviations of the logarithms of constants, relative to each other: the prior with which the catalog's own
were fitted (benchmark ``step_fit``; links and latencies, which were not fitted, as what is most like them)."""
_SCALE = 8.4
"""They are multiplied by this and by the standard deviation that the catalog's interval stands for: by 0.8 on a GPU
whose interval is 13 %, more where the catalog is less sure. Scales of 5 and 14 predict a source's other rows as well
from one, three and five of its rows (benchmark ``calibration_truth``)."""
_LEAST = 0.1
"""Least such standard deviation: published runs were tuned by people who knew their machines, a user's may be further
from them than they are from each other. An interval of 13 to 14 %, the catalog's when the scale was chosen."""

_CHIP = ("matmul", "attention", "attention_flash2", "memory")
_HOST = ("layer_overhead_s", "expert_overhead_s", "launch_s", "step_overhead_s")
_ABOVE_ONE = ("misaligned", "cast", "bytes_per_logit", "collective_s", *_HOST)
"""Constants that are no shares."""
MODEL_ERROR, EXPERT_MODEL_ERROR = 0.05, 0.15
"""Standard deviation of log step time that no constants remove, of a dense model and with experts: with these, 80 %
intervals after calibration hold about as many of a source's other rows (benchmark ``calibration_truth``)."""
_OF_80_PERCENT = 1.2816
"""Half-width of the 80 % interval of a normal distribution, in standard deviations."""
_HUBER = 1.5
_PRIOR_ROWS = 4
"""Rows that the catalog's model error counts for where rows scatter more than it says."""
_QUIET = 1e-3
"""Least noise a measurement is taken to have; keeps the weights of repetitions finite."""
_STEP, _ROUNDS, _CONVERGED = 1e-3, 30, 1e-6


@dataclass(frozen=True)
class MeasuredStep:
    """One configuration and its measured step time; ``layout`` holds a single layout."""

    model: Architecture
    layout: Layouts
    sequence: int
    global_batch: float
    seconds: float
    noise: float = 0.0
    """Standard deviation of the logarithm of ``seconds``, as far as its own source tells."""
    sharers: int = 1
    """Ranks that share one device (a CPU)."""

    def predicted_s(self, runtime: Runtime) -> float:
        """Seconds of a step by the model."""
        return float(self.each_predicted_s([runtime])[0])

    def each_predicted_s(self, runtimes: Sequence[Runtime]) -> Floats:
        """The same by several runtimes that differ in their family's constants only, in one pass."""
        shared = [replace(one, sharers=self.sharers) for one in runtimes]
        counted = work(self.model, self.layout, self.sequence, shared[0])
        each = [rates_of(self.model, one) for one in shared]
        rates = Rates(*(np.array([getattr(one, f.name) for one in each]) for f in fields(Rates)))
        batches = self.global_batch / (self.layout.data * self.layout.micro_batch)
        found = seconds_of(counted, stage_kinds(self.model, self.layout), self.layout, batches, rates)
        return np.broadcast_to(found.total, len(shared))


@dataclass(frozen=True)
class Posterior:
    """What is known of the constants after the fit; those not named are as sure as before."""

    names: tuple[str, ...]
    covariance: Floats
    """Of the logarithms of the named constants."""
    excess: float = 1.0
    """How much more the rows scatter around the fit than the model's own error, in standard deviations; at least 1."""

    def relative_error(self, step: MeasuredStep, runtime: Runtime) -> float:
        """Half-width, by ratio, of the 80 % interval of a configuration's step time.

        Never wider than the catalog's, unless the rows contradict each other or all that the constants can be. First
        order in the constants' logarithms; ``runtime`` is the re-fitted one, ``step.seconds`` is not looked at.
        """
        prior = _prior(runtime)
        covariance = prior.covariance.copy()
        told = [prior.names.index(name) for name in self.names]
        covariance[told, :] = covariance[:, told] = 0.0
        covariance[np.ix_(told, told)] = self.covariance
        slope = log_slopes([step], runtime, prior.names)[0]
        spread = math.sqrt(slope @ covariance @ slope + (self.excess * _model_error(step.model)) ** 2)
        found = math.expm1(_OF_80_PERCENT * spread)
        return found if self.excess > 1 else min(found, relative_error(step.model, runtime.family))


@dataclass(frozen=True)
class Calibrated:
    """A re-fit: the runtime with new constants, and how sure they are."""

    before: Runtime
    runtime: Runtime
    posterior: Posterior
    spread_before: dict[str, float]
    """Standard deviation of the logarithm of each named constant before."""
    at_bound: tuple[str, ...]
    """Constants that the rows push against a physical bound, such as a share of 1."""


def planned_error(model: Transformer, layout: PlannedLayout, global_batch: int, machine: Machine) -> float:
    """Half-width, by ratio, of the 80 % interval of a planned step time; the catalog's where nothing was measured."""
    known, measured = runtime(machine, model.adapters), machine.calibration
    if measured is None:
        return relative_error(model.architecture, known.family)
    one = Layouts.of(layout)
    like = MeasuredStep(model.architecture, one, model.sequence, global_batch, math.nan, sharers=machine.sharers)
    return posterior_of(measured).relative_error(like, known)


def posterior_of(measured: Calibration) -> Posterior:
    """What a calibration's document says of the constants."""
    covariance = np.zeros((len(measured.constants),) * 2)
    for i, row in enumerate(measured.log_covariance):
        covariance[i, : i + 1] = covariance[: i + 1, i] = row
    return Posterior(tuple(one.name for one in measured.constants), covariance, measured.excess)


class _Prior(NamedTuple):
    names: tuple[str, ...]
    mean: Floats
    covariance: Floats
    low: Floats
    high: Floats


def constants(family: StepFamily) -> dict[str, float]:
    """The family's constants by name, a precision's as ``matmul.bf16``; those that are zero cannot move by a ratio."""
    found = {}
    for name in (known for known in WIDTHS if known in StepFamily.model_fields):
        value = getattr(family, name)
        items = {f"{name}.{key}": each for key, each in value.items()} if isinstance(value, dict) else {name: value}
        found.update({key: float(each) for key, each in items.items() if each > 0})
    return found


def calibrated(runtime: Runtime, rows: Sequence[MeasuredStep]) -> Calibrated:
    """The most probable constants of ``runtime`` given measured steps.

    One row that is predicted exactly changes no constant; a constant that no row depends on, and that does not go with
    the chip's pace, stays as it is.
    """
    assert rows
    prior = _prior(runtime)
    fit = _Fit(runtime, _merged(rows), prior)
    found = fit.most_probable()
    excess = fit.excess_at(found)
    covariance = replace(fit, excess=excess).covariance()
    told = _told(fit, prior)
    names = tuple(prior.names[i] for i in told)
    values = {prior.names[i]: float(math.exp(found[i])) for i in told}
    return Calibrated(
        before=runtime,
        runtime=_moved(runtime, values),
        posterior=Posterior(names, covariance[np.ix_(told, told)], excess),
        spread_before={name: float(math.sqrt(prior.covariance[i, i])) for name, i in zip(names, told, strict=True)},
        at_bound=tuple(prior.names[i] for i in told if fit.bound(found)[i]),
    )


def _model_error(model: Architecture) -> float:
    return MODEL_ERROR if model.experts is None else EXPERT_MODEL_ERROR


def _prior(runtime: Runtime) -> _Prior:
    """Normal around the catalog's constants: each by its width, the chip's and its host's together by their pace.

    The pace's width is what the catalog's interval holds beyond model error: on a CPU, which may be another one than
    the catalog's, it is large.
    """
    known = constants(runtime.family)
    names = tuple(known)
    fields = [name.partition(".")[0] for name in names]
    mean = np.log(np.array(list(known.values())))
    whole = max(_LEAST, math.log1p(runtime.family.relative_error) / _OF_80_PERCENT)
    own = np.array([WIDTHS[field] for field in fields]) * _SCALE * whole
    pace = max(0.0, whole**2 - MODEL_ERROR**2)
    sign = np.array([-1.0 if f in _CHIP else 1.0 if f in _HOST else 0.0 for f in fields])
    covariance = np.diag(own**2) + pace * np.outer(sign, sign)
    free_above = np.array([f in _ABOVE_ONE for f in fields])
    low = np.where(np.array(fields) == "misaligned", 0.0, -np.inf)
    return _Prior(names, mean, covariance, low, np.where(free_above, np.inf, 0.0))


def _merged(rows: Sequence[MeasuredStep]) -> list[MeasuredStep]:
    """Measurements of one configuration as one: they share the model's error there, which no repetition removes."""
    alike: dict[str, list[MeasuredStep]] = defaultdict(list)
    for row in rows:
        key = (row.model.digest(), row.layout, row.sequence, row.global_batch, row.sharers)
        alike[repr(key)].append(row)
    return [_mean(group) for group in alike.values()]


def _mean(rows: list[MeasuredStep]) -> MeasuredStep:
    """Mean of log seconds, weighted by how sure each is."""
    weights = np.array([1 / (row.noise**2 + _QUIET**2) for row in rows])
    log = float(weights @ np.log([row.seconds for row in rows]) / weights.sum())
    return replace(rows[0], seconds=math.exp(log), noise=float(weights.sum() ** -0.5))


def log_slopes(rows: Sequence[MeasuredStep], runtime: Runtime, names: Sequence[str]) -> Floats:
    """Derivatives of the logarithm of each row's step time by the logarithm of each constant."""
    known = constants(runtime.family)
    moved = [_moved(runtime, {name: known[name] * math.exp(by)}) for by in (_STEP, -_STEP) for name in names]
    up, down = np.log([row.each_predicted_s(moved) for row in rows]).reshape(len(rows), 2, len(names)).swapaxes(0, 1)
    return np.asarray((up - down) / (2 * _STEP))


def _moved(runtime: Runtime, values: Mapping[str, float]) -> Runtime:
    return replace(runtime, family=with_constants(runtime.family, values))


@dataclass(frozen=True)
class _Fit:
    """Measured steps against the model, as a function of the logarithms of its constants."""

    runtime: Runtime
    rows: list[MeasuredStep]
    prior: _Prior
    excess: float = 1.0

    def at(self, x: Floats) -> Runtime:
        return _moved(self.runtime, dict(zip(self.prior.names, np.exp(x).tolist(), strict=True)))

    def residuals(self, x: Floats) -> Floats:
        """Logarithms of measured over predicted seconds."""
        runtime = self.at(x)
        return np.log([row.seconds / row.predicted_s(runtime) for row in self.rows])

    def variance(self) -> Floats:
        return np.array([row.noise**2 + (self.excess * _model_error(row.model)) ** 2 for row in self.rows])

    def bound(self, x: Floats) -> Floats:
        """Which constants lie at a bound without having started there."""
        there = (x >= self.prior.high - 1e-9) | (x <= self.prior.low + 1e-9)
        return np.asarray(there & (np.abs(x - self.prior.mean) > 1e-6))

    def excess_at(self, x: Floats) -> float:
        """How much more the rows scatter than the model's own error, which counts as some rows that do not."""
        far = float((self.residuals(x) ** 2 / self.variance()).sum())
        return max(1.0, math.sqrt((_PRIOR_ROWS + far) / (_PRIOR_ROWS + len(self.rows))))

    def most_probable(self) -> Floats:
        """Gauss-Newton with all rows whole, then with those held down that lie far from the others."""
        x = self._descend(self.prior.mean.copy(), 1 / self.variance())
        for _ in range(3):
            rest = self.residuals(x)
            off = np.abs(rest - np.median(rest)) / np.sqrt(self.variance())
            if off.max() <= _HUBER:
                break
            x = self._descend(x, np.minimum(1.0, _HUBER / np.maximum(off, _HUBER)) / self.variance())
        return x

    def _descend(self, x: Floats, weights: Floats) -> Floats:
        certainty: Floats = np.linalg.inv(self.prior.covariance).astype(np.float64)

        def objective(at: Floats) -> float:
            off = at - self.prior.mean
            return float(off @ certainty @ off + weights @ self.residuals(at) ** 2)

        value = objective(x)
        for _ in range(_ROUNDS):
            step = self._step(x, weights, certainty)
            for _halving in range(12):
                ahead = np.clip(x + step, self.prior.low, self.prior.high)
                new = objective(ahead)
                if new <= value:
                    break
                step = step / 2
            else:
                return x
            moved, x, value = float(np.abs(ahead - x).max()), ahead, new
            if moved < _CONVERGED:
                break
        return x

    def _step(self, x: Floats, weights: Floats, certainty: Floats) -> Floats:
        """The Gauss-Newton step over the constants that are free to take it: at a bound none leaves."""
        slopes = log_slopes(self.rows, self.at(x), self.prior.names)
        downhill = slopes.T @ (weights * self.residuals(x)) - certainty @ (x - self.prior.mean)
        curvature = certainty + slopes.T @ (weights[:, None] * slopes)
        stuck = ((x >= self.prior.high) & (downhill > 0)) | ((x <= self.prior.low) & (downhill < 0))
        free = np.flatnonzero(~stuck)
        step = np.zeros_like(x)
        step[free] = np.linalg.solve(curvature[np.ix_(free, free)], downhill[free])
        return step

    def covariance(self) -> Floats:
        """Of the constants given the rows, first order at the catalog's constants: more rows, never less sure."""
        slopes = log_slopes(self.rows, self.runtime, self.prior.names)
        certainty = np.linalg.inv(self.prior.covariance) + slopes.T @ (slopes / self.variance()[:, None])
        found = np.linalg.inv(certainty)
        return np.asarray((found + found.T) / 2)


def _told(fit: _Fit, prior: _Prior) -> list[int]:
    """Constants that the rows say something of: what they depend on, and what goes with that."""
    slopes = np.abs(log_slopes(fit.rows, fit.runtime, prior.names)).max(axis=0) > 1e-9
    return [int(i) for i in np.flatnonzero((prior.covariance[:, slopes] != 0).any(axis=1))]
