"""Training of byte-level BPE and WordPiece by `tokenizers`: the same texts give the same model, in any process."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from sixnd.runner.text_models import END_OF_DOCUMENT_PIECE, PADDING_PIECE
from sixnd.specs.errors import InvalidDataError

PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Where byte-level BPE may not merge across: words, three digits at most, punctuation, line ends."""
UNKNOWN_PIECE = "[UNK]"
_COVERAGE = 0.9995
"""Share of the text's characters that WordPiece knows; words with the rarer ones are [UNK]."""


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
        raise InvalidDataError(
            f"a vocabulary of {vocab_size:,} cannot be trained on this text, which gives {found:,} entries; "
            "give more text or another size"
        )
    return bytes(model.to_str().encode())
