"""What a report of a plan knows, before it is drawn."""

from typing import Annotated, Literal

from pydantic import Field

from sixnd.reports.documents import (
    Choice,
    Figure,
    KeyNumber,
    LawCurve,
    LawRow,
    Option,
    Pair,
    Part,
    PhaseRow,
    PipelineFacts,
    SensitivityRow,
    SourceShare,
)
from sixnd.specs.document import Document

Severity = Literal["high", "medium", "low", "not known", "none"]
"""How much a risk weighs; `not known` where what would tell is missing."""


class Risk(Document):
    """One thing that may turn out other than planned."""

    key: str
    label: str
    severity: Severity
    why: str
    """How far it goes, in numbers."""
    advice: str
    """What to do about it; empty where nothing need be."""


class DerivedStep(Document):
    """One step from the budget to N, D or the loss."""

    number: int
    """Steps are counted through all chains."""
    step: str
    value: Figure
    formula: str
    source: str


class Derivation(Document):
    """The steps that end at one number of the plan. What an earlier chain has found is not told again."""

    key: Literal["params", "tokens", "loss"]
    title: str
    steps: list[DerivedStep]


class LadderOffer(Document):
    """What small runs, from which a law of one's own is fitted, would cost and tell."""

    command: str
    numbers: list[Pair]
    money: Figure
    accelerator_hours: Figure
    spent: Figure
    """Share of the plan's compute."""
    basis: str


class PlanFacts(Document):
    """Everything a report of a plan shows."""

    version: Literal["plan-facts/1"] = "plan-facts/1"
    name: str
    verdict: str
    budget: str
    key_numbers: list[KeyNumber]
    model: list[Pair]
    training: list[Pair]
    sources: list[SourceShare]
    phases: list[PhaseRow]
    """Sources by phase; empty where there is but one phase."""
    options: list[Option]
    pareto: list[Option]
    """Layouts that no other beats in both time, so money, and memory head-room; fastest first."""
    sensitivities: list[SensitivityRow]
    pipeline: PipelineFacts | None
    memory_rank: str
    memory: list[Part]
    time: list[Part]
    decisions: list[Choice]
    curve: LawCurve
    law_weakness: str
    law_choices: list[LawRow]
    provenance: list[Pair]
    warnings: list[str]
    risks: list[Risk]
    """The gravest first; what was looked at and found safe last."""
    derivations: Annotated[list[Derivation], Field(default_factory=list)]
    """Empty where the report was not given the planner's reasoning."""
    ladder: LadderOffer | None = None
    no_ladder: str = ""
    """Why no ladder is offered."""
    untold: str = ""
    """Why neither is told."""

    def number(self, key: str) -> KeyNumber:
        """The key number of that name."""
        return next(number for number in self.key_numbers if number.key == key)
