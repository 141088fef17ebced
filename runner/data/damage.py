"""What could not be read: named, counted, and passed over, so that one bad file does not end the work of a day."""

from collections import Counter, defaultdict

from sixnd.specs.data_result import DamageFound

_FIRST = 5


class DamageLog:
    """Counts what is told to it by kind, and keeps the first places of each."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._first: defaultdict[str, list[str]] = defaultdict(list)

    def note(self, kind: str, where: str) -> None:
        """One thing of that kind could not be read, there."""
        self._counts[kind] += 1
        if len(self._first[kind]) < _FIRST:
            self._first[kind].append(where)

    def found(self) -> list[DamageFound]:
        """All kinds, by name."""
        return [
            DamageFound(kind=kind, count=self._counts[kind], first=self._first[kind]) for kind in sorted(self._counts)
        ]
