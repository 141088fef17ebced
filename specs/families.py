"""Published decoders: what a named model is made of, and how many parameters its authors count."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sixnd.specs.document import Document
from sixnd.specs.errors import SixndError

Count = Annotated[int, Field(ge=1)]


class LatentAttention(Document):
    """Multi-head latent attention: queries, keys and values pass through low-rank latents (DeepSeek-V2, §2.1)."""

    query_rank: Count | None = None
    """Width of the queries' latent; none where queries are projected directly."""
    kv_rank: Count
    """Width of the latent that keys and values share."""
    query_key: Count
    """Width of one head's queries and keys that carries no position."""
    rotary: Count
    """Width of one head's rotary part; the key's is shared by all heads."""
    value: Count
    """Width of one head's values."""


class Experts(Document):
    """A mixture of experts in place of the dense feed-forward."""

    routed: Count
    """Experts that the router chooses from."""
    top_k: Count
    """Experts that a token is sent to."""
    ffn: Count
    """Width of one routed expert."""
    shared_ffn: Annotated[int, Field(ge=0)] = 0
    """Width of all shared experts together, which every token passes through."""
    shared_gate: bool = False
    """Whether a learned gate weighs the shared experts' output."""
    router_bias: bool = False
    """Whether the router has a bias an expert (balancing without an auxiliary loss)."""
    node_limit: Count | None = None
    """Nodes that the experts of one token lie on at most (node-limited routing)."""
    dense_layers: Annotated[int, Field(ge=0)] = 0
    """First layers with a dense feed-forward instead."""


class Window(Document):
    """Layers of sliding-window attention between layers that see everything."""

    tokens: Count
    """Tokens that a windowed layer looks back on."""
    full_every: Count
    """Every n-th layer sees everything."""


class Architecture(Document):
    """A decoder-only transformer, dense or with experts."""

    layers: Count
    """Transformer layers."""
    hidden: Count
    """Width of the residual stream."""
    heads: Count
    """Query heads."""
    kv_heads: Count | None = None
    """Key and value heads; none with latent attention."""
    head_dim: Count | None = None
    """Width of one head; by default hidden / heads."""
    ffn: Annotated[int, Field(ge=0)] = 0
    """Width of the dense feed-forward; 0 where every layer has experts."""
    gated: bool = True
    """Gated feed-forward (gate, up, down) instead of a plain one (up, down)."""
    vocab: Count
    """Rows of the embedding."""
    tied: bool = False
    """Whether one matrix is embedding and head."""
    learned_positions: Annotated[int, Field(ge=0)] = 0
    """Rows of a table of learned positions; 0 with rotary positions."""
    norm: Literal["rms", "layer"] = "rms"
    """RMSNorm (a weight) or LayerNorm (a weight and a bias)."""
    norms_per_layer: Count = 2
    """Four where sub-layers are normed before and after (Gemma 2 and 3)."""
    query_key_norm: bool = False
    """Whether each head's queries and keys are normed."""
    biases: Literal["none", "qkv", "all"] = "none"
    """Which matrix products add a bias."""
    latent_attention: LatentAttention | None = None
    """Multi-head latent attention instead of plain one."""
    experts: Experts | None = None
    """A mixture of experts instead of dense feed-forwards."""
    mtp_layers: Annotated[int, Field(ge=0)] = 0
    """Modules that predict further tokens (DeepSeek-V3, §2.2); their parameters are counted apart."""
    window: Window | None = None
    """Sliding-window attention in some layers."""

    @model_validator(mode="after")
    def _complete(self) -> "Architecture":
        if self.latent_attention is None and self.kv_heads is None:
            raise SixndError("kv_heads is missing: only latent attention has none", "give kv_heads")
        if not self.ffn and (self.experts is None or self.experts.dense_layers):
            raise SixndError("ffn is missing: this model has dense layers", "give ffn")
        if self.head_dim is None and self.hidden % self.heads:
            what = f"head_dim is missing: hidden {self.hidden} is no multiple of heads {self.heads}"
            raise SixndError(what, "give head_dim, or another number of heads")
        return self


class ModelFamily(Document):
    """One published model."""

    family: str
    """The line of models it belongs to."""
    description: str
    """Whose it is, and of which year."""
    architecture: Architecture
    """What it is made of."""
    sequence: Count
    """Tokens of the context it was pre-trained with."""
    published_params: Annotated[float, Field(gt=0)]
    """Parameters as its authors, or those who count the released weights, print them."""
    rounded_to: Annotated[float, Field(ge=0)] = 0
    """Unit of the last digit that is printed; 0 where the count is exact."""
    published_active_params: Annotated[float, Field(gt=0)] | None = None
    """Parameters a token passes through, as printed (usually to two digits)."""
    source: str
