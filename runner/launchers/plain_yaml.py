"""YAML for other programs' parsers: what any of them could read as something else than a string is quoted."""

import re
from typing import Any

import yaml

_SAFE = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}  # of YAML 1.1, which Kubernetes reads
_BLOCK = re.compile(r"[^\s-][\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe]*")


class _Dumper(yaml.SafeDumper):
    """Strings are quoted unless they are plain words; long texts stand as they are, line by line."""

    def represent_string(self, text: str) -> yaml.ScalarNode:
        """A word plainly, printable lines as a block, everything else in double quotes with escapes."""
        style: str | None = '"'
        if _SAFE.fullmatch(text) and text.lower() not in _WORDS:
            style = None
        elif "\n" in text and _BLOCK.fullmatch(text) and " \n" not in text:
            style = "|"
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        """Equal parts are written out each time."""
        return True


_Dumper.add_representer(str, _Dumper.represent_string)


def plain_yaml(data: Any) -> str:
    """Plain data as YAML that parsers of YAML 1.1 and 1.2 read alike, keys in the order given."""
    return str(yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**20))
