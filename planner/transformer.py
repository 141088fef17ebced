"""The model as the planner handles it: an architecture and the sequence it is trained on."""

from dataclasses import dataclass, replace
from functools import cached_property

from sixnd.planner import model as counts
from sixnd.planner.lora import Adapters
from sixnd.planner.model_flops import training_flops
from sixnd.specs.budget import Shape
from sixnd.specs.families import Architecture
from sixnd.specs.lora import convention_flops


@dataclass(frozen=True)
class Transformer:
    """A decoder and the length of its training sequences."""

    architecture: Architecture
    sequence: int
    adapters: Adapters | None = None
    """What alone learns, where not all weights do."""

    @classmethod
    def of_shape(cls, shape: Shape, vocab: int, sequence: int, tied: bool) -> "Transformer":
        """The decoder that our runner trains: RMSNorm, rotary positions, gated feed-forward, no biases."""
        sizes = {name: getattr(shape, name) for name in ("layers", "hidden", "heads", "kv_heads", "ffn")}
        return cls(Architecture.model_construct(**sizes, vocab=vocab, tied=tied), sequence)

    def with_vocab(self, rows: int) -> "Transformer":
        """The same with so many rows of its embedding."""
        return replace(self, architecture=self.architecture.model_copy(update={"vocab": rows}))

    @property
    def layers(self) -> int:
        """Transformer layers, without modules of multi-token prediction."""
        return self.architecture.layers

    @property
    def hidden(self) -> int:
        """Width of the residual stream."""
        return self.architecture.hidden

    @property
    def heads(self) -> int:
        """Query heads."""
        return self.architecture.heads

    @property
    def kv_heads(self) -> int:
        """Key-value heads; latent attention expands its latents to every head."""
        return self.architecture.kv_heads or self.architecture.heads

    @property
    def ffn(self) -> int:
        """Inner width of the dense feed-forward, or of all experts that a token passes where there is none."""
        experts = self.architecture.experts
        if self.architecture.ffn or experts is None:
            return self.architecture.ffn
        return experts.top_k * experts.ffn + experts.shared_ffn

    @property
    def vocab(self) -> int:
        """Rows of the embedding."""
        return self.architecture.vocab

    @property
    def tied(self) -> bool:
        """Whether one matrix is embedding and head."""
        return self.architecture.tied

    @property
    def head_dim(self) -> int:
        """Width of one query head, without its rotary part where that is apart."""
        return counts.head_dim(self.architecture)

    @property
    def kv_width(self) -> int:
        """Width of all keys of grouped-query attention."""
        return counts.kv_width(self.architecture)

    @property
    def ffn_matrices(self) -> int:
        """Matrices of the feed-forward: gate, up and down, or up and down."""
        return 3 if self.architecture.gated else 2

    @property
    def embedding_params(self) -> int:
        """Parameters of one embedding (or of the head): vocabulary × hidden."""
        return counts.embedding_params(self.architecture)

    @property
    def params_non_embedding(self) -> int:
        """All but token embedding and head."""
        return self.params - (1 if self.tied else 2) * self.embedding_params

    @property
    def active_params_non_embedding(self) -> int:
        """Of those the ones a token passes through: what laws of learning rate and batch count."""
        return self.params_non_embedding - (self.params - self.active_params)

    @cached_property
    def training_flops(self) -> float:
        """Model FLOPs of forward and backward, a token: what MFU counts, causal attention as half, nothing twice."""
        return training_flops(self.architecture, self.sequence, "causal", adapters=self.adapters).model

    @property
    def convention_flops(self) -> float:
        """FLOPs a token as budgets count them: 6N; with adapters of n parameters 4N + 6n."""
        return convention_flops(self.active_params, self.learning if self.adapters else None)

    @property
    def learning(self) -> int:
        """Parameters that are trained: all, or the adapters'."""
        return self.params if self.adapters is None else self.adapters.params(self.architecture)

    @cached_property
    def params(self) -> int:
        """Total parameters N."""
        return counts.params(self.architecture)

    @cached_property
    def active_params(self) -> int:
        """Parameters a token passes through: N of a dense model."""
        return counts.active_params(self.architecture)
