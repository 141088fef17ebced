"""A draft: model, tokens, batch and layout that belong together; and the budget solved over drafts."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from sixnd.planner.allocation import params_for_compute, tokens_for_loss
from sixnd.planner.architecture import Candidate, candidates, nearest, of_family, with_vocab
from sixnd.planner.batch_ramp import StageSeconds, planned_batches
from sixnd.planner.evaluation_cost import evaluated
from sixnd.planner.goodput import WallClock, most_steps
from sixnd.planner.hyperparameter_laws import Point
from sixnd.planner.hyperparameters import Batch, global_batch
from sixnd.planner.layout import Found, search, step_time
from sixnd.planner.lora import Adapters
from sixnd.planner.machine import Machine
from sixnd.planner.question import question
from sixnd.planner.rules import Setting
from sixnd.planner.sites import over_sites, with_link
from sixnd.planner.transformer import Transformer
from sixnd.planner.vocabulary import padding_multiple
from sixnd.specs.batch_ramp import PlannedBatch
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.checks import accelerator_hours_given
from sixnd.specs.errors import InfeasibleError
from sixnd.specs.plan import TimeBreakdown
from sixnd.specs.step_batches import StepBatches

_ROUNDS = 10
_FIRST_MFU = 0.4
"""Where the search for a time budget starts; the result does not depend on it beyond the rounds it takes."""
_SETTLED = 1e-3


@dataclass(frozen=True)
class Draft:
    """Everything that decides cost."""

    candidate: Candidate
    batch: Batch
    steps: int
    found: Found
    time: TimeBreakdown
    rounds: int = 1
    """Rounds until a budget of hours or money settled."""
    stages: tuple[PlannedBatch, ...] = ()
    """Batches of all steps, where a ramp changes them."""
    saved_s: float = 0.0
    """Seconds that the ramp's smaller steps take less than as many full ones."""

    @property
    def batches(self) -> StepBatches:
        """What each step reads."""
        return StepBatches(self.batch.sequences, self.stages)

    @property
    def tokens(self) -> int:
        """Training tokens D."""
        return self.batches.samples_after(self.steps) * self.candidate.model.sequence

    @property
    def step_time_s(self) -> float:
        """Seconds of one step of the full batch."""
        return float(sum(self.time.plain().values()))

    @property
    def train_s(self) -> float:
        """Seconds of all steps."""
        return self.steps * self.step_time_s - self.saved_s

    @property
    def compute_flops(self) -> float:
        """C = 6ND, of experts those that a token passes; with adapters C = (4N + 6n)D."""
        return self.candidate.model.convention_flops * self.tokens


