import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sixnd.specs.errors import InvalidDocumentError
from sixnd.specs.launch import Launch
from sixnd.specs.load import parse

HOSTILE = ["main\n#SBATCH --uid=0", "$(rm -rf /)", "a b", "a;b", "", "`id`", 'a"b', "é\u2028"]
NAMES = ["partition", "account", "qos", "namespace", "queue", "volume", "secret", "runtime", "accelerator", "infra"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", HOSTILE)
def test_names_that_a_cluster_would_read_otherwise_are_refused(name: str, value: str) -> None:
    with pytest.raises(ValidationError, match=name):
        Launch.model_validate({name: value})


@given(st.text(min_size=1, max_size=30))
def test_an_image_is_one_word_and_no_option(text: str) -> None:
    try:
        image = Launch(image=text).image
    except ValidationError:
        assert re.search(r"[\s\x00-\x1f\x7f]", text) or text.startswith("-")
    else:
        assert image == text
        assert not text.startswith("-")
        assert len(text.split()) == 1


def test_a_value_beside_a_variables_name_is_refused_where_it_stands() -> None:
    with pytest.raises(InvalidDocumentError, match=r"spec.yaml:2:4: environment.0: .*without a value"):
        parse("environment:\n - HF_TOKEN=abc\n", "spec.yaml", Launch)


def test_times_have_units() -> None:
    assert Launch.model_validate({"time": "24 hours", "notice": "10 min"}).time == 86400
    with pytest.raises(ValidationError, match="notice"):
        Launch.model_validate({"notice": "-1 s"})
