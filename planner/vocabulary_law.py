"""Vocabulary size by the laws of Tao et al. 2024 (arXiv:2407.13623): larger models deserve larger vocabularies.

N_v = V·d counts one embedding matrix, N_nv all other parameters.
"""

import math
from dataclasses import dataclass

from sixnd.specs.laws import VocabularyLaw

_STEPS = 64
_MILLION, _PETA = 1e6, 1e15


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
    law: VocabularyLaw, inner_params: float, hidden: int, compute: float | None = None
) -> VocabularySizes:
    """Best number of entries for N_nv inner parameters of width ``hidden``.

    Approaches 1 and 2 hold for compute-optimal training only; approach 3 takes any ``compute`` (FLOPs) and without
    one that of compute-optimal training.
    """
    optimal = optimal_compute(law, inner_params)
    by_isoflops = math.exp(law.flops_intercept) * optimal**law.flops_exponent
    growth = (inner_params / law.derivative_inner_params) ** law.derivative_exponent
    return VocabularySizes(
        by_isoflops=by_isoflops / hidden,
        by_derivative=law.derivative_vocabulary_params * growth / hidden,
        by_loss=_least_loss(law, inner_params, optimal if compute is None else compute) / hidden,
    )


def optimal_compute(law: VocabularyLaw, inner_params: float) -> float:
    """FLOPs of compute-optimal training by approach 1."""
    return float((inner_params / math.exp(law.inner_intercept)) ** (1 / law.inner_exponent))


def unigram_loss(law: VocabularyLaw, inner_params: float, vocabulary_params: float, compute: float) -> float:
    """Unigram-normalised loss of approach 3, nats per token: comparable across vocabularies, usually negative."""
    data = compute / (6 * (inner_params + vocabulary_params)) / (_PETA / _MILLION)
    return float(
        law.A1 / (inner_params / _MILLION) ** law.alpha1
        + law.A2 / (vocabulary_params / _MILLION) ** law.alpha2
        + law.B / data**law.beta
        - law.E
    )


def _least_loss(law: VocabularyLaw, inner_params: float, compute: float) -> float:
    """N_v of least loss at a compute: where one more row stops paying for the tokens it costs, by bisection.

    The condition α₂·A₂·N_v^−(α₂+1) = β·B·(6/F)^β·(N_nv + N_v)^(β−1) has one root: for β < 1 the logarithm of its
    left side less that of its right falls all along N_v.
    """
    n, f = inner_params / _MILLION, compute / _PETA
    gain = math.log(law.alpha2 * law.A2)
    cost = math.log(law.beta * law.B) + law.beta * math.log(6 / f)
    low, high = math.log(n) - 40, math.log(n) + 40
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if gain - (law.alpha2 + 1) * middle > cost + (law.beta - 1) * math.log(n + math.exp(middle)):
            low = middle
        else:
            high = middle
    return math.exp((low + high) / 2) * _MILLION
