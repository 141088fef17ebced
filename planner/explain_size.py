"""Derivations of the law, the compute, N, D and the loss, with their numbers."""

import numpy as np

from sixnd.planner import laws
from sixnd.planner import model as counts
from sixnd.planner.allocation import Question, compute_for_loss, params_for_compute, tokens_for_loss
from sixnd.planner.architecture import Candidate
from sixnd.planner.explanation import HOFFMANN, LEVELS, SIXND_SOURCE, Facts, Step
from sixnd.planner.law_choices import law_choices
from sixnd.planner.laws import CHINCHILLA_RATIO, Interval
from sixnd.planner.question import drawn_question
from sixnd.planner.repetition import Repetition
from sixnd.planner.transformer import Transformer
from sixnd.specs.checks import accelerator_hours_given, price_usd_per_hour
from sixnd.specs.laws import SurfaceLaw
from sixnd.specs.plan import LawChoice

SERVING = "Sardana et al. 2024, arXiv:2401.00448, eq. 3 to 6"
REPETITION = "Muennighoff et al. 2023, arXiv:2305.16264, eq. 5 to 7 and 16 to 20"
_NEIGHBOURS = 1


def law(facts: Facts) -> list[Step]:
    """The law's form, constants and range, and what the others would choose."""
    d = facts.drafter
    choices = law_choices(facts.compute, facts.spec.planning_law)
    return [_form(facts), *_range(facts), *[_other(each, d.law_name) for each in choices]]


def _form(facts: Facts) -> Step:
    d, s = facts.drafter, facts.drafter.law
    return Step(
        "L(N, D)",
        f"{_sum(s)} with E {s.E:g}, A {s.A:g}, B {s.B:g}, α {s.alpha:g}, β {s.beta:g}{_bend(s)}; {s.counts}",
        d.law_name,
        f"{s.source}. Weakness: {s.weakness}",
    )


def _sum(s: SurfaceLaw) -> str:
    return "E + A/N^α + B/D^β" if s.gamma == 1 else "E + (A/N^α + B/D^β)^γ"


def _bend(s: SurfaceLaw) -> str:
    return "" if s.gamma == 1 else f", γ {s.gamma:g}"


def _range(facts: Facts) -> list[Step]:
    s = facts.drafter.law
    spans = {"N": s.fitted_params, "D": s.fitted_tokens, "C": s.fitted_compute}
    told = ", ".join(f"{name} {span[0]:.3g} to {span[1]:.3g}" for name, span in spans.items() if span is not None)
    outside = laws.decades_outside(s, facts.N, facts.D)
    formula = f"fitted on {told or 'a range that is not told'}; the plan's N {facts.N:.4g}, D {facts.D:.4g}"
    return [Step("decades outside the fitted range", formula, outside, s.source, "decades")]


def _other(choice: LawChoice, own: str) -> Step:
    mark = " (the plan's law)" if choice.law == own else ""
    told = [f"N {choice.params:.4g}, D {choice.tokens:.4g}"] if choice.params and choice.tokens else []
    told += [f"{choice.decades_outside:.2g} decades outside its range"] if choice.decades_outside else []
    told += [choice.note] if choice.note else []
    value = choice.params if choice.params is not None else choice.loss
    unit = "parameters" if choice.params is not None else "nats per token"
    return Step(f"{choice.law}{mark}", "; ".join(told), value or 0.0, "catalog of laws", unit)


