"""A plan small enough to train in seconds, with any layout."""

from typing import Any

from sixnd.specs.budget import BudgetSpec, Shape
from sixnd.specs.checkpoint_policy import PlannedCheckpoints
from sixnd.specs.plan import (
    Decision,
    Estimate,
    Estimates,
    MemoryBreakdown,
    Plan,
    PlannedBudget,
    PlannedCluster,
    PlannedData,
    PlannedEvaluation,
    PlannedLayout,
    PlannedModel,
    PlannedSource,
    PlannedTraining,
    TimeBreakdown,
)

VOCABULARY, LENGTH, BATCH = 512, 32, 8


def layout(**degrees: Any) -> PlannedLayout:
    """A layout of degree 1 in everything that is not named."""
    plain = {"tensor": 1, "pipeline": 1, "virtual_pipeline": 1, "data": 1, "micro_batch": 1, "recompute": "none"}
    chosen = plain | degrees
    switches = {"sequence_parallel": chosen["tensor"] > 1, "distributed_optimizer": True}
    return PlannedLayout(**(switches | chosen))


def plan(
    degrees: PlannedLayout | None = None,
    *,
    steps: int = 6,
    sources: list[PlannedSource] | None = None,
    tied: bool = False,
    checkpoint_every: int = 2,
    keep_last: int = 2,
    seed: int = 1234,
    schedule: str = "cosine",
    learning_rate: float = 1e-3,
) -> Plan:
    """A Llama-like model of four layers and width 64 on text files."""
    shape = Shape(layers=4, hidden=64, heads=4, kv_heads=2, ffn=128)
    ranks = degrees or layout()
    return Plan(
        version="plan/1",
        name="tiny",
        spec=_spec(),
        spec_sha256="0" * 64,
        catalog_sha256="0" * 64,
        sixnd_version="0",
        law="besiroglu-2024",
        budget=PlannedBudget(given="test", compute_flops=1, accelerator_hours=1, money_usd=0, time_s=1),
        cluster=PlannedCluster(
            accelerator="cpu-2core",
            count=ranks.world_size,
            shared_host=True,
            peak_flops=1e11,
            memory_bytes=1e9,
            price_usd_per_accelerator_hour=0,
            price_source="test",
        ),
        model=PlannedModel(
            shape=shape,
            head_dim=16,
            sequence_length=LENGTH,
            vocab_size=VOCABULARY,
            padded_vocab_size=VOCABULARY,
            tied_embeddings=tied,
            params=1,
            active_params=1,
            params_non_embedding=1,
            flops_per_token=1e6,
        ),
        data=PlannedData(sources=sources or [_source()], tokens=steps * BATCH * LENGTH, validation_fraction=0.1),
        training=PlannedTraining(
            steps=steps,
            global_batch=BATCH,
            learning_rate=learning_rate,
            final_learning_rate=learning_rate / 10,
            warmup_steps=min(2, steps - 1),
            schedule=schedule,
            decay_steps=max(steps - 2, 1) if schedule == "cosine" else 2,
            weight_decay=0.1,
            adam_beta1=0.9,
            adam_beta2=0.95,
            adam_eps=1e-8,
            clip_grad_norm=1.0,
            init_std=0.02,
            precision="fp32",
            seed=seed,
        ),
        layout=ranks,
        checkpoints=PlannedCheckpoints(every_steps=checkpoint_every, keep_last=keep_last),
        evaluation=PlannedEvaluation(every_steps=3, batches=2),
        estimates=_estimates(),
        decisions=[Decision(what="model", value="tiny", reason="a test", source="a test")],
        options=[],
        law_choices=[],
        warnings=[],
    )


def _source() -> PlannedSource:
    return PlannedSource(name="prose", recipe=None, path="*.txt", weight=1.0, tokens=1, unique_tokens=None, epochs=None)


def _spec() -> BudgetSpec:
    return BudgetSpec.model_validate(
        {
            "version": "budget/1",
            "name": "tiny",
            "budget": {"compute": "1e12 FLOPs"},
            "cluster": {"accelerators": "1 x h100-sxm"},
            "data": {"sources": [{"name": "prose", "path": "*.txt"}]},
        }
    )


def _estimates() -> Estimates:
    one = Estimate(value=1.0, low=0.5, high=2.0, unit="x", basis="a test")
    names = [
        "loss", "step_time_s", "tokens_per_s", "mfu", "memory_bytes", "train_time_s", "wall_time_s",
        "accelerator_hours", "money_usd", "energy_kwh",
    ]  # fmt: skip
    memory = MemoryBreakdown(rank="any", parameters=1, gradients=1, optimizer=1, activations=1, logits=1, overhead=1)
    time = TimeBreakdown(
        compute=1, tensor_parallel=0, pipeline_bubble=0, pipeline_transfer=0, data_parallel=0, optimizer=0, overhead=0
    )
    return Estimates(**dict.fromkeys(names, one), memory=memory, time=time)
