"""General text of a base run is taken from its folder, and what it held out stays held out."""

import json
import shutil
from pathlib import Path

import pytest

from sixnd.runner.deal import deal
from sixnd.runner.export.model_card import model_card
from sixnd.runner.export.plan import refuse
from sixnd.runner.job import JobFolder
from sixnd.runner.prepare import Prepared, prepare
from sixnd.specs.continual import GeneralSource, PlannedContinual
from sixnd.specs.errors import InvalidDataError, UntrainablePlanError
from sixnd.specs.plan import Plan
from sixnd.specs.record import RunRecord
from sixnd.specs.tokenizers import TokenizerChoice, read_header
from tests.runner import tiny
from tests.runner.conftest import ROOT, sources


def going_on(base: Path, *, replay: float) -> Plan:
    """New text `code`, and `schemas` as the base in the folder was trained on it."""
    code, schemas = sources(12)
    plan = tiny.plan(steps=12, sources=[_shared(code, 1 - replay), _shared(schemas, replay, path=None)])
    files = {one["name"]: one for one in json.loads((base / "data" / "manifest.json").read_text())["sources"]}
    kept = {key: files["schemas"][key] for key in ("train_prefix", "validation_prefix")}
    planned = PlannedContinual(
        base=str(base),
        name="base/0a1b2c3d",
        kind="run",
        step=12,
        sha256="0" * 64,
        replay=replay,
        general=[GeneralSource(name="schemas", **kept)],
    )
    file = base / "data" / "tokenizer.tok"
    choice = TokenizerChoice(file=str(file), trained=read_header(file))
    evaluation = plan.evaluation.model_copy(update={"source_batches": 1})
    data = plan.data.model_copy(update={"tokenizer": choice})
    return plan.model_copy(update={"continual": planned, "data": data, "evaluation": evaluation})


def _shared(source, weight: float, **more: object):
    tokens = weight * 12 * tiny.BATCH * tiny.LENGTH
    return source.model_copy(update={"weight": weight, "tokens": tokens, **more})


def prepared(plan: Plan, folder: Path) -> Prepared:
    job = JobFolder(folder)
    job.create(plan)
    return prepare(job, plan, ROOT, folder / "cache", lambda _text: None)


@pytest.fixture
def base(data: tuple[Path, Prepared], tmp_path: Path) -> Path:
    """The folder of a base run, to be spoilt at will."""
    return Path(shutil.copytree(data[0], tmp_path / "base"))


@pytest.mark.parametrize("replay", [0.0, 0.25])
def test_the_bases_own_tokens_are_taken_whatever_the_share(
    base: Path, data: tuple[Path, Prepared], tmp_path: Path, replay: float
) -> None:
    found = prepared(going_on(base, replay=replay), tmp_path / "run")
    code, schemas = found.sources
    before = next(source for source in data[1].sources if source.name == "schemas")
    assert (schemas.train_prefix, schemas.validation_prefix) == (before.train_prefix, before.validation_prefix)
    for prefix in schemas.prefixes:
        for suffix in (".bin", ".idx"):
            assert (tmp_path / "run" / f"{prefix}{suffix}").read_bytes() == (base / f"{prefix}{suffix}").read_bytes()
    assert schemas.weight == replay
    assert code.weight == 1 - replay
    assert [source.name for source in found.event.sources] == ["code", "schemas"]
    assert found.event.tokenizer_sha256 == data[1].event.tokenizer_sha256
    assert prepared(going_on(base, replay=replay), tmp_path / "run").event.seconds == found.event.seconds  # taken


def test_a_base_whose_tokens_or_tokenizer_have_changed_is_refused(base: Path, tmp_path: Path) -> None:
    plan = going_on(base, replay=0.25)
    assert plan.continual is not None
    held_out = base / f"{plan.continual.general[0].validation_prefix}.bin"
    whole = held_out.read_bytes()
    held_out.write_bytes(whole[:-2] + b"??")
    with pytest.raises(InvalidDataError, match="it was changed"):
        prepared(plan, tmp_path / "run")
    held_out.write_bytes(whole)
    other = read_header(base / "data" / "tokenizer.tok").model_copy(update={"sha256": "0" * 64})
    choice = plan.data.tokenizer.model_copy(update={"trained": other})
    with pytest.raises(InvalidDataError, match="is not the tokenizer that was planned with"):
        prepared(plan.model_copy(update={"data": plan.data.model_copy(update={"tokenizer": choice})}), tmp_path / "run")


def test_held_out_text_is_enough_to_be_measured_whatever_is_replayed(
    base: Path, data: tuple[Path, Prepared], tmp_path: Path
) -> None:
    files = next(source for source in data[1].sources if source.name == "code")
    shards = [base / files.validation_prefix, base / files.train_prefix]
    held_out = set()
    for replay in (0.99, 0.5):
        plan = going_on(base, replay=replay)
        plan = plan.model_copy(update={"evaluation": plan.evaluation.model_copy(update={"source_batches": 3})})
        into = tmp_path / f"{replay}"
        into.mkdir()
        dealt = deal(plan.data.sources[0], plan, shards, into)
        assert dealt.validation.tokens >= 3 * tiny.BATCH * tiny.LENGTH
        held_out.add(dealt.validation.first)
    assert held_out == {0}


def test_what_is_exported_of_such_a_run_tells_of_its_base(base: Path) -> None:
    plan = going_on(base, replay=0.25)
    card = model_card(plan, RunRecord(events=[]), 12)
    assert "started from the weights of base/0a1b2c3d, SHA-256 0000000000000000" in card
    assert "25.0% of the tokens from schemas, against forgetting" in card
    with pytest.raises(UntrainablePlanError, match="it starts from a trained model"):
        refuse(plan)
