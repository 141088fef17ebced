import pytest

from sixnd.specs.plan import Plan
from sixnd.specs.record import RunRecord
from tests.reports import build


@pytest.fixture(scope="session")
def big_plan() -> Plan:
    return build.big_plan()


@pytest.fixture(scope="session")
def small_plan() -> Plan:
    return build.small_plan()


@pytest.fixture(scope="session")
def resumed(small_plan: Plan) -> RunRecord:
    return build.resumed_run(small_plan)
