"""Derivations of wall-clock, goodput, failures, money, energy and CO2, with their numbers."""

from sixnd.planner.cost import watts
from sixnd.planner.evaluation_cost import forward_s, passes_s, readings
from sixnd.planner.explain_estimates import number, train_time_s, with_interval
from sixnd.planner.explanation import Facts, Step
from sixnd.planner.failures import DALY, Stops, expected_stops
from sixnd.planner.goodput import checkpoint_bytes, hazards, restart_s
from sixnd.planner.utilisation import forward_share
from sixnd.specs import catalog
from sixnd.specs.plan import Estimate

_FORWARD = "rule: a forward pass takes its share of a step's FLOPs"


def goodput(facts: Facts) -> list[Step]:
    """The spec's share or the catalog's; or what the catalog's failures leave, with what each part costs."""
    clock, name = facts.clock, facts.spec.accelerators.name
    if clock.stops is None:
        pinned = facts.spec.cluster.goodput is not None
        source = "spec: cluster.goodput" if pinned else f"catalog: accelerators/{name}"
        return [Step("goodput", "share of wall-clock that trains or evaluates", clock.goodput, source, "share")]
    parts = clock.parts.plain()
    whole = clock.parts.total
    shares = [
        Step(what.replace("_", " "), f"{seconds:.5g} s of {whole:.5g} s", seconds / whole, DALY, "share")
        for what, seconds in parts.items()
    ]
    total = f"{clock.work_s:.5g} s of training and evaluations / {whole:.5g} s"
    return [*_stops(facts, clock.stops), *shares, Step("goodput", total, clock.goodput, DALY, "share")]


def _stops(facts: Facts, stops: Stops) -> list[Step]:
    """Failures, restart and checkpoints of this cluster."""
    known, count = facts.machine.accelerator.reliability, facts.plan.cluster.count
    assert known is not None, "there are stops"
    source = f"catalog: accelerators/{facts.spec.accelerators.name}"
    cluster, size = facts.spec.cluster, checkpoint_bytes(facts.machine, facts.model.params)
    found = hazards(facts.spec, known)
    reclaimed = f" and {found.reclaims:.3g} reclaims of spot capacity" if found.reclaims else ""
    rate = f"1 / ({count:,} × ({found.failures:.3g} failures{reclaimed} an accelerator-hour))"
    written = f"{size:.4g} bytes at the smaller of {count:,} × {known.checkpoint_bytes_per_s:.3g} and "
    written += f"{known.storage_bytes_per_s:.3g} bytes/s"
    steps = [
        Step(
            "time between stops", rate, stops.between_s, _pinned(cluster.failures_every, "failures_every", source), "s"
        ),
        Step("writing a checkpoint", written, stops.write_s, source, "s"),
        Step(
            "restart",
            f"{restart_s(facts.spec, known)[1]:g} s and loading, as long as writing",
            stops.restart_s,
            _pinned(cluster.restart_time, "restart_time", source),
            "s",
        ),
        Step("between checkpoints", "Daly's interval, at most a tenth of training", facts.clock.interval_s, DALY, "s"),
    ]
    if not stops.replacement_s:
        return steps
    missing = f"{stops.replaced_share:.2g} of stops take a machine for {stops.replacement_s:.4g} s"
    return [*steps, Step("spare machines", missing, stops.spares, "spec: cluster.spares", "machines")]


def _pinned(value: float | None, field: str, source: str) -> str:
    return source if value is None else f"spec: cluster.{field}; else {source}"


def wall_time_s(facts: Facts) -> list[Step]:
    """Training and evaluations over goodput."""
    training, evaluating, share = train_time_s(facts), _evaluations(facts), facts.clock.goodput
    work = number(training) + number(evaluating)
    found = Step("wall-clock", f"{work:.5g} s / goodput {share:.5g}", work / share)
    wall = with_interval(found, facts.plan.estimates.wall_time_s)
    return [*training, *evaluating, *goodput(facts), *wall]