class Drafter:
    """Drafts for one spec on one machine."""

    def __init__(self, spec: BudgetSpec, machine: Machine) -> None:
        self.spec, self.machine = spec, machine
        self.law_name, self.law = spec.planning_law.name, spec.planning_law.law
        self.training_mfu = _FIRST_MFU
        self.question = question(spec, self.training_mfu)
        self.multiple = padding_multiple(machine.planned, machine.accelerator.scale_up_ranks, spec.layout.tensor)

    @cached_property
    def lattice(self) -> list[Candidate]:
        """Shapes to choose from, in order of N; made when first asked for, as a spec that pins its shape never does."""
        return candidates(self.spec.model_of_data, self.multiple)

    def solve(self) -> Draft:
        """The draft that spends the budget.

        Raises ``InfeasibleError`` where the budget pays for less than a step, or no layout fits.
        """
        if self.spec.inference is None:
            return self._solve()
        for _ in range(_ROUNDS):  # what serving costs beside training depends on training's MFU, so on the draft
            draft, mfu = self._solve(), self.training_mfu
            self.training_mfu = self.mfu(draft)
            self.question = question(self.spec, self.training_mfu)
            if math.isclose(mfu, self.training_mfu, rel_tol=_SETTLED):
                break
        return draft

    def _solve(self) -> Draft:
        budget = self.spec.budget
        if self.model_pinned and self.spec.data.tokens is not None:
            return self.draft(self.candidate_for(0.0), self.spec.data.tokens)
        if budget.loss is not None:
            return self.for_loss(budget.loss)
        return self.for_seconds(self.wall_seconds()) if budget.compute is None else self.for_compute(budget.compute)

    def loss(self, params: float, tokens: float) -> float:
        """Predicted loss at N and D, nats a token, with repetition where the sources' sizes are told."""
        return float(self.question.loss(params, tokens))

    def mfu(self, draft: Draft) -> float:
        """Exact model FLOPs a second over the cluster's dense peak, in steps of the full batch."""
        model, machine = draft.candidate.model, self.machine.planned
        flops = draft.batch.sequences * model.sequence * model.training_flops
        return flops / (machine.count * machine.peak_flops * draft.step_time_s)

    def flops_per_token(self, candidate: Candidate) -> float:
        """FLOPs a training token costs, as the budget counts them."""
        exact = self.spec.budget.counting == "exact"
        return candidate.model.training_flops if exact else candidate.model.convention_flops

    @property
    def model_pinned(self) -> bool:
        """Whether the spec decides N."""
        return bool(self.spec.model.decided_by)

    def wall_seconds(self) -> float:
        """Seconds of wall-clock that the budget's hours pay for."""
        hours = next(iter(accelerator_hours_given(self.spec).values()))
        return hours * 3600 / self.spec.accelerators_held

    def clock(self, draft: Draft) -> WallClock:
        """The wall-clock of a draft."""
        params, step_s = draft.candidate.model.params, draft.step_time_s
        clock = WallClock(self.spec, self.machine, params, draft.steps, step_s, draft.saved_s)
        return evaluated(clock, draft.candidate.model, draft.found.layout, draft.time, draft.batches)

    def candidate_for(self, compute: float) -> Candidate:
        """The model for a compute budget, or the spec's; with its adapters."""
        found, adapters = self._candidate_for(compute), Adapters.of(self.spec)
        return found if adapters is None else replace(found, model=replace(found.model, adapters=adapters))

    def _candidate_for(self, compute: float) -> Candidate:
        request = self.spec.model_of_data
        if request.family is not None:
            return of_family(request, self.multiple)
        if request.shape is not None:
            return with_vocab(request.shape, request, self.multiple)
        if request.params is not None:
            return nearest(self.lattice, request.params)
        if self.spec.data.tokens is not None:
            return self._largest_within(compute / self.spec.data.tokens)
        if self.question.served_tokens:
            return nearest(self.lattice, float(params_for_compute(self.question, compute)))
        return min(self.lattice, key=lambda c: self.loss(c.model.active_params, compute / self.flops_per_token(c)))

    def _largest_within(self, flops_per_token: float) -> Candidate:
        fitting = [c for c in self.lattice if self.flops_per_token(c) <= flops_per_token]
        if not fitting:
            smallest = self.lattice[0]
            raise InfeasibleError(
                f"the budget pays for {flops_per_token:.3g} FLOPs a token on data.tokens, less than the smallest model "
                f"needs ({self.flops_per_token(smallest):.3g})",
                "raise the budget or lower data.tokens",
            )
        return fitting[-1]

    def for_compute(self, compute: float) -> Draft:
        """The draft that spends so many FLOPs."""
        candidate = self.candidate_for(compute)
        tokens = self.spec.data.tokens or compute / self.flops_per_token(candidate)
        return self.draft(candidate, tokens)

    def for_loss(self, target: float) -> Draft:
        """The draft that reaches a loss with the least compute, training and serving together.

        Raises ``InfeasibleError`` where no model of the lattice does.
        """
        found = [self.candidate_for(0.0)] if self.model_pinned else self.lattice
        params = np.array([c.model.active_params for c in found], dtype=float)
        needed = tokens_for_loss(self.question, params, target)
        if self.spec.data.tokens is not None:
            needed = np.where(needed <= self.spec.data.tokens, self.spec.data.tokens, np.inf)
        cost = np.array([self.flops_per_token(c) for c in found]) * needed + 2 * params * self.question.served_tokens
        best = int(np.argmin(cost))
        if not np.isfinite(cost[best]):
            raise InfeasibleError(
                f"no model reaches a loss of {target:g} by {self.law_name}, whose irreducible loss is {self.law.E:.4f}",
                "ask for a higher loss, for another law, or let go of model.params or data.tokens",
            )
        return self.draft(found[best], float(needed[best]), whole=math.ceil)

    def for_seconds(self, seconds: float) -> Draft:
        """The draft whose steps fill so many seconds of wall-clock: rounds of model → layout → affordable compute."""
        count = self.machine.planned.count
        compute = _FIRST_MFU * self.machine.planned.peak_flops * count * seconds
        seen: list[Draft] = []
        for i in range(1, _ROUNDS + 1):
            draft = self._filled(self.for_compute(compute), seconds, i)
            if seen and _same(seen[-1], draft):
                return draft
            seen.append(draft)
            compute = draft.tokens * self.flops_per_token(draft.candidate)
        return min(seen, key=lambda d: self.loss(d.candidate.model.active_params, d.tokens))

    def _filled(self, draft: Draft, seconds: float, rounds: int) -> Draft:
        """As many tokens, counted in full batches, as there is time for beside their evaluations."""
        self._check_a_step(draft, seconds)
        if self.spec.data.tokens is not None:
            return replace(draft, rounds=rounds)
        model, full, ramp = draft.candidate.model, draft.batch.sequences, self.spec.training.batch_ramp
        stages = StageSeconds(self.setting(model, draft.batches), draft.found.layout, self.spec)

        def at(count: int) -> Draft:
            steps, found = planned_batches(ramp, full, model.sequence, float(count * full * model.sequence))
            return replace(draft, steps=steps, rounds=rounds, stages=found.stages, saved_s=stages.saved_s(found))

        def fits(count: int) -> bool:
            try:
                some = at(count)
            except InfeasibleError:  # too few tokens for the ramp: more may still fit
                return True
            return self.clock(some).expected_s <= seconds

        return at(most_steps(fits, int(seconds / draft.step_time_s) + 1))

    def _check_a_step(self, draft: Draft, seconds: float) -> None:
        clock = self.clock(replace(draft, steps=1, stages=(), saved_s=0.0))
        if clock.expected_s > seconds:
            raise InfeasibleError(
                f"the budget pays for {seconds:.3g} s of wall-clock, one step takes {clock.step_time_s:.3g} s and its "
                f"evaluation {clock.evaluated_s:.3g} s",
                "raise the budget, or lower training.global_batch, evaluation.batches or the model",
            )

    def draft(self, candidate: Candidate, tokens: float, whole: Callable[[float], int] = math.floor) -> Draft:
        """The draft of one model on so many tokens: batch by law, fastest layout, whole steps."""
        model = candidate.model
        batch = global_batch(self.spec, self.point(candidate, tokens))
        ramp = self.spec.training.batch_ramp
        steps, batches = planned_batches(ramp, batch.sequences, model.sequence, tokens, whole)
        if steps < 1:
            raise InfeasibleError(
                f"the budget pays for {tokens:.3g} tokens, one step of {batch.sequences} sequences takes "
                f"{batch.sequences * model.sequence:.3g}",
                "raise the budget or lower training.global_batch",
            )
        setting = self.setting(model, batches)
        found, time = self._layout(setting)
        saved_s = StageSeconds(setting, found.layout, self.spec).saved_s(batches)
        return Draft(candidate, batch, steps, found, time, stages=batches.stages, saved_s=saved_s)

    def setting(self, model: Transformer, batches: StepBatches) -> Setting:
        """What a layout is chosen for, with steps of these batches."""
        sites = self.spec.cluster.sites
        return Setting(model, self.machine, batches.full, sites.count if sites else 1, batches.sizes[:-1])

    def point(self, candidate: Candidate, tokens: float) -> Point:
        """What the laws of learning rate and batch are functions of, for that model on so many tokens."""
        model = candidate.model
        return Point(model.active_params_non_embedding, tokens, self.loss(model.active_params, tokens))

    def _layout(self, setting: Setting) -> tuple[Found, TimeBreakdown]:
        params = setting.model.params
        found = over_sites(search(setting, self.spec.layout, self.spec), self.spec, params)
        time = step_time(setting, found.layout)
        return found, with_link(time, self.spec, params)


def _same(one: Draft, other: Draft) -> bool:
    return (one.candidate, one.batch.sequences, one.found.layout) == (
        other.candidate,
        other.batch.sequences,
        other.found.layout,
    )
