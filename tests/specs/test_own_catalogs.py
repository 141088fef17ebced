"""Catalog entries of one's own: known to every command, checked with their place, never in a shipped one's way."""

import contextlib
import copy
import io
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.cli import main
from sixnd.specs import catalog
from sixnd.specs.errors import InvalidDocumentError
from sixnd.specs.load import load_any, load_budget
from sixnd.specs.schema import schema
from sixnd.specs.yaml_reader import dump_yaml
from tests.specs.example import SPEC

ACCELERATOR = catalog.accelerator("h100-sxm").plain() | {"description": "a rack of ours", "source": "its datasheet"}
LAW = catalog.law("besiroglu-2024").plain() | {"description": "a law of ours", "source": "our runs"}
FAMILY = catalog.model_family("llama-3-8b").plain() | {"description": "a model of ours", "source": "its config.json"}


@pytest.fixture
def own(tmp_path, monkeypatch):
    def write(content: dict, name: str = "own.yaml") -> Path:
        file = tmp_path / name
        file.write_text(dump_yaml({"version": "catalog/1", **content}))
        monkeypatch.setenv(catalog.OWN, str(file))
        return file

    return write


def budget(tmp_path: Path, *changes: str):
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC)
    return load_budget(spec, changes)


def test_an_accelerator_a_law_and_a_family_of_one_s_own_are_planned_with(own, tmp_path):
    own({"accelerators": {"our-rack": ACCELERATOR}, "laws": {"our-law": LAW}, "model_families": {"our-model": FAMILY}})
    spec = budget(tmp_path, "cluster.accelerators=8 x our-rack", "law=our-law", "model={family: our-model}")
    assert catalog.accelerator(spec.accelerators.name).description == "a rack of ours"
    assert spec.planning_law.law.description == "a law of ours"
    assert spec.model.sequence_length == FAMILY["sequence"]


def test_without_the_variable_they_are_not_known(own, tmp_path, monkeypatch):
    own({"accelerators": {"our-rack": ACCELERATOR}})
    assert "our-rack" in catalog.names("accelerators")
    monkeypatch.delenv(catalog.OWN)
    assert "our-rack" not in catalog.names("accelerators")
    with pytest.raises(InvalidDocumentError, match="'our-rack' is not in the catalog of accelerators"):
        budget(tmp_path, "cluster.accelerators=8 x our-rack")


def test_several_files_are_taken_together(own, monkeypatch):
    files = [own({"accelerators": {"a": ACCELERATOR}}), own({"laws": {"b": LAW}}, "more.yaml")]
    monkeypatch.setenv(catalog.OWN, ":".join(map(str, files)))
    assert "a" in catalog.names("accelerators")
    assert "b" in catalog.names("laws")


def test_a_plan_made_with_other_entries_is_stale(own):
    own({"accelerators": {"our-rack": ACCELERATOR}})
    before = catalog.sha256()
    own({"accelerators": {"our-rack": ACCELERATOR | {"pue": 1.5}}}, "changed.yaml")
    assert catalog.sha256() != before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"accelerators": {"h100-sxm": ACCELERATOR}}, "there is an entry 'h100-sxm' already"),
        ({"accelerators": {"x": ACCELERATOR | {"step_family": "hoper"}}}, "'hoper'; known: ampere"),
        ({"accelerators": {"x": ACCELERATOR | {"peek_flops": 1}}}, "did you mean 'peak_flops'"),
        ({"accelerators": {"x": {"kind": "gpu"}}}, "'pue' is missing from accelerators.x"),
        ({"laws": {"x": LAW | {"fitted_tokens": [2e9, 1e9]}}}, "2e\\+09 is above 1e\\+09"),
        ({"laws": {"x": LAW | {"log_covariance": [[1.0, 2.0, 0, 0, 0], *[[0] * 5] * 4]}}}, "is no covariance"),
        ({"laws": {"x": LAW | {"E": 0}}}, "E above 0"),
        ({"laws": {"x": LAW | {"beta": 2**63}}}, "should be less than or equal to 4"),
        ({"animals": {}}, "unknown key 'animals'; known keys here: version, accelerators"),
    ],
    ids=["taken", "family", "key", "missing", "range", "covariance", "E", "exponent", "catalog"],
)
def test_a_mistake_is_told_as_the_catalog_s_own(own, tmp_path, content, message):
    file = own(content)
    with pytest.raises(InvalidDocumentError, match=message) as refused:
        budget(tmp_path)
    assert refused.value.file == str(file)
    assert all(problem.line > 0 for problem in refused.value.problems)


def test_a_file_that_is_not_there_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(catalog.OWN, str(tmp_path / "none.yaml"))
    assert main(["catalog", "laws"]) == 3
    assert "none.yaml:1:1: cannot be read" in capsys.readouterr().err


def test_a_catalog_is_validated_like_any_document(own):
    content = {"accelerators": {"our-rack": ACCELERATOR}}
    assert load_any(own(content)).accelerators["our-rack"].pue == ACCELERATOR["pue"]
    assert {"accelerators", "laws", "model_families"} <= set(schema("catalog")["properties"])


WHOLE: dict[str, Any] = {
    "version": "catalog/1",
    "accelerators": {"ours": ACCELERATOR},
    "laws": {"ours": LAW},
    "model_families": {"ours": FAMILY},
}


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a document."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path] * bool(path) + [place for key, child in items for place in places(child, (*path, key))]


ODD = [None, True, "", "x", "auto", [], {}, [None], {"a": 1}, 0, 1, -1, 0.5, 1e-300, 1e300, 2**63, 10**30]
ODD += [float("nan"), float("inf")]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.sampled_from(places(WHOLE)), st.sampled_from(ODD))
def test_whatever_stands_in_a_catalog_no_command_prints_a_traceback(place, odd):
    content = copy.deepcopy(WHOLE)
    parent = content
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = odd
    told = io.StringIO()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "own.yaml")
        file.write_text(dump_yaml(content))
        both = contextlib.redirect_stderr(told), contextlib.redirect_stdout(io.StringIO())
        with mock.patch.dict("os.environ", {catalog.OWN: str(file)}), both[0], both[1]:
            codes = [main(["allocate", "1e20", "--law", "ours"]), main(["catalog", "accelerators"])]
    assert "Traceback" not in told.getvalue()
    assert set(codes) <= {0, 1, 3, 4}
    assert all(code == 0 or told.getvalue() for code in codes)
