"""How much a run has spent, how much it may, and when it must end."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sixnd.runner.launchers.scontrol import end_of_job
from sixnd.specs.checkpoint_events import CheckpointSaved
from sixnd.specs.checks import price_usd_per_hour
from sixnd.specs.lora import convention_flops
from sixnd.specs.plan import Plan
from sixnd.specs.record import End, Launch, RunRecord, Step
from sixnd.specs.run_events import Spent

_MARGIN_S, _MARGIN_SHARE = 120.0, 0.1


@dataclass(frozen=True)
class Limit:
    """So much of a currency may be spent."""

    currency: str
    """A field of ``Spent``."""
    most: float
    budget: float
    """What it is a multiple of."""
    pauses: bool
    """Whether the spec gave this budget; else it is an estimate, and there is only a warning."""

    def told(self, spent: float) -> str:
        """What was passed, in a sentence."""
        name, unit = _NAMES[self.currency]
        of = "the spec's budget gives" if self.pauses else "the upper end of the plan's estimate is"
        return f"{spent:,.4g} {unit} of {name} spent, more than {self.most:,.4g}: {of} {self.budget:,.4g}"


_NAMES = {
    "flops": ("compute", "FLOPs"),
    "accelerator_hours": ("accelerator time", "accelerator-hours"),
    "money_usd": ("money", "USD"),
    "time_s": ("wall-clock", "s"),
}


def limits(plan: Plan) -> list[Limit]:
    """Every currency's limit: the factor times what the spec gives, or times the estimate's upper end."""
    factor, given, guess = plan.spec.supervision.budget_factor, plan.spec.budget, plan.estimates
    if factor is None:
        return []
    budgets = {
        "flops": (given.compute, None),
        "accelerator_hours": (given.accelerator_hours, guess.accelerator_hours.high),
        "money_usd": (given.money, guess.money_usd.high),
        "time_s": (given.time, guess.wall_time_s.high),
    }
    return [
        Limit(currency, factor * budget, budget, stated is not None)
        for currency, (stated, estimate) in budgets.items()
        if (budget := stated if stated is not None else estimate)
    ]


def passed(bounds: list[Limit], spent: Spent) -> list[Limit]:
    """Limits that are passed, those that pause the run first."""
    over = [limit for limit in bounds if getattr(spent, limit.currency) > limit.most]
    return sorted(over, key=lambda limit: not limit.pauses)


class Meter:
    """What a run has spent, live."""

    def __init__(self, plan: Plan, before_s: float, tokens_before: int) -> None:
        """``before_s`` and ``tokens_before`` are the wall-clock and the tokens of earlier attempts."""
        self.plan, self.before_s, self.tokens_before = plan, before_s, tokens_before
        exact, lora = plan.spec.budget.counting == "exact", plan.continual and plan.continual.lora
        convention = convention_flops(plan.model.active_params, lora.params if lora else None)
        self.flops_per_token = plan.model.flops_per_token if exact else convention
        self.price = price_usd_per_hour(plan.spec)

    def spent(self, attempt: int, step: int, tokens: int, elapsed_s: float) -> Spent:
        """All spending after ``tokens`` tokens and ``elapsed_s`` seconds of this attempt."""
        time_s = self.before_s + elapsed_s
        hours = time_s / 3600 * self.plan.spec.accelerators_held
        flops = (self.tokens_before + tokens) * self.flops_per_token
        money = hours * self.price
        return Spent(attempt=attempt, step=step, flops=flops, accelerator_hours=hours, money_usd=money, time_s=time_s)


def trained_tokens(plan: Plan, steps: Iterable[Step]) -> int:
    """Tokens of these steps; one that was done again counts again."""
    batches = plan.training.batches
    return sum(batches.of_step(step.step) for step in steps) * plan.model.sequence_length


def spent_so_far(plan: Plan, record: RunRecord) -> Spent:
    """All that the record tells of; of an attempt that has not ended, its steps and checkpoints."""
    attempts, steps = len(record.of(Launch)), record.of(Step)
    meter = Meter(plan, wall_seconds(record, attempts + 1), trained_tokens(plan, steps))
    return meter.spent(attempts, steps[-1].step if steps else 0, 0, 0.0)


def wall_seconds(record: RunRecord, attempts_before: int) -> float:
    """Wall-clock of the attempts numbered below; of one that left no end, its steps and checkpoints."""
    return sum(_span(record, launch) for launch in record.of(Launch) if launch.attempt < attempts_before)


def _span(record: RunRecord, launch: Launch) -> float:
    ends = [end for end in record.of(End) if end.attempt == launch.attempt]
    if ends:
        began, ended = datetime.fromisoformat(launch.time), datetime.fromisoformat(ends[-1].time)
        return max(0.0, (ended - began).total_seconds())
    steps = sum(step.step_time_s for step in record.of(Step) if step.attempt == launch.attempt)
    return float(steps + sum(s.seconds for s in record.of(CheckpointSaved) if s.attempt == launch.attempt))


@dataclass(frozen=True)
class Deadline:
    """When the processes must have ended, in seconds since the epoch, and by what."""

    at: float
    began: float
    why: str

    def is_due(self, now: float, step_s: float, save_s: float) -> bool:
        """Whether it is time to save: two checkpoints and three steps before the end, at least 2 min or 10 %."""
        least = min(_MARGIN_S, _MARGIN_SHARE * (self.at - self.began))
        return now >= self.at - max(least, 2 * save_s + 3 * step_s)


def deadline(plan: Plan, began: float, environment: Mapping[str, str] = os.environ) -> Deadline | None:
    """The earlier of the spec's limit and the end of the Slurm job that this is."""
    found = []
    limit, end = plan.spec.supervision.time_limit, _slurm_end(environment)
    if limit is not None:
        found.append(Deadline(began + limit, began, "supervision.time_limit is near"))
    if end is not None:
        found.append(Deadline(end, began, "the end of the Slurm job is near"))
    return min(found, key=lambda one: one.at, default=None)


def _slurm_end(environment: Mapping[str, str]) -> float | None:
    """When the Slurm job that this is will end, in seconds since the epoch."""
    end, job = environment.get("SLURM_JOB_END_TIME", ""), environment.get("SLURM_JOB_ID", "")
    if end.isdecimal():  # Slurm 22.05 and later
        return float(end)
    return end_of_job(job) if job.isdecimal() else None
