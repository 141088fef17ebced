"""BudgetSpec: what a person writes. Short, with a good default for everything but the budget."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from sixnd.specs import catalog
from sixnd.specs.annealing import Anneal
from sixnd.specs.batch_ramp import BatchRamp
from sixnd.specs.calibration import Calibration
from sixnd.specs.checkpoint_policy import Checkpoints
from sixnd.specs.continual import Continual
from sixnd.specs.data_stages import Stages, checked, checked_across
from sixnd.specs.document import Document, Name
from sixnd.specs.errors import SixndError
from sixnd.specs.evaluation import Evaluation
from sixnd.specs.launch import Launch
from sixnd.specs.laws import LAW_FILES, NamedLaw
from sixnd.specs.mixes import MIX_RULES, Kind, MixLaw
from sixnd.specs.prepared import PreparedData
from sixnd.specs.quantity import (
    WHOLE,
    AcceleratorCount,
    AcceleratorHours,
    Accelerators,
    AutoCount,
    AutoNumber,
    AutoParams,
    AutoShare,
    AutoSwitch,
    AutoTokens,
    AutoUsd,
    Bytes,
    Flops,
    Seconds,
    Tokens,
    Usd,
)
from sixnd.specs.running_costs import Pricing
from sixnd.specs.supervision import Supervision
from sixnd.specs.tokenizers import TokenizerChoice

Fraction = Annotated[float, Field(ge=0, le=1)]
Share = Annotated[float, Field(gt=0, le=1)]


class Budget(Document):
    """What may be spent. Give one; two are taken only if they agree."""

    compute: Flops | None = None
    """Training compute in FLOPs, e.g. `3e21 FLOPs` or `4e4 PF-days`; counted as `counting` says."""
    counting: Literal["6ND", "exact"] = "6ND"
    """How compute is counted: by the convention C = 6ND, or every matrix product of the model (embedding not, head and
    causal attention yes)."""
    loss: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Target loss in nats a token by the law: the plan spends the least compute that reaches it."""
    accelerator_hours: AcceleratorHours | None = None
    """Accelerator time, e.g. `40000 GPU-hours`: wall-clock hours times accelerators."""
    money: Usd | None = None
    """Money for the accelerators, e.g. `250k USD`, at the cluster's price."""
    time: Seconds | None = None
    """Wall-clock on the whole cluster, e.g. `14 days`."""


class Sites(Document):
    """Data centres that train one model together: each holds whole replicas, and a slow link joins them."""

    count: Annotated[int, Field(ge=2), WHOLE]
    """Sites; the data-parallel replicas are split evenly over them."""
    link_bytes_per_s: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    """What one site sends to the others, in bytes a second: `1.25e11` is 1 Tb/s."""
    sync_every: Annotated[int, Field(ge=1), WHOLE] = 1
    """Optimizer steps between two synchronisations. 1 averages gradients at each step; more are DiLoCo's outer steps
    (Douillard et al. 2023), for plans on paper: `sixnd run` does not train so."""
    sync_bytes: Annotated[float, Field(gt=0, le=4)] = 4.0
    """Bytes of one parameter on the link: 4 for FP32, less where it is compressed."""


class Cluster(Document):
    """The machines the run may use."""

    accelerators: Accelerators
    """How many of which catalog accelerator, e.g. `512 x h100-sxm` (`sixnd catalog accelerators`)."""
    sites: Sites | None = None
    """Data centres, where there is more than one."""
    price_usd_per_accelerator_hour: AutoUsd = None
    """What one accelerator costs an hour; `auto` takes the catalog's dated price."""
    pricing: Pricing = "on-demand"
    """Contract by which the catalog's price is taken; with `spot` the run is interrupted as well."""
    goodput: Annotated[float, Field(gt=0, le=1)] | None = None
    """Share of wall-clock that trains (the rest: failures, restarts, checkpoints); by default it is computed from the
    catalog's failures."""
    failures_every: AcceleratorHours | None = None
    """Accelerator-hours between two unplanned stops, e.g. `50000 GPU-hours`; by default those of published clusters."""
    restart_time: Seconds | None = None
    """From a stop until the state is loaded, e.g. `3 min`; by default that of published clusters."""
    spares: Annotated[int, Field(ge=0), WHOLE] = 0
    """Machines (as many accelerators as share the fast links) held ready, and paid for, to replace failed ones."""
    replacement_time: Seconds | None = None
    """How long a machine that failed is missing where no spare is left, e.g. `4 hours`; by default the cluster's
    owner replaces it while the run restarts."""
    grid_kg_co2_per_kwh: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """CO2-equivalents of the site's electricity in kg a kWh; by default the world's average."""
    memory_per_accelerator: Bytes | None = None
    """Usable memory of one accelerator if it differs from the catalog, e.g. `94 GB`."""
    calibration: Calibration | None = None
    """A file that `sixnd calibrate` wrote: step times are then predicted by constants that were measured, with the
    narrower interval they give."""

    @field_validator("calibration", mode="before")
    @classmethod
    def _calibration_is_a_file(cls, value: object) -> object:
        if isinstance(value, str):
            raise SixndError(
                f"'{value}' is no calibration", "name a file that `sixnd calibrate` wrote, ending in .yaml"
            )
        return value

    @field_validator("accelerators")
    @classmethod
    def _known_accelerator(cls, value: AcceleratorCount) -> AcceleratorCount:
        catalog.checked_name("accelerators", value.name)
        return value


