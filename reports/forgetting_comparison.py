"""Several runs from a base, held side by side by what they forgot and learnt."""

from collections import Counter
from collections.abc import Sequence

from sixnd.reports.figures import exact
from sixnd.reports.forgetting_documents import ForgettingComparison, ForgettingFacts, ForgettingRun
from sixnd.reports.forgetting_facts import base_name, forgetting_facts
from sixnd.specs.errors import SixndError
from sixnd.specs.plan import Plan
from sixnd.specs.record import DataPrepared, RunRecord

Run = tuple[Plan, RunRecord]


def forgetting_comparison(runs: Sequence[Run]) -> ForgettingComparison:
    """Facts of several runs; raises ``SixndError`` for one that started from no base, or measured nothing yet."""
    names = Counter(plan.name for plan, _ in runs)
    found = [_run(plan, _measured(plan, record), record, names[plan.name] > 1) for plan, record in runs]
    found.sort(key=lambda run: (run.replay.value or 0.0, run.name))
    return ForgettingComparison(
        name="Replay against forgetting" if len({run.replay.value for run in found}) > 1 else "Forgetting",
        verdict=_verdict(found),
        state=f"{len(found)} runs, {sum(run.finished for run in found)} of them finished.",
        runs=found,
        warnings=_warnings(runs, found),
    )


def _measured(plan: Plan, record: RunRecord) -> ForgettingFacts:
    facts = None if plan.continual is None else forgetting_facts(plan, record)
    if facts is None:
        why = "started from new weights" if plan.continual is None else "has not measured its base yet"
        raise SixndError(
            f"{plan.name} {why}",
            "several runs are reported by what they forgot of a base, and `sixnd diff` holds any runs side by side",
        )
    return facts


def _run(plan: Plan, facts: ForgettingFacts, record: RunRecord, shared: bool) -> ForgettingRun:
    assert plan.continual is not None, "it was measured"
    steps = record.steps()
    return ForgettingRun(
        name=f"{plan.name}/{plan.fingerprint()}" if shared else plan.name,
        base=base_name(plan),
        base_sha256=plan.continual.sha256,
        replay=facts.replay,
        learning_rate=exact("number", plan.training.learning_rate),
        tokens=exact("count", facts.tokens[-1]),
        finished=bool(steps) and steps[-1].step >= plan.training.steps,
        general=facts.of("general"),
        new=facts.of("new"),
    )


def _verdict(runs: list[ForgettingRun]) -> str:
    told = [f"{run.general.change.text} at {run.replay.text} replay" for run in runs if run.general is not None]
    return (
        f"Loss of general text, from the base to the end: {', '.join(told)}." if told else "No general text measured."
    )


def _warnings(runs: Sequence[Run], found: list[ForgettingRun]) -> list[str]:
    warnings = []
    if len({run.base_sha256 for run in found}) > 1:
        warnings.append("The runs started from different bases: their losses before the first step differ too.")
    if len({run.tokens.value for run in found}) > 1:
        warnings.append("The runs were trained on different numbers of tokens.")
    if len({_held_out(plan, record) for plan, record in runs}) > 1:
        warnings.append("The runs measured other held-out text of general sources: compare changes within a run only.")
    warnings += [f"{run.name} has not finished: its losses are those of the way." for run in found if not run.finished]
    return warnings


def _held_out(plan: Plan, record: RunRecord) -> tuple[object, ...]:
    """What tells apart the general text that was measured: sources, and tokens and bytes of each."""
    assert plan.continual is not None, "it was measured"
    names = {source.name for source in plan.continual.general}
    prepared, first = record.last(DataPrepared), record.source_losses()[0]
    tokenizer = prepared.tokenizer_sha256 if prepared else ""
    return tokenizer, *sorted((s.name, s.tokens, s.bytes) for s in first.sources if s.name in names)
