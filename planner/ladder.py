"""``make_ladder``: the small runs that tell most about a target's compute-optimal size and loss, and their specs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from statistics import NormalDist
from typing import Any

from sixnd.planner import laws
from sixnd.planner.design import Designer, Limits, Points
from sixnd.planner.flops import flops_6nd
from sixnd.planner.grids import isoflop_curves, uniform_grid
from sixnd.planner.ladder_field import FEWEST_STEPS, LARGEST_SHARE, SIZE_SPAN, SMALLEST_INNER_SHARE, Field, is_enough
from sixnd.planner.ladder_law import Known, aim, known, noise
from sixnd.planner.laws import Array
from sixnd.planner.plan import make_plan
from sixnd.planner.rungs import Relocate, RungPlan, rung_plans, template
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.errors import ContradictionError, InfeasibleError, Problem
from sixnd.specs.evaluation import Evaluation
from sixnd.specs.ladder import DesignName, DesignOption, Expected, Ladder, LadderTarget, Rung
from sixnd.specs.laws import NamedLaw
from sixnd.specs.plan import Estimate, Plan

RUNS, FEWEST_RUNS = 16, 6
LAW_FILE = "law.yaml"
"""Where the law that is fitted to the rungs is looked for, beside their specs."""
RATIOS = (5.0, 200.0)
"""Tokens per parameter that a rung may have."""


@dataclass(frozen=True)
class Request:
    """What is asked of a ladder."""

    share: float
    """Share of the target's compute that it may spend, between 0 and 1."""
    runs: int = RUNS
    design: DesignName = "optimal"
    noise_sd: float | None = None
    """Standard deviation of a run's log loss around the law; none takes the law's residuals."""
    ratios: tuple[float, float] = RATIOS


@dataclass(frozen=True)
class MadeLadder:
    """A ladder, the specs of its rungs in its order, and the target's."""

    ladder: Ladder
    specs: list[BudgetSpec]
    target: dict[str, Any]
    """The target's spec as a file beside theirs writes it: by the law that the ladder will give, on their text."""


@dataclass(frozen=True)
class _Question:
    """The target as the design sees it."""

    plan: Plan
    before: Known
    noise_sd: float

    @property
    def compute(self) -> float:
        """C = 6ND."""
        return flops_6nd(self.plan.model.params, self.plan.data.tokens)

    def expected(self, points: Points, *, prior_only: bool = False) -> Expected:
        """Intervals after a fit to such runs."""
        asked = aim(self.before, self.compute, self.noise_sd, prior_only=prior_only)
        return _intervals(self, Designer(asked, points).log_sds(range(len(points))))


def make_ladder(spec: BudgetSpec, request: Request, spec_file: str, relocate: Relocate = str) -> MadeLadder:
    """Design the ladder of a target, and the specs of its rungs.

    ``spec_file`` is the target's spec as the ladder shall name it; ``relocate`` rewrites the paths of its data.
    Raises ``InfeasibleError`` where the share pays for no ladder, ``ContradictionError`` where the target starts from a
    base or is a published family, and what ``make_plan`` raises for the target.
    """
    _refuse(spec)
    target = make_plan(spec)
    before = known(spec.planning_law, own=isinstance(spec.law, NamedLaw))
    noise_sd, noise_source = noise(before.law.law, request.noise_sd)
    asked, whole = _Question(target, before, noise_sd), _counted_flops(target)
    field = Field(template(spec, target.model.vocab_size, relocate), request.ratios)
    designs = _designs(field, asked, Limits(request.share * whole, request.runs), whole)
    chosen = rung_plans(field.shared, field.models(designs[request.design]), target)
    options = [_option(name, points, asked, field) for name, points in designs.items()]
    after = next(option.expected for option in options if option.design == request.design)
    prior = asked.expected(designs[request.design].take([]), prior_only=True)
    ladder = Ladder(
        version="ladder/1",
        name=spec.name,
        sixnd_version=version("sixnd"),
        target=_target(asked, spec, spec_file, whole),
        law=before.law.name,
        share=request.share,
        spent_share=sum(_counted_flops(rung.plan) for rung in chosen) / whole,
        noise_sd=noise_sd,
        noise_source=noise_source,
        tokens_per_param=list(request.ratios),
        before=prior,
        after=after,
        design=request.design,
        basis=_basis(before),
        options=options,
        accelerator_hours=_total([rung.plan.estimates.accelerator_hours for rung in chosen]),
        money_usd=_total([rung.plan.estimates.money_usd for rung in chosen]),
        rungs=[_rung(rung) for rung in chosen],
        notes=_notes(asked, spec, chosen, prior, after),
    )
    specs = [rung.spec for rung in chosen]
    return MadeLadder(ladder, specs, _by_its_law(spec, spec_file, specs[0]))


