"""The catalogs: accelerators, laws and text recipes as YAML, each entry with its citation.

A new accelerator, law or recipe is one entry in a YAML file; no code changes. Files of one's own are named by an
environment variable (``OWN``, read by ``own_catalogs``).
"""

import difflib
import os
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import Field, TypeAdapter, model_validator

from sixnd.specs.document import Document, sha256_of
from sixnd.specs.errors import SixndError
from sixnd.specs.families import ModelFamily
from sixnd.specs.laws import Law, LawEntry, NamedLaw, SurfaceLaw
from sixnd.specs.mixes import MIX_RULES, Mix
from sixnd.specs.published_runs import PublishedMfu, PublishedRun
from sixnd.specs.running_costs import DrawnPower, Grid, Price, Reliability
from sixnd.specs.step_family import Device, StepFamily
from sixnd.specs.text_filters import TextFilter, TextProfile
from sixnd.specs.yaml_reader import read_yaml

D = TypeVar("D", bound=Document)

OWN = "SIXND_CATALOGS"
"""Environment variable that names files of further entries, separated as on PATH (by `:`)."""

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(gt=0, le=1)]
Range = Annotated[list[float], Field(min_length=2, max_length=2)]


class Accelerator(Device):
    """One kind of accelerator."""

    kind: Literal["gpu", "cpu"]
    """A GPU is one rank's own; a CPU is shared by ranks that are processes."""
    description: str
    """Product, memory, how many to a machine, network."""
    step_family: str
    """Entry of ``step-families.yaml`` whose constants turn work into seconds."""
    memory_bytes: Positive
    """Memory of one accelerator; of a CPU's machine, which its ranks share."""
    power_w: Positive
    """Maximum of the accelerator alone."""
    drawn_power: DrawnPower | None = None
    """What was measured in training; where nothing was, the maximum stands for it."""
    pue: Annotated[float, Field(ge=1)]
    """Power usage effectiveness: facility power over accelerator power."""
    goodput: Share | None = None
    """Share of wall-clock that trains, where nothing is known of failures; else it is computed."""
    process_bytes: Annotated[float, Field(ge=0)]
    """Memory of one rank that no tensor explains: device context, libraries, communication buffers."""
    allocator_slack: Annotated[float, Field(ge=0)]
    """Memory the allocator reserves beyond what tensors hold, as a share of it."""
    memory_relative_error: Positive
    """Half-width of the 80 % interval of peak memory, as a share of it."""
    reliability: Reliability | None = None
    """None where nothing is published: then `goodput` stands for it."""
    price: Price
    """What an hour of one costs."""

    @model_validator(mode="after")
    def _goodput_is_known(self) -> "Accelerator":
        if (self.goodput is None) == (self.reliability is None):
            raise SixndError("an accelerator has either a reliability or a share of goodput", "give one of the two")
        return self

    @property
    def shared_host(self) -> bool:
        """Whether ranks share one machine's peak and memory (a CPU) instead of owning a device each."""
        return self.kind == "cpu"


LawInput = Literal["params", "tokens", "compute", "loss"]
"""What a law of learning rate or batch may depend on: non-embedding N, D, C in FLOPs, L in nats per token."""


class PowerForm(Document):
    """coefficient · N^a · D^b · C^c · L^d, with an exponent for each input that the law knows."""

    form: Literal["power"]
    coefficient: Positive
    """Factor before the powers."""
    exponents: dict[LawInput, float]
    """Exponent of each input that counts."""


class LogLinearForm(Document):
    """intercept + slope · ln(input). With a negative slope it falls below zero, where it says nothing."""

    form: Literal["log-linear"]
    intercept: float
    """Value where the input is 1."""
    slope: float
    """Change for each factor e of the input."""
    input: LawInput
    """What it depends on."""
    breaks_down_above: Positive
    """The input beyond which its authors say that the form no longer holds."""


HyperparameterForm = Annotated[PowerForm | LogLinearForm, Field(discriminator="form")]


