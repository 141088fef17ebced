"""Vocabulary size by the laws of Tao et al. 2024 (arXiv:2407.13623): larger models deserve larger vocabularies.

N_v = V·d counts one embedding matrix. The authors' data span N_nv of 33M to 1.13B and V of 4k to 96k.
"""

import math
from dataclasses import dataclass

_STEPS = 64
_MILLION, _PETA = 1e6, 1e15


@dataclass(frozen=True)
class VocabularyLaw:
    """The constants of the three approaches."""

    params_coefficient: float
    """Approach 1: N_nv = params_coefficient · F^params_exponent along compute-optimal training, F in FLOPs."""
    params_exponent: float
    vocabulary_coefficient: float
    """Approach 1: N_v = vocabulary_coefficient · F^vocabulary_exponent."""
    vocabulary_exponent: float
    reference_params: float
    """Approach 2: N_v = reference_vocabulary_params · (N_nv / reference_params)^gamma."""
    reference_vocabulary_params: float
    gamma: float
    A1: float
    """Approach 3: L = −E + A1/N_nv^alpha1 + A2/N_v^alpha2 + B/D^beta; N in millions, D in billions of tokens."""
    A2: float
    B: float
    E: float
    alpha1: float
    alpha2: float
    beta: float


@dataclass(frozen=True)
class VocabularySizes:
    """Entries by each approach; they need not be whole."""

    by_isoflops: float
    by_derivative: float
    by_loss: float

    @property
    def spread(self) -> float:
        """Largest over smallest."""
        sizes = (self.by_isoflops, self.by_derivative, self.by_loss)
        return max(sizes) / min(sizes)


def vocabulary_sizes(
    law: VocabularyLaw, params_non_vocabulary: float, hidden: int, compute: float | None = None
) -> VocabularySizes:
    """Best number of entries for N_nv parameters of width ``hidden``.

    Approaches 1 and 2 hold for compute-optimal training only; approach 3 takes any ``compute`` (FLOPs) and without
    one that of compute-optimal training.
    """
    optimal = optimal_compute(law, params_non_vocabulary)
    by_isoflops = law.vocabulary_coefficient * optimal**law.vocabulary_exponent
    growth = (params_non_vocabulary / law.reference_params) ** law.gamma
    return VocabularySizes(
        by_isoflops=by_isoflops / hidden,
        by_derivative=law.reference_vocabulary_params * growth / hidden,
        by_loss=_least_loss(law, params_non_vocabulary, optimal if compute is None else compute) / hidden,
    )


def optimal_compute(law: VocabularyLaw, params_non_vocabulary: float) -> float:
    """FLOPs of compute-optimal training by approach 1."""
    return float((params_non_vocabulary / law.params_coefficient) ** (1 / law.params_exponent))


def unigram_loss(law: VocabularyLaw, params_non_vocabulary: float, vocabulary_params: float, compute: float) -> float:
    """Unigram-normalised loss of approach 3, nats per token: comparable across vocabularies, usually negative."""
    data = compute / (6 * (params_non_vocabulary + vocabulary_params)) / (_PETA / _MILLION)
    return float(
        law.A1 / (params_non_vocabulary / _MILLION) ** law.alpha1
        + law.A2 / (vocabulary_params / _MILLION) ** law.alpha2
        + law.B / data**law.beta
        - law.E
    )


def _least_loss(law: VocabularyLaw, params: float, compute: float) -> float:
    """N_v of least loss at a compute: where one more row stops paying for the tokens it costs, by bisection.

    The condition α₂·A₂·N_v^−(α₂+1) = β·B·(6/F)^β·(N_nv + N_v)^(β−1) has one root: for β < 1 the logarithm of its
    left side less that of its right falls all along N_v.
    """
    n, f = params / _MILLION, compute / _PETA
    gain = math.log(law.alpha2 * law.A2)
    cost = math.log(law.beta * law.B) + law.beta * math.log(6 / f)
    low, high = math.log(n) - 40, math.log(n) + 40
    for _ in range(_STEPS):
        middle = (low + high) / 2
        v = math.exp(middle)
        if gain - (law.alpha2 + 1) * middle > cost + (law.beta - 1) * math.log(n + v):
            low = middle
        else:
            high = middle
    return float(math.exp((low + high) / 2) * _MILLION)
