"""Data mixes as documents: published ones of the catalog, and one that `sixnd fit --mix` found."""

from typing import Annotated, Literal

from pydantic import Field

from sixnd.specs.document import Document, Name

Kind = Literal[
    "web",
    "code",
    "papers",
    "multilingual",
    "books",
    "encyclopaedia",
    "mathematics",
    "questions",
    "dialogue",
    "law",
    "instructions",
    "reasoning",
    "synthetic",
    "other",
]
"""What a source of text is about; sources are matched to a published mix by it."""
OTHER = "other"
MIX_RULES = ("proportional", "temperature")
"""Ways to choose weights by unique tokens alone."""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Part = Annotated[float, Field(ge=0, le=1)]


class MixDomain(Document):
    """One corpus of a published mix."""

    name: str
    """As its source calls it."""
    kind: Kind
    """What its text is about."""
    weight: Positive
    """Share of training tokens as published; sums may be off by rounding."""
    unique_tokens: Positive | None = None
    """Tokens it holds, by the mix's own tokenizer."""
    unique_bytes: Positive | None = None
    """Size of its text, where no tokens are published."""
    epochs: Positive | None = None
    """Times it was read, as published."""


class Mix(Document):
    """A published data mix."""

    description: str
    """Whose it is, and how it came about."""
    stage: Literal["pretraining", "annealing"]
    """Of the training: all or most of it, or its last share."""
    tokens: Positive | None = None
    """Training tokens of that stage."""
    estimate: bool = False
    """Whether nobody who trained the model published it."""
    weakness: str
    """What a reader must know before relying on it."""
    source: str
    domains: Annotated[list[MixDomain], Field(min_length=1)]
    """Its corpora."""

    def weights(self) -> dict[str, float]:
        """Share of each kind of text; they sum to 1."""
        total, found = sum(domain.weight for domain in self.domains), dict[str, float]()
        for domain in self.domains:
            found[domain.kind] = found.get(domain.kind, 0.0) + domain.weight / total
        return found

    def domain_of(self, name: str, kind: str | None) -> str | None:
        """The kind that a source draws its weight from: its own (or its name where it has none), else `other`."""
        weights = self.weights()
        return next((each for each in (kind or name, OTHER) if each in weights), None)


class FittedDomain(Document):
    """One domain of the best mix by a fitted law."""

    name: str
    """As the runs call it: the name or the kind of a spec's source."""
    weight: Part
    """Share of training tokens."""
    low: Part
    """Low end of its 95 % interval."""
    high: Part
    """High end of its 95 % interval."""


class MixLaw(Document):
    """The best mix by a law fitted to small runs."""

    name: Name
    """What it is called in plans and reports."""
    domains: Annotated[list[FittedDomain], Field(min_length=2)]
    """Its weights."""
    source: str
    """Form of the law and the runs behind it."""

    def weights(self) -> dict[str, float]:
        """Share of each domain; they sum to 1."""
        return {domain.name: domain.weight for domain in self.domains}

    def domain_of(self, name: str, kind: str | None) -> str | None:
        """The domain that a source draws its weight from: the one of its name, else of its kind."""
        weights = self.weights()
        return next((each for each in (name, kind) if each in weights), None)