def compute(facts: Facts) -> list[Step]:
    """Where C comes from, and C = 6ND of the whole steps."""
    budget, N, D = facts.spec.budget, facts.N, facts.D
    each, adapters = facts.model.convention_flops, facts.model.adapters
    formula = f"6·N·D = 6 × {N:.6g} × {D:.6g}"
    if adapters is not None:
        formula = f"(4·N + 6·n)·D = (4 × {N:.6g} + 6 × {facts.model.learning:.6g}) × {D:.6g}: only n of adapters learn"
    spent = Step("C", formula, each * D, SIXND_SOURCE, "FLOPs")
    exact = facts.plan.model.flops_per_token * D
    counted = Step("C counted exactly", f"{facts.plan.model.flops_per_token:.6g} FLOPs a token × D", exact, "", "FLOPs")
    if budget.compute is not None:
        given = [Step("budget", f"counted as {budget.counting}", budget.compute, "spec: budget.compute", "FLOPs")]
        if budget.counting == "exact":
            formula = f"budget × 6N / FLOPs a token = × {each:.5g} / {facts.plan.model.flops_per_token:.5g}"
            given.append(Step("budget as 6ND", formula, facts.compute, "", "FLOPs"))
        return [*given, spent, counted]
    if budget.loss is not None:
        return [*_least_compute(facts), spent, counted]
    return [*_hours(facts), spent, counted]


def _hours(facts: Facts) -> list[Step]:
    given = accelerator_hours_given(facts.spec)
    if not given:
        return []
    name, hours = next(iter(given.items()))
    held, goodput = facts.spec.accelerators_held, facts.clock.goodput
    seconds = facts.drafter.wall_seconds() * goodput
    step = facts.plan.estimates.step_time_s.value
    steps = [
        Step("accelerator-hours", f"budget.{name}", hours, f"spec: budget.{name}", "accelerator-hours"),
        Step(
            "seconds of training and evaluations",
            f"{hours:.6g} h × 3600 / {held} accelerators × goodput {goodput:.4g}",
            seconds,
            "see cluster.goodput",
            "s",
        ),
    ]
    if facts.spec.data.tokens is None:
        evaluated = facts.clock.evaluated_s
        formula = f"({seconds:.6g} s - {evaluated:.4g} s of evaluations) / {step:.4g} s a step, whole ones"
        count = int((seconds - evaluated) / step)
        if facts.plan.training.batch_stages:
            formula, count = "as many as fit, each batch's step at its own time", facts.plan.training.steps
        steps.append(Step("steps", formula, count, "", "steps"))
    return steps


def _least_compute(facts: Facts) -> list[Step]:
    target = facts.spec.budget.loss
    assert target is not None, "only asked where the budget is a loss"
    least = float(compute_for_loss(facts.drafter.question, target))
    formula = (
        f"least 6·N·D with L(N, D) = {target:g}, N and D as the law's optimum (irreducible: {facts.drafter.law.E:g})"
    )
    return [Step("C*", formula, least, f"{HOFFMANN}, eq. 4", "FLOPs")]


def params(facts: Facts) -> list[Step]:
    """N: the law's optimum, then the shape of the lattice."""
    spec = facts.spec
    if spec.model.shape is not None or spec.model.family is not None:
        return _counted(facts)
    if spec.model.params is not None:
        return [*_pinned_params(facts), *_counted(facts), *_unpinned_optimum(facts)]
    if spec.data.tokens is not None and spec.budget.loss is None:
        return [*_pinned_tokens(facts), *_counted(facts), *_unpinned_optimum(facts)]
    return [*_optimum(facts), *_lattice(facts), *_counted(facts), *_sensitivity(facts)]


def _optimum(facts: Facts) -> list[Step]:
    """The law's own N*, moved by a target loss, by repetition and by serving where the spec has them."""
    return [
        *compute(facts),
        _form(facts),
        *_closed_form(facts),
        *_repeated(facts),
        *_served(facts),
    ]


