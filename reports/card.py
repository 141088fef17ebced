"""The model card of a run: what the model is, what it was made of and with, and what is known of it."""

from sixnd.reports.documents import Pair, Row
from sixnd.reports.evaluation_documents import EvaluationFacts
from sixnd.reports.figures import estimated, exact
from sixnd.specs.plan import Plan
from sixnd.specs.record import DataPrepared, Launch, RunRecord

_LIMITS = (
    "a base model: it continues text and was not tuned to follow instructions or to refuse; nothing but what stands "
    "here was measured, no bias and no safety; it may repeat what stood in its data, and state what is not so"
)


def model_card(
    plan: Plan, record: RunRecord, evaluation: EvaluationFacts, rows: dict[str, Row], reached: int
) -> list[Pair]:
    """What a reader of the model must know, from the plan and the record alone; none before the first step."""
    if not reached:
        return []
    told = [
        ("Model", _model(plan)),
        ("Trained on", _tokens(plan, reached)),
        ("Text and licences", _text(plan, record)),
        ("Measured", _measured(record, evaluation)),
        ("Trained with", _means(record, rows)),
        ("Energy and CO2", _energy(plan)),
        ("Limits", _LIMITS),
        ("As a file", "sixnd export --to huggingface writes a card beside the weights of a checkpoint"),
    ]
    return [Pair(label=label, text=text) for label, text in told]


def _model(plan: Plan) -> str:
    model, shape = plan.model, plan.model.shape
    return (
        f"a decoder-only transformer with {model.params:,} parameters ({model.params_non_embedding:,} without "
        f"embeddings): {shape.layers} layers of width {shape.hidden}, {shape.heads} heads; sequences of "
        f"{model.sequence_length:,} tokens, a vocabulary of {model.vocab_size:,}"
    )


def _tokens(plan: Plan, reached: int) -> str:
    read, all_tokens = exact("count", plan.tokens_after(reached)).text, exact("count", plan.data.tokens).text
    base = "" if plan.continual is None else f", from the weights of {plan.continual.name}"
    return f"{read} of {all_tokens} tokens, in {plan.training.precision.upper()}{base}"


def _text(plan: Plan, record: RunRecord) -> str:
    prepared = record.last(DataPrepared)
    licences = {} if prepared is None else {source.name: source.licences for source in prepared.sources}
    return "; ".join(
        f"{source.name} {exact('share', source.weight).text} ({_licences(licences.get(source.name))})"
        for source in plan.data.sources
    )


def _licences(found: dict[str, int] | None) -> str:
    if found is None:
        return "not prepared yet"
    return ", ".join(sorted(found)) or "no licence stated"


def _measured(record: RunRecord, evaluation: EvaluationFacts) -> str:
    validations = record.validations()
    parts = [f"validation loss {exact('nats', v.loss).text} after step {v.step:,}" for v in validations[-1:]]
    parts += [f"{source.name} {source.bits_per_byte.text} bits per byte" for source in evaluation.sources]
    parts += [
        f"{task.task}, {task.discrete_name}: {task.points[-1].discrete.full}, by chance {task.chance.text}"
        for task in evaluation.tasks
    ]
    return "; ".join(parts) or "not measured"


def _means(record: RunRecord, rows: dict[str, Row]) -> str:
    machines = sorted({f"{launch.world_size} × {launch.device}" for launch in record.of(Launch)})
    parts = [", ".join(machines)] if machines else []
    for key in ("flops", "accelerator_hours"):
        actual = rows[key].actual
        parts += [] if actual is None else [f"{rows[key].label.lower().replace('flops', 'FLOPs')} {actual.text}"]
    return "; ".join(parts)


def _energy(plan: Plan) -> str:
    parts = [f"planned {estimated('energy', plan.estimates.energy_kwh).full}"]
    if plan.estimates.co2_kg is not None:
        parts.append(f"{estimated('mass', plan.estimates.co2_kg).full} of CO2-equivalents by the grid's average")
    return f"not measured; {', '.join(parts)}"
