"""The base that a spec names, read with the spec: sizes, tokenizer and sources stand where a spec has them."""

import os
from pathlib import Path
from typing import Any

from sixnd.specs.base_folders import Base, read_base
from sixnd.specs.continual import OriginSource
from sixnd.specs.errors import Path as DocPath
from sixnd.specs.errors import Problem, SixndError
from sixnd.specs.yaml_reader import Marked

_OF_THE_BASE = ("params", "shape", "family", "vocab_size", "tied_embeddings")


def with_base(marked: Marked) -> list[Problem]:
    """Put what the base says of itself into the spec that names it, or tell what is wrong with either."""
    asked, data = marked.data.get("continual"), marked.data.get("data")
    if not isinstance(asked, dict) or not isinstance(asked.get("base"), str):
        return []
    problems = _decided_otherwise(marked)
    try:
        base, folder = read_base(Path(marked.file).parent / asked["base"])
    except (SixndError, OSError) as error:
        said, do = (error.said, error.do) if isinstance(error, SixndError) else (str(error), "")
        message = f"continual.base: {' '.join(said.split())}"
        unread = marked.problem(("continual", "base"), message, do or "name another base, or mend this one")
        del marked.data["continual"]  # what is said of a base that was not read cannot be judged
        return [*problems, unread]
    asked["origin"] = base.origin.plain()
    if problems or not isinstance(data, dict):
        return problems
    _take_model(marked.data, base)
    data["tokenizer"] = {
        "kind": base.tokenizer.kind,
        "file": os.path.relpath(folder / base.tokenizer_file, Path(marked.file).parent),
        "trained": base.tokenizer.plain(),
    }
    return _take_sources(marked, asked, data, base.origin.sources)


def _decided_otherwise(marked: Marked) -> list[Problem]:
    """What a spec must not say, as the base decides it."""
    model, data = marked.data.get("model"), marked.data.get("data")
    paths: list[DocPath] = [("model", name) for name in _OF_THE_BASE if isinstance(model, dict) and name in model]
    paths += [("data", "tokenizer")] if isinstance(data, dict) and "tokenizer" in data else []
    told = "is that of continual.base"
    return [marked.problem(path, f"{'.'.join(map(str, path))} {told}", "leave it out") for path in paths]


def _take_model(spec: dict[str, Any], base: Base) -> None:
    model = spec.setdefault("model", {})
    if isinstance(model, dict):
        model.setdefault("sequence_length", base.sequence_length)
        model |= {"shape": base.shape, "vocab_size": base.vocab_size, "tied_embeddings": base.tied}


def _take_sources(
    marked: Marked, asked: dict[str, Any], data: dict[str, Any], found: list[OriginSource]
) -> list[Problem]:
    """Add the base's own sources behind those of the spec, as general text, unless the spec names its own."""
    sources = data.get("sources")
    if asked.get("general") is not None or not isinstance(sources, list):
        return []
    problems, taken = [], [source.get("name") for source in sources if isinstance(source, dict)]
    for source in found:
        if source.name in taken:
            message = f"source '{source.name}' is one of the base's too"
            do = "to replay this text in its place, name it under continual.general, else give it another name"
            problems.append(marked.problem(("data", "sources", taken.index(source.name), "name"), message, do))
    sources += [{"name": s.name, "weight": s.weight, "unique_tokens": float(s.tokens)} for s in found]
    asked["general"] = [source.name for source in found]
    return problems
