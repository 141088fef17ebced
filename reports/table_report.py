"""A report that is findings and tables: of prepared data, of an audit, of tokenizers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sixnd.reports.tables import Table


@dataclass(frozen=True)
class TableReport:
    """What such a report shows, and the facts that its JSON holds."""

    kind: str
    """E.g. `Tokenizers`."""
    name: str
    verdict: str
    findings: Sequence[str]
    """What a reader should look into; empty where nothing was found."""
    tables: Sequence[Table]
    facts: dict[str, Any]
