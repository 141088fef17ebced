"""N* and D* against compute: by a fitted law, by its approaches 1 and 2, and by published laws."""

from collections.abc import Callable
from typing import Any

import numpy as np

from sixnd.reports.documents import Figure
from sixnd.reports.figures import estimated, exact
from sixnd.reports.law_curve import optimum
from sixnd.reports.law_documents import OptimalLine, OptimalPoint, PublishedModel
from sixnd.specs import catalog
from sixnd.specs.law_document import Approach, LawDocument
from sixnd.specs.laws import FLATTEST, LARGEST_LOG, AllocationLaw, RepetitionLaw, SurfaceLaw
from sixnd.specs.plan import Estimate

PUBLISHED = (
    "hoffmann-2022-approach-1",
    "hoffmann-2022-approach-2",
    "hoffmann-2022",
    "besiroglu-2024",
    "muennighoff-2023",
    "deepseek-2024",
    "porian-2024",
    "kaplan-2020-allocation",
)
"""Laws that a fit is held against: one entry a study and approach, none with rounded exponents."""
_LEVEL = 0.95


def interval_figure(kind: str, value: float, interval: list[float] | None) -> Figure:
    """A number with its interval, where it has one."""
    if interval is None:
        return exact(kind, value)
    return estimated(kind, Estimate(value=value, low=interval[0], high=interval[1], unit="", basis=""))


def percentiles(values: "np.typing.NDArray[np.float64]") -> list[float]:
    """The 95 % interval of draws."""
    low, high = np.quantile(values, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return [float(low), float(high)]


def drawn_constants(law: SurfaceLaw) -> "np.typing.NDArray[np.float64]":
    """Draws of ln A, ln B, ln E, alpha, beta, and ln gamma where it was fitted, one row each.

    The law must have draws.
    """
    assert law.draws is not None, "asked of laws with draws"
    drawn = np.array(law.draws).T
    drawn[3:5] = np.maximum(drawn[3:5], FLATTEST)
    return drawn


def optimal_lines(document: LawDocument) -> list[OptimalLine]:
    """This law, its approaches, and what was published, each over the document's frontier."""
    published = (_published(name, document) for name in PUBLISHED)
    return [own_line(document), *(_approach(one, document) for one in document.fit.approaches), *published]


def own_line(document: LawDocument) -> OptimalLine:
    """The fitted law's own frontier."""
    law, frontier = document.law, document.fit.frontier
    points = [
        OptimalPoint(
            compute_flops=row.C,
            params=row.N,
            tokens=row.D,
            loss=row.L,
            params_interval=row.intervals.get("N"),
            tokens_interval=row.intervals.get("D"),
            loss_interval=row.intervals.get("L"),
        )
        for row in frontier
    ]
    drawn = None if law.draws is None else drawn_constants(law)
    exponent = None if drawn is None else percentiles(drawn[4] / (drawn[3] + drawn[4]))
    return OptimalLine(
        name=document.name,
        label="Approach 3",
        kind="this law",
        coefficient=optimum(law, 1.0)[0],
        exponent=interval_figure("exponent", law.beta / (law.alpha + law.beta), exponent),
        points=points,
        at_largest=_own_point(law, largest_compute(document)),
        at_end=points[-1] if points else _own_point(law, largest_compute(document)),
        note=law.description,
        source=law.source,
    )


def _own_point(law: SurfaceLaw, compute: float) -> OptimalPoint:
    N, D, loss = optimum(law, compute)
    if law.draws is None:
        return OptimalPoint(compute_flops=compute, params=N, tokens=D, loss=loss)
    ln_A, ln_B, _, alpha, beta = drawn_constants(law)[:5]
    ln_N = (np.log(alpha / beta) + ln_A - ln_B + beta * np.log(compute / 6)) / (alpha + beta)
    low, high = np.exp(np.clip(percentiles(ln_N), -LARGEST_LOG, LARGEST_LOG)).tolist()
    return OptimalPoint(
        compute_flops=compute,
        params=N,
        tokens=D,
        loss=loss,
        params_interval=[low, high],
        tokens_interval=[compute / 6 / high, compute / 6 / low],
    )


def _approach(one: Approach, document: LawDocument) -> OptimalLine:
    def find(compute: float) -> OptimalPoint:
        N, D = one.coefficient * compute**one.exponent, one.tokens_coefficient * compute**one.tokens_exponent
        return OptimalPoint(compute_flops=compute, params=N, tokens=D)

    through = "on the envelope of training curves" if one.approach == 1 else "where isoFLOP parabolas are lowest"
    return OptimalLine(
        name=f"approach-{one.approach}",
        label=f"Approach {one.approach}",
        kind="approach",
        coefficient=one.coefficient,
        exponent=interval_figure("exponent", one.exponent, list(one.exponent_interval)),
        bias=one.bias,
        note=f"a power law through {len(one.points)} points {through}",
        source=document.law.source,
        **_drawn(find, document),
    )


def _published(name: str, document: LawDocument) -> OptimalLine:
    law = catalog.law(name)
    assert isinstance(law, SurfaceLaw | RepetitionLaw | AllocationLaw)
    exponent = law.exponent if isinstance(law, AllocationLaw) else law.beta / (law.alpha + law.beta)
    return OptimalLine(
        name=name,
        label=name,
        kind="published",
        coefficient=published_optimum(law, 1.0).params,
        exponent=exact("exponent", exponent),
        note=law.description,
        source=law.source,
        **_drawn(lambda compute: published_optimum(law, compute), document),
    )


def published_optimum(law: AllocationLaw | SurfaceLaw | RepetitionLaw, compute: float) -> OptimalPoint:
    """What a law of the catalog would choose under 6ND = C, FLOPs, with data that is not repeated."""
    if isinstance(law, AllocationLaw):
        scale = law.coefficient / 6 if law.size == "flops-per-token" else law.coefficient
        N = scale * (compute / law.unit) ** law.exponent
        return OptimalPoint(compute_flops=compute, params=N, tokens=compute / 6 / N)
    N, D, loss = optimum(law, compute)
    return OptimalPoint(compute_flops=compute, params=N, tokens=D, loss=loss)


def _drawn(find: Callable[[float], OptimalPoint], document: LawDocument) -> dict[str, Any]:
    """Where a power law lies: it is straight on logarithmic axes, so that its two ends draw it."""
    start, end = compute_range(document)
    return {"points": [find(start), find(end)], "at_largest": find(largest_compute(document)), "at_end": find(end)}


def run_computes(document: LawDocument) -> list[float]:
    """6ND of the smallest and of the largest run."""
    computes = [6 * run.params * run.tokens for run in document.fit.runs]
    return [min(computes), max(computes)]


def largest_compute(document: LawDocument) -> float:
    """6ND of the largest run."""
    return run_computes(document)[1]


def compute_range(document: LawDocument) -> tuple[float, float]:
    """From the smallest run's compute to the end of the frontier, FLOPs."""
    computes = [row.C for row in document.fit.frontier] or run_computes(document)
    return computes[0], computes[-1]


def published_models(document: LawDocument) -> list[PublishedModel]:
    """Dense models of the catalog of published runs whose 6ND lies on the frontier."""
    start, end = compute_range(document)
    runs = ((name, catalog.published_run(name)) for name in catalog.names("published-runs"))
    return [
        PublishedModel(
            name=name,
            params=run.params,
            tokens=run.tokens,
            compute_flops=6 * run.params * run.tokens,
            source=run.source,
        )
        for name, run in runs
        if run.active_params is None and start <= 6 * run.params * run.tokens <= end
    ]
