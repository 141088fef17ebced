"""`sixnd note`: write something down about a run."""

from pathlib import Path

import click

from sixnd.console import tell


@click.command()
@click.argument("folder", metavar="RUN_FOLDER", type=click.Path(path_type=Path))
@click.argument("text")
def note(folder: Path, text: str) -> None:
    """Write a dated note about a run.

    It stands in the run's log with the step that was reached, in every report. The run may be going on meanwhile.
    """
    from sixnd.reporting import read_run
    from sixnd.runner.provenance import now
    from sixnd.specs.notes import NOTES, Note, append_note
    from sixnd.specs.record import Launch

    if not text.strip():
        raise click.UsageError("the note is empty")
    _plan, record = read_run(folder)
    launch, steps = record.last(Launch), record.steps()
    written = Note(time=now(), attempt=launch.attempt if launch else 0, step=steps[-1].step if steps else 0, text=text)
    append_note(folder, written)
    tell(f"noted at step {written.step:,} in {folder / NOTES}")
