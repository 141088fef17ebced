"""A spec over the one it extends, with changes and variables; mistakes are told where they stand."""

from pathlib import Path

import pytest

from sixnd.specs.errors import InvalidDocumentError
from sixnd.specs.load import load_any, load_budget, read_spec
from sixnd.specs.resolve import presets
from tests.specs.example import SPEC

BASE = """\
version: budget/1
name: base
budget: {compute: 1e21 FLOPs}
cluster:
  accelerators: 8 x h100-sxm
  pricing: spot
model: {params: 1B params}
data:
  sources:
    - {name: web, path: text/*.jsonl, weight: 2}
    - {name: code, path: /shared/code.jsonl}
training: {seed: 7, schedule: wsd}
"""


def written(folder: Path, **files: str) -> Path:
    """The files, and the path of the one called `own`."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder / "own.yaml"


def refused(path: Path, *changes: str) -> str:
    with pytest.raises(InvalidDocumentError) as caught:
        load_budget(path, changes)
    return str(caught.value)


def test_what_a_spec_gives_itself_stands_over_what_it_extends(tmp_path: Path):
    own = written(
        tmp_path, base=BASE, own="extends: base.yaml\nname: own\ntraining: {seed: 8}\ncluster: {pricing: null}\n"
    )
    spec, base = load_budget(own), load_budget(tmp_path / "base.yaml")
    assert (spec.name, spec.training.seed, spec.training.schedule) == ("own", 8, "wsd")
    assert spec.cluster.pricing == "on-demand"
    assert spec.data == base.data
    assert spec.model == base.model


def test_null_takes_a_key_back_to_its_default_whether_or_not_it_was_given(tmp_path: Path):
    text = (
        "extends: base.yaml\nname: own\nlayout: {recompute: null}\ncluster: {pricing: null, spares: null}\nlaw: null\n"
    )
    own, plain = load_budget(written(tmp_path, base=BASE, own=text)), load_budget(tmp_path / "base.yaml")
    assert own.cluster.pricing == "on-demand"
    assert (own.cluster.spares, own.layout, own.law) == (plain.cluster.spares, plain.layout, plain.law)


def test_a_list_is_replaced_whole(tmp_path: Path):
    own = written(tmp_path, base=BASE, own="extends: base.yaml\ndata: {sources: [{name: books, path: b.txt}]}\n")
    assert [source.name for source in load_budget(own).data.sources] == ["books"]


def test_a_spec_that_only_extends_is_the_one_it_extends(tmp_path: Path):
    own = written(tmp_path, base=BASE, own="extends: base.yaml\n")
    assert load_budget(own) == load_budget(tmp_path / "base.yaml")
    assert load_any(own) == load_budget(own)


def test_files_named_in_another_folder_are_those_of_that_folder(tmp_path: Path):
    own = written(tmp_path, team__base=BASE, middle="extends: team/base.yaml\n", own="extends: middle.yaml\n")
    web, code = load_budget(own).data.sources
    assert web.path == "team/text/*.jsonl"
    assert code.path == "/shared/code.jsonl"


def test_a_preset_is_an_example_by_its_name(tmp_path: Path):
    own = written(tmp_path, own="extends: quickstart\nname: mine\nbudget: {time: 8 min}\n")
    spec = load_budget(own)
    assert spec.name == "mine"
    assert spec.budget.time == 480
    assert [source.name for source in spec.data.sources] == ["code", "docs", "plays"]
    assert "h100-405b" in presets()


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("nowhere.yaml", "'nowhere.yaml' cannot be read (No such file or directory)"),
        ("quikstart", "no preset is called 'quikstart'; there are corpus, "),
        ("own.yaml", "'own.yaml' extends this spec in turn"),
        ("list.yaml", "'list.yaml' is no spec"),
        ("3", "names nothing to extend; name a spec's file, or a preset"),
    ],
)
def test_what_cannot_be_extended_is_refused_at_its_line(tmp_path: Path, named: str, told: str):
    own = written(tmp_path, list="[1, 2]", own=f"name: own\nextends: {named}\n")
    assert f"{own}:2:10: extends: {told}" in refused(own)


def test_specs_that_extend_each_other_are_refused(tmp_path: Path):
    own = written(tmp_path, own="extends: other.yaml\n", other="extends: own.yaml\n")
    assert f"{tmp_path / 'other.yaml'}:1:10: extends: 'own.yaml' extends this spec in turn" in refused(own)


def test_mistakes_are_told_in_the_file_they_stand_in(tmp_path: Path):
    own = written(
        tmp_path, base=BASE.replace("seed: 7", "seed: -7"), own="extends: base.yaml\nmodel: {parms: 2B params}\n"
    )
    told = refused(own, "training.clip_grad_norm=none", "cluster.pricing=free")
    base = tmp_path / "base.yaml"
    assert f"{base}:12:18: training.seed: -7 cannot be taken; it should be greater than or equal to 1" in told
    assert "    training: {seed: -7, schedule: wsd}\n                     ^" in told
    assert f"{own}:2:9: unknown key 'parms'; did you mean 'params'?" in told
    assert "\n--set training.clip_grad_norm=none: training.clip_grad_norm: " in told
    assert "\n--set cluster.pricing=free: cluster.pricing: " in told


def test_a_duplicate_key_of_the_extended_spec_is_told_in_its_file(tmp_path: Path):
    own = written(tmp_path, base=f"{BASE}name: twice\n", own="extends: base.yaml\n")
    assert f"{tmp_path / 'base.yaml'}:13:1: duplicate key 'name'" in refused(own)


def test_values_that_disagree_across_files_are_told_where_one_of_them_stands(tmp_path: Path):
    own = written(tmp_path, base=BASE, own="extends: base.yaml\ntraining:\n  decay_fraction: 0.99\n")
    assert f"{own}:3:19: warmup_fraction + decay_fraction is above 1" in refused(own)


def test_a_change_on_the_command_line_stands_over_everything(tmp_path: Path):
    own = written(tmp_path, own=BASE)
    spec = load_budget(
        own, ["training.seed=9", "data.sources.code.weight=3", "data.sources.0.licence=CC0", "layout={tensor: 2}"]
    )
    assert spec.training.seed == 9
    assert spec.data.sources[1].weight == 3
    assert spec.data.sources[0].licence == "CC0"
    assert spec.layout.tensor == 2
    assert spec.training.schedule == "wsd"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("training.seed", "is no change of a value; write path=value"),
        ("training..seed=1", "is no change of a value; write path=value"),
        ("data.sources.books.weight=1", "nothing in the list is called 'books'; there are web, code"),
        ("name.first=1", "'first' would be inside of 'base', which holds nothing"),
        ("training.sed=1", "unknown key 'sed'; did you mean 'seed'?"),
        ("training.seed=[1", "not valid YAML"),
    ],
)
def test_a_change_that_cannot_be_made_is_told_as_it_was_given(tmp_path: Path, change: str, told: str):
    message = refused(written(tmp_path, own=BASE), change)
    assert message.startswith(f"--set {change}")
    assert told in message


def test_a_plan_is_not_changed(tmp_path: Path):
    path = tmp_path / "law.yaml"
    path.write_text("version: plan/1\n", "utf-8")
    with pytest.raises(InvalidDocumentError, match="nothing is decided anew"):
        load_any(path, ["name=x"])


def test_only_declared_variables_are_filled_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SIXND_TEXT", "/disk/text")
    monkeypatch.setenv("SIXND_SEED", "11")
    text = BASE.replace("text/*.jsonl", "'${SIXND_TEXT}/*.jsonl'").replace("seed: 7", "seed: '${SIXND_SEED}'")
    text += "environment: {SIXND_TEXT: null, SIXND_SEED: 1, SIXND_UNSET: x}\n"
    own = written(tmp_path, own=text)
    spec = load_budget(own)
    assert spec.data.sources[0].path == "/disk/text/*.jsonl"
    assert spec.training.seed == 11
    assert read_spec(own).variables[("training", "seed")] == ("SIXND_SEED",)


def test_without_a_declaration_a_dollar_is_a_dollar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/somewhere")
    own = written(tmp_path, own=BASE.replace("text/*.jsonl", "'${HOME}/*.jsonl'"))
    assert load_budget(own).data.sources[0].path == "${HOME}/*.jsonl"


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ("{SIXND_TEXT: null}", "environment.SIXND_TEXT: is not set in the environment, and has no default"),
        ("[SIXND_TEXT]", "environment: is no mapping; give names with their defaults"),
        ("{A-B: 1}", "environment.A-B: declares no variable; give the name of a variable"),
        ("{OTHER: 1}", "data.sources.0.path: ${SIXND_TEXT} is not declared"),
    ],
)
def test_a_variable_that_cannot_be_filled_in_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, declared: str, told: str
):
    monkeypatch.delenv("SIXND_TEXT", raising=False)
    text = BASE.replace("text/*.jsonl", "'${SIXND_TEXT}/*.jsonl'") + f"environment: {declared}\n"
    assert told in refused(written(tmp_path, own=text))


def test_the_example_of_the_tests_is_the_same_when_it_is_extended(tmp_path: Path):
    own = written(tmp_path, base=SPEC, own="extends: base.yaml\n")
    assert load_budget(own) == load_budget(tmp_path / "base.yaml")
