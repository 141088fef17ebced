"""How a plan's data mix came about: shares, tokens, epochs, what repeats are worth, and quality against quantity."""

import numpy as np

from sixnd.planner.annealing import annealing_shares
from sixnd.planner.explanation import Facts, Step
from sixnd.planner.mix import EPOCHS_AS_GOOD_AS_NEW, REPETITION_LAW, chosen, repetition
from sixnd.planner.quality import Blend, Text, equal_blends
from sixnd.specs import catalog
from sixnd.specs.mix_checks import autos, known_mix
from sixnd.specs.plan import PhaseShare, PlannedSource

_MODEL = "assumption: worth = quality × unique tokens' worth, summed; quality by the spec, no law knows it"
_SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)


def sources(facts: Facts) -> list[Step]:
    """From the rule to each source's share, tokens, epochs and worth."""
    found = chosen(facts.spec.data)
    return [
        Step("rule", found.how, "auto" if autos(facts.spec.data) else "given", found.source),
        *_domains(facts),
        *(step for source in facts.plan.data.sources for step in _of_source(facts, source)),
        *_quality(facts),
    ]


def annealing(facts: Facts) -> list[Step]:
    """From the share of steps to what annealing reads of each source."""
    anneal, planned = facts.spec.data.anneal, facts.plan.data.anneal
    assert anneal is not None
    assert planned is not None, "a plan with this decision has both"
    found, phase, steps = annealing_shares(facts.spec.data, anneal), planned.phases[1], facts.plan.training.steps
    whole = f"round({anneal.share:g} × {steps:,}) of {steps:,} steps, at least 1 of each blend"
    tokens = f"{phase.steps:,} steps × {phase.tokens // phase.steps:,} tokens"
    if facts.plan.training.batch_stages:
        whole = f"the nearest to {anneal.share:g} of all tokens, of {steps:,} steps, at least 1 of each blend"
        tokens = f"what steps {phase.first_step:,} to {phase.last_step:,} read"
    return [
        Step("rule", found.how, "given" if anneal.mix or anneal.weights else "default", found.source),
        Step("steps of annealing", whole, phase.steps, "spec: data.anneal.share", "steps"),
        Step("tokens of annealing", tokens, phase.tokens, "steps × global batch × sequence", "tokens"),
        *(step for part in phase.sources if part.share for step in _of_part(part, phase.tokens)),
    ]


def _of_part(part: PhaseShare, tokens: int) -> list[Step]:
    formula = f"share {part.share:.4g} × {tokens:.6g}"
    steps = [Step(f"tokens of {part.name}", formula, part.tokens, "spec: data.anneal", "tokens")]
    if part.unique_tokens and part.epochs is not None:
        formula = f"tokens / those it may read = {part.tokens:.5g} / {part.unique_tokens:.5g}"
        steps.append(Step(f"epochs of {part.name}", formula, part.epochs, "spec: unique_tokens", "epochs"))
    return steps


def _domains(facts: Facts) -> list[Step]:
    """The mix's own weights, with the sources that draw on each."""
    data = facts.spec.data
    mix = known_mix(data) if autos(data) else None
    if mix is None:
        return []
    taken: dict[str | None, list[str]] = {}
    for i in autos(data):
        taken.setdefault(mix.domain_of(data.sources[i].name, data.sources[i].kind), []).append(data.sources[i].name)
    return [
        Step(f"{name} in the mix", f"to {', '.join(taken[name])}" if name in taken else "no source", weight, mix.source)
        for name, weight in mix.weights().items()
    ]


def _of_source(facts: Facts, source: PlannedSource) -> list[Step]:
    steps = [
        Step(
            f"tokens of {source.name}",
            f"share {source.weight:.4g} × D = {source.weight:.4g} × {facts.D:.6g}",
            source.weight * facts.D,
            "spec: data",
            "tokens",
        ),
    ]
    if source.unique_tokens is None:
        return steps
    epochs = source.weight * facts.D / source.unique_tokens
    many = f"; above {EPOCHS_AS_GOOD_AS_NEW} repeats lose clearly" if epochs > EPOCHS_AS_GOOD_AS_NEW else ""
    formula = f"tokens / unique = {source.tokens:.5g} / {source.unique_tokens:.5g}{many}"
    steps.append(Step(f"epochs of {source.name}", formula, epochs, _where(source), "epochs"))
    return [*steps, _worth(facts, source)] if epochs > 1 else steps


def _where(source: PlannedSource) -> str:
    """Where its unique tokens come from."""
    return "measured: data.prepared" if source.measured else "spec: unique_tokens"


def _worth(facts: Facts, source: PlannedSource) -> Step:
    law = repetition(facts.spec.planning_law)
    cited = (
        "spec: law" if facts.spec.planning_law.repetition else catalog.entry("laws", REPETITION_LAW).plain()["source"]
    )
    formula = f"U + U·R_D*·(1 - exp(-(epochs - 1)/R_D*)), R_D* {law.repeated_tokens:.4g}"
    return Step(f"{source.name} is worth", formula, source.tokens_worth or 0.0, cited, "unique tokens")


def _quality(facts: Facts) -> list[Step]:
    """What other shares of the best text would take, where qualities are told and differ."""
    told = np.array([1.0 if s.quality is None else s.quality for s in facts.spec.data.sources])
    if np.ptp(told) == 0:
        return []
    planned = facts.plan.data.sources
    text = Text(
        np.array([s.weight for s in planned]),
        np.array([s.unique_tokens or np.inf for s in planned]),
        told,
        repetition(facts.spec.planning_law).repeated_tokens,
    )
    names = ", ".join(s.name for s, best in zip(planned, text.best, strict=True) if best)
    share = float(text.shares[text.best].sum())
    grid = sorted({*_SHARES, share})
    return [
        Step("effective tokens", f"Σ quality × worth; best is {names}", text.effective(facts.D), _MODEL, "tokens"),
        *(_blend(facts, one, share) for one in equal_blends(text, float(facts.D), grid)),
    ]


def _blend(facts: Facts, one: Blend, planned: float) -> Step:
    name = f"D of the same loss with {one.share:.3g} of the best" + (" (planned)" if one.share == planned else "")
    if one.tokens is None:
        return Step(name, "repeats wear out before it", "no number of tokens", _MODEL)
    formula = (
        f"best read {one.best_epochs:.3g} times, the rest {one.rest_epochs:.3g}; {one.tokens / facts.D:.3g} × planned D"
    )
    return Step(name, formula, one.tokens, _MODEL, "tokens")
