"""The documents described for reading: Markdown pages made from the same models as the JSON Schemas.

`docs/spec-reference.md` is what a person writes, `docs/document-reference.md` what sixnd writes and catalogs hold.
`make schema` renews both.
"""

from collections.abc import Iterator
from typing import Any, get_args

from sixnd.specs import catalog
from sixnd.specs.document import Name
from sixnd.specs.mixes import MIX_RULES
from sixnd.specs.quantity import ACCELERATORS_PATTERN, DIMENSIONS, Dimension
from sixnd.specs.schema import needed_in_a_spec, schema

SPEC_PAGE, DOCUMENT_PAGE = "spec-reference.md", "document-reference.md"
_TITLES = {
    "budget-spec": "Budget spec",
    "plan": "Plan",
    "run-record": "Run record",
    "law": "Law",
    "mix-law": "Mixing law",
    "ladder": "Ladder",
    "calibration": "Calibration",
    "claim": "Claim",
    "prepared": "Prepared data",
    "catalog": "Catalog of your own",
}
_WRITTEN_BY = {
    "plan": "`sixnd plan SPEC -o plan.yaml`",
    "run-record": "`sixnd run`, as `record.jsonl` in the run's folder",
    "law": "`sixnd fit RUNS.csv -o law.yaml`",
    "mix-law": "`sixnd fit RUNS.csv --mix -o mix.yaml`",
    "ladder": "`sixnd ladder SPEC -o FOLDER`, as `ladder.yaml`",
    "calibration": "`sixnd calibrate SPEC -o calibration.yaml`",
    "claim": "you, for `sixnd audit CLAIM.yaml`",
    "prepared": "`sixnd data prepare SPEC`, as `prepared.yaml`",
    "catalog": "you, for `SIXND_CATALOGS` ([extending.md](extending.md))",
}
_FROM_FILES = {"Calibration", "NamedLaw", "PreparedData", "MixLaw"}
"""Documents that a spec names by their file, and that a plan holds whole."""
_FILLED_IN = {"Origin", "TokenizerHeader"}
"""What a base and a tokenizer say of themselves, which no spec does."""
_NOT_WRITTEN = _FROM_FILES | _FILLED_IN
_STRINGS = {"^[0-9a-f]{64}$": "SHA-256", get_args(Name)[1].metadata[0].pattern: "name"}


def pages() -> dict[str, str]:
    """The pages by file name."""
    spec = _Page("budget-spec", SPEC_PAGE)
    rest = [_Page(kind, DOCUMENT_PAGE, spec) for kind in _WRITTEN_BY]
    return {SPEC_PAGE: _spec_page(spec), DOCUMENT_PAGE: _document_page(rest)}