def _by_its_law(spec: BudgetSpec, spec_file: str, rung: BudgetSpec) -> dict[str, Any]:
    """The target over its own spec: the law to come, and the rungs' held-out text, so that losses can be compared."""
    evaluation: dict[str, Any] = {"tokens": rung.evaluation.plain()["tokens"]}
    if spec.evaluation.batches != Evaluation().batches:
        evaluation["batches"] = None  # taken back: tokens stand in their place
    return {
        "version": spec.version,
        "extends": spec_file,
        "law": LAW_FILE,
        "evaluation": evaluation,
    }


def _refuse(spec: BudgetSpec) -> None:
    """What no ladder can be for."""
    if spec.continual is not None:
        message = "a ladder's law is of models trained from new weights, and tells nothing of one from a base"
        raise ContradictionError(Problem(("continual",), message, "leave it out"))
    if spec.model.family is not None:
        message = "a ladder's runs are smaller shapes of the planner's own, and a published family has one size"
        raise ContradictionError(Problem(("model", "family"), message, "give model.params, or model.shape, instead"))


def _designs(field: Field, asked: _Question, limits: Limits, whole: float) -> dict[DesignName, Points]:
    """The optimal design and the usual ones, at equal cost and as many runs."""
    possible = field.possible(limits.budget)
    if not is_enough(possible, limits):
        raise InfeasibleError(*_too_little(field, limits, whole))
    asks = (field.sizes, field.ratios, limits.budget, limits.runs)
    usual: dict[DesignName, Points] = {"isoflop": isoflop_curves(*asks), "grid": uniform_grid(*asks)}
    starts: list[range] = []
    for points in usual.values():
        if not field.breaks(points, limits.budget):
            starts.append(range(len(possible), len(possible) + len(points)))
            possible = possible.and_also(points)
    designer = Designer(aim(asked.before, asked.compute, asked.noise_sd), possible)
    return {"optimal": possible.take(designer.best(limits, starts)), **usual}


def _too_little(field: Field, limits: Limits, whole: float) -> tuple[str, str]:
    """Why the share pays for no ladder, and the least that would, to about a tenth."""
    budget = limits.budget
    said = (
        f"{budget / whole:.3g} of the target's compute ({budget:.3g} FLOPs) pays for no ladder of {limits.runs} runs, "
        f"each of at least {FEWEST_STEPS} steps and none above {LARGEST_SHARE:.0%} of the ladder"
    )
    while budget < whole:
        budget *= 1.1
        if budget < whole and is_enough(field.possible(budget), Limits(budget, limits.runs)):
            return said, f"a share of {_rounded_up(budget / whole):.2g} would do, or fewer runs"
    return f"{said}, and neither would all of it", "the target is too small to need a ladder: train it at once"


def _rounded_up(share: float) -> float:
    """To two digits."""
    unit = 10.0 ** (math.floor(math.log10(share)) - 1)
    return math.ceil(share / unit) * unit


def _counted_flops(plan: Plan) -> float:
    """Training compute as the spec counts it."""
    exact = plan.spec.budget.counting == "exact"
    return (plan.model.flops_per_token if exact else 6.0 * plan.model.params) * plan.data.tokens


