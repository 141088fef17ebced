"""Writes what ``published_proof`` found: a page, the same as JSON, and a chart."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from sixnd.planner import laws
from sixnd.specs.files import write_atomically
from tests.benchmarks import published_words as words
from tests.benchmarks.published_chart import chart
from tests.benchmarks.published_fit import LEVELS, SHARES, Held, Proof, rule_of_thumb
from tests.benchmarks.published_ladders import ESTIMATORS, Told
from tests.benchmarks.published_series import LEFT_OUT

PAGE = Path(__file__).resolve().parents[2] / "docs/proof/published.md"
BASELINES = {"power": "A·C^-b", "power + E": "E + A·C^-b", "chinchilla": "`chinchilla`"}
_LARGEST_MEDIAN, _INSIDE = 0.01, (0.90, 0.98)
"""The aim: of the median error, and of the share of targets in their 95 % interval."""
_WITHIN = 0.02
"""The proof's own aim for one run."""
Optima = dict[str, tuple[float, float]]


def write(found: list[Proof], optima: Optima, ladders: list[Told]) -> None:
    """docs/proof/published.md, .json and .svg."""
    PAGE.parent.mkdir(exist_ok=True)
    write_atomically(PAGE, text(found, optima, ladders))
    write_atomically(PAGE.with_suffix(".json"), json.dumps(document(found, optima, ladders), indent=1) + "\n")
    write_atomically(PAGE.with_suffix(".svg"), chart(found))


def document(found: list[Proof], optima: Optima, ladders: list[Told]) -> dict[str, Any]:
    """The table and its summary; ``docs/proof/results.json`` may hold it as its ``published``."""
    return {
        "rows": [_row(one) for one in found],
        "summary": [_summary(f"1/{1 / share:.0f}", at(found, share)) for share in SHARES]
        + [_summary("all splits", found)],
        "allocation": [_allocated(one, *optima[one.series.name]) for one in with_optimum(found, optima)],
        "ladders": [_of_ladders(name, [one[name] for one in ladders]) for name in ESTIMATORS],
        "left_out": LEFT_OUT,
    }


def at(found: list[Proof], share: float) -> list[Proof]:
    """Those of one split."""
    return [one for one in found if one.share == share]


def with_optimum(found: list[Proof], optima: Optima) -> list[Proof]:
    """Those at the headline split whose compute-optimal N is published."""
    return [one for one in found if one.share == SHARES[0] and one.series.name in optima]


def _of_ladders(estimator: str, held: list[Held]) -> dict[str, Any]:
    sizes = sorted(abs(one.error) for one in held)
    return {
        "estimator": estimator,
        "ladders": len(held),
        "median_error": median(sizes),
        "nine_of_ten_within": sizes[int(0.9 * len(sizes))],
        "within_2_percent": sum(size <= _WITHIN for size in sizes) / len(sizes),
        **{f"inside{100 * level:.0f}": _inside(held, level) for level in LEVELS},
    }


def _row(one: Proof) -> dict[str, Any]:
    target = one.target
    return {
        "dataset": one.series.dataset,
        "series": one.series.name,
        "share": one.share,
        "ladder_runs": one.fitted,
        "ladder_max_flops": one.fitted_flops,
        "target_flops": one.target_flops,
        "target_params": target.params,
        "target_tokens": target.tokens,
        "predicted_loss": target.predicted,
        "interval95": _ends(target, 0.95),
        "interval80": _ends(target, 0.8),
        "actual_loss": target.actual,
        "error": target.error,
        "inside95": target.inside(0.95),
        "inside80": target.inside(0.8),
        "inside95_without_back_test": target.inside(0.95, before=True),
        "inside80_without_back_test": target.inside(0.8, before=True),
        "huber_error": one.alike.error,
        "huber_interval95": _ends(one.alike, 0.95),
        "held_out_runs": len(one.held),
        "held_out_median_error": median(abs(each.error) for each in one.held),
        "held_out_inside95": _inside(one.held, 0.95),
        "held_out_inside80": _inside(one.held, 0.8),
        "baseline_errors": {name: loss / target.actual - 1 for name, loss in one.baselines.items()},
    }


def _ends(held: Held, level: float) -> list[float]:
    return [held.intervals[level].low, held.intervals[level].high]


