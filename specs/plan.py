"""Plan: complete. Nothing is `auto` any more; every decision carries its reason, every estimate its interval."""

from statistics import NormalDist
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from sixnd.specs.batch_ramp import PlannedBatch
from sixnd.specs.budget import BudgetSpec, Shape
from sixnd.specs.checkpoint_policy import PlannedCheckpoints
from sixnd.specs.continual import WHERE_IT_LIES, PlannedContinual
from sixnd.specs.document import Document, Name, sha256_of
from sixnd.specs.errors import SixndError
from sixnd.specs.evaluation import TaskName
from sixnd.specs.families import Architecture
from sixnd.specs.mixes import Kind
from sixnd.specs.step_batches import StepBatches
from sixnd.specs.text_filters import CorpusStageSettings, StageSettings
from sixnd.specs.tokenizers import TokenizerChoice

NonNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Precision = Literal["bf16", "fp32", "fp8", "fp4"]
"""Of the matrix products; below BF16 the rest stays BF16."""
Module = Literal["core_attn", "layernorm", "mla_up_proj", "mlp", "moe_act", "shared_experts", "moe"]
"""What Megatron can recompute alone (``TransformerConfig.recompute_modules``)."""
Recompute = Literal["none", "selective", "full"]


class Estimate(Document):
    """A predicted number with its 80 % interval and where both come from."""

    value: float
    """The estimate itself."""
    low: float
    """Low end of its interval."""
    high: float
    """High end of its interval."""
    unit: str
    """Unit of all three."""
    basis: str
    """Law, catalog entry or rule behind the value and behind the interval."""
    extrapolated: bool = False
    """Whether it lies beyond the range the law or model was fitted on: the interval is then only a guide."""

    def ends(self, level: float) -> tuple[float, float]:
        """The interval at another level than 80 %, as of a normal distribution of its logarithm, each side its own."""
        if self.value <= 0:
            return self.low, self.high
        wider = NormalDist().inv_cdf((1 + level) / 2) / NormalDist().inv_cdf(0.9)
        return self.value * (self.low / self.value) ** wider, self.value * (self.high / self.value) ** wider


class Decision(Document):
    """One choice: what was chosen, why, and by which source."""

    what: str
    """Field of the plan that was decided, e.g. `model.params`."""
    value: str
    """The choice as a person reads it, with its unit."""
    reason: str
    """Why."""
    source: str
    """Spec (with the field), catalog entry with citation, or rule."""
    pinned: bool = False
    """Whether the spec decided it."""


class PlannedBudget(Document):
    """The budget in every currency; the one that was given is exact, the others follow from the estimates."""

    given: str
    """What the spec gave, e.g. `time = 14 days`."""
    compute_flops: NonNegative
    """C by the convention C = 6ND."""
    accelerator_hours: NonNegative
    """The same in accelerator-hours."""
    money_usd: NonNegative
    """The same in USD at the cluster's price."""
    time_s: NonNegative
    """The same in wall-clock seconds."""


class PlannedCluster(Document):
    """The machines, as the catalog described them when the plan was made."""

    accelerator: str
    """Entry of the catalog."""
    count: Count
    """Accelerators, or on a CPU the processes that share it."""
    shared_host: bool
    """Whether the ranks share one machine's cores and memory."""
    peak_flops: NonNegative
    """Dense peak of one rank in the plan's precision, FLOP/s."""
    memory_bytes: NonNegative
    """Memory one rank may use."""
    price_usd_per_accelerator_hour: NonNegative
    """Price that cost is counted by."""
    price_source: str
    """Where the price was read, and when; or that the spec gave it."""


