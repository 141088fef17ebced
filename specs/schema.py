"""JSON Schema (draft 2020-12) of the documents, made from the models: an editor completes, checks and hovers by it.

Docstrings of models and fields become descriptions. Names that a catalog knows become enumerations.
The published files stand in ``specs/schema/``; `sixnd schema --write specs/schema` renews them.
"""

import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from pydantic import TypeAdapter

from sixnd.specs import catalog
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.calibration import Calibration
from sixnd.specs.claim import Claim
from sixnd.specs.document import Document
from sixnd.specs.ladder import Ladder
from sixnd.specs.law_document import LawDocument
from sixnd.specs.mix_document import MixDocument
from sixnd.specs.mixes import MIX_RULES
from sixnd.specs.own_catalogs import OwnCatalog
from sixnd.specs.plan import Plan
from sixnd.specs.prepared import PreparedData
from sixnd.specs.record import Event
from sixnd.specs.written import Written

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_SECTIONS = {
    ("cluster",): "Cluster",
    ("cluster", "sites"): "Sites",
    ("continual",): "Continual",
    ("data",): "Data",
    ("model", "shape"): "Shape",
}
"""Where a spec has mappings that must hold something: an extended spec may be what gives it."""
_CATALOG_OF = {"hyperparameter_law": "hyperparameter-laws", "recipe": "sources"}


def schemas() -> list[str]:
    """Names of the documents that have a schema."""
    return list(_MAKERS)


def schema(name: str) -> dict[str, Any]:
    """JSON Schema of one document (``run-record``: of one line of a record) as plain data."""
    return {"$schema": _DRAFT, **_MAKERS[name]()}


def schema_text(name: str) -> str:
    """The schema as the published file holds it."""
    return json.dumps(schema(name), indent=2, ensure_ascii=False) + "\n"


def needed_in_a_spec() -> dict[str, list[str]]:
    """By model, the fields that a spec must give, itself or by what it extends."""
    made = BudgetSpec.model_json_schema(mode="validation")
    return {"BudgetSpec": made["required"], **{name: one.get("required", []) for name, one in made["$defs"].items()}}


def _budget_spec() -> dict[str, Any]:
    made = _with_catalogs(_tidied(BudgetSpec.model_json_schema(mode="validation")))
    written = _tidied(Written.model_json_schema(mode="validation"))["properties"]
    return _needed_unless_extended({**made, "properties": {**written, **made["properties"]}})


def _needed_unless_extended(made: dict[str, Any]) -> dict[str, Any]:
    """The same schema in which what a spec must give may also come from the spec that it extends."""
    needed: dict[str, Any] = {"required": made.pop("required")}
    for path, model in _SECTIONS.items():
        section = needed
        for part in path:
            section = section.setdefault("properties", {}).setdefault(part, {})
        section["required"] = made["$defs"][model].pop("required")
    return {**made, "if": {"required": ["extends"]}, "else": needed}


def _document(model: type[Document]) -> dict[str, Any]:
    return _tidied(model.model_json_schema(mode="validation"))


def _catalog(kind: str) -> dict[str, Any]:
    """One of the catalogs that come with sixnd: entries by name."""
    entries: Any = dict[str, catalog.model_of(kind)]  # type: ignore[misc]
    made = _tidied(TypeAdapter(entries).json_schema(mode="validation"))
    return {"title": kind, "description": f"Catalog of {kind}: entries by name.", **made}


def _run_record() -> dict[str, Any]:
    made = _tidied(TypeAdapter(Event).json_schema(mode="validation"))
    return {"title": "RunRecord", "description": "One line of `record.jsonl`: one event of a run.", **made}


