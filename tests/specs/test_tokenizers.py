"""A spec that names a tokenizer file: what is read of it, and what is wrong where it is none."""

import json
from pathlib import Path

import pytest

from sixnd.planner.plan import make_plan
from sixnd.planner.vocabulary import vocabulary_source
from sixnd.specs.errors import InvalidDataError, InvalidDocumentError
from sixnd.specs.load import load_budget, parse
from sixnd.specs.plan import Plan
from sixnd.specs.tokenizers import read_header
from tests.specs.example import spec_with

HEADER = {"version": "tokenizer/1", "kind": "sp-bpe", "vocab_size": 4321, "sha256": "0" * 64}
FILE = ("data:\n", "data:\n  tokenizer: {file: t.tok}\n")


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    path = tmp_path / "t.tok"
    path.write_bytes(json.dumps(HEADER).encode() + b"\nthe library's own data")
    return path


def spec(folder: Path, *changes: tuple[str, str]) -> Path:
    path = folder / "spec.yaml"
    path.write_text(spec_with(*changes))
    return path


def refused(path: Path) -> str:
    with pytest.raises(InvalidDocumentError) as error:
        load_budget(path)
    return str(error.value)


def test_a_spec_knows_kind_and_entries_of_the_file_it_names(tokenizer: Path) -> None:
    found = load_budget(spec(tokenizer.parent, FILE))
    assert found.data.tokenizer.kind == "sp-bpe"
    assert found.model_of_data.vocab_size == 4321
    assert vocabulary_source(found) == "spec: data.tokenizer.file"


def test_a_plan_has_the_files_vocabulary_changes_with_the_file_and_is_read_back(tokenizer: Path) -> None:
    path = spec(tokenizer.parent, FILE)
    plan = make_plan(load_budget(path))
    assert plan.model.vocab_size == 4321
    assert parse(plan.to_yaml(), "plan.yaml", Plan) == plan
    tokenizer.write_text(json.dumps(HEADER | {"sha256": "1" * 64}) + "\n")
    assert make_plan(load_budget(path)).fingerprint != plan.fingerprint


def test_another_size_in_the_spec_is_a_problem_with_its_place(tokenizer: Path) -> None:
    told = refused(spec(tokenizer.parent, FILE, ("model:\n", "model:\n  vocab_size: 5000\n")))
    assert "vocab_size is 5,000 here, and the tokenizer has 4,321 entries; make it auto" in told


def test_a_kind_beside_a_file_is_a_problem(tokenizer: Path) -> None:
    told = refused(spec(tokenizer.parent, ("data:\n", "data:\n  tokenizer: {file: t.tok, kind: sp-bpe}\n")))
    assert "data.tokenizer.kind: the file says itself of which kind it is" in told


def test_a_file_that_is_missing_or_no_tokenizer_is_a_problem_at_its_place(tokenizer: Path) -> None:
    path = spec(tokenizer.parent, FILE)
    tokenizer.write_text("{}\n")
    assert "t.tok: its first line tells of no tokenizer" in refused(path)
    tokenizer.unlink()
    assert "data.tokenizer.file:" in refused(path)
    with pytest.raises(InvalidDataError, match="cannot be read"):
        read_header(tokenizer)
