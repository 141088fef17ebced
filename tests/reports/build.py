"""Documents to report on, made through the real models. Their numbers are plausible, not measured."""

import math
from collections.abc import Callable
from typing import Any

from sixnd.specs import catalog
from sixnd.specs.budget import BudgetSpec, Shape
from sixnd.specs.checkpoint_events import CheckpointSaved
from sixnd.specs.checkpoint_policy import PlannedCheckpoints
from sixnd.specs.data_result import DamageFound, Example, RemovedFor, StageResult
from sixnd.specs.plan import (
    Decision,
    Estimate,
    Estimates,
    LawChoice,
    LayoutOption,
    MemoryBreakdown,
    Plan,
    PlannedBudget,
    PlannedCluster,
    PlannedData,
    PlannedEvaluation,
    PlannedLayout,
    PlannedModel,
    PlannedPipeline,
    PlannedSource,
    PlannedTraining,
    Sensitivity,
    Swing,
    TimeBreakdown,
)
from sixnd.specs.record import DataPrepared, End, Launch, Mix, RunRecord, Sample, SourceData, Step, Validation

PRICE_SOURCE = "a price list (2026-05)"
_CPU = next(name for name in catalog.names("accelerators") if catalog.accelerator(name).shared_host)
_GOODPUT, _PRICES, _PEAKS = 0.9, {"h100-sxm": 2.95, _CPU: 0.02}, {"h100-sxm": 989e12, _CPU: 0.15e12}


def estimate(value: float, unit: str, basis: str, spread: float = 0.12, *, extrapolated: bool = False) -> Estimate:
    return Estimate(
        value=value,
        low=value * (1 - spread),
        high=value * (1 + spread),
        unit=unit,
        basis=basis,
        extrapolated=extrapolated,
    )


def big_plan() -> Plan:
    """A Llama-like 1.24B model on 64 H100."""
    sources = [("web", 0.7, 12e12), ("code", 0.2, 0.6e9), ("papers", 0.1, None)]
    return _plan(
        name="llama-1b",
        budget={"compute": "1.8e20 FLOPs"},
        accelerator="h100-sxm",
        count=64,
        shape=Shape(layers=16, hidden=2048, heads=32, kv_heads=8, ffn=8192),
        sequence=4096,
        vocab=128256,
        steps=11_800,
        batch=512,
        sources=sources,
        layouts=_big_options(),
        step_s=0.62,
        memory=49.2e9,
        loss=2.573,
        kwh=200.0,
        warnings=[
            "code is read 8.2 times over: beyond about 4 epochs repeated tokens are worth less "
            "(Muennighoff et al. 2023, arXiv:2305.16264).",
            "The memory model is analytic; keep 10 % in hand before you rely on it.",
        ],
    )


def costed_plan(plan: Plan) -> Plan:
    """With what is told of cost beside the estimates: a front of layouts, sensitivities, the pipeline, HFU."""
    e, room = plan.estimates, 0.95 * plan.cluster.memory_bytes
    rate = e.money_usd.value / e.wall_time_s.value
    options = [_costed(option, e.wall_time_s.value / e.step_time_s.value, rate, room) for option in plan.options]
    fitting = [option for option in options if option.headroom_bytes is not None and option.headroom_bytes >= 0]
    sensitivities = [
        _sensitivity("MFU", e.mfu.value, "share of peak", (0.8, 1.2), e, lambda ratio: 1 / ratio, 1.0),
        _sensitivity("Price", 2.95, "USD an accelerator-hour", (0.9, 1.3), e, lambda _: 1.0, 0.0),
        _sensitivity("Goodput", 0.9, "share of wall-clock", None, e, lambda ratio: 1 / ratio, 1.0),
        _sensitivity("Restart in", 630.0, "s", (0.3, 1.6), e, lambda ratio: 0.98 + 0.02 * ratio, 1.0),
    ]
    hfu = {"mfu_full": 1.05, "hfu": 1.2, "hfu_full": 1.26}
    more = {name: estimate(e.mfu.value * factor, "share of peak", f"basis of {name}") for name, factor in hfu.items()}
    return plan.model_copy(
        update={
            "options": options,
            "pareto": [fitting[0], fitting[1]],
            "sensitivities": sensitivities,
            "estimates": e.model_copy(update=more),
            "pipeline": PlannedPipeline(
                forward_s=[0.1, 0.1, 0.11],
                backward_s=[0.2, 0.2, 0.22],
                micro_batches=40,
                chunks=1,
                basis="by hand",
            ),
        }
    )


