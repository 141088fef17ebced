"""A run as facts: what was planned, what happened, and how the two stand to each other."""

from sixnd.reports.alarms import alarm_lines, alarm_marks, alarm_rows
from sixnd.reports.attempts import attempts, clock, end_of
from sixnd.reports.card import model_card
from sixnd.reports.checkpoint_lines import checkpoint_lines
from sixnd.reports.comparison import comparison
from sixnd.reports.data_facts import data_facts, run_accounts
from sixnd.reports.documents import (
    Baseline,
    Checkpoint,
    Pair,
    Row,
    SourceShare,
    State,
    TextSample,
)
from sixnd.reports.evaluation_facts import evaluation_facts
from sixnd.reports.figures import exact
from sixnd.reports.forgetting_documents import ForgettingFacts
from sixnd.reports.forgetting_facts import forgetting_facts
from sixnd.reports.interruptions import interruptions
from sixnd.reports.phases import phase_rows
from sixnd.reports.plan_documents import PlanFacts
from sixnd.reports.plan_facts import plan_facts
from sixnd.reports.progress_facts import progress_facts
from sixnd.reports.run_documents import LawRange, ProgressFacts, RunFacts
from sixnd.reports.run_log import run_log
from sixnd.reports.series import all_series
from sixnd.reports.step_table import step_table, without_steps
from sixnd.reports.time_facts import time_facts
from sixnd.specs.checkpoint_events import CheckpointSaved
from sixnd.specs.plan import Plan
from sixnd.specs.record import DataPrepared, Launch, Mix, RunRecord, Sample, SourceData

_OWN_TEXT = (
    "The predicted loss is that of the law's own corpus and tokenizer; the validation loss is measured on this "
    "run's text and tokenizer. A gap between the two is first of all a difference of text."
)
_MUCH_REPEATED = 0.1
"""Of held-out passages: code and manuals that are kept apart by documents repeat 3 to 6 % of them (docs/proof)."""
_STEADY = "Step time, tokens/s and MFU are medians over steps, without each attempt's first."


def run_facts(plan: Plan, record: RunRecord) -> RunFacts:
    """Everything a report of a run shows. A record that is still growing, or ended badly, gives fewer facts."""
    steps = step_table(record)
    record = without_steps(record, steps.reached)
    planned, state, time = plan_facts(plan), run_state(record), time_facts(record, steps)
    rows, baseline = comparison(plan, record, steps, time, state), _baseline(record)
    forgetting, alarms = forgetting_facts(plan, record), alarm_rows(record, steps)
    progress, evaluation = progress_facts(plan, record, steps), evaluation_facts(plan, record)
    return RunFacts(
        name=plan.name,
        state=state,
        state_text=_state_text(plan, record, steps.reached, state, progress),
        verdict=_verdict(rows, baseline, forgetting, state),
        rows=rows,
        baseline=baseline,
        sources=_sources(planned, record),
        phases=phase_rows(plan, record.last(Mix)),
        data=data_facts(run_accounts(plan, record)),
        evaluation=evaluation,
        forgetting=forgetting,
        progress=progress,
        time=time,
        interruptions=interruptions(record, steps),
        alarms=alarms,
        alarm_marks=alarm_marks(record),
        law_range=_law_range(plan, planned),
        attempts=attempts(record, steps),
        checkpoints=[
            Checkpoint(step=saved.step, path=saved.path, seconds=exact("duration", saved.seconds))
            for saved in record.of(CheckpointSaved)
        ],
        log=run_log(record),
        samples=[TextSample(**sample.model_dump(exclude={"kind", "seconds"})) for sample in record.of(Sample)],
        series=all_series(plan, record, steps),
        card=model_card(plan, record, evaluation, {row.key: row for row in rows}, steps.reached),
        provenance=_provenance(plan, record) + planned.provenance[1:],
        notes=[_OWN_TEXT, _STEADY] if plan.continual is None else [_STEADY],
        warnings=[
            *_mismatch(plan, record),
            *_repeated(record),
            *alarm_lines(alarms),
            *checkpoint_lines(record),
            *planned.warnings,
        ],
        plan=planned,
    )


def run_state(record: RunRecord) -> State:
    """Where the run stands by its last attempt. Without an end it counts as running: a killed run writes none."""
    launch = record.last(Launch)
    if launch is None:
        return "not started"
    end = end_of(record, launch.attempt)
    if end is None:
        return "running"
    status: State = end.status
    return status


def _state_text(plan: Plan, record: RunRecord, step: int, state: State, progress: ProgressFacts | None) -> str:
    if state == "not started":
        return "Not started: the record holds no launch."
    reached = f"{step:,} of {plan.training.steps:,} steps"
    launch = record.last(Launch)
    end = end_of(record, launch.attempt)
    if end is None:
        began = f"attempt {launch.attempt}, of {clock(launch.time)}, has no end in the record"
        return f"Running, or killed without a word: {began} ({reached}){_left(progress)}."
    tail = f": {end.message}" if end.message and state != "finished" else ""
    return f"{state.capitalize()} after {reached}{tail}{'' if tail.endswith('.') else '.'}"


def _left(progress: ProgressFacts | None) -> str:
    if progress is None:
        return ""
    return f": {progress.share.text} of the tokens done, about {progress.left.text} left at the present pace"


def _law_range(plan: Plan, planned: PlanFacts) -> LawRange | None:
    """As the law counts compute, C = 6 N D, for the plan's N."""
    low, high = planned.curve.fitted_low_flops, planned.curve.fitted_high_flops
    if low is None or high is None or plan.continual is not None:
        return None
    per_token = 6 * plan.model.active_params
    return LawRange(low_tokens=low / per_token, high_tokens=high / per_token, all_tokens=plan.data.tokens)