class PlannedModel(Document):
    """The decoder-only transformer: RMSNorm, rotary positions, SwiGLU, grouped-query attention, no biases."""

    shape: Shape
    """Layers, widths and heads."""
    architecture: Architecture | None = None
    """What the shape cannot say of a published model (experts, latent attention, other norms), where the spec names
    one; `shape` then holds its outer sizes."""
    head_dim: Count
    """Width of one head."""
    sequence_length: Count
    """Tokens of one training sequence."""
    vocab_size: Count
    """Entries the tokenizer has."""
    padded_vocab_size: Count
    """Rows of the embedding, padded so that every tensor-parallel rank holds as many."""
    tied_embeddings: bool
    """Whether one matrix is embedding and head."""
    params: Count
    """Total parameters N, exact."""
    active_params: Count
    """Parameters that a token passes through: N of a dense model, less with experts."""
    params_non_embedding: Count
    """Parameters without input and output embeddings, exact."""
    flops_per_token: NonNegative
    """Exact training FLOPs a token (forward and backward, causal attention counted as half)."""


_ANNEALED_SHARE = 0.1


class PlannedSource(Document):
    """One source of text and what the plan takes of it."""

    name: Name
    """Name of the source."""
    recipe: str | None
    """Recipe of the catalog that gathers it."""
    path: str | None
    """Its files."""
    weight: Annotated[float, Field(ge=0, le=1)]
    """Share of training tokens, over all phases; the shares sum to 1. 0 of general text that is measured, and not
    replayed."""
    tokens: NonNegative
    """Training tokens taken from it, over all phases."""
    unique_tokens: NonNegative | None
    """Tokens it holds: as declared, or `measured`; unknown where neither."""
    epochs: NonNegative | None
    """Times it is read over; unknown where `unique_tokens` is."""
    measured: bool = False
    """Whether `unique_tokens` were counted after all of its stages, deduplication among them."""
    kind: Kind | None = None
    """What it is about, as the spec says."""
    tokens_worth: NonNegative | None = None
    """Unique tokens that its tokens are worth by the law of repetition; unknown where `unique_tokens` is."""
    text_field: str = "text"
    """Where a record has its text."""
    licence: str | None = None
    """Of documents that do not state their own."""
    stages: Annotated[list[StageSettings], Field(default_factory=list)]
    """What is done to its text, in order."""


PhaseName = Literal["main", "annealing"]


class PhaseShare(Document):
    """What one phase reads of one source."""

    name: Name
    """The source."""
    share: NonNegative
    """Of the phase's tokens; the shares of a phase sum to 1."""
    tokens: NonNegative
    """Read in the phase."""
    unique_tokens: NonNegative | None = None
    """Tokens of the documents it may read: those held apart for it, or all; unknown where the source's are."""
    epochs: NonNegative | None = None
    """Times they are read over in the phase."""


class PlannedPhase(Document):
    """A stretch of steps that read one blend."""

    name: PhaseName
    """The main phase or annealing."""
    first_step: Count
    """From 1."""
    last_step: Count
    """Last step of the phase."""
    tokens: Count
    """Tokens of the phase."""
    sources: Annotated[list[PhaseShare], Field(min_length=1)]
    """Every source, in the plan's order."""

    @property
    def steps(self) -> int:
        """How many there are."""
        return self.last_step - self.first_step + 1


class PlannedAnneal(Document):
    """Two phases in place of one: the blend switches between two whole steps."""

    repeat: bool
    """Whether annealing may read documents of the main phase again."""
    phases: Annotated[list[PlannedPhase], Field(min_length=2, max_length=2)]
    """Main, then annealing."""


