"""Scaling laws as documents: one model a form. The planner computes with them, the catalog holds published ones."""

import math
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from sixnd.specs.document import Document, Name
from sixnd.specs.errors import SixndError

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Range = Annotated[list[Positive], Field(min_length=2, max_length=2)]
LAW_FILES = (".yaml", ".yml")
"""Endings of a spec's `law` that name a file instead of a catalog entry."""

FLATTEST = 1e-3
"""The least exponent of a draw: one at or below zero is no law, so such a draw is as flat as a law can be."""
LARGEST_LOG = math.log(1e60)
"""Draws of a law that its runs hardly tell may lie anywhere; beyond 1e60 parameters, or below 1e-60, all are alike."""
_LARGEST_UNIT_LOG = 100.0  # of the best N for 6 FLOPs: with an exponent of 4 its power is still a float
_LARGEST_DRAWN_LOG = 700.0  # of what a float still holds

_LARGEST_GAMMA = 100
_LARGEST_LOG_GAMMA = math.log(_LARGEST_GAMMA)
_WITH_GAMMA = 6  # constants of a draw
_LARGEST_VARIANCE = 4.0  # a constant that is known to a factor e² at best says nothing

Row = Annotated[list[Finite], Field(min_length=5, max_length=5)]
DrawRow = Annotated[list[Finite], Field(min_length=5, max_length=6)]


def _of_finite_constants(draw: list[float]) -> list[float]:
    if max(draw[:3]) > _LARGEST_DRAWN_LOG:
        what = f"ln A, ln B and ln E are at most {_LARGEST_DRAWN_LOG:g}: above that A, B or E is no number"
        raise SixndError(what, "fit the law anew")
    if len(draw) == _WITH_GAMMA and abs(draw[-1]) > _LARGEST_LOG_GAMMA:
        what = f"ln gamma is {draw[-1]:g}: no surface has a gamma below 1/{_LARGEST_GAMMA} or above {_LARGEST_GAMMA}"
        raise SixndError(what, "fit the law anew")
    return draw


def _of_one_length(draws: list[list[float]]) -> list[list[float]]:
    if len({len(draw) for draw in draws}) > 1:
        raise SixndError("some draws have five constants, others six", "fit the law anew")
    return draws


def _rising(fitted: list[float]) -> list[float]:
    low, high = fitted
    if low > high:
        raise SixndError(f"{low:g} is above {high:g}", "give the smallest and the largest of its runs")
    return fitted


def _can_be_drawn_from(rows: list[list[float]]) -> bool:
    n = range(len(rows))
    return all(0 <= rows[i][i] <= _LARGEST_VARIANCE for i in n) and all(
        math.isclose(rows[i][j], rows[j][i], rel_tol=1e-6) and rows[i][j] ** 2 <= rows[i][i] * rows[j][j] * (1 + 1e-6)
        for i in n
        for j in n
    )


FittedRange = Annotated[Range, AfterValidator(_rising)]
Draw = Annotated[DrawRow, AfterValidator(_of_finite_constants)]
Exponent = Annotated[float, Field(gt=0, le=4, allow_inf_nan=False)]
"""Of N or D in a loss surface: published ones lie between 0.05 and 0.6, and a surface that falls faster is none."""


def check_optimum(A: float, B: float, alpha: float, beta: float) -> None:
    """Hoffmann et al. 2022, eq. 4: N* = G·(C/6)^a; raises ``SixndError`` where G is no number of parameters."""
    log_g = math.log(alpha * A / (beta * B)) / (alpha + beta)
    if abs(log_g) > _LARGEST_UNIT_LOG:
        what = (
            f"by these constants the best model for 6 FLOPs has e^{log_g:.0f} parameters, and none has so many or few"
        )
        raise SixndError(what, "fit the law anew")


class LawEntry(Document):
    """What every law says of itself."""

    description: str
    """The law in one line."""
    counts: str
    """How N, D and C were counted."""
    weakness: str
    """What a reader must know before relying on it."""
    source: str
    """Paper and equation."""
    fitted_params: FittedRange | None = None
    """Smallest and largest N of the runs behind it; none where the source does not say."""
    fitted_tokens: FittedRange | None = None
    """Smallest and largest D of the runs behind it."""
    fitted_compute: FittedRange | None = None
    """Smallest and largest C of the runs behind it, FLOPs."""


