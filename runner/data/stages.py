"""From settings to stages: the one place that knows which class does what."""

from collections.abc import Iterable
from pathlib import Path

from sixnd.runner.data.cleaning import Normaliser, Scrubber
from sixnd.runner.data.corpus_stage import CorpusStage
from sixnd.runner.data.decontamination import Decontaminator
from sixnd.runner.data.exact_dedup import ExactDeduplicator
from sixnd.runner.data.gopher import GopherQualityStage, GopherRepetitionStage
from sixnd.runner.data.language import LanguageStage
from sixnd.runner.data.near_dedup import NearDeduplicator
from sixnd.runner.data.perplexity import PerplexityStage
from sixnd.runner.data.stage import Stage
from sixnd.runner.data.substring_dedup import SubstringDeduplicator
from sixnd.runner.data.web_filters import C4Stage, FineWebQualityStage
from sixnd.specs.text_filters import (
    C4,
    CorpusStageSettings,
    Decontaminate,
    DocumentStageSettings,
    ExactDedup,
    FineWebQuality,
    GopherQuality,
    GopherRepetition,
    LanguageFilter,
    NearDedup,
    Normalise,
    Perplexity,
    ScrubPii,
    StageSettings,
    SubstringDedup,
)


def built(settings: Iterable[StageSettings], base_dir: Path) -> list[Stage | CorpusStage]:
    """Stages in the order of their settings; files they name are relative to ``base_dir``.

    Raises ``SixndError`` where a stage needs a package or file that is not there.
    """
    return [
        corpus_stage(one, base_dir) if isinstance(one, CorpusStageSettings) else document_stage(one, base_dir)
        for one in settings
    ]


def corpus_stage(settings: CorpusStageSettings, base_dir: Path) -> CorpusStage:
    """The stage that must see all documents; files it names are relative to ``base_dir``."""
    match settings:
        case ExactDedup():
            return ExactDeduplicator(settings)
        case NearDedup():
            return NearDeduplicator(settings)
        case SubstringDedup():
            return SubstringDeduplicator(settings)
        case Decontaminate():
            return Decontaminator(settings, base_dir)


def document_stage(settings: DocumentStageSettings, base_dir: Path) -> Stage:
    """The stage that looks at one document at a time; files it names are relative to ``base_dir``."""
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
