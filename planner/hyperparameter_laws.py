"""What each published law of learning rate and batch would choose, and where it has nothing to say."""

import math
from dataclasses import dataclass

from sixnd.planner.flops import flops_6nd
from sixnd.specs import catalog
from sixnd.specs.catalog import HyperparameterForm, HyperparameterLaw, LawInput, LogLinearForm, Span


@dataclass(frozen=True)
class Point:
    """What the laws are functions of."""

    params: float
    """N without embeddings."""
    tokens: float
    """D."""
    loss: float
    """L in nats per token, as the scaling law predicts it."""

    def inputs(self) -> dict[LawInput, float]:
        """The inputs by the names the catalog uses; C = 6ND, as the laws count it without embeddings."""
        compute = flops_6nd(self.params, self.tokens)
        return {"params": self.params, "tokens": self.tokens, "compute": compute, "loss": self.loss}


@dataclass(frozen=True)
class Choice:
    """What one law would choose."""

    law: str
    learning_rate: float | None
    """Peak; none where the law gives none, or none that can be used."""
    batch_tokens: float | None
    decades_outside: float
    """How far the point lies outside what the law was checked on, in the input where it is farthest; 0 inside."""
    why_not: str
    """Why a learning rate or batch is missing; empty where nothing is."""


def choices(params_non_embedding: float, tokens: float, loss: float) -> list[Choice]:
    """What every law of the catalog would choose for N, D and the loss they lead to (nats per token)."""
    point = Point(params_non_embedding, tokens, loss)
    return [choice(name, point) for name in catalog.names("hyperparameter-laws")]


def choice(name: str, point: Point) -> Choice:
    """What one law would choose."""
    law, inputs = catalog.hyperparameter_law(name), point.inputs()
    rate, no_rate = _value(law.learning_rate, inputs, "learning rate")
    batch, no_batch = _value(law.batch_tokens, inputs, "batch")
    why_not = "; ".join(reason for reason in (no_rate, no_batch) if reason)
    return Choice(name, rate, batch, decades_outside(law, point), why_not)


def decades_outside(law: HyperparameterLaw, point: Point) -> float:
    """Orders of magnitude by which the point leaves the law's range, in the input where it is farthest; 0 inside."""
    inputs = point.inputs()
    return max(_outside(span, inputs[name]) for name, span in law.checked.items())


def range_broken(law: HyperparameterLaw, point: Point) -> list[str]:
    """Each input that lies outside what the law was checked on, in words."""
    inputs = point.inputs()
    return [
        f"{inputs[name]:.3g} {_UNITS[name]} (checked {_span(span)})"
        for name, span in law.checked.items()
        if _outside(span, inputs[name])
    ]


_UNITS: dict[LawInput, str] = {
    "params": "parameters",
    "tokens": "tokens",
    "compute": "FLOPs",
    "loss": "nats per token",
}


def _span(span: Span) -> str:
    parts = [f"from {span.low:.3g}"] if span.low is not None else []
    return " ".join(parts + ([f"up to {span.high:.3g}"] if span.high is not None else []))


def _outside(span: Span, value: float) -> float:
    below = math.log10(span.low / value) if span.low is not None else 0.0
    above = math.log10(value / span.high) if span.high is not None else 0.0
    return max(below, above, 0.0)


def _value(form: HyperparameterForm | None, inputs: dict[LawInput, float], what: str) -> tuple[float | None, str]:
    """The form's value, or none and why."""
    if form is None:
        return None, f"it gives no {what}"
    if not isinstance(form, LogLinearForm):
        return form.coefficient * math.prod(inputs[name] ** power for name, power in form.exponents.items()), ""
    value = form.intercept + form.slope * math.log(inputs[form.input])
    if inputs[form.input] <= form.breaks_down_above:
        return value, ""
    unit = _UNITS[form.input]
    return None, (
        f"its form breaks down above {form.breaks_down_above:.3g} {unit} and says {value:.3g} for the {what} at "
        f"{inputs[form.input]:.3g}"
    )
