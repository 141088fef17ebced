"""The machines as the cost functions see them."""

from dataclasses import dataclass

from pydantic import ValidationError

from sixnd.specs import catalog
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.calibration import Calibration
from sixnd.specs.catalog import Accelerator
from sixnd.specs.checks import offer, price_usd_per_hour
from sixnd.specs.errors import ContradictionError, Problem
from sixnd.specs.plan import PlannedCluster, Precision
from sixnd.specs.step_family import StepFamily


@dataclass(frozen=True)
class Machine:
    """Accelerators in a precision: what the plan says of them, and their catalog entry."""

    accelerator: Accelerator
    planned: PlannedCluster
    precision: Precision
    calibration: Calibration | None = None
    """Constants of the step-time model as they were measured; none takes the catalog's."""

    @property
    def element_bytes(self) -> int:
        """Bytes of one activation or weight; products below BF16 quantise them on the way in."""
        return 4 if self.precision == "fp32" else 2

    @property
    def sharers(self) -> int:
        """Ranks that share one device: all of them on a shared host, else one."""
        return self.planned.count if self.planned.shared_host else 1


def allowed_precisions(spec: BudgetSpec) -> tuple[Precision, ...]:
    """What the spec leaves to choose from; ``auto`` takes BF16 where the catalog gives it a peak, else FP32."""
    accelerator, asked = catalog.accelerator(spec.accelerators.name), spec.training.precision
    peaks = accelerator.peak_flops
    automatic: Precision = "bf16" if "bf16" in peaks else "fp32"
    if asked == "auto":
        return (automatic,)
    if asked == "fastest":
        fitted = catalog.step_family(accelerator.step_family).matmul
        return tuple(p for p in peaks if p in fitted and (p != "fp32" or automatic == "fp32"))
    if asked not in peaks:
        message = f"training.precision is {asked}, for which {spec.accelerators.name} has no peak"
        also = (("cluster", "accelerators"),)
        raise ContradictionError(Problem(("training", "precision"), message, f"it has {', '.join(peaks)}", also=also))
    return (asked,)


def machine_of(spec: BudgetSpec, precision: Precision | None = None) -> Machine:
    """The spec's cluster, resolved by the catalog; in the first precision that it allows unless one is given."""
    name, count = spec.accelerators.name, spec.accelerators.count
    accelerator, precision = catalog.accelerator(name), precision or allowed_precisions(spec)[0]
    sharers = count if accelerator.shared_host else 1
    pinned_price = spec.cluster.price_usd_per_accelerator_hour is not None
    price, contract = offer(spec), spec.cluster.pricing
    planned = PlannedCluster(
        accelerator=name,
        count=count,
        shared_host=accelerator.shared_host,
        peak_flops=accelerator.peak_flops[precision] / sharers,
        memory_bytes=spec.cluster.memory_per_accelerator or accelerator.memory_bytes / sharers,
        price_usd_per_accelerator_hour=price_usd_per_hour(spec),
        price_source="spec: cluster.price_usd_per_accelerator_hour"
        if pinned_price
        else ("" if contract == "on-demand" else f"{contract}: ") + f"{price.source} ({price.date})",
    )
    return Machine(accelerator, planned, precision, _calibration(spec, precision))


def _calibration(spec: BudgetSpec, precision: Precision) -> Calibration | None:
    """The spec's calibration; raises ``ContradictionError`` where it is another accelerator's or precision's."""
    found, name = spec.cluster.calibration, spec.accelerators.name
    if found is None:
        return None
    wrong = do = ""
    if (found.accelerator, found.precision) != (name, precision):
        wrong = f"was measured on {found.accelerator} in {found.precision}, and this run is on {name} in {precision}"
        do = "calibrate there, or leave it out"
    elif not _fits(found, catalog.step_family(catalog.accelerator(name).step_family)):
        wrong = (
            f"by sixnd {found.sixnd_version} holds constants that this step-time model does not have, or values they "
            "cannot take"
        )
        do = "calibrate anew"
    if wrong:
        message, also = f"cluster.calibration {wrong}", (("cluster", "accelerators"),)
        raise ContradictionError(Problem(("cluster", "calibration"), message, do, also=also))
    return found


def _fits(found: Calibration, family: StepFamily) -> bool:
    """Whether the family has the calibration's constants and can take their values."""
    plain = family.plain()
    for one in found.constants:
        field, _, key = one.name.partition(".")
        place, last = (plain.get(field), key) if key else (plain, field)
        if not isinstance(place, dict) or not isinstance(place.get(last), float | int):
            return False
        place[last] = one.value
    try:
        StepFamily.model_validate(plain)
    except ValidationError:
        return False
    return True
