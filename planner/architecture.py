"""From a number of parameters to a real architecture: a fixed lattice of sane decoder shapes.

The lattice does not depend on the budget. The shape is the one at which the law's loss is least for D = C/(6N);
every shape's loss falls with C, so the least of them falls too: a larger budget never plans a worse loss.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sixnd.planner.transformer import Transformer
from sixnd.planner.vocabulary import automatic_tie, automatic_vocab, padded
from sixnd.specs import catalog
from sixnd.specs.budget import ModelRequest, Shape
from sixnd.specs.errors import InfeasibleError
from sixnd.specs.families import Architecture

ASPECT_SOURCE = (
    "rule: hidden / layers from 32 in the smallest models to about 112 in the largest, between Llama 2 70B (8192/80) "
    "and Llama 3 405B (16384/126); loss depends only weakly on depth against width (Kaplan et al. 2020, §3)"
)
_FEWEST_LAYERS = 2
GQA_HIDDEN = 4096
"""From this width on, eight key-value heads serve all query heads (Ainslie et al. 2023)."""


@dataclass(frozen=True)
class Candidate:
    """A shape of the lattice with its vocabulary."""

    model: Transformer
    vocab_size: int
    """Entries of the tokenizer, before padding."""

    @property
    def published(self) -> Architecture | None:
        """The model's architecture where a shape cannot say it."""
        m = self.model
        plain = Transformer.of_shape(self.shape, m.vocab, m.sequence, m.tied)
        return None if plain.architecture == m.architecture else m.architecture

    @property
    def shape(self) -> Shape:
        """The shape as the documents write it."""
        m = self.model
        return Shape(layers=m.layers, hidden=m.hidden, heads=m.heads, kv_heads=m.kv_heads, ffn=m.ffn)


@lru_cache(maxsize=1)
def lattice() -> tuple[Shape, ...]:
    """Every shape the planner may choose, from about 0.1M to more than 1T parameters."""
    return tuple(
        Shape(layers=layers, hidden=hidden, heads=heads, kv_heads=kv, ffn=ffn)
        for hidden in _widths()
        for heads, kv, ffn in [_heads_and_ffn(hidden)]
        for layers in _depths(hidden)
    )


def _widths() -> list[int]:
    """Widths whose head count splits over tensor-parallel ranks: by 8 from 4096 on, by 4 from 2048, by 2 from 128.

    The narrowest are those of a ladder on a CPU, and closer together: or it had three sizes.
    """
    narrow = ((32, 128, 16), (128, 512, 32), (512, 2048, 128))
    wide = ((2048, 4096, 512), (4096, 12_288, 1024), (12_288, 32_769, 2048))
    return [hidden for low, high, step in (*narrow, *wide) for hidden in range(low, high, step)]


def _heads_and_ffn(hidden: int) -> tuple[int, int, int]:
    heads = hidden // _head_dim(hidden)
    multiple = 16 if hidden < 128 else 64 if hidden < 1024 else 128 if hidden < GQA_HIDDEN else 256
    return heads, 8 if hidden >= GQA_HIDDEN else heads, padded(-(-8 * hidden // 3), multiple)


def _head_dim(hidden: int) -> int:
    """Of one size up to a width of 256, so that the runs of a CPU's ladder differ in size and not in kind.

    With two heads at some widths and six at others they did: the law of those with two said nothing of those with six.
    """
    if hidden < 512:
        return 32 if hidden >= 256 and hidden % 64 == 0 else 16
    return 64 if hidden < 2048 else 128


def _depths(hidden: int) -> list[int]:
    """Depths near the width's usual aspect, even, and divisible by 4 (8) from 16 (64) layers on.

    Narrow models, of which few are published, may be up to 1.7 times as deep or shallow as usual, wide ones 1.25 times.
    Two layers are no worse than four for the smallest: 0.3 to 0.7 % better at 0.2M to 0.3M parameters (docs/proof).
    """
    aspect = float(np.clip(32 * (hidden / 64) ** (1 / 3), 32, 112))
    slack = 1.7 if hidden < 1024 else 1.25
    low, high = hidden / aspect / slack, hidden / aspect * slack
    depths = [n for n in range(_FEWEST_LAYERS, 65, 2) if n <= 16 or n % 4 == 0] + list(range(72, 400, 8))
    return [n for n in depths if low <= n <= high] or [_FEWEST_LAYERS]


def candidates(request: ModelRequest, multiple: int) -> list[Candidate]:
    """The lattice with vocabularies as the request asks, in order of N; ``multiple`` pads the vocabulary."""
    found = [with_vocab(shape, request, multiple) for shape in lattice()]
    return sorted(found, key=lambda c: (c.model.params, c.model.layers))


def with_vocab(shape: Shape, request: ModelRequest, multiple: int) -> Candidate:
    """A shape with the vocabulary and tying that the request asks for, or the automatic ones."""
    bare = Transformer.of_shape(shape, 1, request.sequence_length, True)
    inner = bare.params_non_embedding
    vocab = request.vocab_size or automatic_vocab(inner, shape.hidden)
    rows = padded(vocab, multiple)
    tied = request.tied_embeddings
    tied = automatic_tie(inner, shape.hidden, rows) if tied is None else tied
    return Candidate(Transformer.of_shape(shape, rows, request.sequence_length, tied), vocab)


def of_family(request: ModelRequest, multiple: int) -> Candidate:
    """A published model, its embedding padded; what the request pins beside it overrides what was published."""
    assert request.family is not None
    family = catalog.model_family(request.family)
    entries = request.vocab_size or family.architecture.vocab
    changed: dict[str, object] = {"vocab": padded(entries, multiple)}
    if request.tied_embeddings is not None:
        changed["tied"] = request.tied_embeddings
    architecture = family.architecture.model_copy(update=changed)
    return Candidate(Transformer(architecture, request.sequence_length), entries)


def nearest(found: list[Candidate], params: float) -> Candidate:
    """The candidate whose N is nearest by ratio; the smallest and largest of the lattice bound what can be asked."""
    smallest, largest = found[0].model.params, found[-1].model.params
    if not smallest / 2 <= params <= largest * 2:
        raise InfeasibleError(
            f"{params:.3g} parameters lie outside what the planner can shape with this vocabulary ({smallest:.3g} to "
            f"{largest:.3g})",
            "give model.shape, or another model.vocab_size",
        )
    return min(found, key=lambda c: abs(np.log(c.model.params / params)))