def _closed_form(facts: Facts) -> list[Step]:
    s, C = facts.drafter.law, facts.compute
    power = 1 / (s.alpha + s.beta)
    G, a = (s.alpha * s.A / (s.beta * s.B)) ** power, s.beta * power
    source = f"{HOFFMANN}, eq. 4"
    filled = f"({s.alpha:g}·{s.A:g} / ({s.beta:g}·{s.B:g}))^(1/{s.alpha + s.beta:g})"
    best = laws.optimum(s, C)
    star = Step("N*", f"G·(C/6)^a = {G:.6g} × ({C:.4g}/6)^{a:.6g}", G * (C / 6) ** a, source, "parameters")
    return [
        Step("G", f"(α·A / (β·B))^(1/(α+β)) = {filled}", G, source),
        Step("a", f"β/(α+β) = {s.beta:g}/{s.alpha + s.beta:g}", a, source),
        star.within(facts.params_intervals(C)),
        Step("D*", f"C/(6·N*) = {C:.4g} / (6 × {best.params:.4g})", best.tokens, SIXND_SOURCE, "tokens"),
        Step("L*", "L(N*, D*)", best.loss, facts.drafter.law.source, "nats per token").within(
            facts.loss_intervals(best.params, best.tokens)
        ),
    ]


def _repeated(facts: Facts) -> list[Step]:
    question = facts.drafter.question
    worth = question.worth
    if not isinstance(worth, Repetition):
        return []
    U, best = float(worth.unique.sum()), laws.optimum(facts.drafter.law, facts.compute)
    if not np.any(worth.epochs(best.tokens) > 1):
        return []
    moved = float(params_for_compute(Question(question.surface, worth), facts.compute))
    D = facts.compute / 6 / moved
    return [
        Step(
            "U_N",
            f"N for which the {U:.4g} unique tokens are compute-optimal",
            float(worth.needed_params()),
            REPETITION,
        ),
        Step(
            "N* with repetition",
            f"ε_N = ε_D, where D reads the sources {np.max(worth.epochs(D)):.3g} times at most and is worth "
            f"{float(worth.tokens(D)):.4g} unique tokens; R_D* {worth.repeated_tokens:.4g}, R_N* "
            f"{worth.excess_params:.4g}",
            moved,
            REPETITION,
            "parameters",
        ).within({} if question.served_tokens else _drawn_intervals(facts, moved)),
    ]


def _served(facts: Facts) -> list[Step]:
    """Sardana's first-order condition, both sides at the N it gives."""
    question = facts.drafter.question
    served = question.served_tokens
    if not served:
        return []
    C = facts.compute
    N = float(params_for_compute(question, C))
    D, s = C / 6 / N, facts.drafter.law
    of_N = s.alpha * s.A * float(question.worth.params(N)) ** -s.alpha * np.exp(question.worth.log_params_slope(N))
    of_D = s.beta * s.B * float(question.worth.tokens(D)) ** -s.beta * np.exp(question.worth.log_tokens_slope(D))
    return [
        Step("D_inf", _served_formula(facts), served, SERVING, "tokens"),
        Step(
            "N* with serving",
            f"ε_N/ε_D = 1 + D_inf/(3·D): α·A·N^-α / (β·B·D^-β) = {of_N:.5g}/{of_D:.5g} = {of_N / of_D:.5g}, and "
            f"1 + {served:.4g}/(3 × {D:.4g}) = {1 + served / (3 * D):.5g}"
            + ("; N and D by what they are worth" if isinstance(question.worth, Repetition) else ""),
            N,
            SERVING,
            "parameters",
        ).within(_drawn_intervals(facts, N)),
    ]


def _served_formula(facts: Facts) -> str:
    """Tokens read and written, each times what its FLOPs cost over training's."""
    asked, price = facts.spec.inference, price_usd_per_hour(facts.spec)
    assert asked is not None, "only a spec with inference serves tokens"
    dearer = (asked.price_usd_per_accelerator_hour or price) / price if price else 1.0
    own = facts.drafter.training_mfu
    parts = [
        f"{tokens:.4g} {what} × " + (f"{dearer:.4g} × MFU {own:.4g}/{mfu:g}" if mfu else f"{dearer:.4g}")
        for tokens, what, mfu in (
            (asked.input_tokens, "read", asked.input_mfu),
            (asked.output_tokens, "written", asked.output_mfu),
        )
        if tokens
    ]
    return " + ".join(parts) + ": a FLOP's cost over training's is price × MFU of training / MFU of serving"


