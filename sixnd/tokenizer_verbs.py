"""`sixnd tokenizer`: train one, report how well some fit text, encode text with one."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sixnd.console import print_json, print_result, tell, text_width
from sixnd.table_files import output_option, refuse_unknown, write_tables

if TYPE_CHECKING:
    from sixnd.planner.vocabulary_choice import VocabularyChoice
    from sixnd.runner.tokenizers.text_models import TextModel
    from sixnd.runner.tokenizers.text_sources import TextSource
    from sixnd.specs.plan import Plan
    from sixnd.specs.tokenizers import TokenizerKind
    from sixnd.tokenizer_report import Texts

_FILE = click.Path(path_type=Path)
_MEGA = 1_000_000
_KINDS = click.Choice(["byte-bpe", "sp-bpe", "sp-unigram", "wordpiece"])
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
_field_option = click.option("--text-field", default="text", show_default=True, help="Where a record has its text.")
_threads_option = click.option("--threads", type=click.IntRange(min=1), help="Default: this machine's cores.")
_hold_out_option = click.option(
    "--hold-out",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    show_default=True,
    help="Share of documents that training leaves out and a report then judges by alone.",
)
_text_option = click.option(
    "--text", "patterns", multiple=True, metavar="[NAME=]GLOB", help="Files, a folder or a glob (** too) to read."
)


@click.group()
def tokenizer() -> None:
    """Train tokenizers, judge them on text, encode with them.

    All kinds but WordPiece give any text back unchanged.
    """


@tokenizer.command()
@click.argument("inputs", metavar="SPEC|FILES...", nargs=-1, required=True)
@click.option("--kind", type=_KINDS, default="byte-bpe", show_default=True, help="Byte-level BPE or another.")
@click.option("--vocab-size", required=True, metavar="N|auto", help="Entries; auto: by the vocabulary law for SPEC.")
@click.option("-o", "--output", type=_FILE, required=True, help="Write the tokenizer here.")
@click.option("--sample-mb", type=click.FloatRange(0, min_open=True), default=32.0, show_default=True, help="Of text.")
@click.option("--seed", type=int, help="Draw the sample from all the text by this seed, not from its first documents.")
@_hold_out_option
@_field_option
@_threads_option
@_json_option
def train(
    inputs: tuple[str, ...],
    kind: Any,
    vocab_size: str,
    output: Path,
    sample_mb: float,
    seed: int | None,
    hold_out: float,
    text_field: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Train a tokenizer on a spec's sources, or on files.

    A spec's sources are sampled in proportion to their weights, files in proportion to their sizes. The same text
    gives the same tokenizer. Where the spec names prepared data, its documents are read as their stages left them, else
    as they come.
    """
    from sixnd.runner.tokenizers.file import load_tokenizer, write_tokenizer
    from sixnd.runner.tokenizers.sample import sampled
    from sixnd.runner.tokenizers.training import train as trained
    from sixnd.tokenizer_inputs import damage_of, plan_in, threads_of
    from sixnd.tokenizer_text import trained_facts, trained_text

    found = plan_in(inputs)
    entries, choice = _entries(vocab_size, found[0] if found else None)
    tell(f"reading {sample_mb:g} MB of text")
    shares = _shares(inputs, found, text_field)
    sample = sampled(shares, int(sample_mb * _MEGA), seed, hold_out)
    damage_of([source for source, _ in shares])
    tell(f"training {kind} of {entries:,} entries on {sum(part.bytes for part in sample) / _MEGA:,.1f} MB")
    clock = _Clock()
    data = trained(kind, [text for part in sample for text in part.texts], entries, threads_of(threads))
    taken = clock.taken()
    write_tokenizer(output, kind, data)
    facts = trained_facts(output, load_tokenizer(output), sample, choice) | taken
    if as_json:
        print_json(facts)
    else:
        print_result(trained_text(facts, choice, text_width()))
    tell(f"wrote {output}; a spec takes it with `tokenizer: {{file: {output.name}}}` under data")


