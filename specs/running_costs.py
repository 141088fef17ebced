"""What a catalog says of an accelerator's running cost: contracts, failures, power drawn, and the grid's CO2."""

from typing import Annotated, Literal

from pydantic import Field

from sixnd.specs.document import Document

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Range = Annotated[list[float], Field(min_length=2, max_length=2)]
Pricing = Literal["on-demand", "reserved", "spot"]


class Offer(Document):
    """What an accelerator-hour costs under one kind of contract, and when and where that was read."""

    usd_per_hour: NonNegative
    """Of one accelerator."""
    low: NonNegative
    """Cheapest offer found."""
    high: NonNegative
    """Dearest offer found."""
    date: str
    """When it was read, by year and month or quarter."""
    source: str


class Price(Offer):
    """On demand; and under the other contracts, where an offer was found."""

    reserved: Offer | None = None
    """Committed for about a year."""
    spot: Offer | None = None
    """Spare capacity that the seller may take back at any time."""

    def offer(self, pricing: Pricing) -> Offer | None:
        """The offer under that contract; none where the catalog has none."""
        return {"on-demand": self, "reserved": self.reserved, "spot": self.spot}[pricing]


class Reliability(Document):
    """How often a run stops unplanned, what a stop costs, and how fast checkpoints are written, by published runs."""

    hours_between_failures: Positive
    """Accelerator-hours between two unplanned stops."""
    hours_between_failures_range: Range
    """The span of published clusters, taken as the 80 % interval."""
    hardware_share: Annotated[float, Field(ge=0, le=1)]
    """Share of unplanned stops that take a machine out of the cluster."""
    restart_s: Positive
    """From a stop until the state is loaded: detection, diagnosis, scheduling, initialisation; not the loading."""
    restart_range_s: Range
    """Taken as the 80 % interval."""
    checkpoint_bytes_per_s: Positive
    """One accelerator's share of the rate at which checkpoints are written, and taken to be read."""
    storage_bytes_per_s: Positive
    """What the largest published storage sustains, however many accelerators write."""
    spot_hours_between_interruptions: Positive | None = None
    """Accelerator-hours between two reclaims of spot capacity; none where nothing is published."""
    spot_hours_between_interruptions_range: Range | None = None
    """Taken as the 80 % interval."""
    source: str


class DrawnPower(Document):
    """What a machine in training draws, over its accelerators: host, fans and network adapters included."""

    watts: Positive
    """Of one accelerator with its share of the machine."""
    low: Positive
    """Low end of the 80 % interval."""
    high: Positive
    """High end of the 80 % interval."""
    source: str


class Grid(Document):
    """How much CO2 a grid emits for a kilowatt-hour."""

    kg_co2_per_kwh: Positive
    """CO2-equivalents of a kilowatt-hour, kg."""
    low: NonNegative
    """Least that it may be."""
    high: Positive
    """Most that it may be."""
    year: int
    """Year of these figures."""
    source: str
