"""Which report a file name asks for, and the reports of a finished run."""

from pathlib import Path

from sixnd.specs.errors import SixndError
from sixnd.specs.load import load_plan
from sixnd.specs.plan import Plan
from sixnd.specs.record import RunRecord, read_record

FORMATS = (".html", ".md", ".json")


def read_run(folder: Path) -> tuple[Plan, RunRecord]:
    """The plan and the record of the run in ``folder``; raises ``SixndError`` where no run is."""
    if not (folder / "record.jsonl").is_file():
        raise SixndError(f"{folder} holds no run: there is no record.jsonl in it")
    return load_plan(folder / "plan.yaml"), read_record(folder / "record.jsonl")