def _costed(option: LayoutOption, steps: float, rate: float, room: float) -> LayoutOption:
    if option.step_time_s is None or option.memory_bytes is None:
        return option
    wall_s = option.step_time_s * steps
    run = {"wall_time_s": wall_s, "money_usd": wall_s * rate, "headroom_bytes": room - option.memory_bytes}
    return option.model_copy(update=run)


def _sensitivity(
    what: str,
    value: float,
    unit: str,
    interval: tuple[float, float] | None,
    e: Estimates,
    time: Callable[[float], float],
    by_time: float,
) -> Sensitivity:
    """An input that scales the wall-clock by ``time`` of its ratio; money by that too, or by the ratio itself."""

    def swing(low: float, high: float) -> Swing:
        wall = [e.wall_time_s.value * time(ratio) for ratio in (low, high)]
        money = [e.money_usd.value * (time(ratio) if by_time else ratio) for ratio in (low, high)]
        ends = {"wall_time_at_low_s": wall[0], "wall_time_at_high_s": wall[1]}
        return Swing(low=low * value, high=high * value, money_at_low_usd=money[0], money_at_high_usd=money[1], **ends)

    ends = None if interval is None else swing(*interval)
    basis = f"basis of {what}"
    return Sensitivity(what=what, value=value, unit=unit, interval=ends, tenth=swing(0.9, 1.1), basis=basis)


def small_plan(*, extrapolated: bool = False, steps: int = 400) -> Plan:
    """A 4.7M model on eight processes of one CPU."""
    return _plan(
        name="quickstart",
        budget={"time": "10 min"},
        accelerator=_CPU,
        count=8,
        shape=Shape(layers=6, hidden=256, heads=4, kv_heads=4, ffn=688),
        sequence=256,
        vocab=8192,
        steps=steps,
        batch=32,
        sources=[("code", 0.5, None), ("prose", 0.3, None), ("scripture", 0.2, None)],
        layouts=_small_options(),
        step_s=1.4,
        memory=0.9e9,
        loss=4.62,
        kwh=0.014,
        warnings=["The law is extrapolated: it was fitted from 5.7e7 parameters on."] if extrapolated else [],
        extrapolated=extrapolated,
    )


