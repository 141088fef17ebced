"""What follows from the numbers of a claim: four products of positive numbers, each solved for its one unknown.

compute = 6 · params · tokens; accelerator-hours = accelerators · time; money = accelerator-hours · price;
compute = MFU · peak · accelerator-hours. Where all of a product is known and it does not hold, the claim contradicts
itself.
"""

import math
from dataclasses import dataclass
from typing import Literal

Name = Literal["params", "tokens", "compute", "count", "time_s", "accelerator_hours", "money_usd", "price_usd", "mfu"]

CLAIMED = "claimed"
_ROUNDING = 1.06
"""Two numbers rounded to two digits may be off by a twentieth and more: further apart they disagree."""
CONVENTIONS = 1.3
"""What counting by 6ND or by every matrix product may differ by (Hoffmann et al. 2022, Table A4)."""


@dataclass(frozen=True)
class Known:
    """A number of the claim, and where it comes from."""

    value: float
    how: str
    """``claimed``, a formula, or an assumption in words."""


Values = dict[Name, Known]


@dataclass(frozen=True)
class Product:
    """One quantity of a claim as a product of others."""

    label: str
    formula: str
    result: Name
    parts: tuple[Name, ...]
    factor: float
    tolerance: float
    """Times by which both sides may be apart before they disagree."""

    def names(self) -> list[Name]:
        """All its quantities."""
        return [self.result, *self.parts]

    def implied(self, values: Values, wanted: Name) -> float:
        """``wanted`` from all the others."""
        product = self.factor * math.prod(values[name].value for name in self.parts if name != wanted)
        return product if wanted == self.result else values[self.result].value / product


@dataclass(frozen=True)
class Disagreement:
    """Numbers of a claim that do not go together."""

    sentence: str
    refutes: bool
    """Whether they cannot all be true; else something not said may explain it."""


def products(peak_flops: float | None) -> list[Product]:
    """The products that hold; the one with MFU only where an accelerator's peak, FLOP/s, is known."""
    found = [
        Product("compute", "6·N·D", "compute", ("params", "tokens"), 6.0, CONVENTIONS),
        Product(
            "accelerator-hours", "accelerators × time", "accelerator_hours", ("count", "time_s"), 1 / 3600, _ROUNDING
        ),
        Product("money", "accelerator-hours × price", "money_usd", ("accelerator_hours", "price_usd"), 1.0, _ROUNDING),
    ]
    if peak_flops is not None:
        parts: tuple[Name, ...] = ("mfu", "accelerator_hours")
        found.append(
            Product("compute", "MFU × peak × accelerator-hours", "compute", parts, 3600 * peak_flops, CONVENTIONS)
        )
    return found


def solve(values: Values, peak_flops: float | None) -> Values:
    """The values and all that follows from them; nothing claimed is replaced."""
    known, rules = dict(values), products(peak_flops)
    while True:
        found = _next(known, rules)
        if found is None:
            return known
        known |= found


def _next(known: Values, rules: list[Product]) -> Values | None:
    for rule in rules:
        unknown = [name for name in rule.names() if name not in known]
        if len(unknown) == 1:
            return {unknown[0]: _solved(rule, known, unknown[0])}
    return None


def _solved(rule: Product, known: Values, wanted: Name) -> Known:
    how = rule.formula if wanted == rule.result else f"from {rule.label} = {rule.formula}"
    return Known(rule.implied(known, wanted), how)


def disagreements(values: Values, peak_flops: float | None) -> list[Disagreement]:
    """Products that do not hold, in words."""
    found = []
    for rule in products(peak_flops):
        if any(name not in values for name in rule.names()):
            continue
        said, implied = values[rule.result].value, rule.implied(values, rule.result)
        apart = max(said / implied, implied / said)
        if apart > rule.tolerance:
            found.append(_disagreement(rule, values, said, implied))
    return found


def percent(share: float) -> str:
    """A share as a percentage of three digits: ``41.3 %``."""
    return f"{share * 100:.3g} %"


def _disagreement(rule: Product, values: Values, said: float, implied: float) -> Disagreement:
    if "mfu" in rule.parts:
        return _mfu_disagrees(values["mfu"].value, said / implied)
    numbers = f"{rule.label} says {said:.4g}, {rule.formula} says {implied:.4g}"
    return Disagreement(f"{numbers}: {max(said / implied, implied / said):.2f} times apart", refutes=True)


def _mfu_disagrees(claimed: float, times: float) -> Disagreement:
    """Hours may hold more than training (a lower MFU over all), not less."""
    numbers = f"the claimed MFU is {percent(claimed)}, the compute in these hours needs {percent(claimed * times)}"
    if times > 1:
        return Disagreement(numbers, refutes=True)
    return Disagreement(
        f"{numbers}: the hours may hold restarts and evaluations, or the MFU its best hours", refutes=False
    )
