"""Reading documents from files: every mistake at once, each with file, line and column."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import ValidationError

from sixnd.specs import catalog
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.checks import check_budget
from sixnd.specs.continual_base import with_base
from sixnd.specs.document import Document
from sixnd.specs.errors import (
    ContradictionError,
    InfeasibleError,
    InvalidDocumentError,
    Problem,
    StalePlanError,
    unreadable,
)
from sixnd.specs.errors import Path as DocPath
from sixnd.specs.laws import LAW_FILES, NamedLaw
from sixnd.specs.mistake_places import located_mistake
from sixnd.specs.plan import Plan
from sixnd.specs.resolve import resolve
from sixnd.specs.tokenizers import with_header
from sixnd.specs.yaml_reader import Marked, read_yaml

T = TypeVar("T", bound=Document)

if TYPE_CHECKING:
    from sixnd.specs.calibration import Calibration
    from sixnd.specs.law_document import LawDocument
    from sixnd.specs.mix_document import MixDocument
    from sixnd.specs.prepared import PreparedData


def load_budget(path: str | Path, changes: Sequence[str] = ()) -> BudgetSpec:
    """Read and check a spec with ``changes`` (`path=value`); raise ``InvalidDocumentError`` with every mistake."""
    return _checked(read_spec(path, changes), BudgetSpec)


def read_spec(path: str | Path, changes: Sequence[str] = ()) -> Marked:
    """A budget spec as it is written, with what it extends, the changes and its variables, before it is checked."""
    return resolve(read_yaml(read_text(path), str(path)), changes)


def load_sources(path: str | Path) -> BudgetSpec:
    """Read a budget spec for its sources alone, before what they hold was measured.

    Whatever a mix is chosen from is left out: weights of `auto` are 1, and there is no mix, limit or annealing.
    """
    marked = read_spec(path)
    data = marked.data.get("data") if isinstance(marked.data, dict) else None
    if isinstance(data, dict):
        if isinstance(marked.data.get("continual"), dict):  # tokenizer and sizes are the base's, its sources are made
            marked.data["continual"] |= {"general": [], "replay": 0.0}
        for key in ("mix", "temperature", "max_epochs", "anneal", "prepared"):
            data.pop(key, None)
        for source in data["sources"] if isinstance(data.get("sources"), list) else []:
            if isinstance(source, dict) and source.get("weight") == "auto":
                source["weight"] = 1.0
    return _checked(marked, BudgetSpec)


def load_plan(path: str | Path) -> Plan:
    """Read a plan; raise ``InvalidDocumentError`` with every mistake found."""
    return load(path, Plan)


def load_law(path: str | Path) -> "LawDocument":
    """Read a fitted law; raise ``InvalidDocumentError`` with every mistake found."""
    from sixnd.specs.law_document import LawDocument

    return load(path, LawDocument)


def load_mix(path: str | Path) -> "MixDocument":
    """Read a fitted mixing law; raise ``InvalidDocumentError`` with every mistake found."""
    from sixnd.specs.mix_document import MixDocument

    return load(path, MixDocument)


def load_calibration(path: str | Path) -> "Calibration":
    """Read a calibration; raise ``InvalidDocumentError`` with every mistake found."""
    from sixnd.specs.calibration import Calibration

    return load(path, Calibration)


def load_prepared(path: str | Path) -> "PreparedData":
    """Read what a data preparation measured; raise ``InvalidDocumentError`` with every mistake found."""
    from sixnd.specs.prepared import PreparedData

    return load(path, PreparedData)


def load_document(path: str | Path, changes: Sequence[str] = ()) -> BudgetSpec | Plan:
    """Read a budget spec or a plan, whichever the file's ``version`` says it is; only a spec can be changed."""
    found = load_any(path, changes)
    if isinstance(found, BudgetSpec | Plan):
        return found
    problem = Problem((), f"is a {type(found).__name__}", "name a budget spec or a plan")
    raise InvalidDocumentError(str(path), [problem])