def _big_options() -> list[LayoutOption]:
    def layout(tp: int, pp: int, mbs: int) -> PlannedLayout:
        return _layout(tp, pp, 64 // tp // pp, mbs)

    return [
        _option(layout(1, 1, 4), 0.62, 49.2e9, chosen=True),
        _option(layout(1, 1, 8), 0.61, 78.8e9, "78.8 GB leave less than 5 % of 80 GB in hand"),
        _option(layout(2, 1, 4), 0.693, 29.1e9, "11.8 % slower: all-reduce over TP2 is not hidden"),
        _option(layout(1, 2, 2), 0.713, 31.0e9, "15 % slower: a pipeline bubble of 1/9"),
        _option(layout(16, 1, 4), None, None, "TP16 exceeds the 8 accelerators that share NVLink"),
    ]


def _small_options() -> list[LayoutOption]:
    return [
        _option(_layout(2, 2, 2, 4), 1.4, 0.9e9, chosen=True),
        _option(_layout(1, 1, 8, 4), 1.2, 1.1e9, "the spec pins TP2 PP2"),
        _option(_layout(8, 1, 1, 4), None, None, "TP8 does not divide 4 heads"),
    ]


def _layout(tp: int, pp: int, dp: int, mbs: int) -> PlannedLayout:
    return PlannedLayout(
        tensor=tp,
        pipeline=pp,
        virtual_pipeline=1,
        data=dp,
        micro_batch=mbs,
        sequence_parallel=tp > 1,
        distributed_optimizer=True,
        recompute="none",
    )


def _option(
    layout: PlannedLayout, step: float | None, memory: float | None, why_not: str = "", *, chosen: bool = False
) -> LayoutOption:
    return LayoutOption(layout=layout, step_time_s=step, memory_bytes=memory, chosen=chosen, why_not=why_not)


def _plan(
    *,
    name: str,
    budget: dict[str, str],
    accelerator: str,
    count: int,
    shape: Shape,
    sequence: int,
    vocab: int,
    steps: int,
    batch: int,
    sources: list[tuple[str, float, float | None]],
    layouts: list[LayoutOption],
    step_s: float,
    memory: float,
    loss: float,
    kwh: float,
    warnings: list[str],
    extrapolated: bool = False,
) -> Plan:
    spec = BudgetSpec.model_validate(
        {
            "version": "budget/1",
            "name": name,
            "budget": budget,
            "cluster": {"accelerators": f"{count} x {accelerator}"},
            "data": {"sources": [{"name": s[0], "weight": s[1], "path": f"{s[0]}/*.txt"} for s in sources]},
        }
    )
    head = shape.hidden // shape.heads
    block = shape.hidden * (2 * shape.heads + 2 * shape.kv_heads) * head + 3 * shape.hidden * shape.ffn
    body = shape.layers * (block + 2 * shape.hidden) + shape.hidden
    params, tokens = body + vocab * shape.hidden, steps * batch * sequence
    per_token = 6.0 * params + 6 * shape.layers * shape.hidden * sequence
    train_s = steps * step_s
    wall_s = train_s / _GOODPUT
    hours = wall_s * count / 3600
    price, peak = _PRICES[accelerator], _PEAKS[accelerator]
    return Plan(
        version="plan/1",
        name=name,
        spec=spec,
        spec_sha256=spec.digest(),
        catalog_sha256=catalog.sha256(),
        sixnd_version="0.1.0",
        law="besiroglu-2024",
        budget=PlannedBudget(
            given=", ".join(f"{key} = {value}" for key, value in budget.items()),
            compute_flops=6.0 * params * tokens,
            accelerator_hours=hours,
            money_usd=hours * price,
            time_s=wall_s,
        ),
        cluster=PlannedCluster(
            accelerator=accelerator,
            count=count,
            shared_host=accelerator == _CPU,
            peak_flops=peak,
            memory_bytes=80e9 if count == 64 else 2e9,
            price_usd_per_accelerator_hour=price,
            price_source=PRICE_SOURCE,
        ),
        model=PlannedModel(
            shape=shape,
            head_dim=head,
            sequence_length=sequence,
            vocab_size=vocab,
            padded_vocab_size=vocab,
            tied_embeddings=True,
            params=params,
            active_params=params,
            params_non_embedding=body,
            flops_per_token=per_token,
        ),
        data=PlannedData(
            sources=[
                PlannedSource(
                    name=source,
                    recipe=None,
                    path=f"{source}/*.txt",
                    weight=weight,
                    tokens=tokens * weight,
                    unique_tokens=unique,
                    epochs=None if unique is None else tokens * weight / unique,
                    stages=[catalog.text_filter(stage).settings for stage in STAGES] if source in STAGED else [],
                )
                for source, weight, unique in sources
            ],
            tokens=tokens,
            validation_fraction=0.01,
        ),
        training=PlannedTraining(
            steps=steps,
            global_batch=batch,
            learning_rate=8.1e-4,
            final_learning_rate=8.1e-5,
            warmup_steps=steps // 50,
            schedule="cosine",
            decay_steps=steps - steps // 50,
            weight_decay=0.1,
            adam_beta1=0.9,
            adam_beta2=0.95,
            adam_eps=1e-8,
            clip_grad_norm=1.0,
            init_std=0.02,
            precision="bf16" if count == 64 else "fp32",
            seed=1234,
        ),
        layout=next(option.layout for option in layouts if option.chosen),
        checkpoints=PlannedCheckpoints(every_steps=max(1, steps // 4), keep_last=2),
        evaluation=PlannedEvaluation(every_steps=max(1, steps // 10), batches=8),
        estimates=Estimates(
            loss=estimate(
                loss,
                "nats",
                "besiroglu-2024; interval by bootstrap of its points",
                0.03,
                extrapolated=extrapolated,
            ),
            step_time_s=estimate(step_s, "s", "roofline of each module plus exposed communication; ±25 % by catalog"),
            tokens_per_s=estimate(batch * sequence / step_s, "tokens/s", "batch over step time"),
            mfu=estimate(per_token * batch * sequence / step_s / peak / count, "share", "exact FLOPs over peak"),
            memory_bytes=estimate(
                memory, "bytes", "weights, optimizer state, activations and logits of the fullest rank", 0.1
            ),
            train_time_s=estimate(train_s, "s", "steps × step time"),
            wall_time_s=estimate(wall_s, "s", f"training time over a goodput of {_GOODPUT}"),
            accelerator_hours=estimate(hours, "h", "wall time × accelerators"),
            money_usd=estimate(hours * price, "USD", f"{price} USD an hour: {PRICE_SOURCE}"),
            energy_kwh=estimate(kwh, "kWh", "power × PUE × wall time; no utilisation factor", 0.3),
            memory=MemoryBreakdown(
                rank="first pipeline stage",
                parameters=memory * 0.1,
                gradients=memory * 0.15,
                optimizer=memory * 0.1,
                activations=memory * 0.4,
                logits=memory * 0.15,
                overhead=memory * 0.1,
            ),
            time=TimeBreakdown(
                compute=step_s * 0.78,
                tensor_parallel=0,
                pipeline_bubble=0,
                pipeline_transfer=0,
                data_parallel=step_s * 0.12,
                optimizer=step_s * 0.04,
                overhead=step_s * 0.06,
            ),
        ),
        decisions=[
            Decision(
                what="model.params",
                value=f"{params:,}",
                reason="the law's optimum for the budget, rounded to a buildable shape",
                source="besiroglu-2024, Table 1 (arXiv:2404.10102)",
            ),
            Decision(
                what="data.tokens",
                value=f"{tokens:,}",
                reason="what the budget leaves for this N",
                source="C = 6ND",
            ),
            Decision(
                what="layout",
                value="see options",
                reason="fastest layout that leaves 5 % of memory in hand",
                source="layout search",
            ),
            Decision(
                what="training.seed",
                value="1234",
                reason="the spec says so",
                source="training.seed",
                pinned=True,
            ),
        ],
        law_choices=[
            LawChoice(
                law="besiroglu-2024",
                params=params,
                tokens=tokens,
                loss=loss,
                params_interval=[params / 1.2, params * 1.2],
                loss_interval=[loss - 0.05, loss + 0.05],
            ),
            LawChoice(law="an-allocation", params=params / 2, tokens=tokens * 2, decades_outside=2.5),
            LawChoice(law="a-loss", loss=loss, note="its own recipe"),
        ],
        options=layouts,
        warnings=warnings,
    )


_BREACH = "document.documentElement.dataset.breached=1"
HOSTILE = (
    f"</script><script>{_BREACH}</script></pre><img src=x onerror='{_BREACH}'> {{{{ 7*7 }}}} <!-- "
    "| `**x**` ```\n# no heading\n\N{LINE SEPARATOR}\x1b[31mred\x9b0m"
)
"""What a document could hold to become script, markup, a template, Markdown or terminal control."""


STAGES = ("gopher-quality", "scrub-pii", "near-dedup")
STAGED = ("prose", "scripture")


def stages(excerpt: str, left: int) -> list[StageResult]:
    """What a filter and near-deduplication did to 1,500 documents of 6 kB; ``excerpt`` is a text that was removed."""

    def stage(name: str, before: int, after: int, why: str, **settings: object) -> StageResult:
        gone = RemovedFor(
            reason=why,
            documents=before - after,
            bytes=(before - after) * 6000,
            examples=[Example(id=f"{name}/17.txt", detail=f"31, at least 50 {excerpt}", excerpt=f"{excerpt} and more")],
        )
        return StageResult(
            name=name,
            settings_sha256="0" * 64,
            settings=settings,
            documents_in=before,
            bytes_in=before * 6000,
            documents_out=after,
            bytes_out=after * 6000,
            edits={"addresses replaced": 12} if name == "scrub-pii" else {},
            removed=[gone] if gone.documents else [],
        )

    near = {"ngram": 5, "bands": 16, "rows": 6, "threshold": 0.8, "seed": 1}
    return [
        stage("gopher-quality", 1500, 1290, "too few words"),
        stage("scrub-pii", 1290, 1290, ""),
        stage("near-dedup", 1290, left, "near-duplicate", **near),
    ]


class Story:
    """Writes the events of a run step by step, as the runner would."""

    def __init__(self, plan: Plan, *, host: str = "build-7", licence: str = "PSF-2.0") -> None:
        self.plan, self.host, self.licence = plan, host, licence
        self.events: list[Any] = []

    def launch(self, attempt: int, time: str, *, resumed_from: int = 0) -> "Story":
        self.events.append(
            Launch(
                attempt=attempt,
                time=time,
                fingerprint=self.plan.fingerprint(),
                plan_sha256=self.plan.digest(),
                layout=self.plan.layout.label(),
                world_size=self.plan.layout.world_size,
                host=self.host,
                device="cpu",
                cpu_count=8,
                versions={"sixnd": "0.1.0", "python": "3.11.9", "torch": "2.13.0", "megatron-core": "0.16.1"},
                git_commit="9477306c0ffee0",
                seed=1234,
                command="sixnd run quickstart.yaml",
                resumed_from_step=resumed_from,
            )
        )
        return self

    def prepared(self) -> "Story":
        sources = [
            SourceData(
                name=source.name,
                documents=1200 + 10 * i,
                bytes=6000 * (1200 + 10 * i),
                licences={self.licence: 1200 + 10 * i},
                languages={"en": 1100, "de": 100 + 10 * i} if i else {},
                stages=stages(self.licence, 1200 + 10 * i) if i else [],
                damage=[DamageFound(kind="cut off", count=2, first=[self.licence])] if i else [],
                train_tokens=2_400_000 - 500_000 * i,
                validation_tokens=24_000,
                sha256=f"{i}" * 64,
            )
            for i, source in enumerate(self.plan.data.sources)
        ]
        self.events.append(
            DataPrepared(
                tokenizer_sha256="ab" * 32,
                vocab_size=8192,
                bytes_per_token=3.71,
                sources=sources,
                unigram_loss=7.412,
                seconds=11.2,
            )
        )
        return self

    def train(self, attempt: int, first: int, last: int) -> "Story":
        for step in range(first, last + 1):
            self.events.append(self._step(attempt, step, slow=step == first))
            if step % self.plan.evaluation.every_steps == 0:
                self.events.append(Validation(attempt=attempt, step=step, loss=self._loss(step) + 0.08, tokens=65_536))
            if step % self.plan.checkpoints.every_steps == 0:
                self.events.append(
                    CheckpointSaved(attempt=attempt, step=step, path=f"checkpoints/{step:07}", seconds=0.41)
                )
        return self

    def _loss(self, step: int) -> float:
        return 4.3 + 4.7 * math.exp(-step / (0.18 * self.plan.training.steps))

    def _step(self, attempt: int, step: int, *, slow: bool) -> Step:
        per_step = self.plan.training.global_batch * self.plan.model.sequence_length
        wobble = math.sin(step * 12.9898) * 0.5 + math.sin(step * 4.1414) * 0.5
        seconds = 6.5 if slow else 1.45 + 0.05 * wobble
        spike = 6.0 if step == 233 else 0.0
        warm, total = self.plan.training.warmup_steps, self.plan.training.steps
        cosine = 0.1 + 0.45 * (1 + math.cos(math.pi * max(0, step - warm) / max(1, total - warm)))
        return Step(
            attempt=attempt,
            step=step,
            tokens=step * per_step,
            loss=self._loss(step) + 0.06 * wobble + 0.1 * spike,
            grad_norm=1.2 + 0.3 * wobble + spike,
            learning_rate=8.1e-4 * min(step / max(1, warm), cosine),
            step_time_s=seconds,
            tokens_per_s=per_step / seconds,
            mfu=0.31 * 1.45 / seconds,
            memory_bytes=905_000_000 + step * 1000,
        )

    def finish(self, *, continuation: str = "it was so: and the evening and the morning") -> "Story":
        names = [source.name for source in self.plan.data.sources]
        self.events.append(Mix(sequences=dict(zip(names, (6421, 3830, 2549), strict=True))))
        self.events.append(
            Sample(
                source="code",
                prompt="def read(path):\n    with open(path) as",
                continuation=" file:\n        return file.read()\n",
            )
        )
        self.events.append(Sample(source=names[-1], prompt="In the beginning", continuation=continuation))
        return self

    def end(self, attempt: int, time: str, status: Any = "finished", message: str = "", code: int = 0) -> "Story":
        steps = [event.step for event in self.events if isinstance(event, Step)]
        self.events.append(
            End(attempt=attempt, time=time, status=status, message=message, step=max(steps, default=0), exit_code=code)
        )
        return self

    def record(self) -> RunRecord:
        return RunRecord(events=self.events)


def resumed_run(plan: Plan) -> RunRecord:
    """Fails at step 230, resumes from the checkpoint at 200, finishes 400."""
    story = Story(plan).launch(1, "2026-05-04T08:00:00Z").prepared().train(1, 1, 230)
    story.end(1, "2026-05-04T08:06:20Z", "failed", "rank 3 was killed by signal 9", 6)
    story.launch(2, "2026-05-04T08:10:00Z", resumed_from=200).train(2, 201, plan.training.steps)
    return story.finish().end(2, "2026-05-04T08:15:30Z", message="all steps done").record()


def hostile_run(plan: Plan) -> RunRecord:
    """A finished run whose every free text tries to break out of the report."""
    story = Story(plan, host=HOSTILE, licence=HOSTILE).launch(1, "2026-05-04T08:00:00Z").prepared()
    story.train(1, 1, plan.training.steps).finish(continuation=HOSTILE)
    return story.end(1, "2026-05-04T08:10:00Z", message=HOSTILE).record()


def hostile_plan(plan: Plan) -> Plan:
    """The plan with every free text that reaches a chart or a table hostile."""
    options = [option.model_copy(update={"why_not": HOSTILE}) for option in plan.options]
    cluster = plan.cluster.model_copy(update={"price_source": HOSTILE})
    return plan.model_copy(update={"options": options, "warnings": [HOSTILE], "cluster": cluster})
