import pytest

from sixnd.runner.data import forms
from tests.runner.data.needs import needs


def test_docstrings_are_taken_from_code_and_broken_code_gives_none() -> None:
    module, function = "About the module, at length. " * 3, "What f does, at length. " * 3
    code = f'"""{module}"""\ndef f():\n    """{function}"""\n    return 1\n'
    text = forms.docstrings(code)
    assert "About the module" in text
    assert "What f does" in text
    assert "return 1" not in text
    assert forms.docstrings("def broken(:") == ""


def test_a_book_comes_without_the_gutenberg_frame() -> None:
    body = "ACT I\n" + "To be, or not to be. " * 30
    frame = f"Licence talk\n*** START OF THE PROJECT GUTENBERG EBOOK X ***\n{body}\nEnd of Project Gutenberg's X\nmore"
    assert list(forms.texts("gutenberg", frame.encode())) == [body.strip()]


def test_a_dictionary_is_cut_between_entries_only() -> None:
    flat = [f"word {i}\n    n 1: the meaning of word {i}\n       and more of it [syn: {{x}}]\n" for i in range(200)]
    spaced = [f"Word{i} \\Word\\, n.\n   1. A meaning.\n\n   2. Another.\n      [1913]\n\n" for i in range(200)]
    for words in (flat, spaced):
        found = list(forms.texts("dictionary", "".join(words).encode()))
        assert 2 < len(found) < 20
        assert all(len(part) >= 2000 for part in found[:-1])
        assert all(part.lower().startswith("word") for part in found)
        assert "".join(found).replace("\n", "") == "".join(words).replace("\n", "")


def test_a_metamath_database_is_cut_at_its_headings() -> None:
    rule = "#*#*" * 10
    section = f"$(\n{rule}\n  Title\n{rule}\n$)\n\n  ax-1 $a |- ph $.\n\n"
    found = list(forms.texts("metamath", ("$c wff $.\n" + section * 3).encode()))
    assert found == ["$c wff $.", *[section.strip("\n")] * 3]


@needs("resiliparse")
def test_a_page_gives_its_text_without_the_markup() -> None:
    page = "<html><head><title>t</title></head><body><main><p>Größe &amp; Maß 大きさ</p></main></body></html>"
    assert [text.strip() for text in forms.texts("html", page.encode())] == ["Größe & Maß 大きさ"]


@needs("resiliparse")
def test_a_message_gives_who_wrote_to_whom_and_its_text_whatever_its_encoding() -> None:
    head = (
        b"From a@b.org  Thu Aug 22 2002\nReceived: by phobos\nFrom: Ann =?iso-8859-1?q?L=E9?= <a@b.org>\nSubject: Hi\n"
    )
    plain = head + b"Content-Type: text/plain; charset=iso-8859-1\n\nGr\xfc\xdfe\n"
    expected = "From: Ann L\u00e9 <a@b.org>\nSubject: Hi\n\nGr\u00fc\u00dfe\n"
    assert list(forms.texts("mail", plain)) == [expected]
    page = head + b"Content-Type: text/html; charset=iso-8859-1\n\n<html><body><p>Gr\xfc\xdfe</p></body></html>\n"
    assert list(forms.texts("mail", page)) == [expected]


def test_a_message_in_a_character_set_that_does_not_exist_is_an_error_that_is_noted() -> None:
    with pytest.raises(OSError, match="cannot be parsed as e-mail"):
        list(forms.texts("mail", b"Subject: x\nContent-Type: text/plain; charset=klingon-8\n\n\xff text\n"))
