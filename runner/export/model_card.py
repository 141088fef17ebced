"""The README of an exported model: what the plan decided and the record measured, and nothing else."""

import re
from collections.abc import Iterator, Sequence
from typing import TypeVar

from sixnd.specs.evaluation_record import SourceLosses, TaskScore, TaskScores, TasksWritten
from sixnd.specs.plan import Plan, PlannedTraining
from sixnd.specs.record import DataPrepared, Launch, RunRecord, SourceData, Validation

Event = TypeVar("Event", Validation, SourceLosses, TaskScores)

_HEAD = "---\nlibrary_name: transformers\npipeline_tag: text-generation\ntags:\n- sixnd\n- llama\n---\n"
_LIMITS = (
    "A base model: it continues text and was not tuned to follow instructions or to refuse.",
    "Nothing but what stands under Measured was measured: no bias, no safety, no task that is not named there.",
    "It was trained on sequences of {length:,} tokens; longer ones are beyond what it has seen.",
    "It may repeat what stood in its data, and state what is not so.",
)


def model_card(plan: Plan, record: RunRecord, step: int) -> str:
    """The card as Markdown, of the model as it was after ``step``."""
    sections = {
        f"{plan.name}, step {step:,}": _model(plan, step),
        "Measured": _measured(record, step),
        "Data": _data(plan, record),
        "Training": _training(plan, record),
        "Limits": [f"- {limit.format(length=plan.model.sequence_length)}" for limit in _LIMITS],
    }
    parts = [
        f"{'#' if i == 0 else '##'} {title}\n\n" + "\n".join(lines) for i, (title, lines) in enumerate(sections.items())
    ]
    return _HEAD + "\n\n".join(parts) + "\n"


def _model(plan: Plan, step: int) -> list[str]:
    model, shape = plan.model, plan.model.shape
    trained = plan.tokens_after(step)
    return [
        f"A decoder-only transformer of the Llama architecture with {model.params:,} parameters "
        f"({model.params_non_embedding:,} without embeddings), after {trained:,} of {plan.data.tokens:,} tokens.",
        "",
        f"- {shape.layers} layers, width {shape.hidden}, {shape.heads} heads of {model.head_dim} "
        f"({shape.kv_heads} for keys and values), feed-forward {shape.ffn}",
        f"- {model.vocab_size:,} entries of the tokenizer ({plan.data.tokenizer.kind}), "
        f"{'one matrix' if model.tied_embeddings else 'two matrices'} for embedding and head",
        f"- sequences of {model.sequence_length:,} tokens; id 0 ends a document, and stands before the next one",
    ]


def _measured(record: RunRecord, step: int) -> list[str]:
    """The last of each measurement up to ``step``."""
    steps = [event for event in record.steps() if event.step <= step]
    found = [f"- training loss, step {steps[-1].step:,}: {steps[-1].loss:.4f} nats per token"] if steps else []
    found += [
        f"- loss on held-out text, step {last.step:,}: {last.loss:.4f} nats per token, on {last.tokens:,} tokens"
        for last in _last(record.of(Validation), step)
    ]
    for losses in _last(record.of(SourceLosses), step):
        found += ["", f"| held-out text, step {losses.step:,} | nats per token | bits per byte |", "|---|---|---|"]
        found += [f"| {source.name} | {source.loss:.4f} | {source.bits_per_byte:.4f} |" for source in losses.sources]
    chances = {task.task: task.chance for event in record.of(TasksWritten) for task in event.tasks}
    for answered in _last(record.of(TaskScores), step):
        found += ["", f"| task, step {answered.step:,} | right (95 %) | by chance | items |", "|---|---|---|---|"]
        found += [_row(score, chances) for score in answered.scores]
    return found or ["Nothing was recorded."]


def _last(events: Sequence[Event], step: int) -> list[Event]:
    """The last event up to ``step``, if there is one."""
    return [event for event in events if event.step <= step][-1:]


def _row(score: TaskScore, chances: dict[str, float]) -> str:
    right = score.discrete
    chance = f"{chances[score.task]:.1%}" if score.task in chances else "unknown"
    return f"| {score.task} | {right.value:.1%} ({right.low:.1%} to {right.high:.1%}) | {chance} | {score.items:,} |"


def _data(plan: Plan, record: RunRecord) -> list[str]:
    prepared = record.of(DataPrepared)
    known = {source.name: source for source in prepared[-1].sources} if prepared else {}
    rows = [
        f"| {source.name} | {source.weight:.1%} | {_told(known.get(source.name))} |" for source in plan.data.sources
    ]
    return ["| source | share of tokens | documents | licences (documents) |", "|---|---|---|---|", *rows]


def _told(source: SourceData | None) -> str:
    """Documents and licences of a source."""
    if source is None:
        return "unknown | unknown"
    licences = ", ".join(f"{_plain(name)} ({count:,})" for name, count in sorted(source.licences.items()))
    return f"{source.documents:,} | {licences or 'not stated'}"


def _plain(text: str) -> str:
    """Text from a document's own metadata, so that it stays one cell of a table and no markup."""
    return re.sub(r"[^\w .,+()/:-]", " ", text)[:80]


def _training(plan: Plan, record: RunRecord) -> list[str]:
    training, launches = plan.training, record.of(Launch)
    batch = " to ".join(f"{size:,}" for size in dict.fromkeys((training.batches.of_step(1), training.global_batch)))
    return [
        f"- {training.steps:,} steps of {batch} sequences planned, {training.precision.upper()}, seed {training.seed}",
        f"- AdamW, learning rate {training.learning_rate:g} to {training.final_learning_rate:g} ({training.schedule}), "
        f"weight decay {training.weight_decay:g}",
        *_base(plan),
        *_practice(training),
        *_parametrization(plan),
        *_document_masks(plan),
        *(f"- {line}" for line in _machines(launches)),
        f"- fingerprint of plan and data: `{plan.fingerprint()}`",
    ]


def _base(plan: Plan) -> Iterator[str]:
    if plan.continual is not None:
        names = ", ".join(source.name for source in plan.continual.general) or "no source"
        yield (
            f"- started from the weights of {_plain(plan.continual.name)}, SHA-256 {plan.continual.sha256[:16]}…; "
            f"{plan.continual.replay:.1%} of the tokens from {names}, against forgetting"
        )
        lora = plan.continual.lora
        if lora is not None:
            yield f"- only adapters of rank {lora.rank} were trained ({lora.params:,} parameters); they are merged here"


def _practice(training: PlannedTraining) -> Iterator[str]:
    if not training.weight_decay_embeddings:
        yield "- the embedding was not decayed"
    if training.z_loss:
        yield f"- z-loss: {training.z_loss:g} · log²Z beside the loss; losses above are cross-entropy alone"


def _document_masks(plan: Plan) -> Iterator[str]:
    if plan.data.document_masks:
        yield "- attention ended with the document, so the model has never looked past id 0 at the text before it"


def _parametrization(plan: Plan) -> Iterator[str]:
    if plan.training.mup is not None:
        yield (
            "- trained with muP; its factors of logits and attention are folded into the last norm and the queries, "
            "so these weights are no starting point for training with muP"
        )


def _machines(launches: list[Launch]) -> Iterator[str]:
    if launches:
        last = launches[-1]
        versions = ", ".join(f"{name} {version}" for name, version in last.versions.items() if version != "absent")
        yield f"{last.layout} on {last.world_size} x {_plain(last.device)} ({versions})"
