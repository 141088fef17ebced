"""What is left in prepared data that may not belong there: duplicates, addresses, licences, languages.

Reads every cleaned document once. Duplicates are looked for by the same stages that take them out, with the catalog's
settings, over all sources together; memory is theirs.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sixnd.runner.data.census import Census
from sixnd.runner.data.cleaning import Scrubber
from sixnd.runner.data.corpus_stage import CorpusStage
from sixnd.runner.data.document import Document
from sixnd.runner.data.findings import Finding, read_findings
from sixnd.runner.data.stages import corpus_stage
from sixnd.runner.data.survey import documents_left
from sixnd.runner.data.work import Work
from sixnd.specs import catalog
from sixnd.specs.data_audit import DataAudit, Duplicates, LicenceHeld, SourceAudit
from sixnd.specs.licences import licence_kind
from sixnd.specs.text_filters import ExactDedup, NearDedup, ScrubPii

_EXAMPLES = 3
Say = Callable[[str], None]


@dataclass
class _Tally:
    """Counts of one source's documents on their way."""

    scrubber: Scrubber
    census: Census = field(default_factory=Census)
    with_addresses: int = 0
    addresses: Counter[str] = field(default_factory=Counter)

    def counted(self, documents: Iterator[Document]) -> Iterator[Document]:
        for document in self.census.counted(documents):
            found = self.scrubber.apply(document).edits
            self.with_addresses += bool(found)
            self.addresses.update(found)
            yield document

    def audit(self, name: str) -> SourceAudit:
        return SourceAudit(
            name=name,
            documents=self.census.documents,
            bytes=self.census.bytes,
            licences=[
                LicenceHeld(licence=stated, kind=licence_kind(stated), documents=count)
                for stated, count in self.census.licences.most_common()
            ],
            languages=dict(self.census.languages.most_common()),
            addresses=dict(sorted(self.addresses.items())),
            documents_with_addresses=self.with_addresses,
        )


def audited(folder: Path, work: Work, say: Say) -> DataAudit:
    """What every source of a working folder holds, as far as it is prepared."""
    exact, near, scrub = (catalog.text_filter(name).settings for name in ("exact-dedup", "near-dedup", "scrub-pii"))
    assert isinstance(exact, ExactDedup)
    assert isinstance(near, NearDedup)
    assert isinstance(scrub, ScrubPii)
    stages = corpus_stage(exact, folder), corpus_stage(near, folder)
    names, found = [source.source.name for source in work.sources], []
    with tempfile.TemporaryDirectory(dir=folder, prefix=".audit-") as scratch:
        signed = [[Path(scratch) / f"{i}-{stage.name}" for stage in stages] for i in range(len(names))]
        for source, paths in zip(work.sources, signed, strict=True):
            say(f"reading {source.source.name}")
            tally = _Tally(Scrubber(scrub))
            documents = tally.counted(documents_left(folder, work, source))
            for stage, path in zip(stages, paths, strict=True):
                documents = stage.signed(documents, path)
            for _ in documents:
                pass
            found.append(tally.audit(source.source.name))
        say("looking for duplicates")
        per_stage = [
            _duplicates(stage, [paths[i] for paths in signed], Path(scratch)) for i, stage in enumerate(stages)
        ]
    return DataAudit(sources=found, duplicates=_by_pair(names, *per_stage), near_settings=_told(near))


def _duplicates(stage: CorpusStage, signed: list[Path], scratch: Path) -> list[dict[int, Finding]]:
    """By source and position, what the stage would take out."""
    findings = [path.with_suffix(".found") for path in signed]
    stage.find(signed, findings, scratch=scratch)
    return [{finding.position: finding for finding in read_findings(path)[1]} for path in findings]


def _by_pair(names: list[str], exact: list[dict[int, Finding]], near: list[dict[int, Finding]]) -> list[Duplicates]:
    pairs: dict[tuple[str, str], list[Finding]] = {}
    only_near = [
        {position: finding for position, finding in similar.items() if position not in same}
        for same, similar in zip(exact, near, strict=True)
    ]
    counts: dict[tuple[str, str], Counter[str]] = {}
    for kind, per_source in (("exact", exact), ("near", only_near)):
        for name, found in zip(names, per_source, strict=True):
            for finding in found.values():
                pair = (name, _source_of(finding, name, names))
                pairs.setdefault(pair, []).append(finding)
                counts.setdefault(pair, Counter())[kind] += 1
    return [
        Duplicates(
            source=source,
            of=of,
            exact=counts[source, of]["exact"],
            near=counts[source, of]["near"],
            examples=[f"{finding.id}: {finding.why}" for finding in found[:_EXAMPLES]],
        )
        for (source, of), found in sorted(pairs.items())
    ]


def _source_of(finding: Finding, own: str, names: list[str]) -> str:
    """The source of the document that stays: findings name it where it is another."""
    others = (name for name in names if name != own and finding.also_in.endswith(f" of {name}"))
    return next(others, own)


def _told(near: NearDedup) -> str:
    return (
        f"Jaccard similarity of word {near.ngram}-grams of at least {near.threshold:g}, {near.bands} bands of "
        f"{near.rows} rows"
    )
