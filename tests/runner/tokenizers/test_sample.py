from hypothesis import given
from hypothesis import strategies as st

from sixnd.runner.data.document import Document
from sixnd.runner.tokenizers.sample import drawn, first

TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), max_size=12)


def documents(texts: list[str]) -> list[Document]:
    return [Document(str(i), text, "none") for i, text in enumerate(texts)]


def size(texts: list[str]) -> int:
    return sum(len(text.encode()) for text in texts)


@given(texts=TEXTS, most=st.integers(1, 400))
def test_the_first_documents_are_taken_up_to_the_bytes_asked_for_and_only_the_last_is_cut(texts, most):
    found = list(first(documents(texts), most))
    assert size(found) <= most
    assert size(found) > min(most, size(texts)) - 4
    assert found[:-1] == texts[: len(found) - 1] if found else True
    assert all(text.startswith(found_text) for found_text, text in zip(found, texts, strict=False))


@given(texts=TEXTS, most=st.integers(1, 400), seed=st.integers(0, 9), order=st.randoms())
def test_a_draw_is_the_same_in_whatever_order_documents_come(texts, most, seed, order):
    there = documents(texts)
    expected = drawn(there, most, seed)
    order.shuffle(there)
    assert drawn(there, most, seed) == expected
    longest = max((len(text.encode()) for text in texts), default=0)
    assert min(most, size(texts)) <= size(expected) < most + max(longest, 1)


def test_long_documents_are_drawn_in_pieces_and_seeds_draw_differently():
    long = [Document("long", "".join(chr(65 + i % 26) * 65_536 for i in range(26)), "none")]
    one, other = drawn(long, 4 * 65_536, 0), drawn(long, 4 * 65_536, 1)
    assert len(one) == len(other) == 4
    assert {text[0] for text in one} != {text[0] for text in other}