class _Page:
    """One kind of document: its models, and where each of them is described."""

    def __init__(self, kind: str, file: str, spec: "_Page | None" = None) -> None:
        self.kind, self.file, self.spec = kind, file, spec
        self.made = schema(kind)
        self.models: dict[str, Any] = self.made.get("$defs", {})
        self.root = _TITLES[kind]
        self.needed = needed_in_a_spec() if kind == "budget-spec" else {}
        self.met = self._met()

    def shared(self, name: str) -> bool:
        """Whether a model is the spec's own, described on its page."""
        if self.spec is None:
            return False
        return name == "BudgetSpec" or (name in self.spec.met and self._fields(name) == self.spec._fields(name))

    def _fields(self, name: str) -> set[str]:
        return set(self.models[name].get("properties", {}))

    def heading(self, name: str) -> str:
        """A model's heading: unique on its page, as two documents may have models of one name."""
        return name if self.spec is None else f"{self.root}: {name}"

    def link(self, name: str) -> str:
        """A link to where a model is described."""
        if self.spec is not None and self.shared(name):
            title = self.spec.root if name == "BudgetSpec" else name
            return f"[{name}]({SPEC_PAGE}#{_slug(title)})"
        return f"[{name}](#{_slug(self.heading(name))})"

    def section(self) -> str:
        """The document itself and every model that is only its own, in the order in which they are met."""
        parts = [f"## {self.root}", self._words_of(self.made)]
        if self.kind in _WRITTEN_BY:
            parts.append(f"Written by {_WRITTEN_BY[self.kind]}.")
        parts.append(self._table(self.made, self.root))
        for name, path in self.met.items():
            model = self.models[name]
            parts += [f"### {self.heading(name)}", f"`{path}`" if path else "", self._words_of(model)]
            parts.append(self._table(model, name))
        return "\n\n".join(part for part in parts if part)

    def _met(self) -> dict[str, str]:
        """Models in the order in which a reader meets them, each once with its first path; the spec's own left out."""
        found: dict[str, str] = {}
        waiting = list(_references(self.made, ""))
        while waiting:
            name, path = waiting.pop(0)
            if name in found or self.shared(name) or (self.spec is None and name in _NOT_WRITTEN):
                continue
            found[name] = path
            waiting = [*_references(self.models[name], path), *waiting]
        return found

    def _words_of(self, model: dict[str, Any]) -> str:
        return str(model.get("description", ""))

    def _table(self, model: dict[str, Any], name: str) -> str:
        fields = model.get("properties")
        if fields is None:
            return f"One of: {self.words(model)}." if "oneOf" in model or "anyOf" in model else ""
        needed = self.needed.get("BudgetSpec" if model is self.made else name, model.get("required", []))
        rows = [
            f"| `{field}` | {self.words(node)} | {_default(node, field in needed)} | {_sentence(node)} |"
            for field, node in fields.items()
        ]
        return "\n".join(["| field | value | default | what it is |", "|---|---|---|---|", *rows])

    def words(self, node: dict[str, Any]) -> str:
        """What a field takes, in words."""
        return " or ".join(dict.fromkeys(self._options(node)))

    def _options(self, node: dict[str, Any]) -> Iterator[str]:
        quantity = _quantity(node)
        if quantity is not None:
            yield from (["`auto`"] if {"const": "auto"} in node.get("anyOf", []) else [])
            yield self._unit(quantity)
            return
        for option in node.get("anyOf", node.get("oneOf", [node])):
            if option.get("type") != "null":
                yield self._option(option)

    def _referred(self, name: str) -> str:
        if self.spec is None and name in _NOT_WRITTEN:
            return "file (`.yaml`)" if name in _FROM_FILES else "filled in"
        return self.link(name)

    def _option(self, node: dict[str, Any]) -> str:
        if "$ref" in node:
            return self._referred(node["$ref"].rsplit("/", 1)[1])
        if "anyOf" in node or "oneOf" in node:
            return self.words(node)
        if "const" in node:
            return f"`{_plain(node['const'])}`"
        if "enum" in node:
            return _names(node["enum"])
        return self._typed(node)

    def _typed(self, node: dict[str, Any]) -> str:
        kind = node.get("type")
        if kind == "array":
            return f"list of {self.words(node['items'])}{_length(node)}" if node.get("items") else "list"
        if kind == "object":
            inside = node.get("additionalProperties") or next(iter(node.get("patternProperties", {}).values()), None)
            return f"name: {self.words(inside)}" if isinstance(inside, dict) else "mapping"
        if kind in ("integer", "number"):
            return f"{'whole number' if kind == 'integer' else 'number'}{_bounds(node)}"
        if kind == "string":
            return self._string(str(node.get("pattern", "")))
        return {"boolean": "`true` or `false`"}.get(str(kind), "anything")

    def _string(self, pattern: str) -> str:
        if pattern == ACCELERATORS_PATTERN:
            return self._unit("accelerators")
        return "file (`.yaml`)" if pattern.startswith("\\.ya") else _STRINGS.get(pattern, "text")

    def _unit(self, quantity: str) -> str:
        """A link to the table of quantities, which stands on the spec's page."""
        return f"[{quantity}]({SPEC_PAGE if self.spec else ''}#{_slug(quantity)})"


def _spec_page(spec: _Page) -> str:
    intro = [
        "# Spec reference",
        "Every field of a budget spec: the file that `sixnd plan` reads. Made from the models by `make schema`; do not "
        "edit it. An editor shows the same as you type ([specs.md](specs.md)), `sixnd show --resolved SPEC` what your "
        "spec comes to, and [document-reference.md](document-reference.md) the documents that sixnd writes.",
        "What is **needed** must be given, by the spec or by what it extends. `–` is a default of nothing: what that "
        "means is told with the field. `its own` are the defaults of that part; `auto` lets the planner choose.",
        "## Quantities",
        "A quantity is a number with its unit, with or without one of the prefixes listed. `1,000` and `1_000` are "
        "read as thousands; `2,5` is refused.",
        _quantities(),
    ]
    return "\n\n".join([*intro, spec.section()]) + "\n"