class PlannedData(Document):
    """What the model reads."""

    sources: Annotated[list[PlannedSource], Field(min_length=1)]
    """Each source's share, tokens and epochs."""
    tokens: Count
    """Training tokens D: the batches of all steps × sequence length."""
    validation_fraction: float
    """Share of each source that is held out, and at least what one validation reads; 0: exactly that, so that runs of
    any length hold out the same documents."""
    across: Annotated[list[CorpusStageSettings], Field(default_factory=list)]
    """What is done over all sources together, after their own stages."""
    tokenizer: TokenizerChoice = TokenizerChoice()
    """Which tokenizer is trained, or which file is taken."""
    prepared_sha256: str | None = None
    """Of what was prepared, where the spec names it: documents, tokens, tokenizer, and not where they lie."""
    anneal: PlannedAnneal | None = None
    """Where the last share of training reads another blend."""
    document_masks: bool = False
    """Whether a token attends only to tokens of its own document."""

    @property
    def tokenizer_shares(self) -> dict[str, float]:
        """Of a tokenizer's text, by source: as in the main phase; a tenth of its share of annealing where that is all.

        Not as in training as a whole, where the shares move with the steps that annealing is rounded to: runs of one
        mix have one tokenizer, however long they are, and their losses can be compared.
        """
        if self.anneal is None:
            return {source.name: source.weight for source in self.sources}
        main, last = ({share.name: share.share for share in phase.sources} for phase in self.anneal.phases)
        return {name: share or _ANNEALED_SHARE * last[name] for name, share in main.items()}

    def identity(self) -> dict[str, Any]:
        """What of it changes the model; document masks only where there are any, since plans of before have none."""
        silent: dict[str, Any] = {"sources": {"__all__": _ONLY_TOLD}, "document_masks": not self.document_masks}
        return self.model_dump(mode="json", exclude=silent)


class PlannedMup(Document):
    """Maximal update parametrization (Yang et al. 2022, arXiv:2203.03466, table 8), as numbers the runner applies.

    Hidden matrices are those inside the layers; embedding and head keep the learning rate of the base width.
    """

    base_width: Count
    """Hidden width at which learning rate and initial weights are those of the standard parametrization."""
    base_head_dim: Count
    """Head dimension of the model that the learning rate was tuned on."""
    embedding_init_std: NonNegative
    """Standard deviation of embedding and head; the same at every width."""
    hidden_lr_multiplier: NonNegative
    """Learning rate of hidden matrices over that of the rest: base width / width."""
    hidden_weight_decay_multiplier: NonNegative
    """Weight decay of hidden matrices over that of the rest: width / base width, so that its product with the learning
    rate is the same at every width."""
    logit_multiplier: NonNegative
    """Factor of the logits: base width / width."""
    attention_scale: NonNegative
    """Factor of query · key before the softmax: √(base head dimension) / head dimension."""


_FIRST_SETTINGS = {
    *("steps", "global_batch", "learning_rate", "final_learning_rate", "warmup_steps", "schedule", "decay_steps"),
    *("cooldown", "weight_decay", "adam_beta1", "adam_beta2", "adam_eps", "clip_grad_norm", "init_std"),
    *("precision", "seed", "mup"),
}
"""What plans have said of training from the start."""