def load_any(path: str | Path, changes: Sequence[str] = ()) -> Document:
    """Read whatever document the file's ``version`` says it is; without one, a budget spec."""
    marked = read_yaml(read_text(path), str(path))
    version = marked.data.get("version") if isinstance(marked.data, dict) else None
    model = _model_of(str(version).partition("/")[0])
    if changes and model is not BudgetSpec:
        message = f"is a {model.__name__}, in which nothing is decided anew"
        problem = Problem((), message, "change the spec that it was made from")
        raise InvalidDocumentError(str(path), [problem])
    return _checked(resolve(marked, changes) if model is BudgetSpec else marked, model)


def _model_of(kind: str) -> type[Document]:
    """The document whose version begins so; models that planning does not need are read in when they are."""
    if kind == "plan":
        return Plan
    if kind not in ("law", "mix-law", "ladder", "claim", "calibration", "prepared", "catalog"):
        return BudgetSpec
    from sixnd.specs.calibration import Calibration
    from sixnd.specs.claim import Claim
    from sixnd.specs.ladder import Ladder
    from sixnd.specs.law_document import LawDocument
    from sixnd.specs.mix_document import MixDocument
    from sixnd.specs.own_catalogs import OwnCatalog
    from sixnd.specs.prepared import PreparedData

    rest: dict[str, type[Document]] = {
        "law": LawDocument,
        "mix-law": MixDocument,
        "ladder": Ladder,
        "claim": Claim,
        "calibration": Calibration,
        "prepared": PreparedData,
        "catalog": OwnCatalog,
    }
    return rest[kind]


def refuse_stale(plan: Plan, file: str) -> None:
    """Raise ``StalePlanError`` unless the plan's spec and the catalogs are those it was made from."""
    if plan.spec.digest() != plan.spec_sha256:
        raise StalePlanError(f"{file}: its spec was changed after planning", "plan the changed spec anew")
    if catalog.sha256() != plan.catalog_sha256:
        raise StalePlanError(
            f"{file}: it was planned from other catalogs (by sixnd {plan.sixnd_version})", "plan its spec anew"
        )


def load(path: str | Path, model: type[T]) -> T:
    """Read one YAML document of the given model from a file."""
    return parse(read_text(path), str(path), model)


def read_text(path: str | Path) -> str:
    """The file's text; a missing, unreadable or non-UTF-8 file is an ``InvalidDocumentError``."""
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InvalidDocumentError(str(path), [unreadable(error)]) from error
    except UnicodeDecodeError as error:
        problem = Problem((), f"is not UTF-8 text (byte {error.start})", "save it as UTF-8")
        raise InvalidDocumentError(str(path), [problem]) from error


def parse(text: str, file: str, model: type[T]) -> T:
    """Read one YAML document of the given model from text; ``file`` stands in messages."""
    marked = read_yaml(text, file)
    return _checked(resolve(marked) if model is BudgetSpec else marked, model)


def _checked(marked: Marked, model: type[T]) -> T:
    problems = list(marked.problems)
    if model in (BudgetSpec, Plan):
        catalog.names("accelerators")  # a mistake in a catalog of one's own is told as that file's
    if not isinstance(marked.data, dict):
        do = f"write a mapping that starts with 'version: {_version(model)}'"
        problems.append(Problem((), "is no mapping of keys and values", do))
        raise marked.refused(problems)
    problems += _files_read(marked) if model is BudgetSpec else []
    document, found = _validate(marked, model)
    problems += found
    if isinstance(document, BudgetSpec):
        problems += _placed(check_budget(document), marked)
    elif model is BudgetSpec:
        problems += _checks_on_the_sound_part(marked, found)
    if problems or document is None:
        raise marked.refused(problems)
    return document


def _files_read(marked: Marked) -> list[Problem]:
    """Put what the files hold that a spec names in the names' place; a file that is none is a problem of the spec."""

    def law(path: Path) -> Document:
        found = load_law(path)
        return NamedLaw(name=found.name, law=found.law, repetition=found.repetition)

    return [
        *_file_read(marked, ("law",), law),
        *_file_read(marked, ("cluster", "calibration"), load_calibration),
        *_file_read(marked, ("data", "mix"), lambda path: load_mix(path).mix),
        *_file_read(marked, ("data", "prepared"), load_prepared),
        *with_header(marked),
        *with_base(marked),
    ]


