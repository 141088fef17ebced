"""The phases of a data mix: what each planned to read of each source, and after a run what it drew."""

from sixnd.reports.documents import PhaseRow
from sixnd.reports.figures import exact
from sixnd.specs.plan import PhaseShare, Plan, PlannedPhase
from sixnd.specs.record import Mix


def phase_rows(plan: Plan, mix: Mix | None = None) -> list[PhaseRow]:
    """One row a source that a phase reads; none where there is but one phase."""
    phases = plan.phases if len(plan.phases) > 1 else []
    drawn = {} if mix is None else {phase.name: phase.sequences for phase in mix.phases}
    return [_row(phase, part, drawn.get(phase.name)) for phase in phases for part in phase.sources if part.share > 0]


def _row(phase: PlannedPhase, part: PhaseShare, drawn: dict[str, int] | None) -> PhaseRow:
    row = PhaseRow(
        phase=phase.name,
        steps=f"{phase.first_step:,} to {phase.last_step:,}",
        source=part.name,
        planned=exact("share", part.share),
        tokens=exact("count", part.tokens),
        epochs=None if part.epochs is None else exact("number", part.epochs),
    )
    if not drawn:
        return row
    sequences = drawn.get(part.name, 0)
    realised = {
        "realised": exact("share", sequences / sum(drawn.values())),
        "sequences": exact("integer", sequences),
    }
    return row.model_copy(update=realised)
