"""A plan as facts."""

import re
from collections.abc import Sequence

from sixnd.reports import format as fmt
from sixnd.reports.derivation import reasoned
from sixnd.reports.documents import Choice, Figure, KeyNumber, Pair, Part, SourceShare
from sixnd.reports.figures import NOT_PREDICTED, estimated, exact
from sixnd.reports.law_curve import known_law, law_curve
from sixnd.reports.law_rows import law_row
from sixnd.reports.phases import phase_rows
from sixnd.reports.plan_cost import option, pipeline, sensitivity
from sixnd.reports.plan_documents import PlanFacts
from sixnd.reports.plan_risks import risks
from sixnd.specs.plan import Estimate, MemoryBreakdown, Plan, PlannedSource, PlannedTraining, TimeBreakdown
from sixnd.specs.reasoning import Reasoning
from sixnd.specs.text_filters import StageSettings

_SECONDS = re.compile(r"\b([0-9.e+]+) seconds\b")

MEMORY_LABELS = {
    "parameters": "Parameters",
    "gradients": "Gradients",
    "optimizer": "Optimizer state",
    "activations": "Activations",
    "logits": "Logits",
    "overhead": "Context and buffers",
}
TIME_LABELS = {
    "compute": "Compute",
    "tensor_parallel": "Tensor parallelism",
    "expert_parallel": "Expert parallelism",
    "context_parallel": "Context parallelism",
    "pipeline_bubble": "Pipeline bubble",
    "pipeline_transfer": "Pipeline transfers",
    "weight_gathering": "Gathering of weights",
    "data_parallel": "Data parallelism",
    "optimizer": "Optimizer",
    "overhead": "Overhead",
    "between_sites": "Between data centres",
}
_ONLY_WHERE_SPENT = ("between_sites", "expert_parallel", "context_parallel", "weight_gathering")


def plan_facts(plan: Plan, reasoning: Reasoning | None = None) -> PlanFacts:
    """Everything a report of ``plan`` shows, as values and as text; with what the planner says beside the plan."""
    numbers, law = _key_numbers(plan), known_law(plan)
    return PlanFacts(
        name=plan.name,
        verdict=_verdict(plan, numbers),
        budget=_SECONDS.sub(lambda found: fmt.duration(float(found[1])), plan.budget.given),
        key_numbers=numbers,
        model=_model(plan),
        training=_training(plan),
        sources=[_source(source, plan.data.across) for source in plan.data.sources],
        phases=phase_rows(plan),
        options=[option(one) for one in plan.options],
        pareto=[option(one) for one in plan.pareto],
        sensitivities=[sensitivity(plan, row) for row in plan.sensitivities],
        pipeline=pipeline(plan),
        memory_rank=plan.estimates.memory.rank,
        memory=_parts(plan.estimates.memory, MEMORY_LABELS, "memory"),
        time=_parts(plan.estimates.time, TIME_LABELS, "duration"),
        decisions=[Choice(**decision.plain()) for decision in plan.decisions],
        curve=law_curve(plan),
        law_weakness=law.weakness if law is not None else "",
        law_choices=[law_row(choice, plan.law) for choice in plan.law_choices],
        provenance=_provenance(plan),
        warnings=list(plan.warnings),
        risks=risks(plan),
        **reasoned(plan, reasoning),
    )


def machines(plan: Plan) -> str:
    """The cluster in words: ``64 × h100-sxm``, ``8 processes on one cpu-2core``."""
    cluster = plan.cluster
    if not cluster.shared_host:
        return f"{cluster.count:,} × {cluster.accelerator}"
    processes = "1 process" if cluster.count == 1 else f"{cluster.count:,} processes"
    return f"{processes} on one {cluster.accelerator}"


def _verdict(plan: Plan, numbers: list[KeyNumber]) -> str:
    at = {number.key: number.figure for number in numbers}
    beyond = ", beyond the law's range" if plan.estimates.loss.extrapolated else ""
    loss = f"predicted loss {at['loss'].full}{beyond}" if plan.continual is None else "loss not predicted"
    return (
        f"{at['params'].text} parameters on {at['tokens'].text} tokens, {machines(plan)}: "
        f"{at['wall_time'].full}, {at['money'].full}, {loss}."
    )


def _key_numbers(plan: Plan) -> list[KeyNumber]:
    return _sized(plan) + _predicted(plan)