class PlannedTraining(Document):
    """Optimizer, schedule and batch."""

    steps: Count
    """Optimizer steps."""
    global_batch: Count
    """Sequences in one optimizer step; with a ramp, of its last stage."""
    learning_rate: NonNegative
    """Peak learning rate."""
    final_learning_rate: NonNegative
    """Learning rate of the last step."""
    warmup_steps: int
    """Steps over which it rises from zero."""
    schedule: Literal["cosine", "wsd", "inverse-square-root"]
    """Shape of the learning rate after that."""
    decay_steps: Annotated[int, Field(ge=0)]
    """Steps of the falling part at the end: all after warm-up for cosine, the cooldown for the others; 0 for an inverse
    square root that has none."""
    cooldown: Literal["linear", "1-sqrt"] = "linear"
    """How the learning rate cools down; with `cosine` it is not looked at."""
    weight_decay: NonNegative
    """AdamW's decoupled weight decay."""
    adam_beta1: float
    """Decay of AdamW's mean of gradients."""
    adam_beta2: float
    """Decay of AdamW's mean of their squares."""
    adam_eps: float
    """Added to AdamW's denominator."""
    clip_grad_norm: NonNegative
    """Global norm that gradients are scaled down to."""
    init_std: NonNegative
    """Standard deviation of the initial matrices; with `mup` of the hidden ones."""
    precision: Precision
    """Of the matrix products."""
    seed: int
    """Seed of weights and of the order of the data."""
    mup: PlannedMup | None = None
    """Set where the parametrization is `mup`."""
    z_loss: NonNegative = 0.0
    """Factor of log²Z beside the loss; 0 where it is cross-entropy alone."""
    deterministic: bool = False
    """Whether only kernels are taken that give the same bits each time."""
    weight_decay_embeddings: bool = True
    """Whether the embedding is decayed as other matrices are."""
    fp8_recipe: Literal["tensorwise"] | None = None
    """How products in FP8 are scaled, as Megatron-core names it; none in other precisions."""
    batch_stages: Annotated[list[PlannedBatch], Field(default_factory=list)]
    """Where the batch grows: all steps in stretches of one batch, the full one's last. Empty where it never changes."""
    ramp_learning_rate: Literal["schedule", "square-root"] = "schedule"
    """Whether the learning rate is multiplied by √(batch / full batch) while the batch is smaller."""

    @model_validator(mode="after")
    def _stages_are_the_steps(self) -> "PlannedTraining":
        if not self.batch_stages:
            return self
        starts = [1, *(stage.last_step + 1 for stage in self.batch_stages)]
        whole = [stage.first_step for stage in self.batch_stages] == starts[:-1] and starts[-1] == self.steps + 1
        if not whole or self.batch_stages[-1].global_batch != self.global_batch:
            raise SixndError(
                "batch_stages do not follow each other from step 1 to the last, where the full batch is taken",
                "plan the spec anew",
            )
        if any(stage.steps < 1 for stage in self.batch_stages):
            raise SixndError("a stage of batch_stages ends before it begins", "plan the spec anew")
        return self

    @property
    def batches(self) -> StepBatches:
        """What each step reads."""
        return StepBatches(self.global_batch, tuple(self.batch_stages))

    def identity(self) -> dict[str, Any]:
        """What of it changes the model; settings that came later are left out where they change nothing.

        So a plan of before they were there keeps its fingerprint, and with it its run folder and checkpoints.
        """
        fields = type(self).model_fields
        return {
            name: value
            for name, value in self.plain().items()
            if name in _FIRST_SETTINGS or getattr(self, name) != fields[name].get_default(call_default_factory=True)
        }


class PlannedLayout(Document):
    """The 3D-parallel layout."""

    tensor: Count
    """Tensor-parallel degree TP."""
    pipeline: Count
    """Pipeline-parallel degree PP."""
    virtual_pipeline: Count
    """Model chunks a stage; 1 means plain 1F1B."""
    context: Count = 1
    """Ranks that split each sequence between them (CP)."""
    expert: Count = 1
    """Ranks over which the routed experts are spread (EP)."""
    expert_tensor: Count = 1
    """Ranks that split each expert's matrices (ETP)."""
    data: Count
    """Data-parallel degree DP."""
    micro_batch: Count
    """Sequences in one forward pass of one replica."""
    sequence_parallel: bool
    """Whether norms and residuals are split over the TP ranks."""
    distributed_optimizer: bool
    """Whether the optimizer's state is split over the DP ranks."""
    recompute: Recompute
    """What is computed again in the backward pass."""
    recompute_layers: Annotated[int, Field(ge=0)] = 0
    """With `full`: layers of each model chunk that are recomputed; 0 stands for all of them."""
    recompute_modules: Annotated[list[Module], Field(default_factory=list)]
    """With `selective`: what of a layer is recomputed alone."""
    embedding_as_layer: bool = False
    """Count embedding, head and each module of multi-token prediction as one layer when stages are filled (Llama-3's
    126 layers on PP 16)."""

    @property
    def world_size(self) -> int:
        """Ranks: TP × PP × CP × DP."""
        return self.tensor * self.pipeline * self.context * self.data

    def label(self) -> str:
        """Short name, e.g. ``TP8 PP16 DP64 VPP2 MBS1 recompute-layernorm+mlp``."""
        parts = [f"TP{self.tensor}", f"PP{self.pipeline}"]
        degrees = {"CP": self.context, "EP": self.expert, "ETP": self.expert_tensor}
        parts += [f"{name}{degree}" for name, degree in degrees.items() if degree > 1]
        parts += [f"DP{self.data}"]
        parts += [f"VPP{self.virtual_pipeline}"] if self.virtual_pipeline > 1 else []
        parts += [f"MBS{self.micro_batch}"]
        part = f":{self.recompute_layers}" if self.recompute_layers else ""
        again = "+".join(self.recompute_modules) or f"{self.recompute}{part}"
        return " ".join(parts + ([] if self.recompute == "none" else [f"recompute-{again}"]))


