"""What `sixnd ladder` prints: what the ladder buys, what it costs, its rungs, and the designs it was held against."""

import textwrap

from sixnd.console import text_table
from sixnd.reports import format as fmt
from sixnd.specs.ladder import DesignOption, Expected, Ladder, Rung
from sixnd.specs.plan import Estimate

_DESIGN = {"optimal": "optimal design", "isoflop": "isoFLOP curves", "grid": "uniform grid"}
Row = tuple[str, ...]


def ladder_text(ladder: Ladder, width: int) -> str:
    """The ladder, ``width`` columns wide."""
    parts = [
        f"{ladder.name}: a ladder of {len(ladder.rungs)} runs",
        text_table(f"Its cost, of {fmt.share(ladder.share)} allowed", _cost(ladder)),
        text_table("What it tells (95 % intervals)", [_head(), *_knowledge(ladder)]),
        text_table("At equal cost (95 % intervals)", [_head(), *(_option(ladder, o) for o in ladder.options)]),
        text_table("Rungs", [_RUNG_HEAD, *map(_rung, ladder.rungs)]),
        _list("Notes", [f"Intervals: {ladder.basis}.", _noise(ladder), *_breaks(ladder), *ladder.notes], width),
    ]
    return "\n\n".join(parts)


def _cost(ladder: Ladder) -> list[Row]:
    target = ladder.target.accelerator_hours.value
    return [
        ("compute", fmt.share(ladder.spent_share), f"of {fmt.flops(ladder.target.budget_flops)} FLOPs"),
        ("accelerator-hours", _estimate("hours", ladder.accelerator_hours), f"target: {fmt.hours(target)}"),
        ("money", _estimate("money", ladder.money_usd), ""),
    ]


def _estimate(kind: str, found: Estimate) -> str:
    return f"{fmt.FORMATS[kind](found.value)} ({fmt.interval(kind, found.value, found.low, found.high)})"


def _head() -> Row:
    return ("", "N*", "within a factor", "loss", "within")


def _knowledge(ladder: Ladder) -> list[Row]:
    return [("before", *_expected(ladder.before)), ("after a fit", *_expected(ladder.after))]


def _option(ladder: Ladder, option: DesignOption) -> Row:
    mark = " (chosen)" if option.design == ladder.design else ""
    runs = f", {option.runs} runs"
    return (f"{_DESIGN[option.design]}{runs}{mark}", *_expected(option.expected))


def _expected(found: Expected) -> Row:
    (low_N, high_N), (low_L, high_L) = found.params_95, found.loss_95
    return (
        fmt.interval("count", low_N, low_N, high_N),
        f"{(high_N / low_N) ** 0.5:.2f}",
        fmt.interval("nats", low_L, low_L, high_L),
        f"± {fmt.percent((high_L / low_L) ** 0.5 - 1)}",
    )


_RUNG_HEAD = ("", "N", "D", "D/N", "FLOPs", "accelerators", "wall-clock", "money")


def _rung(rung: Rung) -> Row:
    return (
        rung.name,
        fmt.count(rung.params),
        fmt.count(rung.tokens),
        fmt.significant(rung.tokens / rung.params),
        fmt.flops(rung.compute_flops),
        fmt.integer(rung.accelerators),
        fmt.duration(rung.wall_time_s.value),
        fmt.money(rung.money_usd.value),
    )


def _breaks(ladder: Ladder) -> list[str]:
    return [f"The {_DESIGN[o.design]}: {'; '.join(o.breaks)}." for o in ladder.options if o.breaks]


def _noise(ladder: Ladder) -> str:
    return f"Noise of a run's loss: {fmt.percent(ladder.noise_sd)} ({ladder.noise_source})."


def _list(title: str, lines: list[str], width: int) -> str:
    wrap = textwrap.TextWrapper(width, initial_indent="  - ", subsequent_indent="    ", break_on_hyphens=False)
    return "\n".join([title, *(wrap.fill(line) for line in lines)])
