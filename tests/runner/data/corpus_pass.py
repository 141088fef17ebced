"""A corpus stage as the engine runs it: every shard signed, findings made of all, every shard read again and cut."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sixnd.runner.data.corpus_stage import CorpusStage
from sixnd.runner.data.document import Document
from sixnd.runner.data.findings import Finding, read_findings
from sixnd.runner.data.stage import Kept, Removed
from sixnd.runner.data.stages import built
from sixnd.specs.data_stages import StageChoice, resolved


@dataclass(frozen=True)
class Passed:
    """What a pass left and took out, documents counted over all shards."""

    kept: list[Document]
    removed: list[tuple[str, Removed]]
    edits: dict[str, int]
    findings: list[Finding]

    @property
    def left(self) -> list[tuple[str, str]]:
        """Identifiers and texts of what stays."""
        return [(document.id, document.text) for document in self.kept]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Identifiers of what was found, each with what it is also in."""
        return [(finding.id, finding.also_in) for finding in self.findings]


def stage(name: str, base_dir: Path = Path(), **change: object) -> CorpusStage:
    """A corpus stage of the catalog with changed settings."""
    (only,) = built(resolved([StageChoice(filter=name, change=change)]), base_dir)
    return only  # type: ignore[return-value]


def numbered(texts: Iterable[str], source: str = "s") -> list[Document]:
    """Documents d0, d1, … of these texts."""
    return [Document(f"d{i}", text, "CC0-1.0", source) for i, text in enumerate(texts)]


def cut(documents: Sequence[Document], shards: int) -> list[list[Document]]:
    """Documents in shards of about equal length, in order; some are empty where there are more shards."""
    bounds = [len(documents) * i // shards for i in range(shards + 1)]
    return [list(documents[start:end]) for start, end in itertools.pairwise(bounds)]


def passed(chosen: CorpusStage, documents: Sequence[Document], *, shards: int = 1, workers: int = 1) -> Passed:
    """The whole pass over documents cut into shards."""
    with TemporaryDirectory() as folder:
        return passed_shards(chosen, cut(documents, shards), Path(folder), workers=workers)


def passed_shards(chosen: CorpusStage, parts: list[list[Document]], folder: Path, *, workers: int = 1) -> Passed:
    """The whole pass over these shards; findings have the places of documents among all."""
    signed = sign(chosen, parts, folder)
    found = [folder / f"found-{i}.jsonl" for i in range(len(parts))]
    scratch = folder / "scratch"
    scratch.mkdir()
    chosen.find(signed, found, scratch=scratch, workers=workers)
    assert not list(scratch.iterdir())
    result = Passed([], [], {}, [])
    before = 0
    for part, path in zip(parts, found, strict=True):
        take_out(chosen, part, path, result)
        head, own = read_findings(path)
        result.findings.extend(Finding(**vars(one) | {"position": one.position + before}) for one in own)
        before += head["documents"]
    return result


def sign(chosen: CorpusStage, parts: list[list[Document]], folder: Path) -> list[Path]:
    """Signatures of the shards."""
    paths = [folder / f"signed-{i}" for i in range(len(parts))]
    for part, path in zip(parts, paths, strict=True):
        assert list(chosen.signed(iter(part), path)) == part
    return paths


def take_out(chosen: CorpusStage, part: list[Document], path: Path, result: Passed) -> None:
    """One shard through its remover, added to the result."""
    remover = chosen.remover(path)
    for document in part:
        outcome = remover.apply(document)
        if isinstance(outcome, Kept):
            result.kept.append(outcome.document)
            for what, count in outcome.edits.items():
                result.edits[what] = result.edits.get(what, 0) + count
        else:
            result.removed.append((document.id, outcome))
    remover.finish()
