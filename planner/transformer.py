"""The decoder-only transformer as the cost functions see it, and its exact parameter counts."""

from dataclasses import dataclass

from sixnd.specs.budget import Shape


@dataclass(frozen=True)
class Transformer:
    """Sizes of a pre-norm decoder: RMSNorm, rotary positions, grouped-query attention, no biases.

    ``gated`` and ``fused_attention`` describe models of others that a cost is held against; ours have both.
    """

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    ffn: int
    vocab: int
    """Rows of the embedding."""
    sequence: int
    tied: bool
    gated: bool = True
    """Gated feed-forward (three matrices) instead of a plain one (two)."""
    fused_attention: bool = True
    """Flash attention: the s × s scores never reach memory."""

    @classmethod
    def of_shape(cls, shape: Shape, vocab: int, sequence: int, tied: bool) -> "Transformer":
        """The transformer of a shape with so many embedding rows."""
        return cls(
            layers=shape.layers,
            hidden=shape.hidden,
            heads=shape.heads,
            kv_heads=shape.kv_heads,
            ffn=shape.ffn,
            vocab=vocab,
            sequence=sequence,
            tied=tied,
        )

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.hidden // self.heads

    @property
    def kv_width(self) -> int:
        """Width of all key (or value) heads together."""
        return self.kv_heads * self.head_dim

    @property
    def ffn_matrices(self) -> int:
        """Matrices of the feed-forward: gate, up and down, or up and down."""
        return 3 if self.gated else 2

    @property
    def layer_matrix_params(self) -> int:
        """Weights of one layer's matrices: query, key, value, projection, feed-forward."""
        attention = 2 * self.hidden * (self.hidden + self.kv_width)
        return attention + self.ffn_matrices * self.hidden * self.ffn

    @property
    def layer_params(self) -> int:
        """Parameters of one layer: its matrices and two norms."""
        return self.layer_matrix_params + 2 * self.hidden

    @property
    def embedding_params(self) -> int:
        """Parameters of one embedding (or of the head): vocabulary × hidden."""
        return self.vocab * self.hidden

    @property
    def params_non_embedding(self) -> int:
        """Layers and the final norm."""
        return self.layers * self.layer_params + self.hidden

    @property
    def params(self) -> int:
        """Total parameters N: layers, final norm, embedding, and the head unless it is tied."""
        return self.params_non_embedding + (1 if self.tied else 2) * self.embedding_params