def _verdict(rows: list[Row], baseline: Baseline | None, forgetting: ForgettingFacts | None, state: State) -> str:
    at = {row.key: row for row in rows}
    loss, time = at["loss"], at["wall_time"]
    parts = []
    if forgetting is not None:
        parts += [f"{row.change.text} on {kind} text" for kind in ("general", "new") if (row := forgetting.of(kind))]
    if loss.actual is not None and loss.status == "not predicted":
        parts.append(f"validation loss {loss.actual.text}, which no law predicts")
    elif loss.actual is not None:
        parts.append(f"validation loss {loss.actual.text} against a predicted {loss.planned.full}: {loss.status_text}")
    elif baseline is not None and baseline.validation is not None:
        parts.append(f"validation loss {baseline.validation.text} at step {baseline.step:,}, not yet final")
    if baseline is not None and baseline.gain is not None and baseline.gain.value is not None:
        word = "below" if baseline.gain.value >= 0 else "ABOVE"
        parts.append(f"{baseline.gain.text.lstrip('−')} {word} a unigram model")
    if time.actual is not None:
        against = "so far, of a planned" if time.status == "so far" else "against"
        parts.append(f"{time.actual.text} of wall time {against} {time.planned.full}")
    if at["goodput"].actual is not None:
        parts.append(f"goodput {at['goodput'].actual.text}")
    sentence = "; ".join(parts) or f"nothing measured yet ({state})"
    return f"{sentence[0].upper()}{sentence[1:]}."


def _baseline(record: RunRecord) -> Baseline | None:
    prepared, validations = record.last(DataPrepared), record.validations()
    if prepared is None:
        return None
    last = validations[-1] if validations else None
    return Baseline(
        unigram=exact("nats", prepared.unigram_loss),
        validation=None if last is None else exact("nats", last.loss),
        step=None if last is None else last.step,
        gain=None if last is None else exact("nats", prepared.unigram_loss - last.loss),
    )


def _sources(planned: PlanFacts, record: RunRecord) -> list[SourceShare]:
    mix, prepared = record.last(Mix), record.last(DataPrepared)
    drawn: dict[str, int] = {} if mix is None else mix.sequences
    found: dict[str, SourceData] = {} if prepared is None else {data.name: data for data in prepared.sources}
    return [_realised(source, drawn, found.get(source.name)) for source in planned.sources]


def _realised(source: SourceShare, drawn: dict[str, int], data: SourceData | None) -> SourceShare:
    changes: dict[str, object] = {}
    total = sum(drawn.values())
    if total:
        sequences = drawn.get(source.name, 0)
        changes["realised"] = exact("share", sequences / total)
        changes["sequences"] = exact("integer", sequences)
    if data is not None:
        changes["documents"] = exact("integer", data.documents)
        changes |= {} if source.measured else _counted(source, data)
    return source.model_copy(update=changes)


def _counted(source: SourceShare, data: SourceData) -> dict[str, object]:
    """Unique tokens and epochs by the text that the run has before it, where the plan did not know the source's."""
    changes: dict[str, object] = {
        "measured": True,
        "unique_tokens": exact("count", data.train_tokens),
        "worth": None,  # the plan's, of the unique tokens that were declared
    }
    if data.train_tokens and source.tokens.value is not None:
        changes["epochs"] = exact("number", source.tokens.value / data.train_tokens)
    return changes


def _mismatch(plan: Plan, record: RunRecord) -> list[str]:
    foreign = {launch.fingerprint for launch in record.of(Launch)} - {plan.fingerprint()}
    return [
        f"The record was made by another plan (fingerprint {fingerprint}, this plan's is {plan.fingerprint()}): "
        "the comparison does not hold."
        for fingerprint in sorted(foreign)
    ]


def _repeated(record: RunRecord) -> list[str]:
    """Sources whose held-out text is not new to the model."""
    prepared = record.last(DataPrepared)
    return [
        f"Of the held-out text of {data.name}, {data.repeated_share:.0%} stands in the training text too, in passages "
        "of 24 tokens: its loss falls faster than a law of fresh text says; deduplicate or decontaminate the source."
        for data in (prepared.sources if prepared is not None else [])
        if (data.repeated_share or 0) >= _MUCH_REPEATED
    ]


def _provenance(plan: Plan, record: RunRecord) -> list[Pair]:
    rows = [("Fingerprint of the model", plan.fingerprint())]
    launch, prepared = record.last(Launch), record.last(DataPrepared)
    if launch is not None:
        rows += [
            ("Command, which with another --runs-dir trains it anew", launch.command),
            ("Versions", ", ".join(f"{name} {version}" for name, version in launch.versions.items())),
            ("Host", f"{launch.host} ({launch.cpu_count} CPU cores)"),
            ("Device", launch.device),
            ("Seed", f"{launch.seed}"),
            ("Git commit", launch.git_commit or "not in a git checkout"),
            ("Plan as launched, SHA-256", launch.plan_sha256),
        ]
    if prepared is not None:
        rows += [
            ("Tokenizer, SHA-256", prepared.tokenizer_sha256),
            ("Vocabulary", f"{prepared.vocab_size:,} entries, {prepared.bytes_per_token:.2f} bytes a token"),
        ]
        rows += [(f"Tokens of {source.name}, SHA-256", source.sha256) for source in prepared.sources]
    return [Pair(label=label, text=text) for label, text in rows]