class Span(Document):
    """The part of an input's axis on which a law was checked against runs; an end that is not published is open."""

    low: Positive | None = None
    """Smallest input of the runs."""
    high: Positive | None = None
    """Largest input of the runs."""


class HyperparameterLaw(Document):
    """Peak learning rate and batch as functions of N, D, C or L; a law may give only one of the two."""

    learning_rate: HyperparameterForm | None = None
    """Peak learning rate of Adam."""
    batch_tokens: HyperparameterForm | None = None
    """Batch in tokens."""
    checked: dict[LawInput, Span]
    """Where the law was held against runs."""
    counts: str
    """What N, D, C and L mean in the law."""
    weakness: str
    """What a reader must know before relying on it."""
    source: str


class SourceRecipe(Document):
    """Where text can be gathered on a machine without a download of a corpus."""

    kind: Literal["stdlib-code", "installed-docs", "pip-archive", "npm-archive", "debian-package"]
    """What gathers it: files of this machine, or an archive that a registry's own client fetches."""
    description: str
    """What the text is."""
    licence: str
    """SPDX expression, where there is one."""
    requirement: str | None = None
    """Of an archive: the pinned release as its client takes it, e.g. `name==1.2`, `name@1.2` or `name=1.2-3`."""
    sha256: str | None = None
    """Of an archive: its digest, checked before a byte is read."""
    members: str | None = None
    """Of an archive: glob of the text files inside it, whose `*` also matches slashes."""
    form: Literal["text", "gutenberg", "html", "dictionary", "mail", "metamath"] = "text"
    """Of an archive: what its files hold."""

    @model_validator(mode="after")
    def _archive_is_pinned(self) -> Self:
        archive = self.kind not in ("stdlib-code", "installed-docs")
        if archive and not (self.requirement and self.sha256):
            raise SixndError("an archive needs `requirement` and `sha256`", "give both")
        return self


_MODELS: dict[str, Any] = {
    "accelerators": Accelerator,
    "laws": Law,
    "hyperparameter-laws": HyperparameterLaw,
    "sources": SourceRecipe,
    "mixes": Mix,
    "grids": Grid,
    "published-runs": PublishedRun,
    "published-mfu": PublishedMfu,
    "model-families": ModelFamily,
    "step-families": StepFamily,
    "text-filters": TextFilter,
    "text-profiles": TextProfile,
}
_NOT_PLANNED_BY = ("published-runs", "published-mfu", "model-families", "text-filters", "text-profiles")
"""Catalogs that no plan depends on: the audit's, the published models, and filters, whose settings a plan holds."""


def _raw(kind: str) -> dict[str, Any]:
    """Entries of one catalog as plain data, shipped ones first."""
    own = os.environ.get(OWN)
    return _with_own(kind, own) if own else _shipped(kind)


@cache
def _with_own(kind: str, files: str) -> dict[str, Any]:
    return _shipped(kind) | _own(files)[kind]


@cache
def _own(files: str) -> dict[str, dict[str, Any]]:
    from sixnd.specs.own_catalogs import read  # it reads documents of this module's models

    return read(files, {kind: _shipped(kind) for kind in _MODELS})


@cache
def _shipped(kind: str) -> dict[str, Any]:
    resource = files("sixnd.specs").joinpath(f"catalogs/{kind}.yaml")
    marked = read_yaml(resource.read_text("utf-8"), str(resource))
    assert not marked.problems, marked.problems
    return dict(marked.data)


def names(kind: str) -> list[str]:
    """Names of the catalog's entries, in its order."""
    return list(_raw(kind))


def kinds() -> list[str]:
    """Names of the catalogs."""
    return list(_MODELS)


def model_of(kind: str) -> Any:
    """The document, or union of documents, that each entry of a catalog is."""
    return _MODELS[kind]


def checked_name(kind: str, name: str) -> str:
    """Return ``name`` if the catalog has it; else raise ``ValueError`` with the nearest one."""
    return _checked(kind, name, names(kind))


