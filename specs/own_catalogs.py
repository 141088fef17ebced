"""Catalog entries of one's own: files beside the catalogs that come with sixnd, named by ``catalog.OWN``.

Each file is a document of its own (`version: catalog/1`) and is checked as one, so that a mistake in it is told with
its line. An entry has the very form of a shipped one, and may be moved among those as it is.
"""

import os
from typing import Any, Literal

from pydantic import Field

from sixnd.specs.catalog import Accelerator, HyperparameterLaw
from sixnd.specs.document import Document, Name
from sixnd.specs.errors import Problem
from sixnd.specs.families import ModelFamily
from sixnd.specs.laws import Law
from sixnd.specs.mixes import Mix
from sixnd.specs.step_family import StepFamily
from sixnd.specs.yaml_reader import Marked, read_yaml


class OwnCatalog(Document):
    """Catalog entries of your own; `SIXND_CATALOGS` names the file, and every command then knows them."""

    version: Literal["catalog/1"]
    """Version of this document's format: `catalog/1`."""
    accelerators: dict[Name, Accelerator] = Field(default_factory=dict)
    """Accelerators by name, for `cluster.accelerators`."""
    step_families: dict[Name, StepFamily] = Field(default_factory=dict)
    """Constants of the step-time model by family of chips, for `step_family` of an accelerator."""
    laws: dict[Name, Law] = Field(default_factory=dict)
    """Scaling laws by name; one of `form: chinchilla` with a covariance may be a spec's `law`, all are compared."""
    hyperparameter_laws: dict[Name, HyperparameterLaw] = Field(default_factory=dict)
    """Laws of learning rate and batch by name, for `hyperparameter_law`."""
    model_families: dict[Name, ModelFamily] = Field(default_factory=dict)
    """Published models by name, for `model.family`."""
    mixes: dict[Name, Mix] = Field(default_factory=dict)
    """Data mixes by name, for `data.mix`."""


def read(files: str, shipped: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Entries of all files by catalog and name, as plain data.

    Raises ``InvalidDocumentError`` where a file is no catalog, gives a name that there is already, or an accelerator
    whose family of chips nobody knows.
    """
    from sixnd.specs.load import parse, read_text

    found: dict[str, dict[str, Any]] = {kind: {} for kind in shipped}
    for file in filter(None, files.split(os.pathsep)):
        text = read_text(file)
        parse(text, file, OwnCatalog)
        marked = read_yaml(text, file)
        known = {kind: {*shipped[kind], *found[kind]} for kind in shipped}
        problems = [*_taken(marked, known), *_unknown_families(marked, known)]
        if problems:
            raise marked.refused(problems)
        for key, entries in _given(marked):
            found[_kind(key)] |= entries
    return found


def _taken(marked: Marked, known: dict[str, set[str]]) -> list[Problem]:
    return [
        marked.problem((key, name), f"{key}: there is an entry '{name}' already", "choose another name")
        for key, entries in _given(marked)
        for name in entries
        if name in known[_kind(key)]
    ]


def _unknown_families(marked: Marked, known: dict[str, set[str]]) -> list[Problem]:
    families = known["step-families"] | set(marked.data.get("step_families", {}))
    hint = f"known: {', '.join(sorted(families))}; or add one under step_families"
    return [
        marked.problem(
            ("accelerators", name, "step_family"), f"accelerators.{name}.step_family: '{entry['step_family']}'", hint
        )
        for name, entry in marked.data.get("accelerators", {}).items()
        if entry["step_family"] not in families
    ]


def _given(marked: Marked) -> list[tuple[str, dict[str, Any]]]:
    return [(key, entries) for key, entries in marked.data.items() if key != "version"]


def _kind(key: str) -> str:
    """The catalog that a key of the document adds to."""
    return key.replace("_", "-")
