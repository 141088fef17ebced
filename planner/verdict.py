"""Whether a claim can be true, in a word and in a sentence."""

from dataclasses import dataclass
from typing import Literal

from sixnd.planner.claim_solver import Disagreement, percent
from sixnd.planner.published import highest_low_precision, highest_mfu, typical_mfu
from sixnd.specs import catalog

VerdictKey = Literal["impossible", "contradictory", "implausible", "suspiciously low", "plausible", "not judged"]


@dataclass(frozen=True)
class Verdict:
    """Whether the claim can be true."""

    key: VerdictKey
    sentence: str
    source: str
    """What it is held against."""

    @property
    def can_be_true(self) -> bool:
        """False only where arithmetic forbids it."""
        return self.key not in ("impossible", "contradictory")


def judged(accelerator: str | None, needed: float | None, claimed: float | None, found: list[Disagreement]) -> Verdict:
    """The verdict on the MFU that a claim needs and on the one it claims, as shares of the dense peak."""
    refuting = [each.sentence for each in found if each.refutes]
    highest = max((value for value in (needed, claimed) if value is not None), default=None)
    if highest is not None and highest > 1:
        return _impossible(accelerator, highest)
    if refuting:
        return Verdict("contradictory", f"Its own numbers cannot all be true: {refuting[0]}.", "arithmetic")
    if highest is None:
        lacks = "accelerators of the catalog and their hours" if accelerator is None else "hours, time or money"
        return Verdict("not judged", f"No MFU follows: that needs {lacks}.", "")
    return _against_published(accelerator, highest)


def _impossible(accelerator: str | None, mfu: float) -> Verdict:
    sentence = f"It needs {percent(mfu)} MFU: nothing computes above its dense {_precision(accelerator)} peak."
    return Verdict("impossible", sentence + _in_fewer_bits(accelerator), "arithmetic")


def _against_published(accelerator: str | None, mfu: float) -> Verdict:
    record, runs = highest_mfu(accelerator), typical_mfu()
    if mfu > record.mfu:
        sentence = (
            f"It needs {percent(mfu)} MFU; the highest found published is {percent(record.mfu)} ({record.description})."
        )
        return Verdict("implausible", sentence + _in_fewer_bits(accelerator), record.source)
    low = catalog.published_run(runs.lowest_run)
    if mfu < runs.lowest:
        sentence = (
            f"It uses {percent(mfu)} MFU, less than any published run of the catalog ({runs.lowest_run}, "
            f"{percent(runs.lowest)}): too many accelerators or hours, or more was done with them than this training."
        )
        return Verdict("suspiciously low", sentence, low.source)
    sentence = (
        f"It needs {percent(mfu)} MFU; published runs reached {percent(runs.lowest)} ({runs.lowest_run}) to "
        f"{percent(runs.highest)} ({runs.highest_run}), {percent(runs.median)} in the median, and the best benchmark "
        f"{percent(record.mfu)}."
    )
    return Verdict("plausible", sentence, f"published runs of the catalog; {record.source}")


def _in_fewer_bits(accelerator: str | None) -> str:
    """Matrix products in 8 or 4 bits have a higher peak: the share of the BF16 peak may then be higher."""
    found = highest_low_precision(accelerator)
    if found is None:
        return ""
    return f" In {found.precision.upper()}, {percent(found.mfu)} of the BF16 peak has been published ({found.source})."


def _precision(accelerator: str | None) -> str:
    peaks = {"bf16": 0.0} if accelerator is None else catalog.accelerator(accelerator).peak_flops
    return "BF16" if "bf16" in peaks else "FP32"
