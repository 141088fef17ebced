"""A draft: model, tokens, batch and layout that belong together; and the budget solved over drafts."""

from dataclasses import dataclass

from sixnd.planner import laws
from sixnd.planner.architecture import Candidate, candidates, least_loss, nearest, with_vocab
from sixnd.planner.cost import goodput_of
from sixnd.planner.flops import flops_6nd
from sixnd.planner.hyperparameter_laws import Point
from sixnd.planner.hyperparameters import Batch, global_batch
from sixnd.planner.layout import Found, search
from sixnd.planner.machine import Machine
from sixnd.planner.rules import Setting
from sixnd.planner.steptime import step_time
from sixnd.planner.vocabulary import padding_multiple
from sixnd.specs import catalog
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.checks import accelerator_hours_given
from sixnd.specs.errors import InfeasibleError
from sixnd.specs.plan import TimeBreakdown

_ROUNDS = 10
_FIRST_MFU = 0.4
"""Where the search for a time budget starts; the result does not depend on it beyond the rounds it takes."""


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

    @property
    def tokens(self) -> int:
        """Training tokens D."""
        return self.steps * self.batch.sequences * self.candidate.model.sequence

    @property
    def step_time_s(self) -> float:
        """Seconds of one step."""
        return float(sum(self.time.plain().values()))

    @property
    def compute_flops(self) -> float:
        """C = 6ND."""
        return flops_6nd(self.candidate.model.params, self.tokens)


class Drafter:
    """Drafts for one spec on one machine."""

    def __init__(self, spec: BudgetSpec, machine: Machine) -> None:
        self.spec, self.machine = spec, machine
        self.law = catalog.law(spec.law)
        self.multiple = padding_multiple(machine.planned, machine.accelerator.scale_up_ranks, spec.layout.tensor)
        self.lattice = candidates(spec.model, self.multiple)

    def solve(self) -> Draft:
        """The draft that spends the budget.

        Raises ``InfeasibleError`` where the budget pays for less than a step, or no layout fits.
        """
        compute = self.spec.budget.compute
        if self.model_pinned and self.spec.data.tokens is not None:
            return self.draft(self.candidate_for(0.0), self.spec.data.tokens)
        return self.for_compute(compute) if compute is not None else self.for_seconds(self.train_seconds())

    @property
    def model_pinned(self) -> bool:
        """Whether the spec decides N."""
        return self.spec.model.shape is not None or self.spec.model.params is not None

    def train_seconds(self) -> float:
        """Seconds of training that the budget's hours leave after failures and restarts."""
        hours = next(iter(accelerator_hours_given(self.spec).values()))
        goodput = goodput_of(self.machine, self.spec.cluster.goodput)
        return hours * 3600 / self.spec.accelerators.count * goodput

    def candidate_for(self, compute: float) -> Candidate:
        """The model for a compute budget, or the spec's."""
        request = self.spec.model
        if request.shape is not None:
            return with_vocab(request.shape, request, self.multiple)
        if request.params is not None:
            return nearest(self.lattice, request.params)
        if self.spec.data.tokens is not None:
            return self._largest_within(compute / 6 / self.spec.data.tokens)
        return least_loss(self.lattice, self.law, compute)

    def _largest_within(self, params: float) -> Candidate:
        fitting = [c for c in self.lattice if c.model.params <= params]
        if not fitting:
            smallest = self.lattice[0].model.params
            raise InfeasibleError(
                f"the budget pays for {params:.3g} parameters on data.tokens, less than the smallest model "
                f"({smallest:.3g}); raise the budget or lower data.tokens"
            )
        return fitting[-1]

    def for_compute(self, compute: float) -> Draft:
        """The draft that spends so many FLOPs by C = 6ND."""
        candidate = self.candidate_for(compute)
        tokens = self.spec.data.tokens or compute / 6 / candidate.model.params
        return self.draft(candidate, tokens)

    def for_seconds(self, seconds: float) -> Draft:
        """The draft whose steps fill so many seconds of training: rounds of model → layout → affordable compute."""
        count = self.machine.planned.count
        compute = _FIRST_MFU * self.machine.planned.peak_flops * count * seconds
        seen: list[Draft] = []
        for i in range(1, _ROUNDS + 1):
            draft = self._filled(self.for_compute(compute), seconds, i)
            if seen and _same(seen[-1], draft):
                return draft
            seen.append(draft)
            compute = draft.compute_flops
        return min(seen, key=lambda d: laws.loss(self.law, d.candidate.model.params, d.tokens))

    def _filled(self, draft: Draft, seconds: float, rounds: int) -> Draft:
        steps = int(seconds / draft.step_time_s)
        if steps < 1:
            raise InfeasibleError(
                f"the budget pays for {seconds:.3g} s of training, one step takes {draft.step_time_s:.3g} s; raise the "
                "budget, or lower training.global_batch or the model"
            )
        if self.spec.data.tokens is not None:
            steps = draft.steps
        return Draft(draft.candidate, draft.batch, steps, draft.found, draft.time, rounds)

    def draft(self, candidate: Candidate, tokens: float) -> Draft:
        """The draft of one model on so many tokens: batch by law, fastest layout, whole steps."""
        model = candidate.model
        batch = global_batch(self.spec, self.point(candidate, tokens))
        steps = int(tokens / (batch.sequences * model.sequence) * (1 + 1e-12))
        if steps < 1:
            raise InfeasibleError(
                f"the budget pays for {tokens:.3g} tokens, one step of {batch.sequences} sequences takes "
                f"{batch.sequences * model.sequence:.3g}; raise the budget or lower training.global_batch"
            )
        found, time = self._layout(Setting(model, self.machine, batch.sequences))
        return Draft(candidate, batch, steps, found, time)

    def point(self, candidate: Candidate, tokens: float) -> Point:
        """What the laws of learning rate and batch are functions of, for that model on so many tokens."""
        model = candidate.model
        return Point(model.params_non_embedding, tokens, laws.loss(self.law, model.params, tokens))

    def _layout(self, setting: Setting) -> tuple[Found, TimeBreakdown]:
        found = search(setting, self.spec.layout)
        return found, step_time(setting.model, found.layout, setting.machine, setting.global_batch)


def _same(one: Draft, other: Draft) -> bool:
    return (one.candidate, one.batch.sequences, one.found.layout) == (
        other.candidate,
        other.batch.sequences,
        other.found.layout,
    )