def _evaluations(facts: Facts) -> list[Step]:
    """Forward passes of full batches, and how many there are."""
    model, layout, time = facts.model, facts.plan.layout, facts.plan.estimates.time
    share, each = forward_share(model, layout), forward_s(model, layout, time)
    took = f"{share:.4g} of {passes_s(time):.5g} s: a step without gradients' reduction and optimizer"
    found = readings(facts.clock, facts.plan.training.batches, model.sequence)
    batches = " + ".join(f"{one.times:,} {one.what} × {one.batches:.4g} batches" for one in found)
    whole = Step("evaluations, at most", f"({batches}) × {each:.5g} s", facts.clock.evaluated_s, _FORWARD, "s")
    return [Step("forward pass of a batch", took, each, _FORWARD, "s"), whole]


def goodput_estimate(facts: Facts) -> list[Step]:
    """Goodput with its interval."""
    planned = _known(facts.plan.estimates.goodput)
    *steps, last = goodput(facts)
    return [*steps, *with_interval(last, planned)]


def failures(facts: Facts) -> list[Step]:
    """Wall-clock over the time between stops."""
    planned, clock = _known(facts.plan.estimates.failures), facts.clock
    assert clock.stops is not None, "only explained where the plan has it"
    running = clock.parts.total - clock.parts.waiting
    formula = f"{running:.5g} s of wall-clock / {clock.stops.between_s:.5g} s between stops"
    found = Step("stops", formula, expected_stops(clock.stops, clock.parts))
    return [*_stops(facts, clock.stops), *with_interval(found, planned)]


def accelerator_hours(facts: Facts) -> list[Step]:
    """Wall-clock times accelerators."""
    wall, held = number(wall_time_s(facts)), facts.spec.accelerators_held
    found = Step("accelerator-hours", f"{wall:.5g} s × {held} / 3600", wall * held / 3600)
    return [*wall_time_s(facts), *with_interval(found, facts.plan.estimates.accelerator_hours)]


def money_usd(facts: Facts) -> list[Step]:
    """Hours times price."""
    hours, price = number(accelerator_hours(facts)), facts.plan.cluster.price_usd_per_accelerator_hour
    found = Step("money", f"{hours:.5g} accelerator-hours × {price:g} USD", hours * price)
    return [*accelerator_hours(facts), *with_interval(found, facts.plan.estimates.money_usd)]


def energy_kwh(facts: Facts) -> list[Step]:
    """Power times PUE times wall-clock."""
    a, wall = facts.machine.accelerator, number(wall_time_s(facts))
    devices, power = facts.spec.accelerators_held / facts.machine.sharers, watts(facts.machine)[1]
    formula = f"{devices:g} × {power:g} W × PUE {a.pue:g} × {wall:.5g} s / 3.6e6"
    found = Step("energy", formula, devices * power * a.pue * wall / 3.6e6)
    source = "maximum of the accelerator alone: nothing was measured" if a.drawn_power is None else a.drawn_power.source
    drawn = Step("power drawn an accelerator", "in training", power, source, "W")
    return [*wall_time_s(facts), drawn, *with_interval(found, facts.plan.estimates.energy_kwh)]


def co2_kg(facts: Facts) -> list[Step]:
    """Energy times what the grid emits."""
    planned, pinned = _known(facts.plan.estimates.co2_kg), facts.spec.cluster.grid_kg_co2_per_kwh
    world = catalog.grid("world")
    each, source = (
        (world.kg_co2_per_kwh, world.source) if pinned is None else (pinned, "spec: cluster.grid_kg_co2_per_kwh")
    )
    energy, grid = number(energy_kwh(facts)), Step("grid", "CO2-equivalents of electricity", each, source, "kg a kWh")
    found = Step("CO2", f"{energy:.5g} kWh × {each:g} kg a kWh", energy * each)
    return [*energy_kwh(facts), grid, *with_interval(found, planned)]


def _known(estimate: Estimate | None) -> Estimate:
    assert estimate is not None, "only explained where the plan has it"
    return estimate