def _quantities() -> str:
    rows = [
        f'| <a id="{_slug(one.name)}"></a>{one.name} | `{one.example}` | {_units(one)} | '
        f"{one.base if one.bare_number else 'refused'} |"
        for one in DIMENSIONS
    ]
    accelerators = "a count, `x`, a name of `sixnd catalog accelerators`"
    rows.append(f'| <a id="accelerators"></a>accelerators | `512 x h100-sxm` | {accelerators} | refused |')
    return "\n".join(["| quantity | write it like | units | a bare number is |", "|---|---|---|---|", *rows])


def _units(one: Dimension) -> str:
    return "; ".join(
        f"`{'`, `'.join(stem for stem in family.stems if stem)}`"
        + (f" with {' '.join(prefix for prefix in family.prefixes if prefix)}" if len(family.prefixes) > 1 else "")
        for family in one.families
    )


def _document_page(documents: list[_Page]) -> str:
    intro = [
        "# Document reference",
        "Every field of the documents that sixnd writes, and of the two (claims and catalogs) that you may. Made from "
        "the models by `make schema`; do not edit it. The spec is in [spec-reference.md](spec-reference.md). JSON "
        "Schemas of all of them are in [specs/schema/](../specs/schema) and printed by `sixnd schema NAME`.",
        "Names end in the unit of a bare number: `_s` seconds, `_bytes`, `_usd`, `_flops`. `–` is a default of "
        "nothing, `its own` are the defaults of that part.",
        "\n".join(f"- [{one.root}](#{_slug(one.root)}): written by {_WRITTEN_BY[one.kind]}" for one in documents),
    ]
    return "\n\n".join([*intro, *(one.section() for one in documents)]) + "\n"


def _references(node: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """Models that a model's fields name, with the path of each."""
    for option in node.get("oneOf", []):
        yield from _named(option, path)
    for field, child in node.get("properties", {}).items():
        yield from _named(child, f"{path}.{field}" if path else field)


def _named(node: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, list):
        for child in node:
            yield from _named(child, path)
    elif isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"].rsplit("/", 1)[1], path
        for key in ("anyOf", "oneOf"):
            yield from _named(node.get(key), path)
        yield from _named(node.get("items"), f"{path}[]")
        for key in ("additionalProperties", "patternProperties"):
            inside = node.get(key)
            yield from _named(list(inside.values()) if key.startswith("p") and inside else inside, f"{path}.NAME")


def _quantity(node: dict[str, Any]) -> str | None:
    """The quantity that a field takes, known by its pattern."""
    patterns = [option.get("pattern") for option in node.get("anyOf", [])]
    for one in DIMENSIONS:
        if one.pattern in patterns:
            return one.name
    return None


def _names(values: list[Any]) -> str:
    for kind in catalog.kinds():
        known = catalog.names(kind)
        if len(values) > 1 and set(values) <= {*known, *MIX_RULES} and set(values) & set(known):
            rules = [f"`{rule}`" for rule in MIX_RULES if rule in values]
            return " or ".join([*rules, f"a name of `sixnd catalog {kind}`"])
    return " · ".join(f"`{_plain(value)}`" for value in values)


def _bounds(node: dict[str, Any]) -> str:
    low, above = node.get("minimum"), node.get("exclusiveMinimum")
    high, below = node.get("maximum"), node.get("exclusiveMaximum")
    told = [
        f"{sign} {bound:g}"
        for sign, bound in (("≥", low), (">", above), ("≤", high), ("<", below))
        if bound is not None
    ]
    return f" {', '.join(told)}" if told else ""


def _length(node: dict[str, Any]) -> str:
    low, high = node.get("minItems"), node.get("maxItems")
    if low is not None and low == high:
        return f", {low} of them"
    return f", at least {low}" if low else ""


def _default(node: dict[str, Any], needed: bool) -> str:
    if needed:
        return "**needed**"
    value = node.get("default")
    if value is None:
        return "`auto`" if {"const": "auto"} in node.get("anyOf", []) else "–"
    if isinstance(value, dict) and value:
        return "its own"
    return f"`{_plain(value)}`" if value not in ("", [], {}) else "empty"


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(_plain(one) for one in value)}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _sentence(node: dict[str, Any]) -> str:
    return str(node.get("description", "")).replace("|", "\\|").replace("<", "&lt;")


def _slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    kept = "".join(letter for letter in heading.lower() if letter.isalnum() or letter in " -_")
    return kept.replace(" ", "-")
