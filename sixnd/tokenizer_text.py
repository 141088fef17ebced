"""What the tokenizer verbs print."""

import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sixnd.console import text_table
from sixnd.reports import format as fmt

if TYPE_CHECKING:
    from sixnd.planner.vocabulary_choice import VocabularyChoice
    from sixnd.reports.table_report import TableReport
    from sixnd.runner.tokenizers.sample import Sampled
    from sixnd.runner.tokenizers.text_models import TextModel

Facts = dict[str, Any]
Part = tuple[str, list[tuple[str, ...]]]
_LEFT = {"by_source": "source", "by_domain": "domain", "by_language": "language"}


def trained_facts(
    output: Path, model: "TextModel", sample: "Sequence[Sampled]", choice: "VocabularyChoice | None"
) -> Facts:
    """What was trained, on what, and how short it makes that text."""
    from sixnd.runner.tokenizers.encode import batches
    from sixnd.specs.files import file_sha256

    texts = [text for part in sample for text in part.texts]
    tokens = sum(len(ids) for batch in batches(texts) for ids in model.encode(batch))
    return {
        "file": str(output),
        "kind": model.kind,
        "vocab_size": model.vocab_size,
        "sha256": file_sha256(output),
        "lossless": model.lossless,
        "bytes_per_token": sum(part.bytes for part in sample) / max(tokens, 1),
        "sample": [
            {"source": s.source, "share": s.share, "asked_bytes": s.asked_bytes, "bytes": s.bytes} for s in sample
        ],
        "chosen": None if choice is None else asdict(choice),
        "note": model.note,
    }


def trained_text(facts: Facts, choice: "VocabularyChoice | None", width: int) -> str:
    """The sample by source, why so many entries, and the tokenizer."""
    rows = [("source", "share", "asked", "taken")]
    rows += [
        (s["source"], fmt.share(s["share"]), fmt.memory(s["asked_bytes"]), fmt.memory(s["bytes"]))
        for s in facts["sample"]
    ]
    parts = [text_table("Trained on", rows)]
    parts += [] if choice is None else [_filled(choice_sentence(choice), width)]
    told = (
        f"{facts['kind']}, {facts['vocab_size']:,} entries, trained in {facts['seconds']:.1f} s "
        f"({facts['cpu_seconds']:.1f} s of CPU); {facts['bytes_per_token']:.2f} bytes a token on the sample itself. "
        f"SHA-256 {facts['sha256']}"
    )
    parts += [_filled(told, width), *_note(facts, width)]
    return "\n\n".join(parts)


def choice_sentence(choice: "VocabularyChoice") -> str:
    """Why so many entries."""
    sizes = choice.sizes
    outside = "" if choice.outside is None else f" {choice.outside.capitalize()}: take it as a guide."
    return (
        f"{choice.entries:,} entries: {sizes.by_loss:,.0f} have the least loss for {fmt.count(choice.inner_params)} "
        f"inner parameters at {fmt.flops(choice.compute)} FLOPs, rounded up to a multiple of {choice.multiple:,}, so "
        "that every tensor-parallel rank holds as many rows. The law's two other approaches, for compute-optimal "
        f"training, give {sizes.by_isoflops:,.0f} and {sizes.by_derivative:,.0f}.{outside} {choice.source}."
    )


def encoded_text(facts: Facts) -> str:
    """What was written, and how fast."""
    rate = facts["bytes"] / 1e6 / max(facts["cpu_seconds"], 1e-9)
    lines = [
        f"{facts['documents']:,} documents, {fmt.memory(facts['bytes'])} of text, {facts['tokens']:,} tokens "
        f"({facts['bytes'] / max(facts['tokens'], 1):.2f} bytes each) in {facts['seconds']:.1f} s, {rate:.1f} MB a CPU "
        f"second; {facts['file']}.bin and .idx, {facts['dtype']}"
    ]
    if facts["without_tokens"]:
        lines.append(f"{facts['without_tokens']:,} documents gave no token and were left out")
    return "\n".join([*lines, *([facts["note"]] if facts["note"] else [])])


