"""A fitted law as facts."""

import math
from collections.abc import Sequence

import numpy as np

from sixnd.reports import format as fmt
from sixnd.reports.documents import Figure, KeyNumber, Pair
from sixnd.reports.figures import exact
from sixnd.reports.law_documents import Allocation, Isoflop, LawFacts, RunPoint
from sixnd.reports.law_lines import (
    compute_range,
    drawn_constants,
    interval_figure,
    largest_compute,
    optimal_lines,
    percentiles,
    published_models,
    run_computes,
)
from sixnd.specs.law_document import FittedRun, Frontier, LawDocument

_ALLOCATIONS = 7
"""Rows of the frontier that its table shows where no budgets were asked for."""
_OBJECTIVES = {
    "frontier": "sum of Huber losses of log loss, runs near the frontier counting most",
    "huber": "sum of Huber losses of log loss",
    "likelihood": "Huber likelihood with a free scale",
}
_FORMS = {
    "chinchilla": "Loss surface",
    "over-training": "Over-training law (alpha = beta)",
    "data-constrained": "Data-constrained law",
    "downstream": "Loss surface and a task's error",
}


def law_facts(document: LawDocument, at: Sequence[Frontier] = ()) -> LawFacts:
    """Everything a report of ``document`` shows; ``at`` are allocations that were asked for."""
    return LawFacts(
        name=document.name,
        verdict=_verdict(document),
        state=f"{_FORMS[document.fit.form]} fitted to {document.fit.data}; {_interval_note(document)}",
        constants=_constants(document),
        allocations=[_allocation(row, document) for row in at or _thinned(document.fit.frontier)],
        lines=optimal_lines(document),
        largest_run=fmt.flops(largest_compute(document)),
        frontier_end=fmt.flops(compute_range(document)[1]),
        fitted_compute=run_computes(document),
        published_models=published_models(document),
        isoflops=_isoflops(document),
        runs=[_run(run) for run in document.fit.runs],
        residual_sd=document.law.residual_sd,
        refused=[Pair(label=row.row, text=row.why) for row in document.fit.refused],
        notes=_notes(document),
        provenance=_provenance(document),
        warnings=list(document.fit.warnings),
    )


def _verdict(document: LawDocument) -> str:
    law, fit = document.law, document.fit
    error = fmt.percent(fit.leave_one_out_error)
    terms = f"{fmt.number(law.A)}/N^{law.alpha:.4f} + {fmt.number(law.B)}/D^{law.beta:.4f}"
    summed = terms if law.gamma == 1 else f"({terms})^{law.gamma:.4f}"
    return (
        f"L = {law.E:.3f} + {summed} from {_runs(len(fit.runs))}; leave-one-out error {error}; {_agreement(document)}."
    )


def _runs(number: int) -> str:
    return f"{number:,} run{'s' * (number != 1)}"


def _agreement(document: LawDocument) -> str:
    found = document.fit.convergence
    if found.best_other is None:
        return f"all {found.starts} starts agree"
    far = fmt.relative(found.best_other, document.fit.objective)
    return f"{found.reached} of {found.starts} starts agree, the objective of the next optimum differs by {far}"


def _interval_note(document: LawDocument) -> str:
    if document.law.draws is None:
        return f"no intervals: {document.fit.interval_method.removeprefix('none: ')}"
    return f"95 % intervals by {document.fit.interval_method}"


def _constants(document: LawDocument) -> list[KeyNumber]:
    return [*_surface(document), *_follows(document), *_repetition(document), *_task(document), *_quality(document)]


def _surface(document: LawDocument) -> list[KeyNumber]:
    law = document.law
    drawn = _drawn(document)
    rows = [
        ("E", "Irreducible loss E", "nats", law.E, "loss that neither N nor D removes"),
        ("A", "A", "number", law.A, "scale of the loss that parameters remove"),
        ("B", "B", "number", law.B, "scale of the loss that tokens remove"),
        ("alpha", "alpha", "exponent", law.alpha, "exponent of N"),
        ("beta", "beta", "exponent", law.beta, "exponent of D"),
    ]
    if law.gamma != 1:
        rows.append(("gamma", "gamma", "exponent", law.gamma, "exponent of the sum of both terms"))
    return [
        _key(key, label, interval_figure(kind, value, drawn.get(key)), reason, hero=key == "E")
        for key, label, kind, value, reason in rows
    ]


