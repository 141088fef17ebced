"""Which kind of licence a document stands under, by what is stated: a reader's first sort, not a lawyer's answer.

Names are SPDX identifiers (https://spdx.org/licenses/) and the words that people write in their place.
"""

import re
from typing import Literal

LicenceKind = Literal["permissive", "copyleft", "restricted", "unknown"]
"""Copyleft passes its terms on to what is derived; restricted forbids selling, changing, or any use."""

_WORDS: dict[LicenceKind, str] = {
    "restricted": (
        r"non-?commercial|\bBY-(NC|ND)\b|no-?deriv\w*|proprietary|all rights reserved|\bBUSL|\bSSPL|\bElastic-"
    ),
    "copyleft": (
        r"GPL\b|\bGFDL|General Public License|Free Documentation License|\bMPL\b|Mozilla Public|\bEPL\b|\bCDDL|\bEUPL|"
        r"\bOSL\b|\bCeCILL(?!-B)|share-?alike|\bBY-SA\b|\bODbL"
    ),
    "permissive": (
        r"\b(?-i:MIT)\b|\b0?BSD\b|\bApache|\bPSF\b|\bPython Software Foundation|\bPython-2|\bISC\b|\bzlib\b|\bBSL-1|"
        r"\bBoost\b|\bUnlicense|\bCC0|\bCC[- ]BY\b|\bPDDL|public domain|\bWordNet|\bHPND|\bArtistic-2|\bUnicode|"
        r"\bPostgreSQL|\bWTFPL|\bODC-BY|\bpermissive"
    ),
}
_PATTERNS = {kind: re.compile(words, re.IGNORECASE) for kind, words in _WORDS.items()}


def licence_kind(stated: str) -> LicenceKind:
    """The kind of a licence as stated; of several named together the one that asks most of whoever uses the text."""
    return next((kind for kind, pattern in _PATTERNS.items() if pattern.search(stated)), "unknown")
