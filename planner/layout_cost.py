"""What the whole run would cost with each layout that was considered."""

from collections.abc import Iterable

from sixnd.planner.goodput import WallClock
from sixnd.specs.plan import LayoutOption


def with_run_cost(options: Iterable[LayoutOption], clock: WallClock, usable_bytes: float) -> list[LayoutOption]:
    """Options with wall-clock and money of the run, and memory to spare of the bytes that a plan may fill."""
    return [_costed(option, clock, usable_bytes) for option in options]


def _costed(option: LayoutOption, clock: WallClock, usable_bytes: float) -> LayoutOption:
    if option.step_time_s is None or option.memory_bytes is None:
        return option
    wall_s = clock.at_step_time(option.step_time_s).expected_s
    price = clock.machine.planned.price_usd_per_accelerator_hour
    found = {
        "wall_time_s": wall_s,
        "money_usd": wall_s / 3600 * clock.spec.accelerators_held * price,
        "headroom_bytes": usable_bytes - option.memory_bytes,
    }
    return option.model_copy(update=found)
