import re
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from syrupy.location import PyTestLocation

from sixnd.specs.plan import Plan
from sixnd.specs.record import RunRecord
from tests.reports import build


class _Golden(SingleFileSnapshotExtension):
    """One readable text file a rendering, in tests/golden/reports/<test module>/."""

    _write_mode = WriteMode.TEXT
    file_extension = "txt"

    @classmethod
    def dirname(cls, *, test_location: PyTestLocation) -> str:
        return str(Path(test_location.filepath).parents[1] / "golden" / "reports" / test_location.basename)


@pytest.fixture
def golden(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(_Golden)


def masked(text: str, plan: Plan) -> str:
    """Digests out, width kept: they change with every catalog, the report does not."""
    text = re.sub(r"\b[0-9a-f]{64}\b", "<sha256>".ljust(64, "-"), text)
    text = re.sub(r"\b[0-9a-f]{16}…", "<sha256>".ljust(16, "-") + "…", text)
    return text.replace(plan.fingerprint(), "<finger>")


@pytest.fixture(scope="session")
def big_plan() -> Plan:
    return build.costed_plan(build.big_plan())


@pytest.fixture(scope="session")
def small_plan() -> Plan:
    return build.small_plan()


@pytest.fixture(scope="session")
def resumed(small_plan: Plan) -> RunRecord:
    return build.resumed_run(small_plan)