_MAKERS: dict[str, Callable[[], dict[str, Any]]] = {
    "budget-spec": _budget_spec,
    "plan": partial(_document, Plan),
    "law": partial(_document, LawDocument),
    "mix-law": partial(_document, MixDocument),
    "claim": partial(_document, Claim),
    "calibration": partial(_document, Calibration),
    "ladder": partial(_document, Ladder),
    "prepared": partial(_document, PreparedData),
    "run-record": _run_record,
    "catalog": partial(_document, OwnCatalog),
    **{f"catalog-{kind}": partial(_catalog, kind) for kind in catalog.kinds()},
}


_EVERYWHERE = {
    "version": "Version of this document's format.",
    "sixnd_version": "Release that made it.",
    "attempt": "Attempt of the run, counted from 1.",
    "source": "Where it was read: paper and table, page and date.",
}
"""What fields are that many documents have and that say nothing of their own."""
_WHICH = "Says which of them this is."


def _tidied(made: dict[str, Any]) -> dict[str, Any]:
    """The schema without the titles that only repeat a field's name, flat, each docstring one flowing text."""
    tidy = {key: _tidy(child) for key, child in made.items()}
    for model in (tidy, *tidy.get("$defs", {}).values()):
        for name, field in model.get("properties", {}).items():
            common = _EVERYWHERE.get(name) or (_WHICH if "const" in field else None)
            if common and "description" not in field:
                field["description"] = common
    return tidy


def _tidy(node: Any) -> Any:
    if isinstance(node, list):
        return [_tidy(child) for child in node]
    if not isinstance(node, dict):
        return node
    tidy = {key: _tidy(child) for key, child in node.items() if not (key == "title" and _is_title(node))}
    if "anyOf" in tidy:
        tidy = _flat(tidy)
    if isinstance(tidy.get("description"), str):
        tidy["description"] = re.sub(r"\s*\n\s*", " ", tidy["description"])
    return tidy


def _flat(node: dict[str, Any]) -> dict[str, Any]:
    """Options of options as options, with their examples: what an editor shows in one list."""
    options: list[Any] = []
    examples = list(node.get("examples", []))
    for option in node["anyOf"]:
        nested = set(option) <= {"anyOf", "examples"} and "anyOf" in option
        options += option["anyOf"] if nested else [option]
        examples += option.get("examples", []) if nested else []
    return {**node, "anyOf": options, **({"examples": examples} if examples else {})}


def _is_title(node: dict[str, Any]) -> bool:
    """Whether ``title`` is the keyword (on a field), not a property that happens to be called so, nor a model's."""
    return isinstance(node["title"], str) and "properties" not in node


def _with_catalogs(made: dict[str, Any]) -> dict[str, Any]:
    """Law and recipe names as enumerations of what the catalogs hold; accelerators as examples to complete."""
    for model in (made, *made["$defs"].values()):
        for name, field in model.get("properties", {}).items():
            if name in _CATALOG_OF:
                _enumerate(field, catalog.names(_CATALOG_OF[name]))
            if name == "accelerators":
                field["examples"] = [f"8 x {known}" for known in catalog.names("accelerators")]
    options = made["properties"]["law"]["anyOf"]
    options[0]["enum"] = catalog.planning_laws()
    options.insert(1, {"type": "string", "pattern": r"\.ya?ml$", "description": "A file that `sixnd fit` wrote."})
    options = made["$defs"]["Cluster"]["properties"]["calibration"]["anyOf"]
    options.insert(0, {"type": "string", "pattern": r"\.ya?ml$", "description": "A file that `sixnd calibrate` wrote."})
    options = made["$defs"]["Data"]["properties"]["mix"]["anyOf"]
    options[0]["enum"] = [*MIX_RULES, *catalog.names("mixes")]
    options.insert(1, {"type": "string", "pattern": r"\.ya?ml$", "description": "A file that `sixnd fit --mix` wrote."})
    return made


def _enumerate(field: dict[str, Any], names: list[str]) -> None:
    strings = [option for option in field.get("anyOf", [field]) if option.get("type") == "string"]
    for option in strings:
        option["enum"] = names
