"""Vocabulary size, its padding, and whether input and output embeddings are shared: rules, not laws."""

from sixnd.specs.budget import BudgetSpec
from sixnd.specs.plan import PlannedCluster

LARGE_MODEL_PARAMS = 1.0e9
LARGE_VOCAB = 131_072
MEDIUM_VOCAB = 32_768
SMALLEST_VOCAB = 512
EMBEDDING_SHARE_TIED = 0.2
"""Untied embeddings above this share of N are tied."""

VOCAB_RULE = (
    f"rule: {LARGE_VOCAB:,} entries from {LARGE_MODEL_PARAMS:.0e} non-embedding parameters on, {MEDIUM_VOCAB:,} below, "
    "and for tiny models the largest power of two whose embedding stays within a third of N"
)


def vocabulary_source(spec: BudgetSpec) -> str:
    """Who decided how many entries there are: the spec, the tokenizer that is known already, or the rule."""
    if spec.model.vocab_size is not None:
        return "spec: model.vocab_size"
    if spec.data.prepared is not None:
        return "measured: the tokenizer of data.prepared"
    return VOCAB_RULE if spec.data.tokenizer.trained is None else "spec: data.tokenizer.file"


def automatic_vocab(params_non_embedding: int, hidden: int) -> int:
    """Vocabulary of a model: large for large models, small enough that the embedding stays within a third of N."""
    if params_non_embedding >= LARGE_MODEL_PARAMS:
        return LARGE_VOCAB
    affordable = params_non_embedding // (2 * hidden)
    vocab = MEDIUM_VOCAB
    while vocab > affordable and vocab > SMALLEST_VOCAB:
        vocab //= 2
    return vocab


def automatic_tie(params_non_embedding: int, hidden: int, vocab: int) -> bool:
    """Whether two separate embeddings would exceed a fifth of N."""
    embeddings = 2 * vocab * hidden
    return embeddings > EMBEDDING_SHARE_TIED * (params_non_embedding + embeddings)


def padding_multiple(cluster: PlannedCluster, scale_up_ranks: int, tensor: int | None) -> int:
    """Multiple to which embedding rows are padded, so that every tensor-parallel rank holds as many.

    128 × TP on an accelerator (Megatron's rule: tiles of matrix units), 8 × TP on a CPU; where the spec leaves
    TP open, the largest power of two within the scale-up domain stands for it, so that N does not depend on the
    layout that is chosen later.
    """
    if cluster.shared_host:
        return 8 * (tensor or 1)
    largest = min(scale_up_ranks, cluster.count)
    return 128 * (tensor or 1 << (largest.bit_length() - 1))


def padded(vocab: int, multiple: int) -> int:
    """``vocab`` rounded up to a multiple."""
    return -(-vocab // multiple) * multiple
