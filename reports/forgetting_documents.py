"""What a report knows of a run that started from a trained model: what it forgot, and what it learnt."""

from typing import Literal

from sixnd.reports.documents import Figure
from sixnd.specs.document import Document

Kind = Literal["general", "new"]
"""`general` text stands for what the base knows, `new` text is what is learnt."""


class HeldOutChange(Document):
    """The loss on one held-out text before the first step, on the way, and last."""

    name: str
    """Of the source, or `all general text` and `all new text` where there are several."""
    kind: Kind
    replayed: Figure
    """Share of the training tokens that are of it."""
    before: Figure
    """Nats per token of the base, before the first step; as `highest` and `after`."""
    highest: Figure
    """The most that was measured after the start."""
    highest_step: int
    after: Figure
    """At the last measurement."""
    change: Figure
    """After less before: above zero it is forgotten, or unlearnt."""
    bits_before: Figure
    """Bits per byte, which texts and tokenizers can be compared by."""
    bits_after: Figure
    bits_change: Figure
    held_out_tokens: Figure
    together: bool = False
    """Whether it is all text of its kind: tokens and bytes of all sources summed."""


class ForgettingFacts(Document):
    """What became of what the base knew."""

    base: str
    """Name and step of the base."""
    replay: Figure
    """Share of the training tokens from general sources."""
    steps: list[int]
    tokens: list[int]
    """Trained on when it was measured; 0 is the base itself."""
    curves: dict[str, list[float | None]]
    """Nats per token by source; none where not finite."""
    sources: list[HeldOutChange]
    """General text first; with several sources of a kind, a row of all of them behind."""

    def of(self, kind: Kind) -> HeldOutChange | None:
        """All text of a kind: the row of all its sources, or the only one; none where there is none."""
        rows = [row for row in self.sources if row.kind == kind]
        return next((row for row in rows if row.together), rows[0] if rows else None)


class ForgettingRun(Document):
    """One run among several that started from a base."""

    name: str
    """Of the run, with its fingerprint where several have the name."""
    base: str
    base_sha256: str
    replay: Figure
    learning_rate: Figure
    """At the peak."""
    tokens: Figure
    """Trained on at the last measurement."""
    finished: bool
    general: HeldOutChange | None
    new: HeldOutChange | None


class ForgettingComparison(Document):
    """Runs that started from a base, side by side."""

    version: Literal["forgetting-facts/1"] = "forgetting-facts/1"
    name: str
    verdict: str
    state: str
    runs: list[ForgettingRun]
    """By replayed share."""
    warnings: list[str]
    """What keeps them from being compared."""
