"""From settings to stages: the one place that knows which class does what."""

from collections.abc import Iterable
from pathlib import Path

from sixnd.runner.data.cleaning import Normaliser, Scrubber
from sixnd.runner.data.gopher import GopherQualityStage, GopherRepetitionStage
from sixnd.runner.data.language import LanguageStage
from sixnd.runner.data.perplexity import PerplexityStage
from sixnd.runner.data.stage import Stage
from sixnd.runner.data.web_filters import C4Stage, FineWebQualityStage
from sixnd.specs.text_filters import (
    C4,
    FineWebQuality,
    GopherQuality,
    GopherRepetition,
    LanguageFilter,
    Normalise,
    Perplexity,
    ScrubPii,
    StageSettings,
)


def built(settings: Iterable[StageSettings], base_dir: Path) -> list[Stage]:
    """Stages in the order of their settings; files they name are relative to ``base_dir``.

    Raises ``SixndError`` where a stage needs a package or file that is not there.
    """
    return [_built(one, base_dir) for one in settings]


def _built(settings: StageSettings, base_dir: Path) -> Stage:
    match settings:
        case Normalise():
            return Normaliser(settings)
        case LanguageFilter():
            return LanguageStage(settings)
        case GopherQuality():
            return GopherQualityStage(settings)
        case GopherRepetition():
            return GopherRepetitionStage(settings)
        case C4():
            return C4Stage(settings)
        case FineWebQuality():
            return FineWebQualityStage(settings)
        case Perplexity():
            return PerplexityStage(settings, base_dir)
        case ScrubPii():
            return Scrubber(settings)