def _drawn_intervals(facts: Facts, params: float) -> dict[str, Interval | None]:
    """Of an N* that repetition or serving moves, by the same draws of the law."""
    drawn = params_for_compute(drawn_question(facts.spec, facts.drafter.training_mfu), facts.compute)
    wider = laws.widening(facts.drafter.law, params, facts.compute / 6 / params)
    return {name: laws.percentiles(drawn, params, level, wider) for name, level in LEVELS.items()}


def _lattice(facts: Facts) -> list[Step]:
    """The chosen shape between its neighbours, and what the lattice gives away."""
    lattice = facts.drafter.lattice
    at = next((i for i, c in enumerate(lattice) if c.model == facts.model), None)
    assert at is not None, "a plan without a pinned shape takes one of the lattice"
    around = lattice[max(0, at - _NEIGHBOURS) : at + _NEIGHBOURS + 1]
    steps = [_shape_step(facts, each) for each in around]
    best, own = _ideal_loss(facts), _lattice_loss(facts, facts.N)
    rule = "nearest shape by ratio" if facts.drafter.question.served_tokens else "shape of least loss"
    formula = f"{rule}: L(shape)/L(N*) - 1 = {own:.6g}/{best:.6g} - 1"
    steps.append(Step("loss given away by the lattice", formula, own / best - 1, "", "share"))
    return steps


def _shape_step(facts: Facts, each: Candidate) -> Step:
    m = each.model
    chosen = "chosen" if m == facts.model else "neighbour"
    shape = f"{m.layers} layers, hidden {m.hidden}"
    return Step(f"L({m.params:,})", f"{chosen}: {shape}", _shape_loss(facts, each), "", "nats per token")


def _shape_loss(facts: Facts, each: Candidate) -> float:
    """Loss of a shape with the tokens that the budget, as it counts compute, leaves for it."""
    budget = facts.spec.budget.compute
    spent = facts.compute / 6 / each.model.params if budget is None else budget / facts.drafter.flops_per_token(each)
    return facts.drafter.loss(each.model.params, spent)


def _lattice_loss(facts: Facts, params: float) -> float:
    """Loss of a size with the tokens that the compute leaves for it."""
    return facts.drafter.loss(params, facts.compute / 6 / params)


def _ideal_loss(facts: Facts) -> float:
    N = float(params_for_compute(facts.drafter.question, facts.compute))
    return _lattice_loss(facts, N)


def _sensitivity(facts: Facts) -> list[Step]:
    own = _lattice_loss(facts, facts.N)
    return [
        Step(
            f"loss at {times:g}×N",
            f"L({times * facts.N:.4g}, C/(6·{times:g}·N)), {_lattice_loss(facts, times * facts.N) / own - 1:+.3%}",
            _lattice_loss(facts, times * facts.N),
            facts.drafter.law.source,
            "nats per token",
        )
        for times in (0.5, 2.0)
    ]


def _counted(facts: Facts) -> list[Step]:
    m = facts.model
    if facts.plan.model.architecture is not None:
        return _counted_family(m)
    tables, h = 1 if m.tied else 2, m.hidden
    formula = (
        f"layers × (2h² + 2h·kv + 3h·f + 2h) + h + {tables}·V·h = {m.layers} × (2·{h}² + 2·{h}·{m.kv_width} + "
        f"3·{h}·{m.ffn} + 2·{h}) + {h} + {tables}·{m.vocab}·{h}"
    )
    return [Step("N", formula, m.params, "counted by module", "parameters")]