def report_text(facts: Facts, width: int) -> str:
    """Tables: the tokenizers, then each by source, domain and language, parity, and embeddings."""
    parts = [text_table(title, rows) for title, rows in _parts(facts)]
    parts += [part for one in facts["tokenizers"] for part in _note(one, width)]
    return "\n\n".join(parts)


def table_report(facts: Facts) -> "TableReport":
    """The same tables as a page or Markdown shows them."""
    from sixnd.reports.table_report import TableReport
    from sixnd.reports.tables import Line, titled

    measured = [one for one in facts["tokenizers"] if "tokens" in one]
    told = [f"{one['tokenizer']} takes {one['bytes_per_token']:.2f} bytes a token" for one in measured]
    tables = [
        titled(f"part-{i}", title, "|#".join(word.capitalize() for word in head), [Line(row) for row in rows])
        for i, (title, (head, *rows)) in enumerate(_parts(facts))
    ]
    notes = [one["note"] for one in facts["tokenizers"] if one["note"]]
    verdict = f"{'; '.join(told)}." if told else "Compared on the same text in several languages."
    name = ", ".join(one["tokenizer"] for one in facts["tokenizers"])
    return TableReport("Tokenizers", name, verdict, notes, tables, facts)


def _parts(facts: Facts) -> list[Part]:
    """Titles and rows, the first of which heads the columns."""
    return [
        _tokenizers(facts["tokenizers"]),
        *(_measures(facts[key], label) for key, label in _LEFT.items() if facts[key]),
        *([_parity(facts["parity"])] if facts["parity"] else []),
        *([_embeddings(facts["embeddings"])] if facts["embeddings"] else []),
    ]


def _tokenizers(rows: Sequence[Facts]) -> Part:
    table: list[tuple[str, ...]] = [("tokenizer", "kind", "entries", "stored", "used", "bytes/token", "came back")]
    for one in rows:
        measured = _cells(one) if "tokens" in one else ("", "", "")
        table.append((one["tokenizer"], one["kind"], fmt.integer(one["vocab_size"]), one["stored"], *measured))
    return "Tokenizers", table


def _cells(one: Facts) -> tuple[str, str, str]:
    came_back = f"{one['came_back']:,} of {one['documents']:,}"
    return fmt.share(one["used_share"]), f"{one['bytes_per_token']:.2f}", came_back


def _measures(rows: Sequence[Facts], label: str) -> Part:
    table: list[tuple[str, ...]] = [
        (label, "tokenizer", "documents", "text", "bytes/token", "tokens/word", "used", "came back")
    ]
    for one in sorted(rows, key=lambda row: row["name"]):
        used, rate, came_back = _cells(one)
        size = (f"{one['documents']:,}", fmt.memory(one["bytes"]))
        table.append((one["name"], one["tokenizer"], *size, rate, f"{one['tokens_per_word']:.2f}", used, came_back))
    return f"By {label}", table


def _parity(rows: Sequence[Facts]) -> Part:
    table: list[tuple[str, ...]] = [("text", "tokenizer", "tokens", "over the first")]
    table += [(one["name"], one["tokenizer"], f"{one['tokens']:,}", f"{one['parity']:.2f}") for one in rows]
    return "The same text in several languages", table


def _embeddings(rows: Sequence[Facts]) -> Part:
    table: list[tuple[str, ...]] = [("vocabulary", "entries", "rows", "embeddings", "of N", "stored")]
    for one in rows:
        sizes = (fmt.integer(one["entries"]), fmt.integer(one["rows"]), fmt.count(one["params"]))
        table.append((one["name"], *sizes, fmt.share(one["share"]), one["stored"]))
    return "Embeddings of the planned model", table


def _note(facts: Facts, width: int) -> list[str]:
    return [_filled(facts["note"], width)] if facts["note"] else []


def _filled(text: str, width: int) -> str:
    return textwrap.fill(text, width, break_on_hyphens=False)
