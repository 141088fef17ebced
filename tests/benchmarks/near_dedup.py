"""Near-deduplication beside datatrove's, in one run: documents a CPU second, recall and precision on planted pairs.

    python -m tests.benchmarks.near_dedup --datatrove FOLDER [--originals 2000] [--repeats 3]

FOLDER holds datatrove 0.10.1 and spaCy (``pip install --target FOLDER 'datatrove[processing,io]==0.10.1' spacy``): they
are not installed beside sixnd. Prints JSON.

Documents are random words of letters only; every original has one copy with an exactly counted Jaccard similarity of
word 5-grams near 0.5 to 0.95. ``datatrove_default`` is its MinHash as it comes (14 × 8, spaCy words),
``datatrove_plain`` the same with a regular expression for words, ``datatrove_plain_16x6`` that with our bands. All four
of its stages are timed, reading and writing of its own files included, imports and model loading not. ``sixnd``
verifies every pair and is timed through all it does, signing, finding and removing, its files included, on 1 and on 7
shards; ``sixnd_14x8`` does with datatrove's bands. CPU seconds are user and system time of one process;
medians of the repeats (datatrove's default is run once, so spaCy meets every word of the vocabulary for the first
time; on real text it is faster). Recall is of pairs at 0.8 and above, precision the share of removals that are such.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from sixnd.runner.data.corpus_stage import CorpusStage
from tests.runner.data.corpus_pass import numbered, passed, stage
from tests.runner.data.planted import Planted, planted

LEVELS = [0.5, 0.6, 0.7, 0.75, 0.8, 0.82, 0.85, 0.9, 0.95]


def ours(corpus: Planted, chosen: CorpusStage, repeats: int, shards: int = 1) -> dict[str, Any]:
    """Our near-deduplication."""
    documents = numbered(text for _, text in corpus.documents)
    seconds = []
    for _ in range(repeats + 1):
        began = time.process_time()
        found = passed(chosen, documents, shards=shards)
        seconds.append(time.process_time() - began)
    removed = [finding.position for finding in found.findings]
    return judged(corpus, removed, statistics.median(seconds[1:]))  # the first call makes tables of characters


def datatrove(corpus: Planted, folder: Path, words: str, bands: int, rows: int, repeats: int) -> dict[str, Any]:
    """Datatrove's, in a process of its own that sees its own packages first."""
    with tempfile.TemporaryDirectory() as work:
        texts = Path(work) / "texts.json"
        texts.write_text(json.dumps([text for _, text in corpus.documents]))
        script = Path(__file__).with_name("near_dedup_datatrove.py")
        command = [sys.executable, str(script), str(texts), words, str(bands), str(rows), str(repeats)]
        path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
        result = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True)
    if result.returncode:
        raise SystemExit(f"datatrove failed: {result.stderr[-2000:]}")
    told = json.loads(result.stdout.splitlines()[-1])
    return judged(corpus, told["removed"], statistics.median(told["seconds"]))


def judged(corpus: Planted, removed: list[int], seconds: float) -> dict[str, Any]:
    """Speed, recall and precision; a pair is found when one of its two documents is removed."""
    gone = set(removed)
    alike = [pair for pair, similarity in corpus.pairs.items() if similarity >= 0.8]
    found = sum(bool(gone & set(pair)) for pair in alike)
    right = {place for pair in alike for place in pair}
    return {
        "documents_per_cpu_s": round(len(corpus.documents) / seconds),
        "recall": round(found / len(alike), 4),
        "precision": round(len(gone & right) / len(gone), 4),
        "removed": len(gone),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datatrove", type=Path, help="folder with datatrove and spaCy; without it ours alone is run")
    parser.add_argument("--originals", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    corpus = planted(options.originals, LEVELS, seed=11)
    results = {
        "sixnd": ours(corpus, stage("near-dedup"), options.repeats),
        "sixnd_7_shards": ours(corpus, stage("near-dedup"), options.repeats, shards=7),
        "sixnd_14x8": ours(corpus, stage("near-dedup", bands=14, rows=8), options.repeats),
    }
    if options.datatrove:
        for name, words, bands, rows, repeats in (
            ("datatrove_default", "spacy", 14, 8, 1),
            ("datatrove_plain", "plain", 14, 8, options.repeats),
            ("datatrove_plain_16x6", "plain", 16, 6, options.repeats),
        ):
            results[name] = datatrove(corpus, options.datatrove, words, bands, rows, repeats)
        speed = results["sixnd"]["documents_per_cpu_s"]
        results["times_faster_than"] = {
            name: round(speed / result["documents_per_cpu_s"], 1)
            for name, result in results.items()
            if name.startswith("datatrove")
        }
    text = sum(len(text) for _, text in corpus.documents)
    print(json.dumps({"documents": len(corpus.documents), "bytes": text, "results": results}, indent=2))


if __name__ == "__main__":
    main()