class Shape(Document):
    """A decoder-only transformer written out: RMSNorm, rotary positions, gated (SwiGLU) feed-forward."""

    layers: Annotated[int, Field(ge=1, le=1000), WHOLE]
    """Transformer layers."""
    hidden: Annotated[int, Field(ge=8), WHOLE]
    """Width of the residual stream."""
    heads: Annotated[int, Field(ge=1), WHOLE]
    """Attention (query) heads; must divide `hidden`."""
    kv_heads: Annotated[int, Field(ge=1), WHOLE]
    """Key-value heads (grouped-query attention); must divide `heads`."""
    ffn: Annotated[int, Field(ge=1), WHOLE]
    """Inner width of the gated feed-forward."""


class ModelRequest(Document):
    """What is asked of the model; everything may be left to the planner."""

    params: AutoParams = None
    """Total parameters N, e.g. `7B params`; `auto` takes the law's optimum."""
    shape: Shape | None = None
    """The exact architecture, if it is already decided (then `params` must be left out)."""
    family: str | None = None
    """A published model of the catalog (`sixnd catalog model-families`), e.g. `deepseek-v3`: its architecture, experts
    and all (then `params` and `shape` must be left out)."""
    sequence_length: Annotated[int, Field(ge=8), WHOLE] = 4096
    """Tokens in one training sequence; of a `family` by default what it was pre-trained with."""
    vocab_size: AutoCount = None
    """Entries of the tokenizer's vocabulary; padded for tensor parallelism by the planner."""
    tied_embeddings: AutoSwitch = None
    """Share input and output embeddings; `auto` ties them where they would exceed a fifth of N."""

    @property
    def decided_by(self) -> tuple[str, ...]:
        """Which of the fields that each decide N are given."""
        return tuple(name for name in ("params", "shape", "family") if getattr(self, name) is not None)

    @model_validator(mode="before")
    @classmethod
    def _sequence_of_the_family(cls, data: Any) -> Any:
        name = data.get("family") if isinstance(data, dict) else None
        if name is None or name not in catalog.names("model-families") or "sequence_length" in data:
            return data
        return {**data, "sequence_length": catalog.model_family(name).sequence}

    @field_validator("family")
    @classmethod
    def _known_family(cls, value: str | None) -> str | None:
        return value if value is None else catalog.checked_name("model-families", value)


class Inference(Document):
    """What the model will serve: a model that answers much is better small and trained for longer.

    N is then the one whose lifetime, training and serving, costs least for the loss it reaches (Sardana et al. 2024).
    """

    input_tokens: Tokens | None = None
    """Tokens the model will read (prompts) over its lifetime."""
    output_tokens: Tokens | None = None
    """Tokens it will write."""
    input_mfu: Share | None = None
    """MFU of reading prompts; `null` counts FLOPs as training counts them."""
    output_mfu: Share | None = None
    """MFU of writing, often a few percent; `null` counts FLOPs as training counts them."""
    price_usd_per_accelerator_hour: Usd | None = None
    """Price of serving on the same accelerator, where it differs from training's."""


