"""Datatrove's filters, MinHash and Megatron writer on one file of JSON lines, timed: `data_pipeline.py` runs it.

Arguments: JSON lines, tokenizer (JSON of `tokenizers`), and ``spacy`` or ``plain`` words.
Prints CPU seconds and what came through the filters. Loading packages and models is not timed.
"""

import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from datatrove.pipeline.dedup.minhash import (
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.filters.c4_filters import C4QualityFilter
from datatrove.pipeline.filters.fineweb_quality_filter import FineWebQualityFilter
from datatrove.pipeline.filters.gopher_quality_filter import GopherQualityFilter
from datatrove.pipeline.filters.gopher_repetition_filter import GopherRepetitionFilter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.tokens.megatron_tokenizer import MegatronDocumentTokenizer
from datatrove.pipeline.writers.jsonl import JsonlWriter
from datatrove.utils.word_tokenizers import WordTokenizer, load_word_tokenizer

SENTENCE_END = re.compile(r"[.!?]+(?=[\s\"']|$)")


class PlainWords(WordTokenizer):  # type: ignore[misc]
    """Words and sentences by the regular expressions of our filters."""

    def word_tokenize(self, text: str) -> list[str]:
        return re.findall(r"\w+(?:['’]\w+)*", text)

    def sent_tokenize(self, text: str) -> list[str]:
        return [text[start:end] for start, end in self.span_tokenize(text)]

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        ends = [match.end() for match in SENTENCE_END.finditer(text)]
        if not ends or text[ends[-1] :].strip("\"' "):
            ends.append(len(text))
        return list(zip([0, *ends], ends, strict=False))


def run(lines: Path, tokenizer: str, words: Any, work: Path) -> list[str]:
    """Everything in one process; the identifiers of what the filters keep."""
    language = {} if words is None else {"language": words}
    documents = JsonlReader(str(lines.parent), glob_pattern=lines.name).run(None, 0, 1)
    filters = [
        GopherRepetitionFilter(**language),
        GopherQualityFilter(**language),
        C4QualityFilter(filter_no_terminal_punct=False, **language),
        FineWebQualityFilter(**language),
    ]
    for step in filters:
        documents = step.run(documents, 0, 1)
    kept = [document.id for document in JsonlWriter(str(work / "kept")).run(documents, 0, 1)]
    _deduplicated(work, words)
    left = JsonlReader(str(work / "left")).run(None, 0, 1)
    MegatronDocumentTokenizer(str(work / "tokens"), "all", tokenizer).run(left, 0, 1)
    return kept


def _deduplicated(work: Path, words: Any) -> None:
    config = MinhashConfig()
    read = JsonlReader(str(work / "kept"))
    signature = MinhashDedupSignature(
        str(work / "signatures"), config, **({} if words is None else {"language": words})
    )
    signature.run(read.run(None, 0, 1), 0, 1)
    for bucket in range(config.num_buckets):
        buckets = MinhashDedupBuckets(str(work / "signatures"), str(work / "buckets"), config=config)
        buckets.run(None, bucket, config.num_buckets)
    MinhashDedupCluster(str(work / "buckets"), str(work / "removed"), config=config).run(None, 0, 1)
    kept = MinhashDedupFilter(str(work / "removed")).run(JsonlReader(str(work / "kept")).run(None, 0, 1), 0, 1)
    for _ in JsonlWriter(str(work / "left")).run(kept, 0, 1):
        pass


def main() -> None:
    """Run and print JSON."""
    lines, tokenizer, words = sys.argv[1:]
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    chosen: Any = PlainWords() if words == "plain" else None
    load_word_tokenizer(chosen or "eng").word_tokenize("loads the model")
    with tempfile.TemporaryDirectory() as work:
        began = time.process_time()
        kept = run(Path(lines), tokenizer, chosen, Path(work))
        seconds = time.process_time() - began
    print(json.dumps({"seconds": seconds, "kept": kept}))


if __name__ == "__main__":
    main()
