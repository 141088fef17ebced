"""Loading: every mistake at once, each with its exact place, and nothing but InvalidDocumentError comes out."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.specs import catalog
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.errors import ContradictionError, InvalidDocumentError, Problem, StalePlanError
from sixnd.specs.load import load_budget, load_document, load_plan, located, parse, refuse_stale
from sixnd.specs.plan import Plan
from sixnd.specs.yaml_reader import dump_yaml, read_yaml
from tests.reports.build import big_plan
from tests.specs.example import SPEC, spec_with

PLAN = big_plan()


def mistakes(text: str) -> list[tuple[int, int, str]]:
    """Line, column and sentence of every mistake in a budget spec."""
    with pytest.raises(InvalidDocumentError) as caught:
        parse(text, "f.yaml", BudgetSpec)
    return [(p.line, p.column, p.sentence) for p in caught.value.problems]


def places(text: str) -> list[tuple[int, int]]:
    return [(line, column) for line, column, _ in mistakes(text)]


def test_a_sound_spec_loads(tmp_path):
    file = tmp_path / "spec.yaml"
    file.write_text(SPEC)
    spec = load_budget(file)
    assert spec.budget.compute == 3e21
    assert spec.accelerators.count == 64
    assert spec.layout.tensor == 2
    assert spec.layout.pipeline is None


def test_five_mistakes_are_told_at_once_each_with_its_place():
    text = spec_with(
        ("name: example", "name: my example"),
        ("compute: 3e21 FLOPs", "compute: 3e21 tokens"),
        ("h100-sxm", "h100-smx"),
        ("weight: 2", "wieght: 2"),
        ("schedule: wsd", "schedule: linear"),
    )
    found = mistakes(text)
    assert [(line, column) for line, column, _ in found] == [(2, 7), (4, 12), (6, 17), (9, 43), (14, 13)]
    sentences = [sentence for *_, sentence in found]
    assert "'tokens' is a unit of tokens, but compute is expected" in sentences[1]
    assert "did you mean 'h100-sxm'" in sentences[2]
    assert "unknown key 'wieght'; did you mean 'weight'?" in sentences[3]
    assert "'cosine', 'wsd' or 'inverse-square-root'" in sentences[4]


def test_cross_field_mistakes_are_told_beside_field_mistakes():
    text = spec_with(
        ("name: example", "nmae: example"),
        ("h100-sxm", "h100-smx"),
        ("name: prose", "name: code"),
        ("tensor: 2", "tensor: 1\n  sequence_parallel: true"),
    )
    found = mistakes(text)
    assert [(line, column) for line, column, _ in found] == [(1, 1), (2, 1), (6, 17), (10, 14), (17, 22)]
    assert "two sources are named 'code'" in found[3][2]
    assert (
        "sequence_parallel splits the sequence over the tensor-parallel ranks, and tensor is 1; raise tensor"
        in found[4][2]
    )


def test_a_check_that_looks_at_a_broken_field_is_not_made():
    text = spec_with(("tensor: 2", "tensor: 3"), ("64 x", "sixty-four x"))
    assert places(text) == [(6, 17)]


def test_a_key_of_another_section_is_told_with_its_section():
    assert (
        "unknown key 'accelerators'; did you mean 'cluster.accelerators'?" in mistakes(f"accelerators: 8\n{SPEC}")[0][2]
    )


def test_the_first_letters_of_an_accelerator_lead_to_those_that_begin_so():
    sentence = mistakes(spec_with(("h100-sxm", "A100")))[0][2]
    assert sentence.endswith("did you mean 'a100-sxm-80gb'?")


def test_a_broken_list_item_does_not_hide_the_others():
    text = spec_with(
        ("{name: prose, recipe: installed-docs}", "5\n    - {name: code, path: '*.txt', recipe: python-stdlib}")
    )
    assert places(text) == [(10, 7), (11, 14), (11, 43)]


@pytest.mark.parametrize(
    ("text", "place", "sentence"),
    [
        ("", (1, 1), "write a mapping that starts with 'version: budget/1'"),
        ("- 1", (1, 1), "is no mapping of keys and values; write"),
        ("just words", (1, 1), "is no mapping of keys and values; write"),
        ("version: budget/1", (1, 1), "'name' is missing from the document"),
        (spec_with(("version: budget/1", "version: budget/9")), (1, 10), "'budget/1'"),
        (spec_with(("accelerators:", "acelerators:")), (5, 1), "'accelerators' is missing from cluster"),
        (spec_with(("weight: 2", "weight: -1")), (9, 51), "greater than or equal to 0"),
        (spec_with(("weight: 2", "weight: .nan")), (9, 51), "data.sources.0.weight"),
        (spec_with(("sequence_length: 4096", "sequence_length: true")), (12, 20), "valid integer"),
        (spec_with(("sequence_length: 4096", "sequence_length: '4096'")), (12, 20), "valid integer"),
        (spec_with(("sequence_length: 4096", "sequence_length: 4096.5")), (12, 20), "valid integer"),
        (spec_with(("tensor: 2", "tensor: 0")), (16, 11), "greater than or equal to 1"),
        (spec_with(("tensor: 2", "tensor: two")), (16, 11), "valid integer"),
        (spec_with(("model:\n  sequence_length: 4096", "model: 7B")), (11, 8), "a mapping of keys and values"),
    ],
)
def test_a_mistake_stands_where_it_was_made(text, place, sentence):
    found = mistakes(text)
    assert any((line, column) == place and sentence in told for line, column, told in found), found


def test_a_count_may_be_written_with_an_exponent():
    spec = parse(spec_with(("sequence_length: 4096", "sequence_length: 4e3")), "f.yaml", BudgetSpec)
    assert spec.model.sequence_length == 4000


def test_auto_and_an_empty_value_both_leave_the_choice_to_the_planner():
    for written in ("auto", "~", ""):
        assert parse(spec_with(("tensor: 2", f"tensor: {written}")), "f.yaml", BudgetSpec).layout.tensor is None


def test_a_mistake_is_rendered_with_its_line_and_a_caret():
    with pytest.raises(InvalidDocumentError) as caught:
        parse(spec_with(("tensor: 2", "tenssor: 2")), "f.yaml", BudgetSpec)
    assert str(caught.value).splitlines() == [
        "f.yaml:16:3: unknown key 'tenssor'; did you mean 'tensor'?",
        "      tenssor: 2",
        "      ^",
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "cannot be read: No such file"), (b"\xff\xfe\x00", "is not UTF-8 text (byte 0)"), (b"a: \xe9", "(byte 3)")],
)
def test_a_file_that_cannot_be_read_is_told_with_its_name(tmp_path, content, sentence):
    file = tmp_path / "spec.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InvalidDocumentError) as caught:
        load_budget(file)
    assert str(file) in str(caught.value)
    assert sentence in str(caught.value)


def test_a_folder_is_not_a_document(tmp_path):
    with pytest.raises(InvalidDocumentError, match="cannot be read"):
        load_budget(tmp_path)


def test_a_file_with_a_byte_order_mark_and_windows_line_ends_loads(tmp_path):
    file = tmp_path / "spec.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + SPEC.replace("\n", "\r\n").encode())
    assert load_budget(file).name == "example"


def test_a_contradiction_found_while_planning_is_told_with_the_spec_s_line(tmp_path):
    file = tmp_path / "spec.yaml"
    file.write_text(SPEC)
    error = located(ContradictionError(Problem(("layout", "tensor"), "disagrees", "keep one")), file)
    assert str(error).startswith(f"{file}:16:11: disagrees; keep one")


def test_the_version_tells_a_plan_from_a_spec(tmp_path):
    (tmp_path / "spec.yaml").write_text(SPEC)
    (tmp_path / "plan.yaml").write_text(PLAN.to_yaml())
    assert isinstance(load_document(tmp_path / "spec.yaml"), BudgetSpec)
    assert isinstance(load_document(tmp_path / "plan.yaml"), Plan)
    assert load_plan(tmp_path / "plan.yaml") == PLAN


def test_a_fresh_plan_is_not_stale():
    refuse_stale(PLAN, "plan.yaml")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"spec_sha256": "0" * 64}, "spec was changed"),
        ({"spec": PLAN.spec.model_copy(update={"name": "other"})}, "spec was changed"),
        ({"catalog_sha256": "0" * 64}, "other catalogs"),
    ],
)
def test_a_plan_whose_spec_or_catalogs_have_changed_is_stale(change, sentence):
    with pytest.raises(StalePlanError, match=sentence):
        refuse_stale(PLAN.model_copy(update=change), "plan.yaml")


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
odd_values = leaves | st.lists(leaves, max_size=3) | st.dictionaries(st.text(max_size=5), leaves, max_size=3)


@st.composite
def spoilt_specs(draw):
    """The sound spec as data with a few of its parts replaced, removed, added or doubled."""
    data = read_yaml(SPEC, "f.yaml").data
    for _ in range(draw(st.integers(1, 4))):
        place = data
        while isinstance(place, dict | list) and place:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = draw(st.sampled_from(keys))
            inner = place[key]
            if not isinstance(inner, dict | list) or not inner or draw(st.booleans()):
                _spoil(draw, place, key)
                break
            place = inner
    return data


def _spoil(draw, place, key):
    what = draw(st.sampled_from(["replace", "remove", "add"]))
    if what == "replace":
        place[key] = draw(odd_values)
    elif what == "remove":
        del place[key]
    elif isinstance(place, dict):
        known = ["params", "shape", "path", "time", "money", "goodput", "virtual_pipeline", "data", "seed"]
        place[draw(st.sampled_from(known) | st.text(max_size=5))] = draw(odd_values)
    else:
        place.append(draw(odd_values))


@settings(max_examples=300)
@given(spoilt_specs())
def test_a_spoilt_spec_loads_or_is_refused_with_places_and_never_breaks(data):
    text = dump_yaml(data)
    try:
        parse(text, "f.yaml", BudgetSpec)
    except InvalidDocumentError as error:
        lines = text.count("\n") + 1
        assert error.problems
        assert all(1 <= p.line <= lines and p.column >= 1 and p.message and p.do for p in error.problems)


@settings(max_examples=200)
@given(
    st.integers(0, len(SPEC)), st.integers(0, 12), st.text(st.sampled_from("a1:-{}[]&*!'\" \n\t#|>%,~e"), max_size=6)
)
def test_a_spec_with_letters_lost_or_added_loads_or_is_refused(start, length, added):
    try:
        parse(SPEC[:start] + added + SPEC[start + length :], "f.yaml", BudgetSpec)
    except InvalidDocumentError as error:
        assert error.problems


def test_every_law_and_accelerator_of_the_catalogs_may_be_named():
    for name in catalog.planning_laws():
        assert parse(SPEC + f"law: {name}\n", "f.yaml", BudgetSpec).law == name
    for name in catalog.names("accelerators"):
        text = spec_with(("64 x h100-sxm", f"64 x {name}"))
        assert parse(text, "f.yaml", BudgetSpec).accelerators.name == name


def test_what_is_missing_is_told_with_what_it_is_and_its_only_value():
    lines = [sentence for *_, sentence in mistakes(spec_with(("version: budget/1\n", ""), ("budget:", "bugdet:")))]
    assert (
        "'version' is missing from the document; add 'version: budget/1' (Version of this document's format)" in lines
    )
    assert any(
        line.startswith("'budget' is missing from the document; add 'budget: …' (What may be spent") for line in lines
    )
