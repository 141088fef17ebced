"""Verdicts and speed of the filters beside datatrove's own, on text of this machine, with the same word split.

Not a test of the suite: it needs datatrove, in a folder of its own as it brings a fasttext that collides with ours:

    pip install --target DATATROVE_FOLDER datatrove==0.10.1
    python -m tests.benchmarks.filters --datatrove DATATROVE_FOLDER

Documents are those of the recipes `installed-docs` and `python-stdlib` (prose and code, half each).
"""

import argparse
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from sixnd.runner.data.damage import DamageLog
from sixnd.runner.data.document import Document
from sixnd.runner.data.inputs import documents_of, listed
from sixnd.runner.data.stage import Removed
from sixnd.runner.data.stages import built
from sixnd.specs.data_stages import resolved
from sixnd.specs.plan import PlannedSource
from sixnd.specs.text_filters import WORD_PATTERNS

FILTERS = {
    "gopher-quality": ("gopher_quality_filter", "GopherQualityFilter"),
    "gopher-repetition": ("gopher_repetition_filter", "GopherRepetitionFilter"),
    "c4": ("c4_filters", "C4QualityFilter"),
    "fineweb-quality": ("fineweb_quality_filter", "FineWebQualityFilter"),
}
SENTENCE_END = re.compile(r"[.!?]+(?=[\s\"']|$)")


def main() -> None:
    """Print, by filter, the share of equal verdicts and documents per CPU second of both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datatrove", required=True, help="folder that pip --target installed datatrove into")
    parser.add_argument("--documents", type=int, default=1500)
    arguments = parser.parse_args()
    documents = _documents(arguments.documents)
    size = sum(len(document.text.encode()) for document in documents) / 1e6
    print(f"{len(documents)} documents, {size:.1f} MB")
    sys.path.append(arguments.datatrove)
    print(f"{'filter':<20}{'equal':>9}{'kept':>9}{'docs/CPU s':>13}{'datatrove':>12}{'faster':>9}")
    for name, (module, kind) in FILTERS.items():
        _compare(name, documents, _theirs(module, kind))


def _documents(count: int) -> list[Document]:
    found: list[Document] = []
    with tempfile.TemporaryDirectory() as cache:
        for recipe in ("installed-docs", "python-stdlib"):
            plain = {"name": recipe, "recipe": recipe, "path": None, "weight": 1, "tokens": 1}
            source = PlannedSource.model_validate(plain | {"unique_tokens": None, "epochs": None})
            items = listed(source, Path(), Path(cache), DamageLog())
            found += islice(documents_of(items, source, Path(), Path(cache), DamageLog()), count // 2)
    return found


def _theirs(module: str, kind: str) -> Callable[[Document], bool | tuple[bool, str]]:
    import importlib

    from datatrove.data import Document as TheirDocument
    from datatrove.utils.word_tokenizers import WordTokenizer

    class Regex(WordTokenizer):  # type: ignore[misc]
        def word_tokenize(self, text: str) -> list[str]:
            return re.findall(WORD_PATTERNS["regex-words"], text)

        def sent_tokenize(self, text: str) -> list[str]:
            return [text[start:end] for start, end in self.span_tokenize(text)]

        def span_tokenize(self, text: str) -> list[tuple[int, int]]:
            ends = [match.end() for match in SENTENCE_END.finditer(text)]
            if not ends or text[ends[-1] :].strip("\"' "):
                ends.append(len(text))
            return list(zip([0, *ends], ends, strict=False))

    filters: Any = importlib.import_module(f"datatrove.pipeline.filters.{module}")
    theirs = getattr(filters, kind)(language=Regex())
    return lambda document: theirs.filter(TheirDocument(text=document.text, id=document.id))  # type: ignore[no-any-return]


def _compare(name: str, documents: list[Document], theirs: Callable[[Document], bool | tuple[bool, str]]) -> None:
    (stage,) = built(resolved([name]), Path())
    began = time.process_time()
    ours = [stage.apply(document) for document in documents]
    our_s, began = time.process_time() - began, time.process_time()
    verdicts = [theirs(document) for document in documents]
    their_s = time.process_time() - began
    differing: Counter[str] = Counter()
    kept = 0
    for own, other in zip(ours, verdicts, strict=True):
        gone, reason = isinstance(own, Removed), "kept" if other is True else str(other)
        kept += not gone
        if gone != (other is not True):
            differing[f"{own.reason if isinstance(own, Removed) else 'kept'} / {reason}"] += 1
    n = len(documents)
    equal = 1 - differing.total() / n
    print(f"{name:<20}{equal:>9.2%}{kept / n:>9.1%}{n / our_s:>13,.0f}{n / their_s:>12,.0f}{their_s / our_s:>8.1f}x")
    for verdict, count in differing.most_common():
        print(f"    {count} differ (ours / datatrove's): {verdict}")


if __name__ == "__main__":
    main()