class SurfaceLaw(LawEntry):
    """Loss surface L(N, D) = E + (A/N^alpha + B/D^beta)^gamma in nats a token.

    With gamma = 1 it is that of Hoffmann et al. 2022, eq. 2; with any gamma that of Busbridge et al. 2025
    (arXiv:2502.08606).
    """

    form: Literal["chinchilla"]
    """The loss surface of Hoffmann et al."""
    E: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """Irreducible loss."""
    A: Positive
    """Coefficient of the loss that parameters remove."""
    B: Positive
    """Coefficient of the loss that tokens remove."""
    alpha: Exponent
    """Exponent of N."""
    beta: Exponent
    """Exponent of D."""
    gamma: Exponent = 1.0
    """Exponent of the sum of both terms: how fast the frontier falls beside how steeply loss rises away from it."""
    rounded: bool = False
    """Whether the exponents were published with two digits only: too few to allocate by."""
    log_covariance: Annotated[list[Row], Field(min_length=5, max_length=5)] | None = None
    """Covariance of (ln A, ln B, ln E, alpha, beta). A law without covariance and draws gives no interval."""
    draws: Annotated[list[Draw], Field(min_length=100), AfterValidator(_of_one_length)] | None = None
    """Draws of (ln A, ln B, ln E, alpha, beta), and ln gamma where it was fitted, around the law; they stand for the
    covariance where they are given."""
    residual_sd: Positive | None = None
    """Standard deviation of log loss around the fit."""
    missed_per_decade: Positive | None = None
    """Standard deviation of log loss that the law's form missed a decade beyond its runs, when the smaller of them
    had to predict the larger; beside its draws and residuals. None where they missed nothing more, or where it was not
    tried."""
    covariance_source: str | None = None
    """Where the covariance comes from."""

    @model_validator(mode="after")
    def _has_an_optimum(self) -> Self:
        check_optimum(self.A, self.B, self.alpha, self.beta)
        return self

    @model_validator(mode="after")
    def _has_a_covariance(self) -> Self:
        if self.log_covariance is None or self.draws is not None:
            return self
        if not (self.E > 0 and _can_be_drawn_from(self.log_covariance)):
            raise SixndError(
                "log_covariance is no covariance of (ln A, ln B, ln E, alpha, beta)",
                f"make it symmetric, with variances from 0 to {_LARGEST_VARIANCE:g} and correlations within 1, and E "
                "above 0",
            )
        return self

    @property
    def gives_intervals(self) -> bool:
        """Whether it says how sure it is."""
        return self.log_covariance is not None or self.draws is not None


class RepetitionLaw(LawEntry):
    """A loss surface in which repeated tokens and excess parameters count less (Muennighoff et al. 2023, eq. 16)."""

    form: Literal["data-constrained"]
    E: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """Irreducible loss."""
    A: Positive
    """Coefficient of the loss that parameters remove."""
    B: Positive
    """Coefficient of the loss that tokens remove."""
    alpha: Exponent
    """Exponent of N."""
    beta: Exponent
    """Exponent of D."""
    repeated_tokens: Positive
    """R_D*: repetitions after which more of the same data is worth nearly nothing."""
    excess_params: Positive
    """R_N*: the same for parameters beyond what the unique data needs."""
    repeated_tokens_interval: Range
    """95 % interval of R_D*."""
    excess_params_interval: Range
    """95 % interval of R_N*."""

    @model_validator(mode="after")
    def _has_an_optimum(self) -> Self:
        check_optimum(self.A, self.B, self.alpha, self.beta)
        return self


class KaplanSurfaceLaw(LawEntry):
    """L(N, D) = [(N_c/N)^(alpha_N/alpha_D) + D_c/D]^alpha_D (Kaplan et al. 2020, eq. 1.5)."""

    form: Literal["kaplan-surface"]
    N_c: Positive
    """Scale of N, without embeddings."""
    D_c: Positive
    """Scale of D."""
    alpha_N: Positive
    """Exponent of N."""
    alpha_D: Positive
    """Exponent of D."""


class PowerLossLaw(LawEntry):
    """Loss in one variable, the others not limiting: L(x) = offset + (scale / x)^exponent."""

    form: Literal["one-variable"]
    variable: Literal["params", "tokens", "compute"]
    """What x is."""
    scale: Positive
    """x at which the power is 1."""
    exponent: Positive
    """Exponent of scale / x."""
    offset: Annotated[float, Field(ge=0)] = 0.0
    """Irreducible loss; 0 where the law has none."""
    unit: Positive = 1.0
    """FLOPs in the unit of ``scale``, for compute: 8.64e19 for PF-days."""


class AllocationLaw(LawEntry):
    """Compute-optimal size as a power of compute: N* = coefficient · (C/unit)^exponent."""

    form: Literal["allocation"]
    coefficient: Positive
    """N* at C = unit."""
    exponent: Positive
    """Exponent of C."""
    exponent_interval: Range | None = None
    """Interval of the exponent as its source prints it: Hoffmann et al. give percentiles 10 and 90, Porian et al. 2.5
    and 97.5."""
    unit: Positive = 1.0
    """FLOPs in the unit of C: 8.64e19 for PF-days."""
    size: Literal["params", "flops-per-token"] = "params"
    """What the law gives: N with D = C/(6N), or training FLOPs a token M with D = C/M and N about M/6."""


