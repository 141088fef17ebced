"""What an explanation is made of, and what every derivation looks at."""

from dataclasses import dataclass, replace
from functools import cached_property

from sixnd.planner import laws
from sixnd.planner.batch_ramp import StageSeconds
from sixnd.planner.continual import from_base
from sixnd.planner.draft import Drafter
from sixnd.planner.evaluation_cost import evaluated
from sixnd.planner.goodput import WallClock
from sixnd.planner.hyperparameter_laws import Point
from sixnd.planner.laws import Interval
from sixnd.planner.lora import Adapters
from sixnd.planner.machine import Machine, machine_of
from sixnd.planner.question import question
from sixnd.planner.rules import Setting
from sixnd.planner.transformer import Transformer
from sixnd.specs.plan import Plan

SIXND_SOURCE = "C = 6ND (Kaplan et al. 2020, §2.1)"
HOFFMANN = "Hoffmann et al. 2022, arXiv:2203.15556"
LEVELS = {"80 %": 0.8, "95 %": 0.95}


@dataclass(frozen=True)
class Step:
    """One step of a derivation."""

    step: str
    """What is found, e.g. ``N*``."""
    formula: str
    """How, with the numbers filled in."""
    value: float | str
    """A number in ``unit``, or a choice in words."""
    source: str = ""
    """Paper and equation, catalog entry, field of the spec, or rule."""
    unit: str = ""
    intervals: dict[str, tuple[float, float]] | None = None
    """Low and high end by level, ``80 %`` and ``95 %``."""

    def within(self, found: dict[str, Interval | None]) -> "Step":
        """The step with intervals; levels that the law does not give stay out."""
        given = {level: (each.low, each.high) for level, each in found.items() if each is not None}
        return replace(self, intervals=given or None)


@dataclass(frozen=True)
class Explanation:
    """Why one thing in a plan is as it is."""

    name: str
    """Field of the plan, e.g. ``model.params``."""
    value: str
    """The choice or estimate as the plan holds it."""
    pinned: bool
    """Whether the spec decided it."""
    steps: list[Step]


class Facts:
    """A plan, and what it was made from: everything is computed anew from the spec, the law and the catalogs."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.spec = plan, from_base(plan.spec)

    @cached_property
    def machine(self) -> Machine:
        """The cluster."""
        return machine_of(self.spec, self.plan.training.precision)

    @cached_property
    def drafter(self) -> Drafter:
        """What the planner asked its law, with serving priced by the plan's MFU."""
        found = Drafter(self.spec, self.machine)
        found.training_mfu = self.plan.estimates.mfu.value
        found.question = question(self.spec, found.training_mfu)
        return found

    @cached_property
    def model(self) -> Transformer:
        """The planned architecture."""
        m = self.plan.model
        if m.architecture is not None:
            return Transformer(m.architecture, m.sequence_length)
        found = Transformer.of_shape(m.shape, m.padded_vocab_size, m.sequence_length, m.tied_embeddings)
        return replace(found, adapters=Adapters.of(self.spec))

    @cached_property
    def setting(self) -> Setting:
        """What a layout is chosen for."""
        return self.drafter.setting(self.model, self.plan.training.batches)

    @cached_property
    def clock(self) -> WallClock:
        """The wall-clock of the plan's steps."""
        step_s, trained = self.plan.estimates.step_time_s.value, self.plan.training
        saved_s = self.stage_seconds.saved_s(trained.batches)
        clock = WallClock(self.spec, self.machine, self.model.params, trained.steps, step_s, saved_s)
        return evaluated(clock, self.model, self.plan.layout, self.plan.estimates.time, trained.batches)

    @cached_property
    def stage_seconds(self) -> StageSeconds:
        """Seconds of a step by its batch."""
        return StageSeconds(self.setting, self.plan.layout, self.spec)

    @property
    def N(self) -> int:  # noqa: N802
        """Parameters that a token passes through: what laws and C = 6ND count."""
        return self.model.active_params

    @property
    def D(self) -> int:  # noqa: N802
        """Training tokens."""
        return self.plan.tokens_after(self.plan.training.steps)

    @property
    def compute(self) -> float:
        """C = 6ND that N was chosen for, in FLOPs: the budget's, or the plan's where hours, money or a loss are given.

        A budget that is counted exactly stands here as the 6ND of the chosen model, with adapters as its (4N + 6n)D.
        """
        budget, each = self.spec.budget, self.model.convention_flops
        if budget.compute is None:
            return each * self.D
        counted = self.plan.model.flops_per_token if budget.counting == "exact" else each
        return budget.compute * each / counted

    @property
    def point(self) -> Point:
        """Where the laws of learning rate and batch were asked."""
        return Point(self.model.active_params_non_embedding, self.D, self.drafter.loss(self.N, self.D))

    def params_intervals(self, compute: float) -> dict[str, Interval | None]:
        """Of the law's own N*."""
        return {name: laws.params_interval(self.drafter.law, compute, level) for name, level in LEVELS.items()}

    def loss_intervals(self, params: float, tokens: float) -> dict[str, Interval | None]:
        """Of the law's loss, residuals included."""
        return {name: laws.loss_interval(self.drafter.law, params, tokens, level) for name, level in LEVELS.items()}
