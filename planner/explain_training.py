"""Derivations of batch, learning rate, schedule, optimizer, checkpoints and validation, with their numbers."""

import math

from sixnd.planner import hyperparameters, mup
from sixnd.planner.batch_scaling import SOURCES, scale_factor
from sixnd.planner.explanation import Facts, Step
from sixnd.planner.failures import DALY, best_interval_s
from sixnd.planner.goodput import known_stops
from sixnd.planner.hyperparameter_laws import choices
from sixnd.planner.hyperparameters import CUT_SOURCE, LARGEST_RATE, lawful_batch_tokens, lawful_learning_rate
from sixnd.planner.intervals import checkpoint_steps
from sixnd.planner.schedule import COOLDOWN_SOURCE, COSINE_SOURCE, ROOT_SOURCE, final_rate, root_share, scheduled_steps
from sixnd.specs import catalog
from sixnd.specs.catalog import HyperparameterForm, HyperparameterLaw, LawInput, LogLinearForm

_SYMBOLS: dict[LawInput, str] = {"params": "N", "tokens": "D", "compute": "C", "loss": "L"}


def batch(facts: Facts) -> list[Step]:
    """The law's batch and its rounding to whole sequences."""
    spec, planned, length = facts.spec, facts.plan.training.global_batch, facts.model.sequence
    asked = spec.training.global_batch
    if asked is not None:
        first = Step("batch asked for", "training.global_batch", asked, "spec: training.global_batch", "tokens")
    else:
        first = _by_law(facts, "batch_tokens", lawful_batch_tokens(spec.hyperparameter_law, facts.point))
    wanted = float(first.value)
    rounded = (
        f"{wanted:.6g} / {length:,} tokens a sequence = {wanted / length:.5g}, to a number that divides over replicas"
    )
    return [
        first,
        Step("global batch", rounded, planned, "rule: planner/hyperparameters.py", "sequences"),
        Step("tokens a step", f"{planned:,} × {length:,}", planned * length, "", "tokens"),
        *_others(facts, "batch_tokens"),
    ]


def learning_rate(facts: Facts) -> list[Step]:
    """The law's peak rate, and how a pinned batch moves it."""
    spec, law = facts.spec, _law(facts)
    asked = spec.training.learning_rate
    if asked is not None:
        pinned = Step("peak", "training.learning_rate", asked, "spec: training.learning_rate")
        return [pinned, _final(facts), *_others(facts, "learning_rate")]
    lawful = lawful_learning_rate(spec.hyperparameter_law, facts.point)
    steps = [_by_law(facts, "learning_rate", lawful)]
    if spec.training.global_batch is not None and law.batch_tokens is not None:
        steps.append(_moved(facts, lawful))
    if float(steps[-1].value) > LARGEST_RATE:
        steps.append(Step("peak", f"no more than {LARGEST_RATE:g}", LARGEST_RATE, CUT_SOURCE))
    return [*steps, _final(facts), *_others(facts, "learning_rate")]


def _moved(facts: Facts, lawful: float) -> Step:
    rule, own = facts.spec.training.batch_scaling, lawful_batch_tokens(facts.spec.hyperparameter_law, facts.point)
    tokens = facts.plan.training.global_batch * facts.model.sequence
    factor = scale_factor(rule, tokens, own)
    formula = f"{lawful:.5g} × ({tokens:,} / {own:,.0f})^{rule} = × {factor:.5g}"
    return Step("peak at the pinned batch", formula, lawful * factor, SOURCES[rule])


def _final(facts: Facts) -> Step:
    t, asked = facts.plan.training, facts.spec.training
    value = final_rate(asked, t.learning_rate, t.steps)
    if t.schedule == "inverse-square-root" and not t.decay_steps:
        formula = f"{t.learning_rate:.5g} × max({asked.final_lr_fraction:g}, √({t.warmup_steps:,} / {t.steps:,}))"
        return Step("at the last step", formula, value, ROOT_SOURCE)
    formula = f"{t.learning_rate:.5g} × {asked.final_lr_fraction:g}"
    return Step("at the last step", formula, value, "training.final_lr_fraction")


def _law(facts: Facts) -> HyperparameterLaw:
    return catalog.hyperparameter_law(facts.spec.hyperparameter_law)


def _by_law(facts: Facts, what: str, value: float) -> Step:
    law = _law(facts)
    form: HyperparameterForm = getattr(law, what)
    inputs = facts.point.inputs()
    label, unit = ("batch", "tokens") if what == "batch_tokens" else ("peak", "")
    return Step(f"{label} by {facts.spec.hyperparameter_law}", _filled(form, inputs), value, law.source, unit)


def _filled(form: HyperparameterForm, inputs: dict[LawInput, float]) -> str:
    if isinstance(form, LogLinearForm):
        return f"{form.intercept:g} + {form.slope:g} × ln({inputs[form.input]:.5g})"
    names = " · ".join(f"{_SYMBOLS[name]}^{power:.4g}" for name, power in form.exponents.items())
    numbers = " × ".join(f"{inputs[name]:.5g}^{power:.4g}" for name, power in form.exponents.items())
    return f"c·{names} = {form.coefficient:.5g} × {numbers} (N without embeddings)"


def _others(facts: Facts, what: str) -> list[Step]:
    point = facts.point
    return [
        Step(
            f"{each.law} would say",
            f"{each.decades_outside:.2g} decades outside its range" if each.decades_outside else "inside its range",
            getattr(each, what),
            "catalog of hyperparameter laws",
            "tokens" if what == "batch_tokens" else "",
        )
        for each in choices(point.params, point.tokens, point.loss)
        if each.law != facts.spec.hyperparameter_law and getattr(each, what) is not None
    ]