class OverTrainingForm(LawEntry):
    """L(C, M) = E + (a·M^eta + b·M^-eta)·C^-eta with M = D/N: a form to fit, without constants of its own."""

    form: Literal["over-training"]


class RoutedMoeLaw(LawEntry):
    """log10 L = a·log10 N + b·log10 Ê + c·log10 N·log10 Ê + d (Clark et al. 2022, eq. 1 and 8), D fixed."""

    form: Literal["moe-routed"]
    a: float
    """Slope in log N."""
    b: float
    """Slope in the logarithm of the experts."""
    c: float
    """Their interaction."""
    d: float
    """Intercept."""
    experts_start: Positive
    """E_start of the saturation transform Ê."""
    experts_max: Positive
    """E_max of the saturation transform Ê."""
    tokens: Positive
    """D of every run behind it."""
    largest_experts: Positive
    """Most experts of the runs behind it."""


class GranularMoeLaw(LawEntry):
    """L = c + (g/G^gamma + a)/N^alpha + b/D^beta (Krajewski et al. 2024, eq. 9), expansion rate fixed."""

    form: Literal["moe-granular"]
    a: Positive
    """Coefficient of the loss that parameters remove."""
    alpha: Positive
    """Exponent of N."""
    b: Positive
    """Coefficient of the loss that tokens remove."""
    beta: Positive
    """Exponent of D."""
    c: Positive
    """Irreducible loss."""
    g: Positive
    """Coefficient of the loss that granularity removes."""
    gamma: Positive
    """Exponent of the granularity G."""
    expansion: Positive
    """Total over active feed-forward parameters."""
    largest_granularity: Positive
    """Finest experts of the runs behind it."""


class VocabularyLaw(LawEntry):
    """Compute-optimal vocabulary (Tao et al. 2024): three approaches."""

    form: Literal["vocabulary"]
    flops_intercept: float
    """Approach 1: ln of the coefficient of vocabulary parameters as a power of FLOPs."""
    flops_exponent: Positive
    """Approach 1: its exponent."""
    inner_intercept: float
    """Approach 1: the same for parameters outside the vocabulary."""
    inner_exponent: Positive
    """Approach 1: its exponent."""
    derivative_exponent: Positive
    """Approach 2: vocabulary parameters ∝ inner parameters^gamma."""
    derivative_inner_params: Positive
    """Approach 2: the point the power law passes through."""
    derivative_vocabulary_params: Positive
    """Approach 2: vocabulary parameters at that point."""
    E: float
    """Approach 3: irreducible loss."""
    A1: Positive
    """Approach 3: coefficient of parameters outside the vocabulary."""
    A2: Positive
    """Approach 3: coefficient of vocabulary parameters."""
    B: Positive
    """Approach 3: coefficient of training characters."""
    alpha1: Positive
    """Approach 3: exponent beside A1."""
    alpha2: Positive
    """Approach 3: exponent beside A2."""
    beta: Positive
    """Approach 3: exponent beside B."""


class CriticalBatchLaw(LawEntry):
    """Critical batch in tokens: coefficient / L^exponent (Kaplan et al. 2020, eq. 1.4)."""

    form: Literal["critical-batch"]
    coefficient: Positive
    """Batch in tokens at a loss of 1 nat."""
    exponent: Positive
    """Exponent of the loss."""


class ScheduleLaw(LawEntry):
    """A constant rate with a cooldown against a cosine of the same length."""

    form: Literal["schedule"]
    cooldown_fraction: Annotated[float, Field(gt=0, lt=1)]
    """Share of the steps over which the rate falls, with which the constant schedule matches cosine."""


Law = Annotated[
    SurfaceLaw
    | RepetitionLaw
    | KaplanSurfaceLaw
    | PowerLossLaw
    | AllocationLaw
    | OverTrainingForm
    | RoutedMoeLaw
    | GranularMoeLaw
    | VocabularyLaw
    | CriticalBatchLaw
    | ScheduleLaw,
    Field(discriminator="form"),
]


class RepetitionConstants(Document):
    """What repeated tokens and excess parameters are worth, fitted to one's own runs (Muennighoff et al. 2023)."""

    repeated_tokens: Positive
    """R_D*: repetitions after which more of the same data is worth nearly nothing."""
    excess_params: Positive
    """R_N*: the same for parameters beyond what the unique data needs."""
    repeated_tokens_interval: Range
    """95 % interval of R_D*."""
    excess_params_interval: Range
    """95 % interval of R_N*."""


class NamedLaw(Document):
    """A law that a run is planned by, and what it is called."""

    name: Name
    """Name of the law in plans and reports."""
    law: SurfaceLaw
    """Its constants and how sure they are."""
    repetition: RepetitionConstants | None = None
    """Worth of repeated data by the same runs; none takes the catalog's."""