def _drawn(document: LawDocument) -> dict[str, list[float]]:
    """Intervals of the constants; none without draws."""
    if document.law.draws is None:
        return {}
    ln_A, ln_B, ln_E, alpha, beta, *ln_gamma = drawn_constants(document.law)
    drawn = {"E": np.exp(ln_E), "A": np.exp(ln_A), "B": np.exp(ln_B), "alpha": alpha, "beta": beta}
    drawn |= {"gamma": np.exp(ln_gamma[0])} if ln_gamma else {}
    return {key: percentiles(values) for key, values in (drawn | {"a": beta / (alpha + beta)}).items()}


def _follows(document: LawDocument) -> list[KeyNumber]:
    law, drawn = document.law, _drawn(document)
    lines = optimal_lines(document)[0]
    N, D = lines.at_largest.params_interval, lines.at_largest.tokens_interval
    compute = largest_compute(document)
    ratio = [compute / 6 / N[1] ** 2, compute / 6 / N[0] ** 2] if N and D else None
    best = lines.at_largest
    a = law.beta / (law.alpha + law.beta)
    return [
        _key(
            "a",
            "Exponent of N*",
            interval_figure("exponent", a, drawn.get("a")),
            "N* = G·(C/6)^a, a = beta/(alpha + beta)",
            hero=True,
        ),
        _key(
            "tokens_per_param",
            "Tokens per parameter",
            interval_figure("ratio", best.tokens / best.params, ratio),
            f"D*/N* at the {fmt.flops(compute)} FLOPs of the largest run",
            hero=True,
        ),
    ]


def _repetition(document: LawDocument) -> list[KeyNumber]:
    found = document.repetition
    if found is None:
        return []
    tokens = interval_figure("number", found.repeated_tokens, list(found.repeated_tokens_interval))
    params = interval_figure("number", found.excess_params, list(found.excess_params_interval))
    return [
        _key(
            "repeated_tokens", "R_D*", tokens, "repetitions after which more of the same data is worth nearly nothing"
        ),
        _key("excess_params", "R_N*", params, "the same for parameters beyond what the unique data needs"),
    ]


def _task(document: LawDocument) -> list[KeyNumber]:
    task = document.task
    if task is None:
        return []
    worst, scale, rate = (percentiles(column) for column in np.array(task.draws).T) if task.draws else (None,) * 3
    losses = "–".join(f"{loss:.3f}" for loss in task.loss_range)
    curve = f"error = worst − scale·exp(−rate·L), fitted to losses of {losses} nats"
    return [
        _key("task_worst", "Task: worst error", interval_figure("number", task.worst, worst), curve),
        _key(
            "task_scale",
            "Task: scale",
            interval_figure("number", task.scale, scale),
            "of the part that falls with the loss",
        ),
        _key("task_rate", "Task: rate", interval_figure("number", task.rate, rate), "per nat of loss"),
        _key("task_sd", "Task: residual sd", exact("number", task.residual_sd), "of the error around the curve"),
    ]


def _quality(document: LawDocument) -> list[KeyNumber]:
    fit, law = document.fit, document.law
    errors = np.abs([1 - run.left_out / run.loss for run in fit.runs])
    ninth, last = fmt.percent(float(np.quantile(errors, 0.9))), fmt.percent(float(errors.max()))
    worst = f"median; nine of ten below {ninth}, worst {last}"
    rows = [_key("leave_one_out", "Leave-one-out error", exact("percent", fit.leave_one_out_error), worst, hero=True)]
    if law.residual_sd is not None:
        reason = "of log loss around the law, by the median residual of the fit or of runs left out"
        rows.append(_key("residual_sd", "Residual spread", exact("percent", law.residual_sd), reason))
    outliers, refused = sum(run.outlier for run in fit.runs), len(fit.refused)
    counted = f"{outliers or 'none'} of them {'an outlier' if outliers < 2 else 'outliers'}; {_rows(refused)} refused"
    return [
        *rows,
        _key("objective", "Objective", exact("number", fit.objective), _objective(document)),
        _key(
            "starts",
            "Starts that agree",
            _words(f"{fit.convergence.reached} of {fit.convergence.starts}"),
            _other(document),
        ),
        _key("runs", "Runs", exact("integer", len(fit.runs)), counted),
    ]