class Source(Document):
    """One source of text and its share of the training tokens."""

    name: Name
    """Name of the source in plans and reports."""
    recipe: str | None = None
    """A recipe of the catalog (`sixnd catalog sources`) that gathers the text on this machine."""
    path: str | None = None
    """Files to read: a file, folder or glob of JSON lines (`.jsonl`, `.gz`, `.zst`), Parquet, WARC or plain text,
    relative to the spec."""
    text_field: str = "text"
    """Where a record of JSON lines or Parquet has its text."""
    licence: str | None = None
    """Of documents that do not state their own under `licence`."""
    stages: Stages | None = None
    """What is done to its text before it is tokenised: a profile (`sixnd catalog text-profiles`), or filters and
    deduplication in order (`sixnd catalog text-filters`). By default it is taken as it is."""
    kind: Kind | None = None
    """What the text is about: by it a source finds its domain in a published mix."""
    weight: AutoShare = 1.0
    """Share of training tokens, relative to the other sources' weights; `auto` lets `data.mix` choose. Beside `auto`
    sources a number is the share itself, e.g. `0.1`, and they divide the rest. `0` is for a source that `anneal`
    alone reads."""
    unique_tokens: Tokens | None = None
    """Tokens the source holds for training, if known: repetition (epochs) is planned and flagged from it."""
    quality: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """What one of its tokens is worth to the loss, in tokens of a source of quality 1, as you hold it to be: no law
    here knows. Only `sixnd explain SPEC mix` counts with it; the predicted loss does not."""

    @field_validator("recipe")
    @classmethod
    def _known_recipe(cls, value: str | None) -> str | None:
        return value if value is None else catalog.checked_name("sources", value)

    @field_validator("stages")
    @classmethod
    def _known_stages(cls, value: Stages | None) -> Stages | None:
        return checked(value)


class Data(Document):
    """What the model reads."""

    sources: Annotated[list[Source], Field(min_length=1)]
    """Sources and their weights."""
    mix: str | MixLaw | None = None
    """How weights of `auto` are chosen: `proportional` to unique tokens (the default), by `temperature`, as in a
    published mix (`sixnd catalog mixes`), or by a file that `sixnd fit --mix` wrote."""
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """With `mix: temperature`, needed: weights grow as unique tokens to the power 1/temperature. 1 is proportional;
    the larger, the more alike sources weigh. mT5 took 3.33 for its languages (Xue et al. 2021)."""
    max_epochs: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Most times that any source may be read over: a plan that needs more is refused with what would allow it. No
    limit by default, as the law of repetition prices it; up to 4 repeats are nearly as good as new data."""
    tokens: AutoTokens = None
    """Training tokens D, e.g. `2T tokens`; `auto` follows from the budget and N."""
    validation_fraction: Annotated[float, Field(gt=0, le=0.5)] = 0.01
    """Share of each source's documents held out for validation, of those that are read; with `evaluation.tokens` it is
    exactly so much instead, whatever D."""
    document_masks: bool = False
    """Let a token attend only to its own document's tokens, not to all that stand before it in its sequence."""
    across: Stages | None = None
    """Deduplication over all sources together, after each one's own stages; what an earlier source has, stays there."""
    anneal: Anneal | None = None
    """Another blend for the last share of training."""
    tokenizer: TokenizerChoice = TokenizerChoice()
    """Which tokenizer is trained, or the file of one."""
    prepared: PreparedData | None = None
    """A file that `sixnd data prepare` wrote: its measured tokens, less what is held out, take the place of
    `unique_tokens`, and the run takes the prepared text."""

    @property
    def counted_sources(self) -> list[Source]:
        """The sources with what they hold for training: measured, less what is held out, or as declared."""
        trained = {name: tokens * (1 - self.validation_fraction) for name, tokens in self.measured_tokens.items()}
        return [
            source.model_copy(update={"unique_tokens": trained[source.name]}) if source.name in trained else source
            for source in self.sources
        ]

    @property
    def measured_tokens(self) -> dict[str, float]:
        """By source, the tokens that were counted after deduplication; empty where no data was prepared."""
        return {} if self.prepared is None else {source.name: float(source.tokens) for source in self.prepared.sources}

    @field_validator("across")
    @classmethod
    def _known_stages(cls, value: Stages | None) -> Stages | None:
        return checked_across(value)

    @field_validator("prepared", mode="before")
    @classmethod
    def _prepared_is_a_file(cls, value: object) -> object:
        if isinstance(value, str):
            raise SixndError(
                f"'{value}' is no preparation", "name a file that `sixnd data prepare` wrote, ending in .yaml"
            )
        return value

    @field_validator("mix")
    @classmethod
    def _known_mix(cls, value: str | MixLaw | None) -> str | MixLaw | None:
        if not isinstance(value, str) or value in MIX_RULES:
            return value
        if value.endswith(LAW_FILES):
            raise SixndError(f"'{value}' is no fitted mix", "name a file that `sixnd fit --mix` wrote")
        return catalog.checked_mix(value)


