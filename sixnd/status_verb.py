"""``sixnd status``: how a run stands, once or until it has ended."""

from pathlib import Path

import click

from sixnd.console import INTERRUPTED, Screen, print_json, print_result, tell


@click.command()
@click.argument("folder", metavar="RUN_FOLDER", type=click.Path(path_type=Path))
@click.option(
    "--watch",
    type=click.FloatRange(min=0.1),
    is_flag=False,
    flag_value=5.0,
    metavar="[SECONDS]",
    help="Again every so many seconds (5 by default), until it has ended; Ctrl-C leaves it to itself.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def status(folder: Path, watch: float | None, as_json: bool) -> int:
    """Say how a run stands.

    Step, loss, speed, time left, and how it ended; of a run that goes on, also what it spent, its ranks' signs of life
    and its last alarms.
    """
    from sixnd.status import follow_status, read_status

    screen = Screen()
    if watch is None:
        state = read_status(folder)
        print_json(state.plain()) if as_json else print_result(state.text(screen.columns))
        return 0
    try:
        follow_status(
            folder,
            watch,
            lambda state: print_json(state.plain()) if as_json else screen.show(state.text(screen.columns)),
        )
    except KeyboardInterrupt:
        tell(f"left {folder} to itself; it goes on")
        return INTERRUPTED
    return 0
