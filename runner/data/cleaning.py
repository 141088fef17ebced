"""Stages that change a text and rarely remove it: normalisation, and scrubbing of personal data."""

import ipaddress
import re
import unicodedata
from dataclasses import dataclass, replace
from typing import Any

from sixnd.runner.data.document import Document
from sixnd.runner.data.stage import Kept, Removed
from sixnd.specs.text_filters import Normalise, ScrubPii

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff]")
_EMAIL = re.compile(
    r"(?<![\w.%+~-])"
    r"[A-Za-z0-9_][A-Za-z0-9_%+~-]{0,63}(?:\.[A-Za-z0-9_%+~-]{1,64}){0,8}"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,63}(?![\w-])"
)
"""RFC 5322 also allows quotes, slashes, equals signs and others before the at sign: in text and code those stand around
an address, as in ``to='a@b.org'``."""
_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])")
_SMALL = 20
"""Four numbers that are all smaller number a section or a release (1.2.3.4): of IPv4 addresses 1 in 27,000 is such."""
_GLOBAL_V6 = ipaddress.ip_network("2000::/3")
"""What IANA gives out of IPv6; `2008::` and the slice `[1::2]` look like IPv6 too, so three groups must be there."""
_MAY_HOLD = {
    _EMAIL: re.compile(r"@(?<=[A-Za-z0-9_%+~-]@)[A-Za-z0-9-]{1,63}\."),
    _IPV4: re.compile(r"\.\d{1,3}\.\d"),
    _IPV6: re.compile(r":[0-9A-Fa-f]{0,4}:"),
}
"""What is in every text with an address. They begin with a letter that is rare, so most texts are passed over fast."""


@dataclass(frozen=True)
class Normaliser:
    """Unicode form, line ends and control characters; a text without any character that shows is removed."""

    chosen: Normalise
    name: str = "normalise"

    @property
    def settings(self) -> dict[str, Any]:
        """The settings, with the version of Unicode by which they act."""
        return self.chosen.plain() | {"unicode_version": unicodedata.unidata_version}

    def apply(self, document: Document) -> Kept | Removed:
        """The document with its text made one."""
        text = self._normalised(document.text)
        if not text.strip():
            return Removed("empty")
        if text == document.text:
            return Kept(document)
        return Kept(replace(document, text=text), {"texts changed": 1})

    def _normalised(self, text: str) -> str:
        if self.chosen.line_ends:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        if self.chosen.unicode != "as-is" and not unicodedata.is_normalized(self.chosen.unicode, text):
            text = unicodedata.normalize(self.chosen.unicode, text)
        return _CONTROL.sub(self._without, text) if self.chosen.control_characters else text

    def _without(self, match: re.Match[str]) -> str:
        return match[0] if match[0] == "\r" and not self.chosen.line_ends else ""


@dataclass(frozen=True)
class Scrubber:
    """E-mail and public IP addresses → placeholders. Names, telephone numbers and streets stay: they need a model."""

    chosen: ScrubPii
    name: str = "scrub-pii"

    @property
    def settings(self) -> dict[str, Any]:
        """The settings and the expressions by which addresses are found."""
        return self.chosen.plain() | {"patterns": [_EMAIL.pattern, _IPV4.pattern, _IPV6.pattern]}

    def apply(self, document: Document) -> Kept:
        """The document with placeholders, and how many."""
        text, emails = document.text, 0
        if _MAY_HOLD[_EMAIL].search(text):
            text, emails = _EMAIL.subn(lambda _: self.chosen.email, text)
        addresses = 0
        for pattern in (_IPV4, _IPV6):
            if _MAY_HOLD[pattern].search(text):
                text, found = self._without_public(pattern, text)
                addresses += found
        edits = {"e-mail addresses": emails, "IP addresses": addresses}
        if not emails and not addresses:
            return Kept(document)
        return Kept(replace(document, text=text), {kind: count for kind, count in edits.items() if count})

    def _without_public(self, pattern: re.Pattern[str], text: str) -> tuple[str, int]:
        replaced = 0

        def placeholder(match: re.Match[str]) -> str:
            nonlocal replaced
            if not _is_public(match[0]):
                return match[0]
            replaced += 1
            return self.chosen.ip

        return pattern.sub(placeholder, text), replaced


def _is_public(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if address.version == 4:
        return address.is_global and not address.is_multicast and max(address.packed) >= _SMALL
    return address in _GLOBAL_V6 and address.is_global and len([group for group in text.split(":") if group]) >= 3
