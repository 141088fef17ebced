"""RunRecord: what happened, one JSON line an event, append-only; it survives `kill -9` in the middle of a line."""

import contextlib
import gc
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from sixnd.specs.checkpoint_events import CheckpointFailed, CheckpointSaved, CheckpointSkipped, LayoutChanged
from sixnd.specs.continual_record import BaseTaken
from sixnd.specs.data_result import DamageFound, StageResult
from sixnd.specs.document import Document
from sixnd.specs.errors import InvalidDocumentError, Problem, unreadable
from sixnd.specs.evaluation_record import EvaluationEvent, SourceLosses, TaskScores
from sixnd.specs.notes import Note
from sixnd.specs.plan import PhaseName
from sixnd.specs.run_events import Alarm, Counted, Paused, Spent, Started


class Launch(Document):
    """One attempt: a start of the training processes."""

    kind: Literal["launch"] = "launch"
    attempt: Counted
    time: str
    """UTC, ISO 8601."""
    fingerprint: str
    """Of what changes the model."""
    plan_sha256: str
    """Of the plan that it trains."""
    layout: str
    """The parallel layout in short."""
    world_size: int
    """Ranks."""
    host: str
    """Name of the machine that started it."""
    device: str
    """What it trains on."""
    cpu_count: int
    """Cores of that machine."""
    versions: dict[str, str]
    """sixnd, python, torch, megatron-core and others."""
    git_commit: str | None
    """Of the code, where it is a clone."""
    seed: int
    """Seed of weights and of the order of the data."""
    command: str
    """Command that started it."""
    resumed_from_step: Counted
    """0 for a fresh start."""


class SourceData(Document):
    """What became of one source when the data was prepared."""

    name: str
    """Name of the source."""
    documents: int
    """After all stages, as `bytes` and what follows."""
    bytes: int
    """Of UTF-8."""
    licences: dict[str, int]
    """Documents by licence."""
    languages: Annotated[dict[str, int], Field(default_factory=dict)]
    """Documents by language, where one is stated or was identified."""
    stages: Annotated[list[StageResult], Field(default_factory=list)]
    """What each stage removed and why, in order, those across sources last."""
    damage: Annotated[list[DamageFound], Field(default_factory=list)]
    """What could not be read."""
    train_tokens: int
    """Tokens that are trained on."""
    validation_tokens: int
    """Tokens that are held out."""
    repeated_share: float | None = None
    """Share of the held-out passages of 24 tokens that stand in the training text too, of the first 20M tokens of each
    part."""
    sha256: str
    """Of the source's tokens."""


class DataPrepared(Document):
    """The data is ready: tokenizer trained, sources tokenised and indexed."""

    kind: Literal["data"] = "data"
    tokenizer_sha256: str
    """Of the tokenizer."""
    vocab_size: int
    """Its entries."""
    bytes_per_token: float
    """UTF-8 bytes of training text over its tokens."""
    sources: list[SourceData]
    """Tokens of each source."""
    unigram_loss: float
    """Cross-entropy in nats of a unigram model of the training tokens on the validation blend."""
    seconds: float
    """Time it took."""


class Step(Document):
    """One optimizer step."""

    kind: Literal["step"] = "step"
    attempt: Counted
    step: Counted
    """From 1."""
    tokens: Counted
    """Consumed since the run's start, this step included."""
    loss: float
    """Mean training loss of the step's global batch, nats per token."""
    grad_norm: float
    """Global norm before clipping."""
    learning_rate: float
    """Of its update."""
    step_time_s: float
    """From its beginning to its end: what is evaluated or saved between steps is not in it."""
    tokens_per_s: float
    """Its batch over that."""
    mfu: float
    """Exact model FLOPs over what the accelerators can do at their dense peak, causal attention as half."""
    memory_bytes: Counted
    """Peak on the fullest rank so far (device memory on a GPU, resident set on a CPU)."""
    applied: bool = True
    """Whether the update reached the weights: not where an alarm skipped the batch."""
    z_loss: float | None = None
    """What z-loss added to `loss` in what was differentiated; none without it."""


class Validation(Document):
    """A measurement of the validation loss."""

    kind: Literal["validation"] = "validation"
    attempt: Counted
    step: Counted
    """Step after which it was measured."""
    loss: float
    """Nats a token on the blend's held-out text."""
    tokens: Counted
    """Tokens it was measured on."""
    seconds: float | None = None
    """What it took; none in records of before it was told."""