def _intervals(asked: _Question, log_sds: Array) -> Expected:
    best = laws.optimum(asked.before.law.law, asked.compute)

    def around(center: float, log_sd: float, level: float) -> list[float]:
        half = NormalDist().inv_cdf((1 + level) / 2) * math.exp(log_sd)
        return [center * math.exp(-half), center * math.exp(half)]

    return Expected(
        params_80=around(best.params, log_sds[0], 0.8),
        params_95=around(best.params, log_sds[0], 0.95),
        loss_80=around(best.loss, log_sds[1], 0.8),
        loss_95=around(best.loss, log_sds[1], 0.95),
    )


def _option(name: DesignName, points: Points, asked: _Question, field: Field) -> DesignOption:
    cost = float(points.cost.sum())
    return DesignOption(
        design=name,
        runs=len(points),
        compute_flops=cost,
        expected=asked.expected(points),
        breaks=field.breaks(points, cost),
    )


def _target(asked: _Question, spec: BudgetSpec, spec_file: str, whole: float) -> LadderTarget:
    best = laws.optimum(asked.before.law.law, asked.compute)
    return LadderTarget(
        spec=spec_file,
        spec_sha256=spec.digest(),
        compute_flops=asked.compute,
        budget_flops=whole,
        accelerator_hours=asked.plan.estimates.accelerator_hours,
        params=best.params,
        tokens=best.tokens,
        loss=best.loss,
    )


def _rung(rung: RungPlan) -> Rung:
    plan = rung.plan
    return Rung(
        name=plan.name,
        spec=f"{plan.name}.yaml",
        params=plan.model.params,
        tokens=plan.data.tokens,
        compute_flops=flops_6nd(plan.model.params, plan.data.tokens),
        steps=plan.training.steps,
        seed=plan.training.seed,
        accelerators=plan.cluster.count,
        wall_time_s=plan.estimates.wall_time_s,
        accelerator_hours=plan.estimates.accelerator_hours,
        money_usd=plan.estimates.money_usd,
    )


def _total(parts: Sequence[Estimate]) -> Estimate:
    """The sum; its interval is the sum of the intervals, since one cost model errs alike for all."""
    ends = {end: sum(getattr(part, end) for part in parts) for end in ("value", "low", "high")}
    return Estimate(**ends, unit=parts[0].unit, basis=f"sum over rungs; each: {parts[0].basis}")


def _basis(before: Known) -> str:
    return (
        "linear theory at the design, averaged over draws of the law, for a Huber fit of log loss under normal noise; "
        f"draws and the interval before: {before.basis}. Left out: that the law's form may bend between the rungs and "
        "the target, for which a plan widens its intervals"
    )


def _notes(asked: _Question, spec: BudgetSpec, chosen: list[RungPlan], prior: Expected, after: Expected) -> list[str]:
    largest = max(flops_6nd(rung.plan.model.params, rung.plan.data.tokens) for rung in chosen)
    ratios = [rung.plan.data.tokens / rung.plan.model.params for rung in chosen]
    notes = [
        f"Every rung has the target's vocabulary ({asked.plan.model.vocab_size:,} entries), mix, sequence length and "
        "held-out text: without that their losses could not be compared.",
        f"The target's compute is {asked.compute / largest:,.3g} times the largest rung's: that far the fitted law is "
        f"carried, and a plan from it widens its intervals by {laws.WIDENING_PER_DECADE:.0%} for each decade.",
        f"Rungs have {min(ratios):.3g} to {max(ratios):.3g} tokens per parameter, where they tell most if the law's "
        "form holds there; --tokens-per-param narrows that.",
        f"The smallest rung may have 1/{SIZE_SPAN:.0f} of the largest's N, and {SMALLEST_INNER_SHARE:.0%} of its N "
        "must lie outside the embeddings: a smaller vocabulary allows smaller rungs.",
    ]
    pinned = spec.model.params or spec.model.shape or spec.data.tokens or spec.inference
    if pinned:
        notes.append(
            "The target's N is not the law's choice alone (model, data.tokens or inference say otherwise); the ladder "
            "is designed for the compute-optimal N and loss at its compute all the same."
        )
    if not asked.before.own and after.params_95[1] > prior.params_95[1]:
        notes.append(
            "A fit to this ladder alone would know N* less well than the published laws do: spend a larger share, or "
            "measure the noise and give it by --noise."
        )
    return notes