def _inside(held: list[Held], level: float, *, before: bool = False) -> float | None:
    return sum(one.inside(level, before=before) for one in held) / len(held) if held else None


def _summary(name: str, chosen: list[Proof]) -> dict[str, Any]:
    targets, every = [one.target for one in chosen], [each for one in chosen for each in one.held]
    alike = [one.alike for one in chosen]
    return {
        "split": name,
        "series": len(chosen),
        "median_error": _median(one.error for one in targets),
        **{f"inside{100 * level:.0f}": _inside(targets, level) for level in LEVELS},
        **{f"inside{100 * level:.0f}_without_back_test": _inside(targets, level, before=True) for level in LEVELS},
        "huber_median_error": _median(one.error for one in alike),
        **{f"huber_inside{100 * level:.0f}": _inside(alike, level) for level in LEVELS},
        "held_out_runs": len(every),
        "held_out_median_error": _median(one.error for one in every),
        **{f"held_out_inside{100 * level:.0f}": _inside(every, level) for level in LEVELS},
        "baseline_median_errors": {name: _baseline(chosen, name) for name in BASELINES},
    }


def _median(errors: Iterator[float] | Any) -> float | None:
    sizes = [abs(error) for error in errors]
    return median(sizes) if sizes else None


def _baseline(chosen: list[Proof], name: str) -> float | None:
    return _median(one.baselines[name] / one.target.actual - 1 for one in chosen if name in one.baselines)


def _allocated(one: Proof, compute: float, best: float) -> dict[str, Any]:
    law = one.document.law
    found, interval = laws.optimum(law, compute).params, laws.params_interval(law, compute, 0.95)
    assert interval is not None
    return {
        "dataset": one.series.dataset,
        "series": one.series.name,
        "flops": compute,
        "published_params": best,
        "params": found,
        "interval95": [interval.low, interval.high],
        "params_at_20_tokens": rule_of_thumb(compute),
    }


