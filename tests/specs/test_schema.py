"""The published JSON Schemas: current, valid, and of one mind with the loader."""

import copy
import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from sixnd.specs import catalog
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.errors import InvalidDocumentError
from sixnd.specs.load import parse
from sixnd.specs.quantity import DIMENSIONS, format_quantity
from sixnd.specs.record import event_line
from sixnd.specs.schema import schema, schema_text, schemas
from sixnd.specs.yaml_reader import dump_yaml, read_yaml
from tests.reports.build import big_plan, small_plan
from tests.specs.example import SPEC
from tests.specs.test_record import END, step

SPECS = Path(__file__).parents[2] / "specs"
EXAMPLES = sorted((SPECS / "examples").glob("*.yaml"))
BUDGET = Draft202012Validator(schema("budget-spec"))


@pytest.mark.parametrize("name", schemas())
def test_the_published_schema_is_current(name):
    published = (SPECS / "schema" / f"{name}.json").read_text("utf-8")
    assert published == schema_text(name), "run `make schema`"


@pytest.mark.parametrize("name", schemas())
def test_a_schema_is_valid_by_its_own_draft(name):
    Draft202012Validator.check_schema(schema(name))


def test_there_are_examples():
    assert EXAMPLES


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_every_shipped_example_is_valid_by_schema_and_loader(file):
    text = file.read_text("utf-8")
    BUDGET.validate(read_yaml(text, str(file)).data)
    parse(text, str(file), BudgetSpec)


@pytest.mark.parametrize("plan", [big_plan(), small_plan()], ids=["big", "small"])
def test_a_plan_is_valid_by_the_schema(plan):
    Draft202012Validator(schema("plan")).validate(read_yaml(plan.to_yaml(), "plan.yaml").data)


@pytest.mark.parametrize("event", [step(1), END], ids=["step", "end"])
def test_a_record_s_line_is_valid_by_the_schema(event):
    Draft202012Validator(schema("run-record")).validate(json.loads(event_line(event)))


BROKEN = [
    {"version": "budget/2"},
    {"name": "two words"},
    {"budget": {"compute": "3e21 tokens"}},
    {"budget": {"compute": -1}},
    {"budget": {"time": 14}},
    {"budget": {"time": "14"}},
    {"budget": {"money": "$250 tokens"}},
    {"budget": {"compute": "$3e21"}},
    {"cluster": {"accelerators": "h100-sxm"}},
    {"cluster": {}},
    {"data": {"sources": []}},
    {"data": {"sources": [{"name": "a", "weight": -1}]}},
    {"data": {"sources": [{"name": "a", "recipe": "no-such-recipe"}]}},
    {"law": "no-such-law"},
    {"model": {"sequence_length": "4096"}},
    {"model": {"sequence_length": True}},
    {"layout": {"tensor": 0}},
    {"layout": {"tensor": "two"}},
    {"layout": {"tenssor": 2}},
    {"training": {"schedule": "linear"}},
    {"unknown": 1},
]


@pytest.mark.parametrize("change", BROKEN, ids=str)
def test_schema_and_loader_both_refuse_a_broken_spec(change):
    data = {**read_yaml(SPEC, "f.yaml").data, **change}
    assert not BUDGET.is_valid(data)
    with pytest.raises(InvalidDocumentError):
        parse(dump_yaml(data), "f.yaml", BudgetSpec)


@pytest.mark.parametrize("dimension", DIMENSIONS, ids=lambda d: d.name)
def test_the_schema_takes_every_unit_that_the_parser_takes(dimension):
    pattern = re.compile(dimension.pattern)
    written = [f"2.5 {unit}" for unit in dimension.units] + [f"1,000{unit}" for unit in dimension.units]
    written += [format_quantity(3.14159e21, dimension), dimension.example]
    assert [text for text in written if not pattern.search(text)] == []


@pytest.mark.parametrize("dimension", DIMENSIONS, ids=lambda d: d.name)
def test_a_pattern_is_of_the_dialect_that_editors_read(dimension):
    # ECMA 262 with the u flag refuses an escaped hyphen and knows no (?P<…>).
    assert "\\-" not in dimension.pattern
    assert "(?P" not in dimension.pattern


def test_an_editor_can_complete_the_names_that_catalogs_hold():
    made = schema("budget-spec")
    assert made["properties"]["law"]["anyOf"][0]["enum"] == catalog.planning_laws()
    assert made["properties"]["hyperparameter_law"]["enum"] == catalog.names("hyperparameter-laws")
    cluster = made["$defs"]["Cluster"]["properties"]["accelerators"]
    assert [example.split(" x ")[1] for example in cluster["examples"]] == catalog.names("accelerators")


@pytest.mark.parametrize("name", schemas())
def test_every_field_has_a_hover(name):
    made = schema(name)
    for title, model in {name: made, **made.get("$defs", {})}.items():
        assert model["description"], title
        for field, entry in model.get("properties", {}).items():
            assert entry.get("description"), f"{title}.{field}"


sizes = st.sampled_from(["1", 1, 0, -1, 2.5, True, None, "auto", "x", "3e21 FLOPs", "14 days", "$5", [], {}])
FIELDS = """
budget.compute budget.time budget.money cluster.goodput data.tokens evaluation.batches layout.sequence_parallel
layout.tensor model.params model.sequence_length training.learning_rate training.schedule training.seed
"""
fields = st.sampled_from([tuple(name.split(".")) for name in FIELDS.split()])


@settings(max_examples=300)
@given(fields, sizes)
def test_schema_and_loader_judge_a_field_alike(field, value):
    data = copy.deepcopy(read_yaml(SPEC, "f.yaml").data)
    data.setdefault(field[0], {})[field[1]] = value
    try:
        parse(dump_yaml(data), "f.yaml", BudgetSpec)
        refused_there = False
    except InvalidDocumentError as error:
        refused_there = any(problem.path == field and "disagree" not in problem.message for problem in error.problems)
    refused_here = any(tuple(error.absolute_path) == field for error in BUDGET.iter_errors(data))
    assert refused_here == refused_there


MARKED = sorted([*(SPECS / "examples").rglob("*.yaml"), *(SPECS / "catalogs").glob("*.yaml")])
MODELINE = re.compile(r"# yaml-language-server: \$schema=(\S+)\n")


@pytest.mark.parametrize("file", MARKED, ids=lambda file: str(file.relative_to(SPECS)))
def test_an_editor_finds_the_schema_of_every_shipped_file_and_has_nothing_to_say(file):
    text = file.read_text("utf-8")
    line = MODELINE.match(text)
    assert line, "its first line names its schema"
    found = json.loads((file.parent / line[1]).read_text("utf-8"))
    Draft202012Validator(found).validate(read_yaml(text, str(file)).data)
