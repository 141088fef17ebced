"""What one law would choose, as a row of the table that holds the laws side by side."""

from sixnd.reports.documents import Figure, LawRow
from sixnd.reports.figures import estimated, exact
from sixnd.specs.plan import Estimate, LawChoice


def law_row(choice: LawChoice, chosen: str) -> LawRow:
    """The row of a law; ``chosen`` names the law that was used."""
    return LawRow(
        law=choice.law,
        params=_with_interval("count", choice.params, choice.params_interval),
        tokens_per_param=choice.tokens / choice.params if choice.tokens and choice.params else None,
        loss=_with_interval("nats", choice.loss, choice.loss_interval),
        decades_outside=choice.decades_outside,
        note=choice.note,
        chosen=choice.law == chosen,
    )


def _with_interval(kind: str, value: float | None, interval: list[float] | None) -> Figure | None:
    if value is None:
        return None
    if interval is None:
        return exact(kind, value)
    return estimated(kind, Estimate(value=value, low=interval[0], high=interval[1], unit="", basis=""))