def _counted_family(m: Transformer) -> list[Step]:
    """Of a published model, by what parallelism splits: a layer of each kind, the ends, and what a token passes."""
    kinds = {counts.has_experts(m.architecture, i) for i in range(m.layers)}
    steps = []
    for kind in sorted(kinds):
        each = counts.layer_params(m.architecture, kind)
        what = "a layer with experts" if kind else "a dense layer"
        formula = (
            f"attention {each.attention + each.attention_whole:,} + norms {each.norms:,} + feed-forward {each.ffn:,} + "
            f"router {each.router:,} + experts {each.experts:,}"
        )
        steps.append(Step(what, formula, each.total, "counted by module", "parameters"))
    tables = f"{1 if m.tied else 2} × {m.embedding_params:,}"
    steps.append(Step("embeddings", tables, m.params - m.params_non_embedding, "", "parameters"))
    if m.active_params != m.params:
        idle = "all but the experts a token is not sent to"
        steps.append(Step("for each token", idle, m.active_params, "what laws and C = 6ND count", "parameters"))
    return [
        *steps,
        Step("N", f"{m.layers} layers, embeddings, final norm", m.params, "counted by module", "parameters"),
    ]


def _pinned_params(facts: Facts) -> list[Step]:
    asked = facts.spec.model.params
    assert asked is not None, "only asked where the spec pins N"
    off = f"nearest shape of the lattice by ratio, {facts.N / asked - 1:+.2%}"
    return [
        Step("N asked for", "model.params", asked, "spec: model.params", "parameters"),
        Step("shape", off, f"{facts.model.layers} layers, hidden {facts.model.hidden}", "rule: the lattice of shapes"),
    ]


def _pinned_tokens(facts: Facts) -> list[Step]:
    tokens, C = facts.spec.data.tokens, facts.compute
    assert tokens is not None, "only asked where the spec pins D"
    return [
        *compute(facts),
        Step(
            "largest N",
            f"C/(6·D) = {C:.4g} / (6 × {tokens:.4g}); the largest shape of the lattice within it",
            C / 6 / tokens,
            "spec: data.tokens",
            "parameters",
        ),
    ]


def _unpinned_optimum(facts: Facts) -> list[Step]:
    """What the law would have chosen for the same compute, and what the pin costs."""
    C = 6.0 * facts.N * facts.D
    best, own = laws.optimum(facts.drafter.law, C), laws.loss(facts.drafter.law, facts.N, facts.D)
    source = facts.drafter.law.source
    return [
        Step("N* without the pin", f"the law's optimum for C = {C:.4g}", best.params, source, "parameters").within(
            facts.params_intervals(C)
        ),
        Step(
            "loss given away by the pin", f"L/L* - 1 = {own:.6g}/{best.loss:.6g} - 1", own / best.loss - 1, "", "share"
        ),
    ]


def tokens(facts: Facts) -> list[Step]:
    """D: what the compute leaves for N tokens, in whole steps."""
    t, N = facts.plan.training, facts.N
    steps = [*_wanted_tokens(facts)]
    sequences = " + ".join(f"{one.steps:,} × {one.global_batch:,}" for one in t.batch_stages)
    whole = f"({sequences} sequences)" if sequences else f"{t.steps:,} whole steps × {t.global_batch:,} sequences"
    steps.append(Step("D", f"{whole} × {facts.model.sequence:,}", facts.D, "", "tokens"))
    steps.append(Step("tokens a parameter", f"D/N = {facts.D:.5g}/{N:.5g}", facts.D / N, ""))
    rule = f"(D/N)/20 = {facts.D / N:.4g}/{CHINCHILLA_RATIO:g}"
    steps.append(Step("over-training", rule, facts.D / N / CHINCHILLA_RATIO, f"{HOFFMANN}, Table 3", "times"))
    assert facts.plan.data.tokens == facts.D, "D is whole steps"
    return [*steps, *_epochs(facts)]


