"""What `sixnd catalog` prints: the catalogs' entries, each with its citation."""

import textwrap
from typing import Any

from sixnd.specs import catalog
from sixnd.specs.yaml_reader import dump_yaml

Entries = dict[str, dict[str, dict[str, Any]]]


def entries(kind: str | None = None, name: str | None = None) -> Entries:
    """Entries as plain data by catalog and name; all of them, one catalog's, or one.

    Raises ``SixndError`` with the nearest name when the catalog has none of that name.
    """
    return {
        one: {each: catalog.entry(one, each).plain() for each in ([name] if name else catalog.names(one))}
        for one in ([kind] if kind else catalog.kinds())
    }


def catalog_text(found: Entries, *, width: int, whole: bool) -> str:
    """Entries as text: a few lines each, or ``whole`` as the YAML they were written in."""
    if whole:
        return dump_yaml(next(iter(found.values())))
    parts = []
    for kind, items in found.items():
        parts.append(kind)
        parts += [_summary(name, entry, width) for name, entry in items.items()]
    return "\n\n".join(parts)


def _summary(name: str, entry: dict[str, Any], width: int) -> str:
    lines = [entry.get("description") or entry.get("counts", "")]
    if "domains" in entry:
        lines.append(_weights(entry["domains"]))
    lines += [f"{label}: {entry[label]}" for label in ("weakness", "licence", "source") if entry.get(label)]
    wrap = textwrap.TextWrapper(width, initial_indent="    ", subsequent_indent="      ", break_on_hyphens=False)
    body = [wrap.fill(line) for line in lines]
    return "\n".join([f"  {name}", *body])


def _weights(domains: list[dict[str, Any]]) -> str:
    """Weights of a published mix as printed, by kind, the largest first."""
    found: dict[str, float] = {}
    for domain in domains:
        found[domain["kind"]] = found.get(domain["kind"], 0.0) + domain["weight"]
    ordered = sorted(found.items(), key=lambda item: -item[1])
    return "weights: " + ", ".join(f"{kind} {weight:.1%}" for kind, weight in ordered)
