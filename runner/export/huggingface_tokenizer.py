"""A run's tokenizer as Hugging Face's libraries read it: ``tokenizer.json``, which gives the same ids."""

import json
from pathlib import Path
from typing import Any

from sixnd.runner.tokenizers.file import tokenizer_data
from sixnd.runner.tokenizers.text_models import END_OF_DOCUMENT, PADDING, SPACE_MARK, UNKNOWN
from sixnd.specs.tokenizers import TokenizerKind

LINE_END = "\n"

_UNKNOWN = {"byte-bpe": None, "wordpiece": "[UNK]", "sp-bpe": "<unk>", "sp-unigram": "<unk>"}


def write_hf_tokenizer(folder: Path, source: Path, sequence_length: int) -> None:
    """Write the tokenizer in the file ``source`` into a folder; SentencePiece's own ``tokenizer.model`` beside it."""
    kind, data = tokenizer_data(source)
    if kind in ("sp-bpe", "sp-unigram"):
        (folder / "tokenizer.model").write_bytes(data)
        data = _from_sentencepiece(data, kind)
    (folder / "tokenizer.json").write_bytes(data)
    end, padding = _marks(data)
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": end,
        "eos_token": end,
        "pad_token": padding,
        "unk_token": _UNKNOWN[kind],
        "model_max_length": sequence_length,
        "clean_up_tokenization_spaces": False,
    }
    told = {name: value for name, value in settings.items() if value is not None}
    (folder / "tokenizer_config.json").write_text(json.dumps(told, indent=1, ensure_ascii=False), "utf-8")


def _marks(data: bytes) -> tuple[str, str]:
    """How entries 0 and 1 are written."""
    added = {entry["id"]: entry["content"] for entry in json.loads(data)["added_tokens"]}
    return added[0], added[1]


def _from_sentencepiece(data: bytes, kind: TokenizerKind) -> bytes:
    """A SentencePiece model in the form of `tokenizers`."""
    import sentencepiece
    from tokenizers import AddedToken, Tokenizer, decoders, normalizers

    pieces = sentencepiece.SentencePieceProcessor(model_proto=data)
    model = Tokenizer(_bpe(pieces) if kind == "sp-bpe" else _unigram(pieces))
    model.normalizer = normalizers.Replace(" ", SPACE_MARK)  # type: ignore[assignment,unused-ignore]
    back = [decoders.Replace(SPACE_MARK, " "), decoders.ByteFallback(), decoders.Fuse()]
    model.decoder = decoders.Sequence(back)  # type: ignore[assignment,unused-ignore]
    model.add_special_tokens([pieces.id_to_piece(i) for i in (END_OF_DOCUMENT, PADDING, UNKNOWN)])
    # SentencePiece sets a line end apart before it looks for anything else.
    model.add_tokens([AddedToken(LINE_END, normalized=False)])
    return bytes(model.to_str().encode())


def _unigram(pieces: Any) -> Any:
    from tokenizers import models

    scored = [(pieces.id_to_piece(i), pieces.get_score(i)) for i in range(pieces.get_piece_size())]
    return models.Unigram(scored, unk_id=UNKNOWN, byte_fallback=True)


def _bpe(pieces: Any) -> Any:
    """SentencePiece joins the two neighbours whose joint piece scores best; `tokenizers` wants the joins in order."""
    from tokenizers import models

    ids = {pieces.id_to_piece(i): i for i in range(pieces.get_piece_size())}
    joined = {piece: i for piece, i in ids.items() if i > UNKNOWN and not pieces.is_byte(i) and piece != LINE_END}
    ordered = sorted(joined, key=lambda piece: (-pieces.get_score(joined[piece]), joined[piece]))
    merges = [
        (piece[:cut], piece[cut:])
        for piece in ordered
        for cut in range(1, len(piece))
        if piece[:cut] in joined and piece[cut:] in joined
    ]
    return models.BPE(ids, merges, unk_token=pieces.id_to_piece(UNKNOWN), fuse_unk=True, byte_fallback=True)
