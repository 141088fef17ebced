"""The calibration document: read back as it was written, by the schema too, and refused where it is no covariance."""

import copy

import pytest
from jsonschema import Draft202012Validator

from sixnd.specs.calibration import Calibration
from sixnd.specs.errors import InvalidDocumentError
from sixnd.specs.load import load_any, load_budget, load_calibration
from sixnd.specs.schema import schema
from sixnd.specs.yaml_reader import dump_yaml
from tests.specs.calibrating import CALIBRATION
from tests.specs.example import SPEC


def test_a_calibration_is_read_back_as_it_was_written(tmp_path):
    made = Calibration.model_validate(CALIBRATION)
    file = tmp_path / "mine.yaml"
    file.write_text(made.to_yaml(), encoding="utf-8")
    assert load_calibration(file) == load_any(file) == made
    Draft202012Validator(schema("calibration")).validate(made.plain())


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("log_covariance",), [[0.01]], "lower triangle"),
        (("log_covariance",), [[0.01], [0.0, -1.0]], "not positive"),
        (("constants", 0, "spread"), 0.0, "greater than 0"),
        (("precision",), "int8", "bf16"),
        (("version",), "calibration/2", "calibration/1"),
    ],
)
def test_what_is_no_calibration_is_refused_with_the_reason(tmp_path, path, value, message):
    broken = copy.deepcopy(CALIBRATION)
    *parents, last = path
    place = broken
    for part in parents:
        place = place[part]
    place[last] = value
    file = tmp_path / "mine.yaml"
    file.write_text(dump_yaml(broken), encoding="utf-8")
    with pytest.raises(InvalidDocumentError, match=message):
        load_calibration(file)


def test_a_spec_holds_the_calibration_it_names_and_changes_with_it(tmp_path):
    (tmp_path / "mine.yaml").write_text(Calibration.model_validate(CALIBRATION).to_yaml(), encoding="utf-8")
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC.replace("cluster:\n", "cluster:\n  calibration: mine.yaml\n"), encoding="utf-8")
    found = load_budget(spec)
    assert found.cluster.calibration == Calibration.model_validate(CALIBRATION)
    before = found.digest()
    changed = copy.deepcopy(CALIBRATION)
    changed["constants"][0]["value"] = 0.61
    (tmp_path / "mine.yaml").write_text(dump_yaml(changed), encoding="utf-8")
    assert load_budget(spec).digest() != before


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("none.yaml", r"spec\.yaml:\d+:\d+: cluster\.calibration: .*none\.yaml:1:1: cannot be read"),
        ("law.yaml", r"spec\.yaml:\d+:\d+: cluster\.calibration: .*law\.yaml:1:1: 'name' is missing.*and \d+ more"),
        ("mine", r"spec\.yaml:\d+:\d+: cluster\.calibration: .*name a file that `sixnd calibrate` wrote"),
    ],
)
def test_a_spec_that_names_no_calibration_is_told_at_its_line(tmp_path, named, message):
    (tmp_path / "law.yaml").write_text("version: law/1\n", encoding="utf-8")
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC.replace("cluster:\n", f"cluster:\n  calibration: {named}\n"), encoding="utf-8")
    with pytest.raises(InvalidDocumentError, match=message):
        load_budget(spec)
