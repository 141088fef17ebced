"""One sound budget spec as text, and ways to spoil it."""

SPEC = """\
version: budget/1
name: example
budget:
  compute: 3e21 FLOPs
cluster:
  accelerators: 64 x h100-sxm
data:
  sources:
    - {name: code, recipe: python-stdlib, weight: 2}
    - {name: prose, recipe: installed-docs}
model:
  sequence_length: 4096
training:
  schedule: wsd
layout:
  tensor: 2
"""


def spec_with(*changes: tuple[str, str]) -> str:
    """The sound spec with each old text replaced by a new one; the old text must be in it once."""
    text = SPEC
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text