class Sample(Document):
    """A continuation by the trained model."""

    kind: Literal["sample"] = "sample"
    source: str
    """Source the prompt was held out from."""
    prompt: str
    """Held-out text that the model was given."""
    continuation: str
    """The model's own words behind it."""
    seconds: float | None = None
    """Since the sample before, or since sampling began; none in records of before it was told."""


class PhaseMix(Document):
    """How many sequences one phase of training drew from each source that it reads."""

    name: PhaseName
    """The phase."""
    sequences: dict[str, int]
    """Sequences drawn, by source."""


class Mix(Document):
    """How many training sequences were really drawn from each source."""

    kind: Literal["mix"] = "mix"
    sequences: dict[str, int]
    """Over all phases."""
    phases: Annotated[list[PhaseMix], Field(default_factory=list)]
    """By phase, in order; none in records of before there were phases."""


class End(Document):
    """How an attempt ended."""

    kind: Literal["end"] = "end"
    attempt: int
    time: str
    """When, by UTC."""
    status: Literal["finished", "failed", "interrupted", "paused"]
    """How the attempt ended."""
    message: str
    """Why, where it did not finish."""
    step: int
    """Last step that is in the record."""
    exit_code: int
    """Exit code of `sixnd run`."""


Event = Annotated[
    Launch
    | Started
    | BaseTaken
    | DataPrepared
    | Step
    | Validation
    | CheckpointSaved
    | CheckpointFailed
    | CheckpointSkipped
    | LayoutChanged
    | Alarm
    | Paused
    | Spent
    | Sample
    | Mix
    | EvaluationEvent
    | Note
    | End,
    Field(discriminator="kind"),
]
_EVENT: TypeAdapter[Any] = TypeAdapter(Event)


class RunRecord(Document):
    """A run's events in the order they were written. Steps repeated after a resume are told apart by attempt."""

    version: Literal["record/1"] = "record/1"
    events: list[Event]

    def of(self, kind: type[Any]) -> list[Any]:
        """All events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    def steps(self) -> list[Step]:
        """Each step once, in order: where a resume repeated one, the last attempt counts."""
        latest = {step.step: step for step in self.of(Step)}
        return [latest[number] for number in sorted(latest)]

    def reached(self) -> int:
        """The last step that still stands: of the present attempt, or before its first the one that it goes on from."""
        launch = self.last(Launch)
        own = [step.step for step in self.of(Step) if launch is None or step.attempt >= launch.attempt]
        return own[-1] if own else 0 if launch is None else int(launch.resumed_from_step)

    def validations(self) -> list[Validation]:
        """Each validation once, in order of steps."""
        latest = {v.step: v for v in self.of(Validation)}
        return [latest[number] for number in sorted(latest)]

    def source_losses(self) -> list[SourceLosses]:
        """Each measurement of the sources once, in order of steps."""
        latest = {each.step: each for each in self.of(SourceLosses)}
        return [latest[number] for number in sorted(latest)]

    def task_scores(self) -> list[TaskScores]:
        """Each answering of the tasks once, in order of steps."""
        latest = {each.step: each for each in self.of(TaskScores)}
        return [latest[number] for number in sorted(latest)]

    def last(self, kind: type[Any]) -> Any:
        """The latest event of one kind, or ``None``."""
        found = self.of(kind)
        return found[-1] if found else None


def event_line(event: Document) -> str:
    """One event as a line of JSON, newline included."""
    return json.dumps(event.model_dump(mode="json"), ensure_ascii=False, allow_nan=True) + "\n"


def read_record(path: Path) -> RunRecord:
    """Read ``record.jsonl``. A torn last line (a write cut by `kill -9`) is ignored; any other bad line is told."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise InvalidDocumentError(str(path), [unreadable(error)]) from error
    del lines[-1]  # what follows the last newline: empty, or a line that was never finished
    with _no_collection():
        events, problems = _events(lines)
    if problems:
        raise InvalidDocumentError(str(path), problems, b"\n".join(lines).decode("utf-8", "replace"))
    return RunRecord(events=events)


def _events(lines: list[bytes]) -> tuple[list[Any], list[Problem]]:
    events: list[Any] = []
    problems: list[Problem] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            events.append(_EVENT.validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            message = f"not an event of a run record: {where or 'the line'}: {first['msg']}"
            problems.append(Problem((number,), message, "restore the line from a copy, or remove it", number))
    return events, problems


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Inside, nobody looks for cyclic garbage: over a million new events that are none, it takes half of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