class Training(Document):
    """How it is trained. The defaults follow published practice; the plan names it."""

    global_batch: AutoTokens = None
    """Tokens in one optimizer step; `auto` follows the hyper-parameter law."""
    learning_rate: AutoNumber = None
    """Peak learning rate; `auto` follows the hyper-parameter law. With `mup` it is needed: tuned at the base width."""
    batch_scaling: Literal["square-root", "linear", "none"] = "square-root"
    """With a pinned `global_batch` and an automatic learning rate: how the law's rate moves from the law's batch to
    the pinned one. `square-root` for Adam (Malladi et al. 2022), `linear` for SGD (Goyal et al. 2017), `none`."""
    batch_ramp: BatchRamp | None = None
    """Smaller batches at the start, growing to `global_batch`; by default every step has the full batch."""
    schedule: Literal["cosine", "wsd", "inverse-square-root"] = "cosine"
    """Shape of the learning rate: cosine decay; warm-up, stable, decay; or after warm-up the peak times
    √(warm-up / step). With the last two the checkpoints of before the cooldown serve shorter horizons too: each needs
    only a cooldown of its own."""
    warmup_fraction: Fraction = 0.02
    """Share of steps over which the learning rate rises linearly from zero."""
    decay_fraction: Fraction = 0.2
    """With `wsd` and `inverse-square-root`: share of steps at the end over which the learning rate cools down. 0 leaves
    an inverse square root without cooldown."""
    cooldown: Literal["linear", "1-sqrt"] = "1-sqrt"
    """How the learning rate cools down. `1-sqrt` falls fast first; with `wsd` it did better than `linear` in Hägele et
    al. 2024."""
    final_lr_fraction: Fraction = 0.1
    """Learning rate at the last step as a share of the peak; of an inverse square root without cooldown the share that
    it does not fall below. With 0 the last step changes nothing."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.1
    """AdamW's decoupled weight decay, on matrices only."""
    weight_decay_embeddings: bool = True
    """Decay the embedding too. OLMo 2 leaves it out (2024, arXiv:2501.00656): decayed embeddings grow small, and
    gradients of the first layers large. The head is decayed where it is a matrix of its own."""
    optimizer: Literal["adamw"] = "adamw"
    """AdamW (Loshchilov and Hutter 2019)."""
    clip_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    """Gradients are scaled down to this global norm."""
    z_loss: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Factor of log²Z beside the loss, where Z is the sum of the exponentials of a token's logits: it keeps logits from
    drifting. PaLM took `1e-4` (Chowdhery et al. 2022, §5). What is recorded as loss stays cross-entropy."""
    precision: Literal["auto", "bf16", "fp32", "fp8", "fp4", "fastest"] = "auto"
    """Of the matrix products. `auto` takes BF16 where the accelerator has matrix units for it, else FP32; `fastest`
    also looks at what is below BF16, whose effect on the loss no law here knows."""
    deterministic: bool = False
    """On GPUs take only kernels that give the same bits each time, some of them slower. A CPU does so anyway."""
    seed: Annotated[int, Field(ge=1, le=2**31 - 1), WHOLE] = 1234
    """Seed of initial weights and of the order of the data."""
    parametrization: Literal["standard", "mup"] = "standard"
    """`mup` (Tensor Programs V) scales initial weights, learning rates, logits and attention with the width, so that a
    learning rate tuned on a narrow model holds on a wide one of the same depth."""
    mup_base_width: Annotated[int, Field(ge=8), WHOLE] | None = None
    """With `mup`, needed: hidden width of the model the learning rate was tuned on."""
    mup_base_head_dim: Annotated[int, Field(ge=2), WHOLE] | None = None
    """With `mup`: head dimension of that model, if it differs; by default heads grow in number, not in size."""

    @field_validator("optimizer", mode="before")
    @classmethod
    def _muon_cannot_be_built(cls, value: object) -> object:
        if isinstance(value, str) and value.lower() == "muon":
            raise SixndError(
                "muon is not trained: Megatron-core 0.16.1 builds it on the package emerging-optimizers, whose one "
                "published version (0.3.0) has other arguments than it passes",
                "take adamw (docs/training.md)",
            )
        return value

    @model_validator(mode="after")
    def _mup_has_its_base(self) -> "Training":
        if self.parametrization == "mup" and (self.mup_base_width is None or self.learning_rate is None):
            raise SixndError(
                "parametrization mup carries a tuned learning rate to another width",
                "give learning_rate and mup_base_width, the width at which it was tuned",
            )
        if self.parametrization == "standard" and (self.mup_base_width or self.mup_base_head_dim):
            raise SixndError(
                "mup_base_width and mup_base_head_dim mean nothing without 'parametrization: mup'",
                "say that, or leave them out",
            )
        return self


class Layout(Document):
    """The 3D-parallel layout. Pin what must be so; the rest is searched."""

    tensor: AutoCount = None
    """Tensor-parallel degree TP: each matrix is split over so many ranks."""
    pipeline: AutoCount = None
    """Pipeline-parallel degree PP: layers are split into so many stages."""
    virtual_pipeline: AutoCount = None
    """Model chunks a stage (VPP): above 1 the schedule interleaves and the bubble shrinks."""
    context: AutoCount = None
    """Context-parallel degree CP: each sequence is split over so many ranks."""
    expert: AutoCount = None
    """Expert-parallel degree EP: routed experts are spread over so many ranks."""
    expert_tensor: AutoCount = None
    """Expert-tensor-parallel degree ETP: each expert's matrices are split over so many ranks."""
    data: AutoCount = None
    """Data-parallel degree DP: so many replicas."""
    micro_batch: AutoCount = None
    """Sequences in one forward pass of one replica."""
    sequence_parallel: AutoSwitch = None
    """Split norms and residuals along the sequence over the TP ranks; `auto`: whenever TP > 1."""
    recompute: Literal["auto", "none", "selective", "full"] = "auto"
    """Activations to recompute in the backward pass to save memory: nothing, some modules of a layer, or layers."""


