"""What repeated tokens and excess parameters are worth (Muennighoff et al. 2023, eq. 5 to 7 and 16 to 20).

Each source decays by its own epochs, so a mix that reads one source over and over is not saved by the others.
"""

from dataclasses import dataclass

import numpy as np

from sixnd.planner.laws import Array, Numbers, Surface


def worth_of(seen: Numbers, unique: Numbers, repeated_tokens: Numbers) -> Numbers:
    """Unique tokens that ``seen`` ones of a source are worth: the first epoch in full, later ones less and less."""
    repeats = np.maximum(seen / unique - 1, 0)
    worth: Numbers = np.minimum(seen, unique) - unique * repeated_tokens * np.expm1(-repeats / repeated_tokens)
    return worth


@dataclass(frozen=True)
class Repetition:
    """The worth of tokens and parameters on limited sources."""

    shares: Array
    """Share of the training tokens that each source gives; they sum to 1."""
    unique: Array
    """Unique tokens of each source."""
    repeated_tokens: Numbers
    """R_D*."""
    excess_params: Numbers
    """R_N*."""
    surface: Surface
    """Tells how many parameters the unique tokens need."""

    def tokens(self, tokens: Numbers) -> Numbers:
        """Unique tokens that ``tokens`` read are worth: the first epoch in full, later ones less and less."""
        seen, unique, _ = self._seen(tokens)
        total: Numbers = np.asarray(worth_of(seen, unique, self.repeated_tokens)).sum(axis=0)[()]
        return total

    def log_tokens_slope(self, tokens: Numbers) -> Numbers:
        """Ln (d ln worth / d ln tokens): 0 in the first epoch, falling after it."""
        seen, _, repeats = self._seen(tokens)
        logs = np.log(seen / tokens) - repeats / self.repeated_tokens
        slope: Numbers = np.logaddexp.reduce(logs, axis=0) + np.log(tokens) - np.log(self.tokens(tokens))
        return slope

    def params(self, params: Numbers) -> Numbers:
        """Parameters that ``params`` are worth: those beyond what the unique tokens need count less and less."""
        needed = self.needed_params()
        beyond = np.maximum(params / needed - 1, 0)
        worth: Numbers = np.minimum(params, needed) - needed * self.excess_params * np.expm1(
            -beyond / self.excess_params
        )
        return worth

    def log_params_slope(self, params: Numbers) -> Numbers:
        """Ln (d ln worth / d ln params)."""
        beyond = np.maximum(params / self.needed_params() - 1, 0)
        slope: Numbers = np.log(params) - np.log(self.params(params)) - beyond / self.excess_params
        return slope

    def needed_params(self) -> Numbers:
        """U_N: the N for which the unique tokens are compute-optimal."""
        s = self.surface
        U = float(self.unique.sum())
        log_N = (np.log(s.alpha * s.A) - np.log(s.beta * s.B) + s.beta * np.log(U)) / s.alpha
        needed: Numbers = np.exp(log_N)
        return needed

    def epochs(self, tokens: float) -> Array:
        """Times that each source is read over."""
        return self.shares * tokens / self.unique

    def _seen(self, tokens: Numbers) -> tuple[Array, Array, Array]:
        """Tokens read of each source, unique ones, and repetitions: sources along the first axis."""
        shape = (-1, *(1,) * max(np.ndim(tokens), np.ndim(self.repeated_tokens)))
        seen, unique = self.shares.reshape(shape) * tokens, self.unique.reshape(shape)
        return seen, unique, np.maximum(seen / unique - 1, 0)
