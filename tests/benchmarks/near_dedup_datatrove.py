"""Datatrove's MinHash on a list of texts, timed: run by `near_dedup.py` in a process that has datatrove.

Arguments: JSON file of texts, ``spacy`` or ``plain`` words, bands, rows, repeats. Prints seconds and what was removed.
"""

import json
import re
import sys
import tempfile
import time
from typing import Any

from datatrove.data import Document
from datatrove.pipeline.dedup.minhash import (
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.utils.word_tokenizers import WordTokenizer, load_word_tokenizer


class PlainWords(WordTokenizer):  # type: ignore[misc]
    """Words by a regular expression; MinHash asks for nothing else."""

    def word_tokenize(self, text: str) -> list[str]:
        return re.findall(r"\w+", text)

    def sent_tokenize(self, text: str) -> list[str]:
        raise NotImplementedError

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        raise NotImplementedError


def removed(texts: list[str], words: Any, config: MinhashConfig, work: str) -> list[int]:
    """Positions of what the four stages remove."""
    documents = [Document(text=text, id=str(i)) for i, text in enumerate(texts)]
    MinhashDedupSignature(f"{work}/signatures", config, language=words).run(iter(documents))
    for bucket in range(config.num_buckets):
        buckets = MinhashDedupBuckets(f"{work}/signatures", f"{work}/buckets", config=config)
        buckets.run(None, bucket, config.num_buckets)
    MinhashDedupCluster(f"{work}/buckets", f"{work}/removed", config=config).run(None, 0, 1)
    kept = {int(document.id) for document in MinhashDedupFilter(f"{work}/removed").run(iter(documents), 0, 1)}
    return [i for i in range(len(texts)) if i not in kept]


def main() -> None:
    """Run and print JSON."""
    path, words, bands, rows, repeats = sys.argv[1:]
    with open(path) as file:
        texts = json.load(file)
    tokenizer: Any = PlainWords() if words == "plain" else "eng"
    load_word_tokenizer(tokenizer).word_tokenize("loads the model")
    config = MinhashConfig(num_buckets=int(bands), hashes_per_bucket=int(rows))
    seconds, gone = [], []
    for _ in range(int(repeats)):
        with tempfile.TemporaryDirectory() as work:
            began = time.process_time()
            gone = removed(texts, tokenizer, config, work)
            seconds.append(time.process_time() - began)
    print(json.dumps({"seconds": seconds, "removed": gone}))


if __name__ == "__main__":
    main()
