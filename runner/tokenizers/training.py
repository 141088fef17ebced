"""Training of tokenizers: the same texts in the same order give the same model, in any process, on any threads."""

import io
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from sixnd.runner.tokenizers.text_models import END_OF_DOCUMENT, END_OF_DOCUMENT_PIECE, PADDING, PADDING_PIECE, UNKNOWN
from sixnd.specs.errors import InvalidDataError
from sixnd.specs.tokenizers import TokenizerKind

PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Where byte-level BPE may not merge across: words, three digits at most, punctuation, line ends."""
UNKNOWN_PIECE = "[UNK]"
_COVERAGE = 0.9995
"""Share of the text's characters that WordPiece and SentencePiece know: words with the rarer ones are [UNK] in the
one, and they are bytes in the other."""
_SENTENCEPIECE_TYPES = {"sp-bpe": "bpe", "sp-unigram": "unigram"}
_THREADS = 4
"""Of SentencePiece, always as many: it writes their number into the model, and Unigram adds up each thread's counts."""


def train(kind: TokenizerKind, texts: Iterable[str], vocab_size: int, threads: int) -> bytes:
    """A tokenizer of ``vocab_size`` entries in its library's own format; ``write_tokenizer`` makes a file of it.

    Raises ``InvalidDataError`` where the text does not give so many entries.
    """
    if kind in _SENTENCEPIECE_TYPES:
        return train_sentencepiece(kind, texts, vocab_size)
    os.environ["TOKENIZERS_PARALLELISM"] = "true" if threads > 1 else "false"
    return (train_byte_level if kind == "byte-bpe" else train_word_piece)(texts, vocab_size)


def train_sentencepiece(kind: TokenizerKind, texts: Iterable[str], vocab_size: int) -> bytes:
    """A SentencePiece BPE or Unigram of ``vocab_size`` entries; raises ``InvalidDataError`` on too little text.

    Nothing is normalised away (identity rule, spaces and line ends kept), digits are split and unseen characters
    fall back to bytes, so encoding then decoding gives the text back.
    """
    import sentencepiece

    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_lines(texts),
            model_writer=model,
            model_type=_SENTENCEPIECE_TYPES[kind],
            vocab_size=vocab_size,
            byte_fallback=True,
            split_digits=True,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            add_dummy_prefix=False,
            allow_whitespace_only_pieces=True,
            user_defined_symbols=["\n"],
            max_sentence_length=1 << 20,
            character_coverage=_COVERAGE,
            eos_id=END_OF_DOCUMENT,
            pad_id=PADDING,
            unk_id=UNKNOWN,
            bos_id=-1,
            num_threads=_THREADS,
            minloglevel=2,
        )
    except (RuntimeError, ValueError) as error:
        raise _too_little(vocab_size, str(error)) from error
    return model.getvalue()


def _lines(texts: Iterable[str]) -> Iterator[str]:
    """Lines, since SentencePiece trains on sentences; a NUL would end a string in its C++ core."""
    for text in texts:
        for line in text.replace("\0", "").split("\n"):
            if line:
                yield line


def train_byte_level(texts: Iterable[str], vocab_size: int) -> bytes:
    """A byte-level BPE of ``vocab_size`` entries as JSON; raises ``InvalidDataError`` on too little text."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    split = pre_tokenizers.Split(Regex(PATTERN), behavior="isolated")
    as_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    model = Tokenizer(models.BPE())
    model.pre_tokenizer = pre_tokenizers.Sequence([split, as_bytes])  # type: ignore[assignment,unused-ignore]
    model.decoder = decoders.ByteLevel()  # type: ignore[assignment,unused-ignore]
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_OF_DOCUMENT_PIECE, PADDING_PIECE],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    model.train_from_iterator(texts, trainer)
    return _whole(model, vocab_size)


def train_word_piece(texts: Iterable[str], vocab_size: int) -> bytes:
    """A WordPiece of ``vocab_size`` entries as `tokenizers` JSON; raises ``InvalidDataError`` on too little text.

    The library numbers continued characters in the order of a hash that differs in each process; they are handed to
    it in order as if they were marks, and the model is built anew without these marks.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    kept = list(texts)
    alphabet = _alphabet(kept)
    marks = [END_OF_DOCUMENT_PIECE, PADDING_PIECE, UNKNOWN_PIECE]
    learner = Tokenizer(models.WordPiece(unk_token=UNKNOWN_PIECE))
    learner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()  # type: ignore[assignment,unused-ignore]
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size,
        special_tokens=marks + [f"##{character}" for character in alphabet],
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        show_progress=False,
    )
    learner.train_from_iterator(kept, trainer)
    model = Tokenizer(models.WordPiece(learner.get_vocab(), unk_token=UNKNOWN_PIECE))
    model.add_special_tokens(marks)
    model.pre_tokenizer = pre_tokenizers.BertPreTokenizer()  # type: ignore[assignment,unused-ignore]
    model.decoder = decoders.WordPiece(prefix="##", cleanup=False)  # type: ignore[assignment,unused-ignore]
    return _whole(model, vocab_size)


def _alphabet(texts: list[str]) -> list[str]:
    """The most frequent characters, until they cover the text, in the order of their code points."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update("".join(text.split()))
    wanted, covered, found = _COVERAGE * counts.total(), 0, []
    for character, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
        if covered >= wanted:
            break
        covered += count
        found.append(character)
    return sorted(found)


def _whole(model: Any, vocab_size: int) -> bytes:
    found = model.get_vocab_size()
    if found != vocab_size:
        raise _too_little(vocab_size, f"it gives {found:,} entries")
    return bytes(model.to_str().encode())


def _too_little(vocab_size: int, why: str) -> InvalidDataError:
    return InvalidDataError(
        f"a vocabulary of {vocab_size:,} cannot be trained on this text ({why})",
        "give more text or another size (model.vocab_size in a spec)",
    )