def text(found: list[Proof], optima: Optima, ladders: list[Told]) -> str:
    """The page."""
    told = document(found, optima, ladders)
    headline, every = told["summary"][0], told["summary"][-1]
    parts = [
        "# Published runs, predicted from their small ones",
        words.HEAD.format(
            verdict=_verdict(headline["median_error"], every["inside95"]),
            median=_percent(headline["median_error"]),
            series=headline["series"],
            splits=every["series"],
            inside=_percent(every["inside95"], 0),
            inside80=_percent(every["inside80"], 0),
            old=_percent(every["inside95_without_back_test"], 0),
            old80=_percent(every["inside80_without_back_test"], 0),
            alike=_percent(headline["huber_median_error"]),
            alike_inside=_percent(every["huber_inside95"], 0),
            frontier=_percent(headline["baseline_median_errors"]["power + E"]),
        ),
        "![Error of the largest run's predicted loss with its 95 % interval, by series](published.svg)",
        "## In short\n\n" + _table(_SUMMARY, told["summary"]),
        "By data set, all splits:\n\n" + _table(_SUMMARY, _by_dataset(found)),
        words.LADDERS.format(count=len(ladders)) + "\n" + _table(_LADDERS, told["ladders"]),
        words.WHY,
        "## Every split\n\n" + _table(_ROWS, told["rows"]),
        "## Compute-optimal N at the largest budget\n\n"
        + words.ALLOCATION.strip()
        + "\n\n"
        + _table(_OPTIMA, told["allocation"]),
        "## What is left out, and what is known of the runs\n\n" + _left_out(found),
        words.HOW.format(package="" if _with_package(found) else "; it was not run for this page"),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _verdict(error: float, inside: float) -> str:
    told = ["met" if met else "missed" for met in (error <= _LARGEST_MEDIAN, _INSIDE[0] <= inside <= _INSIDE[1])]
    return f"The first is {told[0]}, the second is {told[1]} over all splits."


def _with_package(found: list[Proof]) -> bool:
    return any("chinchilla" in one.baselines for one in found)


def _by_dataset(found: list[Proof]) -> list[dict[str, Any]]:
    names = dict.fromkeys(one.series.dataset for one in found)
    return [_summary(name, [one for one in found if one.series.dataset == name]) for name in names]


def _percent(value: float | None, digits: int = 1, sign: str = "") -> str:
    return "" if value is None else f"{100 * value:{sign}.{digits}f} %"


def _before_and_after(row: dict[str, Any], name: str) -> str:
    return f"{_percent(row[name], 0)} ({_percent(row[f'{name}_without_back_test'], 0)})"


Column = Callable[[dict[str, Any]], str]
_SUMMARY: dict[str, Column] = {
    "split": lambda row: str(row["split"]),
    "series": lambda row: str(row["series"]),
    "median error": lambda row: _percent(row["median_error"]),
    "in 95 % (before)": lambda row: _before_and_after(row, "inside95"),
    "in 80 % (before)": lambda row: _before_and_after(row, "inside80"),
    "all alike: error, in 95 %": lambda row: (
        f"{_percent(row['huber_median_error'])}, {_percent(row['huber_inside95'], 0)}"
    ),
    "all larger runs: error, in 95 %, in 80 %": lambda row: (
        f"{_percent(row['held_out_median_error'])}, {_percent(row['held_out_inside95'], 0)}, "
        f"{_percent(row['held_out_inside80'], 0)} of {row['held_out_runs']}"
    ),
    **{
        title: (lambda row, name=name: _percent(row["baseline_median_errors"][name]))  # type: ignore[misc]
        for name, title in BASELINES.items()
    },
}
_ROWS: dict[str, Column] = {
    "data set": lambda row: row["dataset"],
    "series": lambda row: row["series"],
    "split": lambda row: f"1/{1 / row['share']:.0f}",
    "runs": lambda row: str(row["ladder_runs"]),
    "largest fitted": lambda row: f"{row['ladder_max_flops']:.2g}",
    "target": lambda row: f"{row['target_flops']:.2g}",
    "predicted": lambda row: f"{row['predicted_loss']:.4f}",
    "95 %": lambda row: "{:.3f} to {:.3f}".format(*row["interval95"]) + ("" if row["inside95"] else " **misses**"),
    "actual": lambda row: f"{row['actual_loss']:.4f}",
    "error": lambda row: _percent(row["error"], 2, "+"),
    "all alike": lambda row: _percent(row["huber_error"], 2, "+"),
    **{
        title: (lambda row, name=name: _percent(row["baseline_errors"].get(name), 2, "+"))  # type: ignore[misc]
        for name, title in BASELINES.items()
    },
}
_LADDERS: dict[str, Column] = {
    "estimator": lambda row: f"`{row['estimator']}`",
    "median error": lambda row: _percent(row["median_error"]),
    "nine of ten within": lambda row: _percent(row["nine_of_ten_within"]),
    "within 2 %": lambda row: _percent(row["within_2_percent"], 0),
    "in 95 %": lambda row: _percent(row["inside95"], 0),
    "in 80 %": lambda row: _percent(row["inside80"], 0),
}
_OPTIMA: dict[str, Column] = {
    "series": lambda row: row["series"],
    "FLOPs": lambda row: f"{row['flops']:.3g}",
    "published N*": lambda row: f"{row['published_params']:.3g}",
    "N* from runs of 1/8 (95 %)": lambda row: "{:.3g} ({:.2g} to {:.2g})".format(row["params"], *row["interval95"]),
    "of the published": lambda row: f"{row['params'] / row['published_params']:.2f}×",
    "20 tokens a parameter": lambda row: (
        f"{row['params_at_20_tokens']:.3g} ({row['params_at_20_tokens'] / row['published_params']:.2f}×)"
    ),
}


def _table(columns: dict[str, Column], rows: list[dict[str, Any]]) -> str:
    head = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join([*head, *("| " + " | ".join(cell(row) for cell in columns.values()) + " |" for row in rows)])


def _left_out(found: list[Proof]) -> str:
    notes: dict[tuple[str, str], list[str]] = {}
    for one in found:
        names = notes.setdefault((one.series.dataset, one.series.note), [])
        names += [one.series.name] * (one.series.name not in names)
    told = [f"- {dataset}: {note}: {'; '.join(names)}." for (dataset, note), names in notes.items() if note]
    return "\n".join([*(f"- `{name}` is left out: {why}." for name, why in LEFT_OUT.items()), *told])