def _sized(plan: Plan) -> list[KeyNumber]:
    N, D = plan.model.active_params, plan.data.tokens
    size = _key(
        "params",
        "Parameters N",
        exact("count", plan.model.params),
        _reason(plan, "model.params", "model.shape"),
        hero=True,
    )
    active = _key("active_params", "Parameters a token passes", exact("count", N), "what laws and C = 6ND count")
    exact_C = exact("flops", plan.model.flops_per_token * D).text
    layout = Figure(value=None, text=plan.layout.label(), full=plan.layout.label())
    return [
        size,
        *([active] if plan.model.params != N else []),
        _key("tokens", "Tokens D", exact("count", D), _reason(plan, "data.tokens"), hero=True),
        _key("tokens_per_param", "Tokens per parameter", exact("number", D / N), "D over N"),
        _key(
            "compute",
            "Compute C",
            exact("flops", 6 * N * D),
            f"C = 6ND; counted exactly, attention included: {exact_C}",
        ),
        _key("layout", "Layout", layout, _reason(plan, "layout", "layout.tensor")),
    ]


def _predicted(plan: Plan) -> list[KeyNumber]:
    e = plan.estimates
    limit = exact("memory", plan.cluster.memory_bytes).text
    per = "process" if plan.cluster.shared_host else "accelerator"
    from_new = plan.continual is None
    loss = "Predicted loss, extrapolated" if e.loss.extrapolated and from_new else "Predicted loss"
    rows = [
        ("memory", f"Memory per {per}", "memory", e.memory_bytes, f"of {limit}", e.memory_bytes.basis),
        ("step_time", "Step time", "duration", e.step_time_s, "", e.step_time_s.basis),
        ("tokens_per_s", "Tokens/s", "rate", e.tokens_per_s, "", e.tokens_per_s.basis),
        ("mfu", "MFU", "percent", e.mfu, "", _with_full(e.mfu, e.mfu_full)),
        *([] if e.hfu is None else [("hfu", "HFU", "percent", e.hfu, "", _with_full(e.hfu, e.hfu_full))]),
        ("train_time", "Training time", "duration", e.train_time_s, "", e.train_time_s.basis),
        ("wall_time", "Wall time", "duration", e.wall_time_s, "", e.wall_time_s.basis),
        ("accelerator_hours", f"{per.capitalize()}-hours", "hours", e.accelerator_hours, "", e.accelerator_hours.basis),
        ("money", "Cost", "money", e.money_usd, "", e.money_usd.basis),
        ("energy", "Energy", "energy", e.energy_kwh, "", e.energy_kwh.basis),
        ("loss", loss, "nats", e.loss, "", e.loss.basis),
    ]
    rows[-1:-1] = [
        (key, label, kind, estimate, "", estimate.basis)
        for key, label, kind, estimate in (
            ("co2", "CO2", "mass", e.co2_kg),
            ("goodput", "Goodput", "percent", e.goodput),
            ("failures", "Unplanned stops", "ratio", e.failures),
        )
        if estimate is not None
    ]
    hero = {"loss", "wall_time", "money"}
    return [
        _key(
            key,
            label,
            estimated(kind, estimate) if key != "loss" or from_new else NOT_PREDICTED,
            reason,
            note=note,
            hero=key in hero,
        )
        for key, label, kind, estimate, note, reason in rows
    ]


def _with_full(counted: Estimate, full: Estimate | None) -> str:
    """Why a utilisation is what it is, and what it would be by the other convention of counting attention."""
    other = "" if full is None else f"; {fmt.percent(full.value)} with the whole score matrix counted"
    return f"{counted.basis}{other}"


def _key(key: str, label: str, figure: Figure, reason: str, *, note: str = "", hero: bool = False) -> KeyNumber:
    return KeyNumber(key=key, label=label, figure=figure, reason=reason, note=note, hero=hero)


def _reason(plan: Plan, *names: str) -> str:
    """Why the plan decided it: the first decision of one of these names."""
    found = {decision.what: decision for decision in reversed(plan.decisions)}
    return next((found[name].reason for name in names if name in found), "")


def _model(plan: Plan) -> list[Pair]:
    model, shape = plan.model, plan.model.shape
    rows = [
        ("Layers", f"{shape.layers}"),
        ("Width", f"{shape.hidden:,}"),
        ("Heads", f"{shape.heads} × {model.head_dim}, {shape.kv_heads} key-value"),
        ("Feed-forward", f"{shape.ffn:,} (SwiGLU)"),
        ("Vocabulary", f"{model.vocab_size:,}, padded to {model.padded_vocab_size:,}"),
        ("Embeddings", "tied" if model.tied_embeddings else "untied"),
        ("Sequence length", f"{model.sequence_length:,} tokens"),
        ("Parameters, exact", f"{model.params:,} ({model.params_non_embedding:,} without embeddings)"),
        ("FLOPs per token, exact", fmt.flops(model.flops_per_token)),
    ]
    return [Pair(label=label, text=text) for label, text in rows]


