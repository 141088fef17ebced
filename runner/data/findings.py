"""What a corpus stage found to be taken out of each shard, and the stage that takes it out.

Findings are JSON lines: a head (stage, digest of its settings, how many documents, SHA-256 of their ids), then one line
for every document that goes or is cut, in order. They are read as the documents come, never as a whole.
"""

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sixnd.runner.data.document import Document
from sixnd.runner.data.signature import Signatures, id_bytes
from sixnd.runner.data.stage import Kept, Named, Removed, digest
from sixnd.specs.errors import InvalidDataError
from sixnd.specs.files import replaced_atomically

Span = tuple[int, int]
"""First character to cut, and the first after it to keep."""


@dataclass(frozen=True)
class Finding:
    """One document that is taken out whole, or loses the spans named."""

    position: int
    """Place of the document among all, and in a file of findings among those of its shard (from 0)."""
    id: str
    also_in: str
    """The document that stays in its place, or the evaluation item it gives away."""
    why: str
    spans: tuple[Span, ...] = ()
    """In order and apart; none where the whole document goes."""


def write_findings(stage: Named, shards: Signatures, paths: Sequence[Path], found: Iterable[Finding]) -> None:
    """Findings of all documents, in order of position, as one file a shard."""
    waiting = iter(found)
    ahead = next(waiting, None)
    for number, path in enumerate(paths):
        first, last = shards.starts[number], shards.starts[number + 1]
        head = {
            "stage": stage.name,
            "settings_sha256": digest(stage),
            "documents": int(last - first),
            "ids_sha256": shards.opened(number).ids_sha256,
        }
        with replaced_atomically(path) as temporary, temporary.open("w", encoding="utf-8") as file:
            file.write(json.dumps(head) + "\n")
            while ahead is not None and ahead.position < last:
                file.write(json.dumps(asdict(replace(ahead, position=ahead.position - int(first)))) + "\n")
                ahead = next(waiting, None)


def read_findings(path: Path) -> tuple[dict[str, Any], Iterator[Finding]]:
    """The head of a file of findings, and its findings one by one.

    Raises ``InvalidDataError`` where it is none.
    """
    lines = _lines(path)
    head = next(lines, {})
    if not {"stage", "settings_sha256", "documents", "ids_sha256"} <= set(head):
        raise InvalidDataError(f"{path} holds no findings", "remove it, and they are found again")
    return head, (Finding(**line | {"spans": tuple((a, b) for a, b in line["spans"])}) for line in lines)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        try:
            for line in file:
                yield dict(json.loads(line))
        except ValueError as error:
            raise InvalidDataError(f"{path} is damaged", "remove it, and its findings are made again") from error


class Remover:
    """Takes out of one shard's documents, given in order, what was found in them. For one pass only."""

    def __init__(self, stage: Named, reason: str, path: Path) -> None:
        self.name = stage.name
        self.settings = stage.settings
        self._reason = reason
        self._head, self._found = read_findings(path)
        if (self._head["stage"], self._head["settings_sha256"]) != (stage.name, digest(stage)):
            raise InvalidDataError(f"{path} was found by other settings", "remove it, and it is found again")
        self._ahead = next(self._found, None)
        self._seen = 0
        self._ids = hashlib.sha256()

    def apply(self, document: Document) -> Kept | Removed:
        """What becomes of the next document."""
        position, self._seen = self._seen, self._seen + 1
        self._ids.update(id_bytes(document.id))
        finding = self._ahead
        if finding is None or finding.position != position:
            return Kept(document)
        if finding.id != document.id:
            raise InvalidDataError(
                f"document {position} is now '{document.id}', it was '{finding.id}' when {self.name} read it",
                "prepare this source again",
            )
        self._ahead = next(self._found, None)
        if not finding.spans:
            return Removed(self._reason, finding.why)
        text = without(document.text, finding.spans)
        return Kept(replace(document, text=text), {"passages cut": len(finding.spans)})

    def finish(self) -> None:
        """After the last document: raises ``InvalidDataError`` where they were not those that were signed."""
        if (self._seen, self._ids.hexdigest()) != (self._head["documents"], self._head["ids_sha256"]):
            raise InvalidDataError(
                f"these {self._seen:,} documents are not the {self._head['documents']:,} that {self.name} read",
                "prepare this source again",
            )


def without(text: str, spans: Iterable[Span]) -> str:
    """The text without the spans, which are in order and do not overlap."""
    parts, at = [], 0
    for start, end in spans:
        parts.append(text[at:start])
        at = end
    return "".join(itertools.chain(parts, [text[at:]]))
