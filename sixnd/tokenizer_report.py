"""What `sixnd tokenizer report` finds out, as plain data."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sixnd.planner.vocabulary_choice import PUBLISHED_SIZES, embedding_costs
from sixnd.runner.data.document import Document, utf8_bytes
from sixnd.runner.indexed import token_dtype
from sixnd.runner.tokenizers.measures import Measure, measured, together
from sixnd.runner.tokenizers.sample import is_held_out, sampled
from sixnd.runner.tokenizers.text_models import TextModel, text_model
from sixnd.runner.tokenizers.text_sources import TextSource
from sixnd.runner.tokenizers.training import train
from sixnd.specs.plan import Plan
from sixnd.specs.tokenizers import TokenizerKind

Facts = dict[str, Any]
Cell = tuple[str, str, str, str]
"""Tokenizer, source, domain, language."""


@dataclass(frozen=True)
class Texts:
    """What tokenizers are judged by."""

    sources: Sequence[TextSource]
    most_bytes: int
    """Of each source."""
    hold_out: float
    """Share of documents that training left out, which alone are read; 0 reads all."""
    identify: bool
    """Whether the language of documents that state none is identified."""

    def documents(self, source: TextSource) -> Iterator[Document]:
        """Whole documents until so many bytes are reached."""
        read = 0
        for document in source.documents():
            if read >= self.most_bytes:
                return
            if self.hold_out and not is_held_out(document, self.hold_out):
                continue
            read += utf8_bytes(document.text)
            yield document


def trained_here(texts: Texts, kind: TokenizerKind, sizes: Sequence[int], threads: int) -> dict[str, TextModel]:
    """Tokenizers of some sizes, trained on the documents that are not held out, as much of each source as is judged."""
    shares = [(source, 1 / len(texts.sources)) for source in texts.sources]
    sample = sampled(shares, texts.most_bytes * len(shares), None, texts.hold_out)
    found = [text for part in sample for text in part.texts]
    names = {f"{kind}-{size}": size for size in sizes}
    return {name: text_model(kind, train(kind, found, size, threads), name) for name, size in names.items()}


def reported(models: Mapping[str, TextModel], texts: Texts, plan: Plan | None) -> Facts:
    """Every tokenizer on every source, and what its embeddings cost the plan's model."""
    cells: dict[Cell, Measure] = {}
    for source in texts.sources:
        documents = texts.documents(source)
        found = measured(models, _identified(documents) if texts.identify else documents)
        for (name, language), measure in found.items():
            cells[name, source.name, source.planned.kind or "", language] = measure
    return {
        "tokenizers": [_tokenizer(name, model, cells) for name, model in models.items()],
        "by_source": _by(cells, 1),
        "by_domain": _by(cells, 2),
        "by_language": _by(cells, 3),
        "embeddings": [] if plan is None else _embeddings(plan, models),
    }


def parities(models: Mapping[str, TextModel], sources: Sequence[TextSource]) -> list[Facts]:
    """Tokens of the same text in each language over those in the first."""
    found: list[Facts] = []
    first: dict[str, int] = {}
    for source in sources:
        for name, measure in _by_tokenizer(measured(models, source.documents())).items():
            base = first.setdefault(name, measure.tokens)
            ratio = measure.tokens / max(base, 1)
            found.append({"tokenizer": name, "name": source.name, "tokens": measure.tokens, "parity": ratio})
    return found


def _by_tokenizer(found: dict[tuple[str, str], Measure]) -> dict[str, Measure]:
    names = dict.fromkeys(name for name, _ in found)
    return {name: together(m for (of, _), m in found.items() if of == name) for name in names}


def _tokenizer(name: str, model: TextModel, cells: dict[Cell, Measure]) -> Facts:
    own = [measure for cell, measure in cells.items() if cell[0] == name]
    return {
        "tokenizer": name,
        "kind": model.kind,
        "vocab_size": model.vocab_size,
        "stored": token_dtype(model.vocab_size).name,
        "lossless": model.lossless,
        "note": model.note,
        **(together(own).plain() if own else {}),
    }


def _by(cells: dict[Cell, Measure], part: int) -> list[Facts]:
    """Measures by tokenizer and one part of their cells; none where no cell says it."""
    keys = dict.fromkeys((cell[0], cell[part]) for cell in cells)
    if not any(name for _, name in keys):
        return []
    groups = {key: [m for cell, m in cells.items() if (cell[0], cell[part]) == key] for key in keys}
    return [
        {"tokenizer": tokenizer, "name": name or "not said", **together(measures).plain()}
        for (tokenizer, name), measures in groups.items()
    ]


def _embeddings(plan: Plan, models: Mapping[str, TextModel]) -> list[Facts]:
    sizes = {**{name: model.vocab_size for name, model in models.items()}, **PUBLISHED_SIZES}
    costs = embedding_costs(plan, list(sizes.values()))
    return [
        {
            "name": name,
            "entries": cost.entries,
            "rows": cost.rows,
            "params": cost.params,
            "share": cost.share,
            "stored": token_dtype(cost.entries).name,
        }
        for name, cost in zip(sizes, costs, strict=True)
    ]


def _identified(documents: Iterable[Document]) -> Iterator[Document]:
    from sixnd.runner.data.language import LanguageStage
    from sixnd.specs.text_filters import LanguageFilter

    stage = LanguageStage(LanguageFilter(keep=[], min_confidence=0.5))
    for document in documents:
        language = document.language or stage.identify(document.text)[0]
        yield replace(document, language=language)
