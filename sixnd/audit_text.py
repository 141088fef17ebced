"""What `sixnd audit` prints: verdict first, then the numbers, what the law expects, and what does not go together."""

import textwrap

from sixnd.planner.audit import Audit, Best, Run
from sixnd.planner.claim_solver import CLAIMED, Name
from sixnd.planner.laws import Interval
from sixnd.planner.published import KnownRun
from sixnd.reports import format as fmt

Row = tuple[str, str, str]
_SHOWN: dict[Name, tuple[str, str]] = {
    "params": ("N", "count"),
    "tokens": ("D", "count"),
    "compute": ("C", "flops"),
    "count": ("accelerators", "integer"),
    "time_s": ("wall-clock", "duration"),
    "accelerator_hours": ("accelerator-hours", "hours"),
    "price_usd": ("USD an accelerator-hour", "number"),
    "money_usd": ("money", "money"),
    "mfu": ("MFU", "percent"),
}


def audit_text(found: Audit, width: int) -> str:
    """The audit of one claim, ``width`` columns wide."""
    on = "" if found.accelerator is None else f" on {found.accelerator}"
    verdict = found.verdict
    parts = [f"{found.name}{on}", _filled(f"{verdict.key.upper()}. {verdict.sentence}", width)]
    if verdict.source:
        parts.append(_filled(f"Held against: {verdict.source}", width))
    parts.append(_section("The numbers", _numbers(found), width))
    if found.durations:
        parts.append(_section("How long this compute takes", _durations(found), width))
    if found.run is not None:
        parts.append(_section(f"What {found.law} expects of it", _run(found.run), width))
    parts.append(_section(f"What {found.law} would buy with this compute", _best(found.best), width))
    disagreements = [each.sentence for each in found.disagreements]
    parts += [_list("These do not go together", disagreements, width)] if disagreements else []
    parts.append(_list("Notes", found.notes, width))
    return "\n\n".join(parts)


def _numbers(found: Audit) -> list[Row]:
    rows = []
    for name, (label, kind) in _SHOWN.items():
        known = found.values.get(name)
        if known is not None and name != "mfu":
            rows.append((label, fmt.FORMATS[kind](known.value), known.how))  # MFU follows below, beside its peak
    if found.mfu_needed is not None and found.peak_flops is not None:
        peak = f"C / (accelerator-hours × {found.peak_flops / 1e12:.4g} TFLOP/s)"
        rows.append(("MFU it needs", fmt.percent(found.mfu_needed), peak))
    mfu = found.values.get("mfu")
    if mfu is not None and mfu.how == CLAIMED:
        rows.append(("MFU claimed", fmt.percent(mfu.value), CLAIMED))
    return rows


def _durations(found: Audit) -> list[Row]:
    return [
        (
            f"at {fmt.percent(each.mfu)}",
            fmt.hours(each.accelerator_hours),
            each.at + ("" if each.time_s is None else f": {fmt.duration(each.time_s)}"),
        )
        for each in found.durations
    ]


def _run(run: Run) -> list[Row]:
    return [
        ("tokens a parameter", fmt.significant(run.tokens_per_param), "D / N"),
        ("over-training", f"{run.over_training:.2g}×", "tokens a parameter over 20"),
        ("loss", fmt.nats(run.loss), _interval("nats", run.loss, run.loss_interval)),
        ("least C for that loss", fmt.FORMATS["flops"](run.least_compute), "at the law's own N and D"),
    ]


def _best(best: Best) -> list[Row]:
    return [
        ("N*", fmt.count(best.params), _interval("count", best.params, best.params_interval)),
        ("D*", fmt.count(best.tokens), f"{fmt.significant(best.tokens_per_param)} tokens a parameter"),
        ("loss", fmt.nats(best.loss), _interval("nats", best.loss, best.loss_interval)),
    ]


def _interval(kind: str, value: float, found: Interval | None) -> str:
    return "no interval" if found is None else f"80 %: {fmt.interval(kind, value, found.low, found.high)}"


def _section(title: str, rows: list[Row], width: int) -> str:
    first, second = (max(len(row[i]) for row in rows) for i in range(2))
    wrap = textwrap.TextWrapper(width, subsequent_indent=" " * (first + second + 6), break_on_hyphens=False)
    lines = [wrap.fill(f"  {label:<{first}}  {value:>{second}}  {how}") for label, value, how in rows]
    return "\n".join([title, *lines])


def _list(title: str, lines: list[str], width: int) -> str:
    wrap = textwrap.TextWrapper(width, initial_indent="  - ", subsequent_indent="    ", break_on_hyphens=False)
    return "\n".join([title, *(wrap.fill(line) for line in lines)])


def _filled(text: str, width: int) -> str:
    return textwrap.fill(text, width, break_on_hyphens=False)


def known_text(runs: list[KnownRun], law: str) -> str:
    """The table of published runs: how far over-trained by the rule of 20 and by a law, and at what MFU."""
    head = f"{'run':<18} {'N':>6} {'D':>6} {'D/N':>6} {'over 20':>8} {'over law':>8} {'MFU':>7}"
    lines = [
        f"{run.name:<18} {fmt.count(run.params):>6} {fmt.count(run.tokens):>6} "
        f"{fmt.significant(run.tokens_per_param):>6} {fmt.significant(run.over_training, 2) + '×':>8} "
        f"{fmt.significant(run.over_law, 2) + '×':>8} {'' if run.mfu is None else fmt.share(run.mfu):>7}"
        for run in runs
    ]
    legend = [
        "over 20: tokens a parameter over the rule of 20; over law: over those of",
        f"{law} at the run's compute C = 6ND. MFU: C over peak ×",
        "accelerator-hours. N of a mixture of experts: its active parameters.",
        "Sources: sixnd catalog published-runs",
    ]
    return "\n".join([head, *lines, "", *legend])