def _training(plan: Plan) -> list[Pair]:
    t = plan.training
    batch = exact("count", t.global_batch * plan.model.sequence_length).text
    rows = [
        ("Steps", f"{t.steps:,}"),
        ("Global batch", f"{t.global_batch:,} sequences, {batch} tokens"),
        *_ramp(plan),
        ("Learning rate", f"{fmt.number(t.learning_rate)}, falling to {fmt.number(t.final_learning_rate)}"),
        ("Schedule", f"{t.schedule}: {t.warmup_steps:,} steps of warm-up, {t.decay_steps:,} of decay"),
        ("AdamW", f"β₁ {t.adam_beta1:g}, β₂ {t.adam_beta2:g}, ε {t.adam_eps:g}, weight decay {t.weight_decay:g}"),
        ("Gradient clipping", f"global norm {t.clip_grad_norm:g}"),
        *_practice(t),
        ("Initial weights", f"standard deviation {fmt.number(t.init_std)}"),
        ("Precision", t.precision.upper()),
        ("Seed", f"{t.seed}"),
        ("Checkpoints", _checkpoints(plan)),
        ("Validation", f"every {plan.evaluation.every_steps:,} steps, {plan.evaluation.batches} batches"),
    ]
    return [Pair(label=label, text=text) for label, text in rows]


def _practice(t: PlannedTraining) -> list[tuple[str, str]]:
    """What is told only where it is asked for."""
    z_loss = [("z-loss", f"{t.z_loss:g} · log²Z, beside the loss that is told")] if t.z_loss else []
    free = [] if t.weight_decay_embeddings else [("Embedding", "without weight decay")]
    return [*z_loss, *free, *([("Kernels", "only those that give the same bits each time")] if t.deterministic else [])]


def _ramp(plan: Plan) -> list[tuple[str, str]]:
    """Where the batch grows: its first one, and where the full one begins."""
    stages = plan.training.batch_stages
    if not stages:
        return []
    first, full = stages[0], stages[-1]
    read = exact("count", plan.tokens_after(full.first_step - 1)).text
    between = f" in {len(stages) - 1} stages" if len(stages) > 2 else ""
    return [
        (
            "Batch ramp",
            f"from {first.global_batch:,} sequences{between}, full from step {full.first_step:,} ({read} tokens)",
        )
    ]


def _checkpoints(plan: Plan) -> str:
    asked = plan.checkpoints
    kept = [f"last {asked.keep_last}"]
    kept += [f"each {asked.keep_every_nth:,}th"] if asked.keep_every_nth else []
    kept += [f"best {asked.keep_best}"] if asked.keep_best else []
    return f"every {asked.every_steps:,} steps, {', '.join(kept)} kept"


def _source(source: PlannedSource, across: Sequence[StageSettings]) -> SourceShare:
    return SourceShare(
        name=source.name,
        planned=exact("share", source.weight),
        tokens=exact("count", source.tokens),
        unique_tokens=None if source.unique_tokens is None else exact("count", source.unique_tokens),
        measured=source.measured,
        epochs=None if source.epochs is None else exact("number", source.epochs),
        kind=source.kind or "",
        worth=exact("count", source.tokens_worth) if source.tokens_worth and (source.epochs or 0) > 1 else None,
        text=source.recipe or source.path or "",
        stages=[settings.stage for settings in source.stages]
        + [f"{settings.stage} across sources" for settings in across],
    )


def _parts(breakdown: MemoryBreakdown | TimeBreakdown, labels: dict[str, str], kind: str) -> list[Part]:
    """Every number of a breakdown, in the order of the labels; one without a label by its own name."""
    found = {name: value for name, value in breakdown.plain().items() if not isinstance(value, str)}
    names = [name for name in (*labels, *sorted(found.keys() - labels.keys())) if name in found]
    shown = [name for name in names if found[name] or name not in _ONLY_WHERE_SPENT]
    values = {labels.get(name, name.replace("_", " ").capitalize()): found[name] for name in shown}
    total = sum(values.values())
    return [
        Part(label=label, figure=exact(kind, value), share=fmt.share(value / total if total else 0.0))
        for label, value in values.items()
    ]


def _provenance(plan: Plan) -> list[Pair]:
    law = known_law(plan)
    rows = [
        ("Fingerprint of the model", plan.fingerprint()),
        ("Scaling law", f"{plan.law}: {law.source}" if law is not None else plan.law),
        ("Price", f"${plan.cluster.price_usd_per_accelerator_hour:g} an hour: {plan.cluster.price_source}"),
        ("SHA-256 of the plan", plan.digest()),
        ("SHA-256 of the spec", plan.spec_sha256),
        ("SHA-256 of the catalogs", plan.catalog_sha256),
        ("Planned by", f"sixnd {plan.sixnd_version}"),
    ]
    return [Pair(label=label, text=text) for label, text in rows]
