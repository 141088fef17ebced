"""From a file or a name to a plan or a law."""

from collections.abc import Sequence
from pathlib import Path

from sixnd.specs import catalog
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.errors import ContradictionError, InfeasibleError, SixndError, StalePlanError
from sixnd.specs.laws import LAW_FILES, NamedLaw
from sixnd.specs.load import load_document, load_law, load_plan, located, refuse_stale, told_where
from sixnd.specs.plan import Plan


def planned(spec: BudgetSpec, file: Path, changes: Sequence[str] = ()) -> Plan:
    """The plan of a spec that was read from ``file`` with ``changes``; what is in its way is told with its line."""
    from sixnd.planner.plan import make_plan

    try:
        return make_plan(spec)
    except ContradictionError as error:
        raise located(error, file, changes) from error
    except InfeasibleError as error:
        raise told_where(error, file, changes) from error


def plan_of(document: Path, changes: Sequence[str] = ()) -> Plan:
    """The plan a file holds, or that its spec makes with ``changes``; a stale one is a ``StalePlanError``."""
    found = load_document(document, changes)
    if isinstance(found, BudgetSpec):
        return planned(found, document, changes)
    refuse_stale(found, str(document))
    return found


def refuse_edited(plan: Plan, file: Path) -> None:
    """Raise ``StalePlanError`` where the plan says other than what its spec leads to: someone wrote into it."""
    from sixnd.planner.plan import make_plan

    try:
        anew = make_plan(plan.spec).plain()
    except SixndError:
        anew = {}
    if anew != plan.plain():
        raise StalePlanError(f"{file}: it says other than what its spec leads to", "plan the spec anew")


def plan_going_on(folder: Path, document: Path, changes: Sequence[str] = ()) -> Plan:
    """The plan by which the run in ``folder`` goes on, on the machines and layout that the document asks for.

    A plan is taken as it is, and must be of the same model; of a spec, the layout is chosen for the run's model.
    """
    from sixnd.planner.relocation import relocated

    before, found = load_plan(folder / "plan.yaml"), load_document(document, changes)
    if isinstance(found, BudgetSpec):
        try:
            return relocated(before, found)
        except InfeasibleError as error:
            raise told_where(error, document, changes) from error
    refuse_stale(found, str(document))
    if (found.name, found.fingerprint()) != (before.name, before.fingerprint()):
        raise SixndError(
            f"{document} plans another model or another training than the run in {folder}",
            "to go on with that run on other machines, give a spec of them",
        )
    return found


def named_law(name: str) -> NamedLaw:
    """The catalog's law of that name, or that of a file which `sixnd fit` wrote."""
    if not name.endswith(LAW_FILES):
        return catalog.planning_law(name)
    found = load_law(name)
    return NamedLaw(name=found.name, law=found.law, repetition=found.repetition)
