"""Derivations of a batch ramp: its stages in steps and tokens, and what they cost."""

from sixnd.planner.batch_scaling import SOURCES, scale_factor
from sixnd.planner.explanation import Facts, Step
from sixnd.planner.ramp_decisions import PRACTICE, RATE

_RULE = "rule: the next batch is taken by the first step that begins with so many tokens read (as Megatron counts)"


def ramp(facts: Facts) -> list[Step]:
    """Where each batch begins, and how many steps of it there are."""
    trained, length = facts.plan.training, facts.model.sequence
    found = []
    for i, one in enumerate(trained.batch_stages):
        before = facts.plan.tokens_after(one.first_step - 1)
        tokens = facts.plan.tokens_after(one.last_step) - before
        source = PRACTICE if i == 0 else _RULE
        span = f"steps {one.first_step:,} to {one.last_step:,}, after {before:,} tokens"
        formula = f"{span}: × {one.global_batch:,} × {length:,}"
        found.append(Step(f"{one.steps:,} steps", formula, tokens, source, "tokens"))
    together = "the stages' sum, to whole steps"
    return [*found, Step("D", together, facts.D, "", "tokens"), *_rate(facts)]


def _rate(facts: Facts) -> list[Step]:
    trained = facts.plan.training
    if trained.ramp_learning_rate == "schedule":
        return [Step("learning rate meanwhile", "× 1", "the schedule's", RATE)]
    first, full = trained.batch_stages[0].global_batch, trained.global_batch
    factor = scale_factor("square-root", first, full)
    return [Step("learning rate at first", f"× √({first:,} / {full:,})", factor, SOURCES["square-root"], "times")]


def stage_seconds(facts: Facts) -> list[Step]:
    """Seconds of each stage: smaller steps cost less, but not in proportion."""
    found = []
    for one in facts.plan.training.batch_stages:
        each = facts.stage_seconds.of(one.global_batch)
        formula = f"{one.steps:,} steps of {one.global_batch:,} sequences × {each:.5g} s"
        found.append(Step(f"from step {one.first_step:,}", formula, one.steps * each, "planner/step_seconds.py", "s"))
    return found