class LayoutOption(Document):
    """A layout that was considered: its cost, and why it was not chosen."""

    layout: PlannedLayout
    """Its degrees."""
    step_time_s: NonNegative | None
    """Predicted; none where a rule rejected the layout before it was costed."""
    memory_bytes: NonNegative | None
    """Of its fullest rank; none where a rule rejected it before."""
    chosen: bool
    """Whether it is the plan's."""
    why_not: str
    """Empty for the chosen layout."""
    wall_time_s: NonNegative | None = None
    """Of the whole run with this layout; none where it was not costed."""
    money_usd: NonNegative | None = None
    """Of the whole run. Every layout uses the same accelerators, so money is proportional to wall-clock."""
    headroom_bytes: float | None = None
    """Memory of the fullest rank that a plan may fill, less what this layout needs; below zero it does not fit."""


class PlannedPipeline(Document):
    """What one step's pipeline schedule is made of: 1F1B, interleaved where a stage holds more than one chunk."""

    forward_s: Annotated[list[NonNegative], Field(min_length=2)]
    """Seconds of one micro-batch's forward pass through all chunks of each stage, the first stage first."""
    backward_s: Annotated[list[NonNegative], Field(min_length=2)]
    """The same of the backward pass, with what is recomputed in it."""
    micro_batches: Count
    """Micro-batches a replica runs in a step."""
    chunks: Count
    """Model chunks a stage (VPP)."""
    basis: str
    """Where the seconds come from."""


class MemoryBreakdown(Document):
    """Bytes on the fullest rank, by what they hold."""

    rank: str
    """Which rank peaks, e.g. `first pipeline stage`."""
    parameters: NonNegative
    """Weights."""
    gradients: NonNegative
    """Gradients."""
    optimizer: NonNegative
    """State of the optimizer, with FP32 weights."""
    activations: NonNegative
    """What the backward pass needs of the forward pass."""
    logits: NonNegative
    """Logits and their gradient."""
    overhead: NonNegative
    """Context, communication buffers and allocator slack."""


class TimeBreakdown(Document):
    """Seconds of one optimizer step, by what they are spent on; they sum to the step time."""

    compute: NonNegative
    """Matrix products, attention and memory-bound modules."""
    tensor_parallel: NonNegative
    """Waiting for tensor-parallel collectives."""
    expert_parallel: NonNegative = 0.0
    """Tokens sent to experts and back."""
    context_parallel: NonNegative = 0.0
    """Waiting for other ranks' keys and values."""
    pipeline_bubble: NonNegative
    """Waiting for other stages."""
    pipeline_transfer: NonNegative
    """Sending activations between stages."""
    data_parallel: NonNegative
    """Waiting for gradients and parameters of other replicas."""
    optimizer: NonNegative
    """The update."""
    overhead: NonNegative
    """Fixed costs of a step."""
    between_sites: NonNegative = 0.0
    """On the link between data centres, on average over the steps."""


