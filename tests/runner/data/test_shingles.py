import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.runner.data import shingles
from sixnd.runner.data.shingles import lowered, ngram_hashes, shingle_sets, word_hashes, word_places


def words(text: str) -> list[str]:
    lower = lowered(text)
    return [lower[start:end] for start, end in word_places(text)]


@given(st.lists(st.text(max_size=60), max_size=6))
def test_words_found_in_arrays_are_those_that_the_pattern_finds(texts):
    hashes, offsets = word_hashes(texts)
    assert np.diff(offsets).tolist() == [len(words(text)) for text in texts]
    number = dict(zip([word for text in texts for word in words(text)], hashes.tolist(), strict=True))
    assert [number[word] for text in texts for word in words(text)] == hashes.tolist()  # a word has one number
    assert len(set(number.values())) == len(number)  # and no other word has it


@given(st.text(max_size=80), st.text(max_size=80))
def test_a_words_number_does_not_depend_on_what_stands_around_it(before, after):
    alone, _ = word_hashes(["Wort"])
    inside, _ = word_hashes([f"{before} wort {after}"])
    assert alone[0] in inside


@given(st.text())
def test_lower_case_keeps_every_place_of_the_text(text):
    assert len(lowered(text)) == len(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't panic, it's 42!", ["don", "t", "panic", "it", "s", "42"]),
        ("Überraschung: привет, мир", ["überraschung", "привет", "мир"]),
        ("我们要走了 now", ["我", "们", "要", "走", "了", "now"]),
        ("İstanbul 𝒳 𠀀𠀁", ["istanbul", "𝒳", "𠀀", "𠀁"]),
        ("", []),
        (" ...\n", []),
    ],
)
def test_what_a_word_is(text, expected):
    assert words(text) == expected
    assert len(word_hashes([text])[0]) == len(expected)


def test_a_text_longer_than_a_group_has_the_words_it_has(monkeypatch):
    text = " ".join(f"w{i}" for i in range(3000))
    whole = word_hashes(["before", text, "after"])
    monkeypatch.setattr(shingles, "_MOST_AT_ONCE", 500)
    pieces = word_hashes(["before", text, "after"])
    assert np.array_equal(whole[0], pieces[0])
    assert np.array_equal(whole[1], pieces[1])


def test_ngrams_do_not_cross_from_one_text_to_the_next():
    hashes, offsets = word_hashes(["a b c", "d e", "f g h i"])
    grams, ends = ngram_hashes(hashes, offsets, 3)
    assert np.diff(ends).tolist() == [1, 0, 2]
    assert len(grams) == 3


def test_the_order_of_words_counts():
    hashes, offsets = word_hashes(["a b c", "c b a"])
    grams, _ = ngram_hashes(hashes, offsets, 3)
    assert grams[0] != grams[1]


def test_shingles_are_a_set_and_a_short_text_is_one_shingle():
    values, offsets = shingle_sets(["a b a b a b", "x", "", "x y", "a b a"], 2)
    sets = [values[offsets[i] : offsets[i + 1]].tolist() for i in range(5)]
    assert [len(s) for s in sets] == [2, 1, 0, 1, 2]
    assert sets[0] == sets[4] == sorted(sets[0])
    assert sets[1] != sets[3]
