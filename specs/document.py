"""What every document has in common: frozen, no unknown keys, field docstrings that become editor hovers."""

import hashlib
import json
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from sixnd.specs.yaml_reader import dump_yaml

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""Letters, digits, dot, dash and underscore: safe as a folder, a job name and a shell word."""

D = TypeVar("D", bound="Document")


class Document(BaseModel):
    """Base of every document and of every part of one."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        validate_default=False,
        protected_namespaces=(),
    )

    def plain(self) -> dict[str, Any]:
        """The document as plain data (what its YAML and JSON hold)."""
        return self.model_dump(mode="json", exclude_none=False)

    def to_yaml(self) -> str:
        """The document as YAML, keys in the order of the model."""
        return dump_yaml(self.plain())

    def digest(self) -> str:
        """SHA-256 of the canonical JSON: equal documents have equal digests, whatever their formatting."""
        return sha256_of(self.plain())


def sha256_of(data: Any) -> str:
    """SHA-256 (hex) of plain data as canonical JSON: sorted keys, no spaces, UTF-8."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
