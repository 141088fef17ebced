"""Money, energy and CO2 from the step time, each with its 80 % interval."""

from sixnd.planner.calibration import planned_error
from sixnd.planner.machine import Machine
from sixnd.planner.spread import Span, product, span
from sixnd.planner.transformer import Transformer
from sixnd.specs import catalog
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.checks import offer
from sixnd.specs.plan import Estimate, PlannedLayout


def scaled(base: Estimate, factor: float, unit: str, basis: str) -> Estimate:
    """An estimate proportional to another; the interval scales along."""
    values = {"value": base.value * factor, "low": base.low * factor, "high": base.high * factor}
    return Estimate(**values, unit=unit, basis=basis, extrapolated=base.extrapolated)


def inverse(base: Estimate, factor: float, unit: str, basis: str) -> Estimate:
    """An estimate inversely proportional to another."""
    values = {"value": factor / base.value, "low": factor / base.high, "high": factor / base.low}
    return Estimate(**values, unit=unit, basis=basis, extrapolated=base.extrapolated)


def step_time_estimate(
    model: Transformer, layout: PlannedLayout, global_batch: int, machine: Machine, seconds: float
) -> Estimate:
    """Step time with the interval of the catalog, or of what a calibration leaves open for this very run."""
    error, measured = planned_error(model, layout, global_batch, machine), machine.calibration
    if measured is None:
        constants, whence = (
            f"{machine.accelerator.step_family} in the catalog (step-families)",
            "published runs held out",
        )
    else:
        rows = len(measured.evidence)
        constants = f"calibration {measured.name} ({rows} measured configuration{'' if rows == 1 else 's'})"
        whence = "what these measurements leave open for this run"
    basis = f"analytic step time, constants of {constants}; interval: a factor {1 + error:.3g}, {whence}"
    return Estimate(value=seconds, low=seconds / (1 + error), high=seconds * (1 + error), unit="s", basis=basis)


def memory_estimate(machine: Machine, memory_bytes: float) -> Estimate:
    """Peak memory of the fullest rank with the catalog's error."""
    error = machine.accelerator.memory_relative_error
    basis = f"state, activations (Korthikanti et al. 2022), overhead by catalog; interval ± {error:.0%} by the catalog"
    return Estimate(
        value=memory_bytes, low=memory_bytes * (1 - error), high=memory_bytes * (1 + error), unit="bytes", basis=basis
    )


def money_estimate(spec: BudgetSpec, machine: Machine, hours: Estimate) -> Estimate:
    """Accelerator-hours times price; the interval is of hours and, unless the spec set it, of the catalog's prices."""
    price, contract = machine.planned.price_usd_per_accelerator_hour, offer(spec)
    pinned = spec.cluster.price_usd_per_accelerator_hour is not None
    prices = (price, price, price) if pinned else (contract.low, price, contract.high)
    basis = (
        f"accelerator-hours × {price:g} USD ({machine.planned.price_source}); "
        f"interval: hours, and prices {prices[0]:g} to {prices[2]:g} USD"
    )
    return _estimate(product(span(hours), prices), "USD", basis)


def watts(machine: Machine) -> Span:
    """What one accelerator and its share of the host draw; the accelerator's maximum where nothing was measured."""
    drawn, most = machine.accelerator.drawn_power, machine.accelerator.power_w
    return (most, most, most) if drawn is None else (drawn.low, drawn.watts, drawn.high)


def energy_estimate(spec: BudgetSpec, machine: Machine, wall: Estimate) -> Estimate:
    """Power × PUE × wall-clock of all accelerators, kWh; spare machines count like those that train."""
    a, power = machine.accelerator, watts(machine)
    devices = spec.accelerators_held / machine.sharers
    hours = scaled(wall, devices * a.pue / 3.6e6, "", "")
    if a.drawn_power is None:
        basis = f"{a.power_w:g} W (maximum, so an upper estimate) × PUE {a.pue:g} × wall-clock; interval of wall-clock"
    else:
        basis = (
            f"{power[1]:g} W drawn an accelerator, host included (catalog), × PUE {a.pue:g} × wall-clock; interval: "
            f"wall-clock, and {power[0]:g} to {power[2]:g} W"
        )
    return _estimate(product(span(hours), power), "kWh", basis)


def co2_estimate(spec: BudgetSpec, energy: Estimate) -> Estimate:
    """Energy times what the site's grid emits, kg of CO2-equivalents."""
    pinned = spec.cluster.grid_kg_co2_per_kwh
    if pinned is not None:
        return scaled(energy, pinned, "kg", f"energy × {pinned:g} kg a kWh (spec: cluster.grid_kg_co2_per_kwh)")
    grid = catalog.grid("world")
    basis = (
        f"energy × {grid.kg_co2_per_kwh:g} kg a kWh, the world's average of {grid.year} (catalog: grids); "
        f"interval: energy, and the grids of countries, {grid.low:g} to {grid.high:g}; set cluster.grid_kg_co2_per_kwh"
    )
    return _estimate(product(span(energy), (grid.low, grid.kg_co2_per_kwh, grid.high)), "kg", basis)


def _estimate(found: Span, unit: str, basis: str) -> Estimate:
    return Estimate(low=found[0], value=found[1], high=found[2], unit=unit, basis=basis)