def _other(document: LawDocument) -> str:
    other = document.fit.convergence.best_other
    if other is None:
        return "no other optimum was found from different starting points"
    return f"the best other optimum found has an objective of {fmt.number(other)}"


def _rows(number: int) -> str:
    return f"{number:,} more row{'s' * (number != 1)}" if number else "no row"


def _objective(document: LawDocument) -> str:
    return f"{_OBJECTIVES[document.fit.estimator]}, delta {document.fit.delta:g}"


def _words(text: str) -> Figure:
    return Figure(value=None, text=text, full=text)


def _key(key: str, label: str, figure: Figure, reason: str, *, hero: bool = False) -> KeyNumber:
    return KeyNumber(key=key, label=label, figure=figure, reason=reason, hero=hero)


def _thinned(rows: Sequence[Frontier]) -> list[Frontier]:
    """A few rows spread evenly, the first and the last among them."""
    places = np.unique(np.linspace(0, len(rows) - 1, min(_ALLOCATIONS, len(rows))).round().astype(int))
    return [rows[place] for place in places]


def _allocation(row: Frontier, document: LawDocument) -> Allocation:
    at = row.intervals
    low, high = run_computes(document)
    outside = max(0.0, math.log10(low / row.C), math.log10(row.C / high))
    outside = 0.0 if outside < 1e-9 else outside
    return Allocation(
        compute_flops=row.C,
        compute=fmt.flops(row.C),
        params=interval_figure("size", row.N, at.get("N")),
        tokens=interval_figure("size", row.D, at.get("D")),
        tokens_per_param=interval_figure("ratio", row.D / row.N, at.get("tokens_per_param")),
        loss=interval_figure("nats", row.L, at.get("L")),
        decades_outside=outside,
        where=_where(row.C, low, high) if outside else "among runs",
    )


def _where(compute: float, low: float, high: float) -> str:
    times = fmt.significant(compute / high if compute > high else low / compute)
    return f"{times}× {'more' if compute > high else 'less'}"


def _isoflops(document: LawDocument) -> list[Isoflop]:
    return [
        Isoflop(
            compute_flops=curve.C,
            params=curve.N,
            loss=curve.L,
            coefficients=list(curve.coefficients),
            runs=list(curve.runs),
            left_out=curve.left_out,
        )
        for curve in sorted(document.fit.parabolas, key=lambda curve: curve.C)
    ]


def _run(run: FittedRun) -> RunPoint:
    return RunPoint(
        row=run.row,
        compute_flops=6 * run.params * run.tokens,
        params=run.params,
        tokens=run.tokens,
        loss=run.loss,
        predicted=run.predicted,
        left_out=run.left_out,
        residual=1 - run.predicted / run.loss,
        left_out_error=1 - run.left_out / run.loss,
        outlier=run.outlier,
    )


def _notes(document: LawDocument) -> list[str]:
    law, notes = document.law, list(document.task.notes) if document.task else []
    if law.draws is not None:
        kept = f"percentiles of the {len(law.draws):,} draws kept here; allocations and warnings use all"
        notes.insert(0, f"Intervals of constants are {kept}.")
    return [*notes, f"What to hold against this law: {law.weakness}."]


def _provenance(document: LawDocument) -> list[Pair]:
    fit, law = document.fit, document.law
    ranges = (("N", law.fitted_params), ("D", law.fitted_tokens))
    rows = [
        ("Data", fit.data),
        ("Data SHA-256", fit.data_sha256),
        ("Law SHA-256", document.digest()),
        ("sixnd", document.sixnd_version),
        ("Form", fit.form),
        ("Estimator", f"{fit.estimator}, delta {fit.delta:g}"),
        ("Intervals", fit.interval_method),
        ("Counts", law.counts),
        *((f"{name} of the runs", f"{fmt.count(ends[0])} to {fmt.count(ends[1])}") for name, ends in ranges if ends),
        ("C of the runs", " to ".join(fmt.flops(value) for value in run_computes(document)) + " FLOPs"),
        ("Gradient at the optimum", f"{fit.convergence.gradient:.1e} of the objective's own terms"),
    ]
    return [Pair(label=label, text=text) for label, text in rows]
