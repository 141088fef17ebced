"""What a recipe's files hold: from the bytes of one file to its texts."""

import ast
import email
import email.policy
import re
from collections.abc import Callable, Iterator

from sixnd.runner.data.html import main_text

_CHUNK_CHARACTERS = 2_000
"""Least length of a document made of short entries, such as a dictionary's."""
_ENTRY = re.compile(r"^(?:[ \t][^\n]*)?\n(?=(?:[^\s{][^\n]*\n){1,4}\n?[ \t])", re.MULTILINE)
"""Where an entry of a dictionary ends: the next line is a headword, flush left, with its indented text under it."""
_SECTION = re.compile(r"^(?=[ ]*\$\(\s*\n[ ]*(?:#\*#\*|#{4}|=-=-|-\.-\.))", re.MULTILINE)
"""A heading of a Metamath database: a comment that begins with a rule of one of four kinds."""


def docstrings(code: str) -> str:
    """Docstrings of a module, its classes and functions, one after the other."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError):
        return ""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = [ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, kinds)]
    return "\n\n".join(text for text in found if text and len(text) > 40)


def without_gutenberg(text: str) -> str:
    """Text between Project Gutenberg's start and end marks; all of it where there are none."""
    text = text.replace("\r\n", "\n")
    start = re.search(r"\*+\s*START OF TH(E|IS) PROJECT GUTENBERG[^\n]*\n|\*END\*?[^\n]*SMALL PRINT[^\n]*\n", text)
    text = text[start.end() :] if start else text
    end = re.search(r"\n[^\n]*END OF (THE|THIS) PROJECT GUTENBERG|\nEnd of (the )?Project Gutenberg", text)
    return (text[: end.start()] if end else text).strip()


def entries(text: str) -> Iterator[str]:
    """A dictionary's entries, as many together as make a document of a page."""
    begin = 0
    for match in _ENTRY.finditer(text):
        if match.end() - begin >= _CHUNK_CHARACTERS:
            yield text[begin : match.end()].strip("\n")
            begin = match.end()
    yield text[begin:].strip("\n")


def sections(text: str) -> Iterator[str]:
    """Sections of a Metamath database, each with its heading."""
    for section in _SECTION.split(text):
        yield section.strip("\n")


def mail(content: bytes) -> str:
    """A message's sender, receivers, subject and text, decoded; ``OSError`` where it cannot be.

    What machines wrote on its way, attachments, and the HTML of a text that is there without are left out.
    """
    try:
        message = email.message_from_bytes(content, policy=email.policy.default)
        heads = [f"{name}: {message[name]}" for name in ("From", "To", "Subject") if message[name]]
        body = message.get_body(("plain", "html"))
        text = str(body.get_content()) if body else ""
        if body and body.get_content_subtype() == "html":
            text = main_text(text.encode("utf-8", "replace"), "utf-8")
        whole = "\n".join(heads) + "\n\n" + text.replace("\r\n", "\n").strip() + "\n"
        whole.encode()
    except (AttributeError, IndexError, LookupError, TypeError, ValueError) as error:
        raise OSError(f"cannot be parsed as e-mail ({error})") from error  # the library has no error of its own
    return whole


def _whole(text: str) -> Iterator[str]:
    yield text


def _book(text: str) -> Iterator[str]:
    yield without_gutenberg(text)


_TEXTS: dict[str, Callable[[str], Iterator[str]]] = {
    "text": _whole,
    "gutenberg": _book,
    "dictionary": entries,
    "metamath": sections,
}


def texts(form: str, content: bytes) -> Iterator[str]:
    """The texts of one file; ``UnicodeDecodeError`` where it is not UTF-8, ``OSError`` where it cannot be parsed."""
    if form == "html":
        yield main_text(content, None)
    elif form == "mail":
        yield mail(content)
    else:
        yield from _TEXTS[form](content.decode())
