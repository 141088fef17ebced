"""Claim: what somebody says of a training run, for `sixnd audit` to hold against arithmetic and what was published."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from sixnd.specs import catalog
from sixnd.specs.document import Document, Name
from sixnd.specs.errors import SixndError
from sixnd.specs.quantity import (
    AcceleratorCount,
    AcceleratorHours,
    Accelerators,
    AutoParams,
    Flops,
    Seconds,
    Tokens,
    Usd,
)


class IncompleteClaimError(SixndError):
    """A claim from which no compute follows; the message says what more is needed."""

    exit_code = 3


def _share(value: Any) -> Any:
    """`38 %` is 0.38."""
    if not isinstance(value, str):
        return value
    number, _, rest = value.partition("%")
    try:
        return float(number + rest.strip()) / (100 if "%" in value else 1)
    except ValueError:
        raise SixndError(f"'{value}' is not a share", "write it like '0.38' or '38 %'") from None


Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
ClaimedShare = Annotated[Positive, BeforeValidator(_share)]


def resolved_accelerator(name: str) -> str:
    """The catalog's name for an accelerator, which may be cut short where only one begins so (`a100-sxm`).

    Raises ``SixndError`` with the nearest name.
    """
    known = catalog.names("accelerators")
    begun = [each for each in known if each.startswith(name)]
    return begun[0] if name not in known and len(begun) == 1 else catalog.checked_name("accelerators", name)


class Claim(Document):
    """A training run in the numbers that are claimed of it; whatever is left out is solved for where it follows."""

    version: Literal["claim/1"]
    """Version of this document's format: `claim/1`."""
    name: Name = "claim"
    """What the claim is called in the report."""
    params: AutoParams = None
    """Parameters N, e.g. `7B`."""
    active_params: AutoParams = None
    """With a mixture of experts: parameters a token passes through; compute is counted by these."""
    tokens: Tokens | None = None
    """Training tokens D, e.g. `1T`."""
    compute: Flops | None = None
    """Training compute C, e.g. `3e21 FLOPs`."""
    accelerators: Accelerators | None = None
    """How many of which accelerator, e.g. `64 x a100-sxm`; a name may be cut short where only one begins so."""
    accelerator: str | None = None
    """Which accelerator, where it is not said how many."""
    time: Seconds | None = None
    """Wall-clock, e.g. `15 days`."""
    accelerator_hours: AcceleratorHours | None = None
    """Accelerator time, e.g. `40000 GPU-hours`."""
    money: Usd | None = None
    """What the accelerators cost, e.g. `250k USD`."""
    price: Usd | None = None
    """What one accelerator-hour costs, e.g. `1.5 USD`."""
    mfu: ClaimedShare | None = None
    """Model FLOPs utilisation against the dense BF16 peak, e.g. `0.38` or `38 %`."""
    loss: Positive | None = None
    """Loss at the end, nats a token."""

    @field_validator("accelerators")
    @classmethod
    def _known_accelerators(cls, value: AcceleratorCount | None) -> AcceleratorCount | None:
        return value if value is None else AcceleratorCount(value.count, resolved_accelerator(value.name))

    @field_validator("accelerator")
    @classmethod
    def _known_accelerator(cls, value: str | None) -> str | None:
        return value if value is None else resolved_accelerator(value)

    @model_validator(mode="after")
    def _one_accelerator(self) -> "Claim":
        if self.accelerators is not None and self.accelerator not in (None, self.accelerators.name):
            raise SixndError(
                f"accelerators ({self.accelerators}) and accelerator ({self.accelerator}) disagree", "keep one of them"
            )
        return self

    @model_validator(mode="after")
    def _active_within_total(self) -> "Claim":
        if self.active_params and self.params and self.active_params > self.params:
            raise SixndError(
                f"active_params ({self.active_params:.4g}) exceed params ({self.params:.4g}), of which they are part",
                "lower one or raise the other",
            )
        return self

    @property
    def accelerator_name(self) -> str | None:
        """The catalog's accelerator, if one is claimed."""
        return self.accelerator if self.accelerators is None else self.accelerators.name


def claim_of_run(name: str) -> Claim:
    """The published run of that name as a claim; raises ``SixndError`` with the nearest name."""
    run = catalog.published_run(name)
    counted = None if run.count is None or run.accelerator is None else AcceleratorCount(run.count, run.accelerator)
    hours = None if run.accelerator_hours is None else f"{run.accelerator_hours} accelerator-hours"
    return Claim.model_validate(
        {
            "version": "claim/1",
            "name": name,
            "params": run.params,
            "active_params": run.active_params,
            "tokens": run.tokens,
            "accelerators": counted,
            "accelerator": run.accelerator,
            "accelerator_hours": hours,
        }
    )