class Estimates(Document):
    """What the run will be like, with 80 % intervals."""

    loss: Estimate
    """Loss at the last step, nats per token, as the law's own corpus and tokenizer would show it."""
    tokens_worth: Estimate | None = None
    """Unique tokens that D is worth, where sources are read more than once."""
    step_time_s: Estimate
    """One optimizer step, of the full batch."""
    tokens_per_s: Estimate
    """Global batch over step time."""
    mfu: Estimate
    """Model FLOPs utilisation (PaLM, appendix B): exact model FLOPs a second over the ranks' peak, causal attention
    counted as half of the score matrix."""
    mfu_full: Estimate | None = None
    """The same with the whole score matrix counted, as PaLM's and Megatron-LM's formulas do."""
    hfu: Estimate | None = None
    """Hardware FLOPs utilisation: with what is computed twice, causal attention counted as half."""
    hfu_full: Estimate | None = None
    """The same with the whole score matrix counted."""
    memory_bytes: Estimate
    """Peak on the fullest rank."""
    train_time_s: Estimate
    """Seconds of training steps alone."""
    wall_time_s: Estimate
    """Training time and that of evaluations, over goodput."""
    accelerator_hours: Estimate
    """Wall-clock times the accelerators that are held."""
    money_usd: Estimate
    """Accelerator-hours at the cluster's price."""
    energy_kwh: Estimate
    """Of the machines with their cooling."""
    co2_kg: Estimate | None = None
    """CO2-equivalents of the energy by the grid's average; none in plans of before it was estimated."""
    goodput: Estimate | None = None
    """Share of wall-clock that trains, by the failures of the catalog; none where the spec or the catalog gives it."""
    failures: Estimate | None = None
    """Unplanned stops that are expected; none where `goodput` is."""
    memory: MemoryBreakdown
    """Peak memory of the fullest rank by what fills it."""
    time: TimeBreakdown
    """Step time by what takes it."""


class LawChoice(Document):
    """What one law would do with the plan's compute, C = 6ND."""

    law: str
    """Its name."""
    params: NonNegative | None = None
    """N; none where the law speaks of loss alone."""
    tokens: NonNegative | None = None
    """D."""
    loss: NonNegative | None = None
    """Loss in nats a token, on the law's own corpus and tokenizer; none where it speaks of N and D alone."""
    params_interval: list[float] | None = None
    """80 % interval of N; none where none is published."""
    loss_interval: list[float] | None = None
    """80 % interval of the loss."""
    decades_outside: NonNegative = 0.0
    """Decades outside the range the law was fitted on."""
    note: str = ""
    """What to hold against it."""


class Swing(Document):
    """Days and dollars of the planned run where one input is at the ends of a range, all else as planned."""

    low: float
    """The input at its lower end."""
    high: float
    """The input at the high end."""
    wall_time_at_low_s: NonNegative
    """Wall-clock with the input at the low end."""
    wall_time_at_high_s: NonNegative
    """Wall-clock with it at the high end."""
    money_at_low_usd: NonNegative
    """Cost with the input at the low end."""
    money_at_high_usd: NonNegative
    """Cost with it at the high end."""


class Sensitivity(Document):
    """How days and dollars move with one input of the cost model."""

    what: str
    """The input, e.g. `Price`."""
    value: float
    """As planned."""
    unit: str
    """Of the input."""
    interval: Swing | None
    """Over the input's own 80 % interval; none where it has none, as what the spec pins."""
    tenth: Swing
    """At 10 % less and 10 % more."""
    basis: str
    """Where the interval comes from, and what was computed again."""


