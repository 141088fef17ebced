"""Data as it could have been prepared for a spec."""

from sixnd.specs.budget import BudgetSpec
from sixnd.specs.data_stages import resolved
from sixnd.specs.prepared import PreparedData, PreparedSource
from sixnd.specs.prepared_checks import sources_settings_sha256


def prepared(spec: BudgetSpec, tokens: int = 1_000_000, **changes: object) -> PreparedData:
    """What preparing this spec's data could have measured."""
    settings = sources_settings_sha256(spec.data.sources, resolved(spec.data.across or []))
    sources = [
        PreparedSource(
            name=source.name,
            settings_sha256=settings[source.name],
            documents=10,
            bytes=4 * tokens,
            tokens=tokens,
            licences={"MIT": 10},
            languages={},
        )
        for source in spec.data.sources
    ]
    whole: dict[str, object] = {
        "sixnd_version": "0.1.0",
        "name": spec.name,
        "folder": "prepared",
        "tokenizer_kind": "byte-bpe",
        "tokenizer_sha256": "0" * 64,
        "vocab_size": 32_768,
        "sources": sources,
    }
    return PreparedData.model_validate(whole | changes)