def _file_read(marked: Marked, path: DocPath, read: Callable[[Path], Document]) -> list[Problem]:
    *parents, key = path
    parent = marked.data
    for each in parents:
        parent = parent.get(each)
        if not isinstance(parent, dict):
            return []
    named = parent.get(key)
    if not (isinstance(named, str) and named.endswith(LAW_FILES)):
        return []
    try:
        parent[key] = read(Path(marked.file).parent / named).plain()
    except InvalidDocumentError as error:
        parent.pop(key)
        first = error.problems[0]
        more = f" (and {len(error.problems) - 1} more)" if len(error.problems) > 1 else ""
        where = ".".join(str(each) for each in path)
        message = f"{where}: {error.file}:{first.line}:{first.column}: {first.message}{more}"
        return [marked.problem(path, message, first.do)]
    return []


def located(error: ContradictionError, path: str | Path, changes: Sequence[str] = ()) -> InvalidDocumentError:
    """A contradiction found while planning, told with the line and column of the spec it came from."""
    marked = read_spec(path, changes)
    return marked.refused(_placed([error.problem], marked))


def told_where(error: InfeasibleError, path: str | Path, changes: Sequence[str] = ()) -> InfeasibleError:
    """The same with the lines and columns of the spec's values that stand in the way."""
    marked = read_spec(path, changes)
    of_all = Problem(("budget",), error.said, error.do)
    places = str(marked.refused(_placed(list(error.problems) or [of_all], marked)))
    told = f"{error}\n{places}" if error.problems else places
    return InfeasibleError(error.said, error.do, error.problems, told)


def _version(model: type[Document]) -> str:
    versions = get_args(model.model_fields["version"].annotation)
    return str(versions[0])


def _validate(marked: Marked, model: type[T]) -> tuple[T | None, list[Problem]]:
    try:
        # Strict: `layers: "24"` and `layers: true` are mistakes, as the JSON Schema says too.
        return model.model_validate(marked.data, strict=True), []
    except ValidationError as error:
        return None, [located_mistake(detail, marked, model) for detail in error.errors(include_url=False)]


def _checks_on_the_sound_part(marked: Marked, found: list[Problem]) -> list[Problem]:
    """Cross-field mistakes, told together with the field mistakes.

    The broken fields are left out, or stood in for where a spec needs them, and the rest is checked, except where
    a check looks at what was broken.
    """
    data = copy.deepcopy(marked.data)
    broken = {problem.path for problem in found}
    for path in sorted(broken, key=len):
        _stand_in(data, path)
    try:
        spec = BudgetSpec.model_validate(data)
    except ValidationError:
        return []
    sound = [
        problem
        for problem in check_budget(spec)
        if not any(_overlap(path, bad) for path in (problem.path, *problem.also) for bad in broken)
    ]
    return _placed(sound, marked)


def _stand_in(data: Any, path: DocPath) -> None:
    """Put something sound where ``path`` is broken: what the document needs there, or nothing."""
    if path[:2] == ("model", "shape"):
        path = path[:2]
    for part in path[:-1]:
        if isinstance(data, dict) and part not in data:  # a parent is missing or was already replaced
            return
        data = data[part]
    part = path[-1]
    if isinstance(data, list):
        data[int(part)] = {"name": f"source-{part}"}
    elif path in _needed():
        data[part] = copy.deepcopy(_needed()[path])
    elif part == "name":
        data[part] = f"source-{path[-2]}"
    else:
        data.pop(part, None)


def _needed() -> dict[DocPath, Any]:
    accelerators, sources = f"1 x {catalog.names('accelerators')[0]}", [{"name": "source"}]
    return {
        ("version",): "budget/1",
        ("name",): "run",
        ("budget",): {},
        ("cluster",): {"accelerators": accelerators},
        ("cluster", "accelerators"): accelerators,
        ("data",): {"sources": sources},
        ("data", "sources"): sources,
    }


def _overlap(one: DocPath, other: DocPath) -> bool:
    length = min(len(one), len(other))
    return one[:length] == other[:length]


def _placed(problems: list[Problem], marked: Marked) -> list[Problem]:
    placed = []
    for problem in problems:
        line, column = marked.at(problem.path)
        placed.append(replace(problem, line=line, column=column))
    return placed
