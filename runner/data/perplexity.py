"""Perplexity under a KenLM n-gram model: CCNet's head, middle and tail (Wenzek et al. 2020, arXiv:1911.00359)."""

import importlib
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from sixnd.runner.data.document import Document
from sixnd.runner.data.stage import Kept, Removed
from sixnd.runner.data.words import described, words_of
from sixnd.specs.errors import SixndError
from sixnd.specs.files import file_sha256
from sixnd.specs.text_filters import Perplexity, WordSplit

ORDER = 5
HEAD_PERCENTILE, TAIL_PERCENTILE = 30, 60
"""Where CCNet's code cuts (cc_net/perplexity.py)."""


class PerplexityStage:
    """Documents are head, middle or tail by two cut-offs; the spec says which are kept."""

    name = "perplexity"

    def __init__(self, chosen: Perplexity, base_dir: Path) -> None:
        if not chosen.model or not 0 < chosen.head_below <= chosen.tail_from:
            raise SixndError(
                "the perplexity filter lacks its model or cut-offs",
                "give a `model` trained on text you hold to be good, and cut-offs "
                "0 < `head_below` <= `tail_from`: the 30th and 60th percentile of your documents, as in CCNet",
            )
        self._chosen = chosen
        path = base_dir / chosen.model
        if not path.is_file():
            raise SixndError(f"the perplexity filter's model {path} is not there", "name one that is")
        self._sha256 = file_sha256(path)
        self._model = load(path)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings, with the model by its digest instead of its path."""
        return described(self._chosen.plain()) | {"model": self._sha256}

    def apply(self, document: Document) -> Kept | Removed:
        """The document if its bucket is kept."""
        found = perplexity(self._model, document.text, self._chosen.words)
        if found is None:
            return Removed("no words")
        bucket = self._bucket(found)
        if bucket not in self._chosen.keep:
            return Removed(bucket, f"perplexity {found:.1f}")
        return Kept(document, {bucket: 1})

    def _bucket(self, found: float) -> str:
        if found < self._chosen.head_below:
            return "head"
        return "middle" if found < self._chosen.tail_from else "tail"


def load(path: Path) -> Any:
    """A KenLM model, binary or ARPA; refused in words where kenlm is not installed."""
    try:
        kenlm = importlib.import_module("kenlm")
    except ImportError as error:
        raise SixndError(
            "the perplexity filter needs kenlm, which is built from source", "pip install kenlm"
        ) from error
    try:
        return kenlm.Model(str(path))
    except OSError as error:
        raise SixndError(f"{path} is no n-gram model that kenlm can read: {error}", "train one with lmplz") from error


def perplexity(model: Any, text: str, split: WordSplit) -> float | None:
    """Perplexity per word and line end, lines scored one by one as CCNet does; ``None`` without any word."""
    log10, length = 0.0, 0
    for line in text.split("\n"):
        words = model_words(line, split)
        if words:
            log10 += model.score(" ".join(words))
            length += len(words) + 1
    return float(10.0 ** (-log10 / length)) if length else None


def model_words(line: str, split: WordSplit) -> list[str]:
    """Words as the model sees them: in lower case, so that headlines and shouting cost nothing."""
    return words_of(line.lower(), split)


def cut_offs(perplexities: Iterable[float]) -> tuple[float, float]:
    """``head_below`` and ``tail_from`` of a sample of documents, at CCNet's percentiles."""
    head, tail = np.percentile(list(perplexities), [HEAD_PERCENTILE, TAIL_PERCENTILE])
    return float(head), float(tail)


def train(texts: Iterable[str], split: WordSplit, target: Path) -> None:
    """Train a 5-gram ARPA model by KenLM's ``lmplz``; refused in words where that program is not there.

    Lines that repeat are given once: ``lmplz`` cannot estimate its discounts from text that repeats.
    """
    program = shutil.which("lmplz")
    if program is None:
        raise SixndError(
            "training an n-gram model needs KenLM's program `lmplz`, which is not on the PATH (the Python package "
            "kenlm only scores)",
            "build it from KenLM's source, or give a model that is trained",
        )
    lines = {" ".join(model_words(line, split)) for text in texts for line in text.split("\n")}
    given = "\n".join(sorted(lines - {""})).encode()
    command = [program, "--order", str(ORDER), "--arpa", str(target)]
    done = subprocess.run(command, input=given, capture_output=True)
    if done.returncode:
        last = (done.stderr.decode(errors="replace").strip().splitlines() or ["it gave no reason"])[-1]
        target.unlink(missing_ok=True)
        raise SixndError(f"lmplz failed: {last}", "mend that, or give a model that is trained")
