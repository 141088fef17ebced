"""Derivations of the estimates of speed and memory, each from its parts."""

from collections.abc import Callable

from sixnd.planner.document_masks import counted
from sixnd.planner.explain_ramp import stage_seconds
from sixnd.planner.explain_size import REPETITION, tokens
from sixnd.planner.explanation import Facts, Step
from sixnd.planner.layout import step_time
from sixnd.planner.memory import peak_memory
from sixnd.planner.sites import with_link
from sixnd.planner.utilisation import PALM, recomputed_flops
from sixnd.specs.plan import Estimate

Derivation = Callable[[Facts], list[Step]]


def with_interval(step: Step, estimate: Estimate) -> list[Step]:
    """The last step with the plan's 80 % interval, and where that comes from."""
    interval = {"80 %": (estimate.low, estimate.high)}
    return [Step(step.step, step.formula, step.value, estimate.basis, step.unit or estimate.unit, interval)]


def step_time_s(facts: Facts) -> list[Step]:
    """Seconds of one step by what they are spent on."""
    time = step_time(facts.setting, facts.plan.layout)
    parts = with_link(time, facts.spec, facts.model.params).plain()
    total = float(sum(parts.values()))
    steps = [
        Step(name.replace("_", " "), "step-time model", value, "planner/step_seconds.py", "s")
        for name, value in parts.items()
    ]
    return [*steps, *with_interval(Step("step time", "their sum", total), facts.plan.estimates.step_time_s)]


def memory_bytes(facts: Facts) -> list[Step]:
    """Bytes on the fullest rank by what they hold."""
    plan = facts.plan
    found = peak_memory(facts.model, plan.layout, facts.machine, plan.training.global_batch, plan.data.tokens)
    parts = {name: value for name, value in found.plain().items() if name != "rank"}
    where = "on the " + found.rank.removeprefix("the ")
    steps = [Step(name, where, value, "planner/memory.py", "bytes") for name, value in parts.items()]
    total = Step("peak memory", "their sum", float(sum(parts.values())))
    return [*steps, *with_interval(total, facts.plan.estimates.memory_bytes)]


def tokens_per_s(facts: Facts) -> list[Step]:
    """Batch over step time."""
    batch, step_s = facts.plan.training.global_batch * facts.model.sequence, _step_s(facts)
    found = Step("tokens a second", f"{batch:,} tokens / {step_s:.5g} s", batch / step_s)
    return with_interval(found, facts.plan.estimates.tokens_per_s)


def mfu(facts: Facts) -> list[Step]:
    """Exact model FLOPs over peak."""
    cluster, batch = facts.plan.cluster, facts.plan.training.global_batch * facts.model.sequence
    flops, step_s = facts.model.training_flops, _step_s(facts)
    formula = f"{batch:,} × {flops:.5g} FLOPs / ({cluster.count} × {cluster.peak_flops:.4g} FLOP/s × {step_s:.5g} s)"
    value = batch * flops / (cluster.count * cluster.peak_flops * step_s)
    return [*counted(facts), *with_interval(Step("MFU", formula, value), facts.plan.estimates.mfu)]


def hfu(facts: Facts) -> list[Step]:
    """MFU, with what is computed twice."""
    planned, model = facts.plan.estimates.hfu, facts.model
    assert planned is not None, "only explained where the plan has it"
    once = model.training_flops
    twice = recomputed_flops(model.architecture, model.sequence, "causal", facts.plan.layout)
    steps = mfu(facts)
    share = number(steps)
    repeated = Step("recomputed", "FLOPs of a token's forward pass that run again", twice, PALM, "FLOPs a token")
    formula = f"MFU {share:.4g} × ({once:.5g} + {twice:.5g}) / {once:.5g}"
    return [*steps, repeated, *with_interval(Step("HFU", formula, share * (once + twice) / once), planned)]


def train_time_s(facts: Facts) -> list[Step]:
    """Steps times step time."""
    trained, step_s = facts.plan.training, _step_s(facts)
    if not trained.batch_stages:
        found = Step("training time", f"{trained.steps:,} steps × {step_s:.5g} s", trained.steps * step_s)
        return with_interval(found, facts.plan.estimates.train_time_s)
    stages = stage_seconds(facts)
    found = Step("training time", "the stages' sum", sum(float(stage.value) for stage in stages))
    return [*stages, *with_interval(found, facts.plan.estimates.train_time_s)]


def tokens_worth(facts: Facts) -> list[Step]:
    """Unique tokens that D is worth."""
    planned = facts.plan.estimates.tokens_worth
    assert planned is not None, "only explained where the plan has it"
    worth = float(facts.drafter.question.worth.tokens(facts.D))
    last = Step("D is worth", f"{REPETITION}: {facts.D:.5g} tokens read", worth)
    return [*tokens(facts), *with_interval(last, planned)]


def _step_s(facts: Facts) -> float:
    return number(step_time_s(facts))


def number(steps: list[Step]) -> float:
    """The value of the last step."""
    return float(steps[-1].value)