class PlannedEvaluation(Document):
    """When the model in training is measured, and on what."""

    every_steps: Count
    """Steps between validations."""
    batches: Count
    """Global batches in one validation."""
    source_batches: Annotated[int, Field(ge=0)] = 0
    """Global batches of each source's held-out text at most; 0, as in plans of before it was measured: none."""
    tasks: list[TaskName] = Field(default_factory=list)
    """Downstream tasks."""
    task_steps: list[Count] = Field(default_factory=list)
    """Steps after which the tasks are answered."""
    items: Annotated[int, Field(ge=0)] = 0
    """Items of each task."""
    item_seed: Annotated[int, Field(ge=0)] = 1
    """Seed of the items."""


_ONLY_TOLD = {"kind", "tokens_worth", "measured"}
"""What a plan says of a source that changes nothing of what is read."""


class Plan(Document):
    """Everything `sixnd run` needs, and why each thing is as it is."""

    version: Literal["plan/1"]
    name: Name
    """Name of the run."""
    spec: BudgetSpec
    """The spec this plan was made from, whole."""
    spec_sha256: str
    """SHA-256 of the spec; a plan whose spec has changed is stale."""
    catalog_sha256: str
    """SHA-256 of the catalogs; a plan made from others is stale."""
    sixnd_version: str
    law: str
    """Law that chose N and D."""
    budget: PlannedBudget
    """What is spent, in each currency."""
    cluster: PlannedCluster
    """The machines."""
    model: PlannedModel
    """The model."""
    data: PlannedData
    """What it reads."""
    training: PlannedTraining
    """How it is trained."""
    layout: PlannedLayout
    """How it is split over the machines."""
    checkpoints: PlannedCheckpoints
    """When it is saved, and what is kept."""
    evaluation: PlannedEvaluation
    """When it is measured, and on what."""
    estimates: Estimates
    """What it needs and reaches, each with its interval."""
    decisions: list[Decision]
    """What was decided, each with its reason and source."""
    law_choices: list[LawChoice]
    """What each law would choose for the plan's compute."""
    options: list[LayoutOption]
    """Layouts considered: the chosen one, the best of the rest, and for each rule one it rejected."""
    pareto: list[LayoutOption] = Field(default_factory=list)
    """Layouts that fit and that no other beats in both time (so money) and memory head-room, fastest first; thinned."""
    sensitivities: list[Sensitivity] = Field(default_factory=list)
    """The run's inputs by how far their intervals move its cost, the furthest first."""
    pipeline: PlannedPipeline | None = None
    """None with one stage, and on a shared host, where nobody idles."""
    warnings: list[str]
    """What a reader must know before signing: extrapolation, repetition, thin margins."""
    continual: PlannedContinual | None = None
    """The model that training starts from; none where it starts from new weights."""

    def tokens_after(self, step: int) -> int:
        """Tokens read in the steps up to this one."""
        return self.training.batches.samples_after(step) * self.model.sequence_length

    @property
    def phases(self) -> list[PlannedPhase]:
        """Stretches of steps that read one blend: one, or with annealing two."""
        if self.data.anneal is not None:
            return self.data.anneal.phases
        shares = [
            PhaseShare(
                name=source.name,
                share=source.weight,
                tokens=source.tokens,
                unique_tokens=source.unique_tokens,
                epochs=source.epochs,
            )
            for source in self.data.sources
        ]
        steps = self.training.steps
        return [PlannedPhase(name="main", first_step=1, last_step=steps, tokens=self.data.tokens, sources=shares)]

    def fingerprint(self) -> str:
        """Eight hex digits of what changes the model: where and on what it runs stays out."""
        parts = {
            "model": self.model.plain(),
            "data": self.data.identity(),
            "training": self.training.identity(),
            "held_out_batches": self.evaluation.batches,  # what is held out is not trained on
        }
        if self.continual is not None:  # left out else, so that plans of before it keep their fingerprint
            said = self.continual.model_dump(mode="json", exclude=WHERE_IT_LIES, exclude_none=True)
            parts["continual"] = said | {"source_batches": self.evaluation.source_batches}  # held out, not trained on
        return sha256_of(parts)[:8]
