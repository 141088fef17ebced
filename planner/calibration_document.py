"""Measured runs → the calibration document: rows for the fit, what it found, and what a reader must know of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from sixnd.planner.calibration import Calibrated, MeasuredStep, calibrated, constants
from sixnd.planner.candidates import Layouts
from sixnd.planner.machine import Machine
from sixnd.planner.runtime import runtime
from sixnd.planner.step_seconds import relative_error
from sixnd.planner.transformer import Transformer
from sixnd.specs.calibration import CalibratedConstant, Calibration, Evidence
from sixnd.specs.plan import Plan

_DIGITS = 6
_NOISY = 0.05
_WIDE = 1.2533
"""Standard deviation of a median over that of a mean, of normal values."""


@dataclass(frozen=True)
class Measurement:
    """Step times of one configuration, in the order they were taken, warm-up left out."""

    plan: Plan
    """Describes what was run: model, layout, batch."""
    source: str
    seconds: tuple[float, ...]

    @property
    def median_s(self) -> float:
        """Median step time."""
        return float(np.median(self.seconds))

    @property
    def noise(self) -> float:
        """Standard deviation of the logarithm of the median.

        By the steps' own scatter, or by half of what the medians of the two halves differ where that is more: on a
        machine that others use too, steps are not independent.
        """
        log = np.log(self.seconds)
        if len(log) == 1:
            return 0.0
        scatter = 1.4826 * float(np.median(np.abs(log - np.median(log)))) * _WIDE / math.sqrt(len(log))
        half = len(log) // 2
        return max(scatter, abs(float(np.median(log[:half]) - np.median(log[half:]))) / 2)

    @property
    def row(self) -> MeasuredStep:
        """The same as the fit takes it."""
        model, plan = model_of(self.plan), self.plan
        sharers = plan.layout.world_size if plan.cluster.shared_host else 1
        layout, batch = Layouts.of(plan.layout), plan.training.global_batch
        return MeasuredStep(
            model.architecture, layout, model.sequence, batch, self.median_s, self.noise, sharers=sharers
        )

    @property
    def what(self) -> str:
        """The model, its layout and batch in a line."""
        model, plan = model_of(self.plan), self.plan
        shape = f"{model.layers} layers × {model.hidden}, sequences of {model.sequence}"
        return f"{shape}, {plan.layout.label()}, batch {plan.training.global_batch}"


def model_of(plan: Plan) -> Transformer:
    """The model that a plan trains."""
    m = plan.model
    if m.architecture is not None:
        return Transformer(m.architecture, m.sequence_length)
    return Transformer.of_shape(m.shape, m.padded_vocab_size, m.sequence_length, m.tied_embeddings)


def make_calibration(
    name: str, machine: Machine, measurements: Sequence[Measurement], notes: Sequence[str]
) -> Calibration:
    """Re-fit the catalog's constants of a machine to what was measured on it; ``notes`` are told first."""
    rows = [one.row for one in measurements]
    catalog_s = runtime(machine)
    found = calibrated(catalog_s, rows)
    errors = [found.posterior.relative_error(row, found.runtime) for row in rows]
    return Calibration(
        version="calibration/1",
        name=name,
        sixnd_version=version("sixnd"),
        accelerator=machine.planned.accelerator,
        precision=machine.precision,
        relative_error_before=max(relative_error(row.model, catalog_s.family) for row in rows),
        relative_error=_rounded(max(errors)),
        excess=_rounded(found.posterior.excess),
        constants=_constants(found),
        log_covariance=[
            [_rounded(float(value)) for value in line[: i + 1]] for i, line in enumerate(found.posterior.covariance)
        ],
        evidence=[_evidence(one, row, found) for one, row in zip(measurements, rows, strict=True)],
        notes=[*notes, *_notes(found, measurements)],
    )


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def _constants(found: Calibrated) -> list[CalibratedConstant]:
    before, after = constants(found.before.family), constants(found.runtime.family)
    spreads = np.sqrt(np.diag(found.posterior.covariance))
    return [
        CalibratedConstant(
            name=name,
            before=before[name],
            value=_rounded(after[name]),
            spread_before=_rounded(found.spread_before[name]),
            spread=_rounded(float(spread)),
        )
        for name, spread in zip(found.posterior.names, spreads, strict=True)
    ]


def _evidence(one: Measurement, row: MeasuredStep, found: Calibrated) -> Evidence:
    return Evidence(
        what=one.what,
        source=one.source,
        steps=len(one.seconds),
        measured_s=_rounded(row.seconds),
        noise=_rounded(row.noise),
        predicted_before_s=_rounded(row.predicted_s(found.before)),
        predicted_s=_rounded(row.predicted_s(found.runtime)),
    )


def _notes(found: Calibrated, measurements: Sequence[Measurement]) -> list[str]:
    notes = []
    if len({one.what for one in measurements}) == 1:
        notes.append(
            "one configuration cannot tell a slow chip from a slow host or link: for runs unlike it the interval stays "
            "wider"
        )
    noisy = [one for one in measurements if one.noise > _NOISY]
    if noisy:
        most = max(one.noise for one in noisy)
        notes.append(
            f"medians uncertain by more than {_NOISY:.0%}: {len(noisy)} of {len(measurements)}, up to {most:.0%}; the "
            "machine was not quiet, or training was not steady"
        )
    if found.posterior.excess > 1:
        notes.append(
            f"the rows lie {found.posterior.excess:.1f} times as far from the fit as the model's own error: one may be "
            "described wrongly, or the machine not be quiet; intervals are widened by that"
        )
    notes += [f"{name} lies at its physical bound: the rows ask for more than it can be" for name in found.at_bound]
    return notes