def checked_mix(name: str) -> str:
    """The same for a mix, which may be chosen by a rule as well."""
    return _checked("mixes", name, [*MIX_RULES, *names("mixes")])


def _checked(kind: str, name: str, known: list[str]) -> str:
    if name in known:
        return name
    near = [one for one in known if one.startswith(name.lower())] if name else []  # `a100` is no misspelt `h100-sxm`
    near = near or difflib.get_close_matches(name, known, 1, 0.4)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"known: {', '.join(known)}"
    raise SixndError(f"'{name}' is not in the catalog of {kind}", hint)


def _entry(kind: str, name: str) -> Document:
    return _read(kind, name, os.environ.get(OWN))


@cache
def _read(kind: str, name: str, own: str | None) -> Document:  # noqa: ARG001, with other files there are other entries
    checked_name(kind, name)
    found: Document = TypeAdapter(_MODELS[kind]).validate_python(_raw(kind)[name])
    return found


def _of_kind(kind: str, name: str, model: type[D]) -> D:
    found = _entry(kind, name)
    assert isinstance(found, model)
    return found


def entry(kind: str, name: str) -> Document:
    """One entry of a catalog as its document."""
    return _entry(kind, name)


def accelerator(name: str) -> Accelerator:
    """The accelerator of that name."""
    return _of_kind("accelerators", name, Accelerator)


def law(name: str) -> LawEntry:
    """The scaling law of that name, of whatever form."""
    return _of_kind("laws", name, LawEntry)


def planning_laws() -> list[str]:
    """Names of the laws that a run can be planned by: loss surfaces that give an interval."""
    return [name for name in names("laws") if _plans(law(name))]


def _plans(entry: LawEntry) -> bool:
    return isinstance(entry, SurfaceLaw) and entry.gives_intervals


def planning_law(name: str) -> NamedLaw:
    """The law of that name to plan by; raises ``SixndError`` where it gives no loss of N and D, or no interval."""
    found = law(checked_name("laws", name))
    if not isinstance(found, SurfaceLaw) or not found.gives_intervals:
        lacks = "an interval" if isinstance(found, SurfaceLaw) else "the loss of any N and D with an interval"
        raise SixndError(
            f"'{name}' does not give {lacks}, which a plan needs; it is compared in the plan's table of laws",
            f"plan by one of {', '.join(planning_laws())}, or by a law of your own (`sixnd fit`)",
        )
    return NamedLaw(name=name, law=found)


def hyperparameter_law(name: str) -> HyperparameterLaw:
    """The hyper-parameter law of that name."""
    return _of_kind("hyperparameter-laws", name, HyperparameterLaw)


def source(name: str) -> SourceRecipe:
    """The text recipe of that name."""
    return _of_kind("sources", name, SourceRecipe)


def mix(name: str) -> Mix:
    """The published data mix of that name."""
    return _of_kind("mixes", name, Mix)


def grid(name: str) -> Grid:
    """The electricity grid of that name."""
    return _of_kind("grids", name, Grid)


def published_run(name: str) -> PublishedRun:
    """The published run of that name."""
    return _of_kind("published-runs", name, PublishedRun)


def published_mfu(name: str) -> PublishedMfu:
    """The published training speed of that name."""
    return _of_kind("published-mfu", name, PublishedMfu)


def model_family(name: str) -> ModelFamily:
    """The published model of that name."""
    return _of_kind("model-families", name, ModelFamily)


def step_family(name: str) -> StepFamily:
    """The family of chips of that name, as the general step-time model sees it."""
    return _of_kind("step-families", name, StepFamily)


def text_filter(name: str) -> TextFilter:
    """The filter of text of that name."""
    return _of_kind("text-filters", name, TextFilter)


def text_profile(name: str) -> TextProfile:
    """The profile of stages of that name."""
    return _of_kind("text-profiles", name, TextProfile)


def sha256() -> str:
    """SHA-256 of the catalogs a plan depends on: a plan made from others is stale."""
    return sha256_of({kind: _raw(kind) for kind in sorted(_MODELS) if kind not in _NOT_PLANNED_BY})
