"""What prepared data is of, and what is wrong where a spec names data that was prepared for something else."""

from collections.abc import Sequence

from sixnd.specs.budget import BudgetSpec, Source
from sixnd.specs.data_stages import resolved
from sixnd.specs.document import sha256_of
from sixnd.specs.errors import Path, Problem
from sixnd.specs.plan import PlannedSource
from sixnd.specs.prepared import PreparedData, PreparedSource
from sixnd.specs.replay import kept_by_base
from sixnd.specs.text_filters import StageSettings

_AGAIN = "run `sixnd data prepare` again, or leave data.prepared out"


def sources_settings_sha256(
    sources: Sequence[Source] | Sequence[PlannedSource], across: Sequence[StageSettings]
) -> dict[str, str]:
    """By source, SHA-256 of what decides its documents: where they come from, its stages, and those across sources.

    Stages across sources leave a document with the first source that has it: what comes before then counts too.
    """
    found: dict[str, str] = {}
    for source in sources:
        own = {
            "recipe": source.recipe,
            "path": source.path,
            "text_field": source.text_field,
            "licence": source.licence,
            "stages": [stage.plain() for stage in _stages(source)],
        }
        whole = {"across": [stage.plain() for stage in across], "before": found} if across else {}
        found = found | {source.name: sha256_of(own | whole)}
    return found


def prepared_for(prepared: PreparedData, sources: Sequence[Source], across: Sequence[StageSettings]) -> PreparedData:
    """The same data as that of ``sources``, which are the same text, though their paths may be written otherwise."""
    settings = sources_settings_sha256(sources, across)
    changed = [
        source.model_copy(update={"settings_sha256": settings.get(source.name, source.settings_sha256)})
        for source in prepared.sources
    ]
    return prepared.model_copy(update={"sources": changed})


def _stages(source: Source | PlannedSource) -> Sequence[StageSettings]:
    return source.stages if isinstance(source, PlannedSource) else resolved(source.stages or [])


def prepared_problems(spec: BudgetSpec) -> list[Problem]:
    """Every way in which ``data.prepared`` is not the data that the spec now describes."""
    if spec.data.prepared is None:
        return []
    return [*_sources(spec, spec.data.prepared), *_tokenizer(spec, spec.data.prepared)]


def _sources(spec: BudgetSpec, prepared: PreparedData) -> list[Problem]:
    settings = sources_settings_sha256(spec.data.sources, resolved(spec.data.across or []))
    problems, elsewhere = [], kept_by_base(spec)
    for i, source in enumerate(spec.data.sources):
        if source.name in elsewhere:
            continue
        told = _source(prepared.source(source.name), settings[source.name])
        place: Path = ("data", "sources", i, "name")
        if told is not None:
            wrong, do = told
            problems.append(Problem(place, f"source '{source.name}' {wrong}", do, also=(("data", "prepared"),)))
    return problems


def _source(measured: PreparedSource | None, settings_sha256: str) -> tuple[str, str] | None:
    """What is wrong with one source, and what to do about it; none where it is as it was."""
    if measured is None:
        return "is not in the data that was prepared", _AGAIN
    if measured.settings_sha256 != settings_sha256:
        since = "its text, its stages or those across sources were changed since its data was prepared"
        return f"has other settings: {since}", f"to use the change, {_AGAIN}"
    if not measured.tokens:
        return "has no tokens left after its stages", "leave it out, or let its stages keep more"
    return None


def _tokenizer(spec: BudgetSpec, prepared: PreparedData) -> list[Problem]:
    asked, problems = spec.data.tokenizer, []
    of: tuple[Path, ...] = (("data", "prepared"),)
    if asked.kind != prepared.tokenizer_kind:
        message = f"the data was prepared with {prepared.tokenizer_kind}, and the spec asks for {asked.kind}"
        problems.append(Problem(("data", "tokenizer"), message, _AGAIN, also=of))
    given: dict[Path, int | None] = {
        ("model", "vocab_size"): spec.model.vocab_size,
        ("data", "tokenizer", "file"): None if asked.trained is None else asked.trained.vocab_size,
    }
    for path, entries in given.items():
        if entries is not None and entries != prepared.vocab_size:
            message = (
                f"the vocabulary has {entries:,} entries here and {prepared.vocab_size:,} in the data that "
                "data.prepared names"
            )
            problems.append(Problem(path, message, f"leave {path[-1]} out, or {_AGAIN}", also=of))
    return problems