def schedule(facts: Facts) -> list[Step]:
    """Warm-up and fall as shares of the steps."""
    asked, t = facts.spec.training, facts.plan.training
    ends, cosine = scheduled_steps(asked, t.steps), t.schedule == "cosine"
    warmup = f"{asked.warmup_fraction:g} × {t.steps:,} steps, rounded"
    fall = f"{t.steps:,} - {t.warmup_steps:,}" if cosine else f"{asked.decay_fraction:g} × {t.steps:,}, rounded"
    source = {"cosine": COSINE_SOURCE, "wsd": COOLDOWN_SOURCE, "inverse-square-root": ROOT_SOURCE}[t.schedule]
    return [
        Step("shape", "training.schedule" if cosine else f"training.schedule, {t.cooldown} cooldown", t.schedule),
        Step("warm-up", warmup, ends.rising, "training.warmup_fraction", "steps"),
        *_between(facts),
        Step("falling", fall, ends.falling, source, "steps"),
        _final(facts),
    ]


def _between(facts: Facts) -> list[Step]:
    """What an inverse square root has fallen to where its cooldown begins."""
    t = facts.plan.training
    if t.schedule != "inverse-square-root" or not t.decay_steps:
        return []
    first = t.steps - t.decay_steps
    lowest = t.final_learning_rate / t.learning_rate
    rate = t.learning_rate * root_share(t.warmup_steps, first, lowest)
    formula = f"{t.learning_rate:.5g} × √({t.warmup_steps:,} / {first:,})"
    return [Step("before the cooldown", formula, rate, ROOT_SOURCE)]


def adam(facts: Facts) -> list[Step]:
    """The settings, and over how much of the run they average."""
    t = facts.plan.training
    steps = [
        Step(
            "β1, β2, ε",
            "as published runs",
            f"{t.adam_beta1}, {t.adam_beta2}, {t.adam_eps:g}",
            hyperparameters.ADAM_SOURCE,
        ),
        Step("weight decay", "training.weight_decay", t.weight_decay, "spec or its default"),
        Step("clipping", "training.clip_grad_norm", t.clip_grad_norm, "spec or its default"),
    ]
    rate = t.learning_rate * t.weight_decay
    if rate:
        formula = f"1/(lr·decay·steps) = 1/({t.learning_rate:.4g} × {t.weight_decay:g} × {t.steps:,})"
        source = "Wang and Aitchison 2024, arXiv:2405.13698"
        steps.append(Step("τ, over which weights average", formula, 1 / (rate * t.steps), source, "runs"))
    return steps


def init_std(facts: Facts) -> list[Step]:
    """Small init."""
    m = facts.plan.training.mup
    width = facts.model.hidden
    base = Step("init std", f"√(2/(5h)) = √(2/(5·{width}))", math.sqrt(2 / (5 * width)), hyperparameters.INIT_SOURCE)
    return [base] if m is None else [base, *parametrization(facts)]


def parametrization(facts: Facts) -> list[Step]:
    """MuP's multipliers."""
    m, h = facts.plan.training.mup, facts.model.hidden
    assert m is not None, "only explained where the plan has it"
    base, head = m.base_width, facts.model.head_dim
    scale = math.sqrt(m.base_head_dim) / head
    return [
        Step("learning rate of hidden matrices", f"× base width / width = {base}/{h}", base / h, mup.SOURCE, "times"),
        Step("weight decay of hidden matrices", f"× width / base width = {h}/{base}", h / base, mup.SOURCE, "times"),
        Step("logits", f"× base width / width = {base}/{h}", base / h, mup.SOURCE, "times"),
        Step("std of embedding and head", f"√(2/(5·{base}))", math.sqrt(2 / (5 * base)), mup.SOURCE),
        Step("query · key", f"× √(base head dim) / head dim = √{m.base_head_dim}/{head}", scale, mup.SOURCE, "times"),
    ]


def checkpoints(facts: Facts) -> list[Step]:
    """Daly's interval, at most a tenth of the run."""
    tenth = math.ceil(facts.plan.training.steps / 10)
    asked = facts.spec.checkpoints.every_steps
    if asked is not None:
        return [Step("every", "checkpoints.every_steps", asked, "spec: checkpoints.every_steps", "steps")]
    limit = Step("at least ten in a run", f"⌈{facts.plan.training.steps:,} / 10⌉", tenth, "rule: ten", "steps")
    stops = known_stops(facts.spec, facts.machine, facts.model.params)
    if stops is None:
        return [limit]
    seconds, step_s = best_interval_s(stops), facts.plan.estimates.step_time_s.value
    formula = (
        f"√(2 · {stops.stall_s:.4g} s stall · {stops.between_s:.4g} s between stops) and two terms of higher order; no "
        f"shorter than {stops.lag_s:.4g} s of writing beside training"
    )
    return [
        Step("Daly's interval", formula, seconds, DALY, "s"),
        limit,
        Step(
            "every",
            f"the smaller of {seconds:.4g} s / {step_s:.4g} s and {tenth:,}",
            checkpoint_steps(facts.clock),
            "",
            "steps",
        ),
    ]


def evaluation(facts: Facts) -> list[Step]:
    """About ten validations."""
    asked = facts.spec.evaluation.every_steps
    if asked is not None:
        return [Step("every", "evaluation.every_steps", asked, "spec: evaluation.every_steps", "steps")]
    steps = facts.plan.training.steps
    return [Step("every", f"⌈{steps:,} / 10⌉", math.ceil(steps / 10), "rule: ten", "steps")]