def _wanted_tokens(facts: Facts) -> list[Step]:
    spec, N = facts.spec, facts.N
    if spec.data.tokens is not None:
        return [Step("D asked for", "data.tokens", spec.data.tokens, "spec: data.tokens", "tokens")]
    if spec.budget.loss is not None:
        found = tokens_for_loss(facts.drafter.question, np.array([float(N)]), spec.budget.loss)
        formula = f"D with L({N:.5g}, D) = {spec.budget.loss:g}"
        return [Step("D that reaches the loss", formula, float(found[0]), facts.drafter.law.source, "tokens")]
    if spec.budget.compute is None:
        return _hours(facts)
    each, formula = 6.0 * N, f"C/(6·N) = {spec.budget.compute:.5g} / (6 × {N:.5g})"
    if facts.model.adapters is not None:
        each, learning = facts.model.convention_flops, facts.model.learning
        formula = f"C/(4·N + 6·n) = {spec.budget.compute:.5g} / (4 × {N:.5g} + 6 × {learning:.5g})"
    if spec.budget.counting == "exact":
        each = facts.plan.model.flops_per_token
        formula = f"C / exact FLOPs a token = {spec.budget.compute:.5g} / {each:.5g}"
    return [Step("D affordable", formula, spec.budget.compute / each, SIXND_SOURCE, "tokens")]


def _epochs(facts: Facts) -> list[Step]:
    told = [s for s in facts.plan.data.sources if s.unique_tokens is not None]
    steps = [
        Step(
            f"epochs of {s.name}",
            f"share {s.weight:.4g} × D / {s.unique_tokens:.4g} unique tokens",
            s.weight * facts.D / (s.unique_tokens or 1.0),
            "measured: data.prepared" if s.measured else "spec: data.sources",
            "epochs",
        )
        for s in told
    ]
    worth = facts.drafter.question.worth
    if isinstance(worth, Repetition):
        steps.append(Step("D is worth", _worth_formula(worth), float(worth.tokens(facts.D)), REPETITION, "tokens"))
    return steps


def _worth_formula(worth: Repetition) -> str:
    return (
        f"per source U + U·R_D*·(1 - exp(-(epochs - 1)/R_D*)), R_D* {worth.repeated_tokens:.4g}, over "
        f"{float(worth.unique.sum()):.4g} unique tokens"
    )


def loss(facts: Facts) -> list[Step]:
    """The loss by its terms."""
    s, worth = facts.drafter.law, facts.drafter.question.worth
    N, D = float(worth.params(float(facts.N))), float(worth.tokens(float(facts.D)))
    of_N, of_D = s.A * N**-s.alpha, s.B * D**-s.beta
    repeats = _epochs(facts)[-1:] if isinstance(worth, Repetition) else []
    planned = facts.plan.estimates.loss
    summed = f"{of_N:.5g} + {of_D:.5g}" if s.gamma == 1 else f"({of_N:.5g} + {of_D:.5g})^{s.gamma:g}"
    value, unit = s.E + (of_N + of_D) ** s.gamma, "nats per token" if s.gamma == 1 else ""
    total = Step("L", f"{_sum(s)} = {s.E:g} + {summed}", value, s.source, "nats per token")
    intervals = facts.loss_intervals(facts.N, facts.D)
    if repeats:  # the spread of the law of repetition is in the plan's estimate
        intervals = {"80 %": laws.Interval(planned.low, planned.high)}
    return [
        _form(facts),
        *repeats,
        Step("E", "irreducible", s.E, s.source, "nats per token"),
        Step("A/N^α", f"{s.A:g} / {N:.6g}^{s.alpha:g}", of_N, s.source, unit),
        Step("B/D^β", f"{s.B:g} / {D:.6g}^{s.beta:g}", of_D, s.source, unit),
        total.within(intervals),
        *_range(facts),
        *_uncertainty(facts),
    ]


def _uncertainty(facts: Facts) -> list[Step]:
    s = facts.drafter.law
    wider = laws.widening(s, facts.N, facts.D)
    formula = f"1 + {laws.WIDENING_PER_DECADE:g} × decades outside; residual spread {s.residual_sd or 0:g} of the loss"
    if s.missed_per_decade:
        formula += f", and {s.missed_per_decade:.3g} a decade outside that its form missed on its own runs"
    source = s.covariance_source or s.source
    return [Step("intervals are widened", formula, wider, f"rule; covariance: {source}", "times")]