class BudgetSpec(Document):
    """A training budget and what is asked of it. `sixnd plan` turns it into a Plan."""

    version: Literal["budget/1"]
    """Version of this document's format: `budget/1`."""
    name: Name
    """Name of the run: letters, digits, dot, dash, underscore."""
    budget: Budget
    """What may be spent: compute, accelerator-hours, money or time."""
    cluster: Cluster
    """The machines."""
    data: Data
    """The text."""
    model: ModelRequest = ModelRequest()
    """The model, or `auto`."""
    continual: Continual | None = None
    """The trained model to start from; by default training starts from new weights."""
    training: Training = Training()
    """Batch, learning rate, schedule, precision, seed."""
    layout: Layout = Layout()
    """Parallel layout, or `auto`."""
    checkpoints: Checkpoints = Checkpoints()
    """Checkpoint interval and retention."""
    evaluation: Evaluation = Evaluation()
    """When the model in training is measured, and on what: held-out text, tasks."""
    launch: Launch = Launch()
    """Where and how the run is started on a cluster (`sixnd run --launcher`)."""
    supervision: Supervision = Supervision()
    """Alarms and what is done at them, restarts, limits of time and budget."""
    inference: Inference | None = None
    """What the model will serve, if N is to be chosen for it."""
    law: str | NamedLaw = "besiroglu-2024"
    """Scaling law that chooses N and D: one of the catalog (`sixnd catalog laws`), or a file that `sixnd fit` wrote."""
    hyperparameter_law: str = "step-law-2025"
    """Law that chooses batch and learning rate (`sixnd catalog hyperparameter-laws`)."""

    @field_validator("law")
    @classmethod
    def _known_law(cls, value: str | NamedLaw) -> str | NamedLaw:
        return catalog.planning_law(value).name if isinstance(value, str) else value

    @field_validator("hyperparameter_law")
    @classmethod
    def _known_hyperparameter_law(cls, value: str) -> str:
        return catalog.checked_name("hyperparameter-laws", value)

    @property
    def model_of_data(self) -> ModelRequest:
        """The model that is asked for, with the vocabulary of the tokenizer that is known already.

        It is that which its data was prepared with, or that of the file it names.
        """
        known = self.data.prepared or self.data.tokenizer.trained
        return self.model if known is None else self.model.model_copy(update={"vocab_size": known.vocab_size})

    @property
    def planning_law(self) -> NamedLaw:
        """The law itself, from the catalog or from the file the spec named."""
        return catalog.planning_law(self.law) if isinstance(self.law, str) else self.law

    @property
    def accelerators(self) -> AcceleratorCount:
        """How many of which accelerator."""
        return self.cluster.accelerators

    @property
    def accelerators_held(self) -> int:
        """Accelerators that are paid for: those that train, and the spare machines'."""
        machine = catalog.accelerator(self.accelerators.name).scale_up_ranks
        return self.accelerators.count + self.cluster.spares * machine
