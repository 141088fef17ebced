"""Hours, money and energy from the step time, each with its 80 % interval."""

from sixnd.planner.machine import Machine
from sixnd.specs.plan import Estimate


def goodput_of(machine: Machine, pinned: float | None) -> float:
    """Share of wall-clock that trains: the spec's, or the catalog's."""
    return machine.accelerator.goodput if pinned is None else pinned


def scaled(base: Estimate, factor: float, unit: str, basis: str) -> Estimate:
    """An estimate proportional to another; the interval scales along."""
    values = {"value": base.value * factor, "low": base.low * factor, "high": base.high * factor}
    return Estimate(**values, unit=unit, basis=basis, extrapolated=base.extrapolated)


def inverse(base: Estimate, factor: float, unit: str, basis: str) -> Estimate:
    """An estimate inversely proportional to another."""
    values = {"value": factor / base.value, "low": factor / base.high, "high": factor / base.low}
    return Estimate(**values, unit=unit, basis=basis, extrapolated=base.extrapolated)


def step_time_estimate(machine: Machine, seconds: float) -> Estimate:
    """Step time with the interval that the cost model's residuals on published runs give."""
    name, error = machine.planned.accelerator, machine.accelerator.efficiency.relative_error
    basis = f"analytic step time, constants of {name} in the catalog; interval: a factor {1 + error:g} by the catalog"
    return Estimate(value=seconds, low=seconds / (1 + error), high=seconds * (1 + error), unit="s", basis=basis)


def memory_estimate(machine: Machine, memory_bytes: float) -> Estimate:
    """Peak memory of the fullest rank with the catalog's error."""
    error = machine.accelerator.memory_relative_error
    basis = f"state, activations (Korthikanti et al. 2022), overhead by catalog; interval ± {error:.0%} by the catalog"
    return Estimate(
        value=memory_bytes, low=memory_bytes * (1 - error), high=memory_bytes * (1 + error), unit="bytes", basis=basis
    )


def money_estimate(machine: Machine, hours: Estimate, price_pinned: bool) -> Estimate:
    """Accelerator-hours times price; the interval spans the catalog's prices too, unless the spec set the price."""
    price = machine.planned.price_usd_per_accelerator_hour
    catalog_price = machine.accelerator.price
    low, high = (price, price) if price_pinned else (catalog_price.low, catalog_price.high)
    source = machine.planned.price_source
    basis = f"accelerator-hours × {price:g} USD ({source}); interval: hours, and prices {low:g} to {high:g} USD"
    return Estimate(value=hours.value * price, low=hours.low * low, high=hours.high * high, unit="USD", basis=basis)


def energy_estimate(machine: Machine, wall: Estimate) -> Estimate:
    """Maximum power × PUE × wall-clock of all accelerators (of one machine where ranks share it), kWh."""
    a = machine.accelerator
    devices = machine.planned.count / machine.sharers
    basis = f"{a.power_w:g} W (maximum, so an upper estimate) × PUE {a.pue:g} × wall-clock; interval of wall-clock"
    return scaled(wall, devices * a.power_w * a.pue / 3.6e6, "kWh", basis)