@tokenizer.command()
@click.argument("files", nargs=-1, required=True, type=_FILE)
@_text_option
@click.option("--spec", type=_FILE, help="Judge by its sources, and show what embeddings cost its model.")
@click.option("--parallel", multiple=True, metavar="NAME=GLOB", help="A text in each language; the first is 1.")
@click.option("--languages", is_flag=True, help="Identify the language of documents that state none.")
@click.option(
    "--most-mb", type=click.FloatRange(0, min_open=True), default=16.0, show_default=True, help="Read of each."
)
@click.option("--sizes", metavar="N,N", help="Also train sizes of the first kind on what is not held out.")
@_hold_out_option
@_field_option
@output_option
@_json_option
def report(
    files: tuple[Path, ...],
    patterns: tuple[str, ...],
    spec: Path | None,
    parallel: tuple[str, ...],
    languages: bool,
    most_mb: float,
    sizes: str | None,
    hold_out: float,
    text_field: str,
    output: Path | None,
    as_json: bool,
) -> None:
    """Say how well tokenizers fit text.

    Bytes a token, tokens a word, entries used, whether text comes back; by source, domain and language; what embeddings
    cost. Give a tokenizer text that it was not trained on: other text, or the documents that were held out.
    """
    from sixnd.runner.tokenizers.file import load_tokenizer
    from sixnd.tokenizer_inputs import damage_of, plan_at, sources_of
    from sixnd.tokenizer_report import Texts, parities, reported
    from sixnd.tokenizer_text import report_text, table_report

    refuse_unknown(output)
    found = plan_at(spec) if spec is not None else None
    sources = sources_of(patterns, text_field)
    if found is not None and not sources:
        sources = [source for source, _ in _shares((), found, text_field)]
    if not sources and not parallel:
        raise click.UsageError("give text to judge by: --text GLOB, --parallel NAME=GLOB or --spec SPEC")
    several = sources_of(parallel, text_field)
    texts = Texts(sources, int(most_mb * _MEGA), hold_out, identify=languages)
    models = {str(file): load_tokenizer(file) for file in files}
    models |= _of_sizes(sizes, texts, models[str(files[0])].kind) if sizes else {}
    facts = reported(models, texts, None if found is None else found[0])
    facts["parity"] = parities(models, several)
    facts["damage"] = damage_of([*sources, *several])
    if output is not None:
        write_tables(output, table_report(facts))
    elif as_json:
        print_json(facts)
    else:
        print_result(report_text(facts, text_width()))


@tokenizer.command()
@click.argument("file", type=_FILE)
@_text_option
@click.option("-o", "--output", metavar="PREFIX", type=_FILE, required=True, help="Write PREFIX.bin, .idx and .json.")
@_field_option
@_threads_option
@_json_option
def encode(
    file: Path, patterns: tuple[str, ...], output: Path, text_field: str, threads: int | None, as_json: bool
) -> None:
    """Encode text into Megatron's indexed data.

    The files are those of Megatron-LM's preprocess_data.py --append-eod; PREFIX.json, written last, holds their
    SHA-256. Text is read and encoded piece by piece.
    """
    from dataclasses import asdict

    from sixnd.runner.indexed import verified
    from sixnd.runner.tokenizers.encode import encode_to
    from sixnd.runner.tokenizers.file import load_tokenizer
    from sixnd.tokenizer_inputs import damage_of, sources_of, teller, threads_of
    from sixnd.tokenizer_text import encoded_text

    if not patterns:
        raise click.UsageError("give text to encode: --text GLOB")
    model, sources, clock = load_tokenizer(file), sources_of(patterns, text_field), _Clock()
    texts = (document.text for source in sources for document in source.documents())
    done = encode_to(output, model, texts, threads_of(threads), teller("encoding"))
    facts = asdict(done) | clock.taken() | {"dtype": verified(output).dtype, "damage": damage_of(sources)}
    facts |= {"file": str(output), "kind": model.kind, "note": model.note}
    if as_json:
        print_json(facts)
    else:
        print_result(encoded_text(facts))


class _Clock:
    """Wall-clock and CPU time of this process from now on."""

    def __init__(self) -> None:
        self._began = (time.perf_counter(), time.process_time())

    def taken(self) -> dict[str, float]:
        return {"seconds": time.perf_counter() - self._began[0], "cpu_seconds": time.process_time() - self._began[1]}


def _entries(asked: str, plan: "Plan | None") -> "tuple[int, VocabularyChoice | None]":
    """The number of entries asked for, or that of the vocabulary law."""
    if asked == "auto":
        if plan is None:
            raise click.UsageError("--vocab-size auto needs a model to choose for: name a spec, not files of text")
        from sixnd.planner.vocabulary_choice import chosen_vocabulary

        choice = chosen_vocabulary(plan)
        return choice.entries, choice
    return _whole(asked.replace(",", ""), "--vocab-size", ", or auto"), None


def _of_sizes(sizes: str, texts: "Texts", kind: "TokenizerKind") -> "dict[str, TextModel]":
    """Tokenizers trained here for comparison."""
    from sixnd.tokenizer_inputs import threads_of
    from sixnd.tokenizer_report import trained_here

    if not (texts.hold_out and texts.sources):
        raise click.UsageError("--sizes trains on what is not held out: give --hold-out and --text or --spec too")
    asked = [_whole(size, "--sizes", " for each") for size in sizes.split(",")]
    tell(f"training {kind} of {', '.join(f'{size:,}' for size in asked)} entries")
    return trained_here(texts, kind, asked, threads_of(None))


def _whole(text: str, option: str, more: str) -> int:
    """A number of entries that an option gives."""
    if not text.strip().isdecimal() or int(text) < 1:
        raise click.UsageError(f"{option} {text}: give a whole number of entries{more}")
    return int(text)


def _shares(
    inputs: tuple[str, ...], found: "tuple[Plan, Path] | None", text_field: str
) -> "list[tuple[TextSource, float]]":
    """Sources with their share of the sample: a plan's by weight, files by size."""
    from sixnd.runner.tokenizers.text_sources import of_plan
    from sixnd.tokenizer_inputs import sources_of

    if found is not None:
        return [(source, source.planned.weight) for source in of_plan(*found)]
    sources = sources_of(inputs, text_field)
    sizes = [source.bytes() for source in sources]
    return [(source, size / max(sum(sizes), 1)) for source, size in zip(sources, sizes, strict=True)]
