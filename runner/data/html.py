"""Main text of HTML pages, by resiliparse."""

import importlib
from functools import cache
from typing import Any

from sixnd.specs.errors import SixndError


def main_text(page: bytes, charset: str | None) -> str:
    """The page's text without menus; ``charset`` as the server states it, else it is detected.

    Raises ``OSError`` where the parser gives up, ``SixndError`` where it is not installed.
    """
    parse, encoding, extract = _libraries()
    try:
        tree = parse.HTMLTree.parse_from_bytes(page, charset or encoding.detect_encoding(page))
        text: str = extract.extract_plain_text(tree, main_content=True, preserve_formatting=True)
        text.encode()
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise OSError(f"cannot be parsed as HTML ({error})") from error  # whatever the page made the parser do
    return text


@cache
def _libraries() -> tuple[Any, Any, Any]:
    names = ("resiliparse.parse.html", "resiliparse.parse.encoding", "resiliparse.extract.html2text")
    try:
        parse, encoding, extract = map(importlib.import_module, names)
    except ImportError as error:
        raise SixndError("HTML needs resiliparse", "pip install 'sixnd[data]'") from error
    return parse, encoding, extract
