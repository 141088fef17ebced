"""What a corpus stage is: it must see all documents before it takes any out.

Its work is cut into parts that a run can be resumed between. Every shard's documents are signed on their way (numbers
that stand for the texts go into a file); once all shards are signed, what is to go is found; then every shard is read
again through its remover. Signing and removing work on one shard each, so they run side by side; what is found depends
on the order of the documents only, neither on where shards begin nor on the number of workers.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from sixnd.runner.data.document import Document
from sixnd.runner.data.findings import Remover


class CorpusStage(Protocol):
    """One step of preparation over all documents of a source, or of all sources."""

    @property
    def name(self) -> str:
        """What reports call it."""

    @property
    def settings(self) -> dict[str, Any]:
        """All that decides what it does, as plain data, files by their SHA-256."""

    def signed(self, documents: Iterable[Document], path: Path) -> Iterator[Document]:
        """Pass one shard's documents through; when the last one is through, their signature stands in ``path``.

        It is written in one step, and not at all where the documents are not read to their end.
        """

    def find(
        self,
        signed: Sequence[Path],
        findings: Sequence[Path],
        *,
        scratch: Path,
        workers: int = 1,
    ) -> None:
        """From all shards' signatures, in order, one file of findings for each; ``scratch`` is a folder for big files.

        Raises ``InvalidDataError`` where a signature is not whole or was made by other settings.
        """

    def remover(self, findings: Path) -> Remover:
        """The stage that takes out of one shard what was found in it."""
