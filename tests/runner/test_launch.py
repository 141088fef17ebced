from pathlib import Path

import pytest

from sixnd.runner.job import JobFolder
from sixnd.runner.launch import _check_same_text, run_plan
from sixnd.specs import catalog
from sixnd.specs.errors import SixndError, UntrainablePlanError
from sixnd.specs.record import DataPrepared, RunRecord, SourceData
from tests.runner import tiny


def test_a_plan_for_gpus_that_are_not_here_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    plan = tiny.plan(tiny.layout(data=8))
    cluster = plan.cluster.model_copy(update={"shared_host": False, "accelerator": "h100-sxm"})
    with pytest.raises(SixndError, match=r"needs 8 x h100-sxm, and this machine has \d+ GPUs"):
        run_plan(plan.model_copy(update={"cluster": cluster}), runs_dir=tmp_path, base_dir=tmp_path, progress=False)
    assert not list(tmp_path.iterdir())


def prepared(digest: str) -> DataPrepared:
    source = SourceData(
        name="s", licences={"l": 1}, documents=1, bytes=1, train_tokens=1, validation_tokens=1, sha256=digest
    )
    return DataPrepared(
        tokenizer_sha256="t", vocab_size=8, bytes_per_token=1, sources=[source], unigram_loss=1, seconds=1
    )


def test_a_run_does_not_go_on_with_other_text_than_it_began_with(tmp_path: Path) -> None:
    began = RunRecord(events=[prepared("one"), prepared("one")])
    _check_same_text(JobFolder(tmp_path), began, prepared("one"))
    with pytest.raises(SixndError, match="is not what this run began with"):
        _check_same_text(JobFolder(tmp_path), began, prepared("two"))


def test_a_plan_whose_sites_synchronise_now_and_then_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    plan = tiny.plan(tiny.layout())
    sites = {"count": 2, "link_bytes_per_s": 1e9, "sync_every": 50}
    cluster = plan.spec.cluster.model_validate(plan.spec.cluster.plain() | {"sites": sites})
    spec = plan.spec.model_copy(update={"cluster": cluster})
    with pytest.raises(SixndError, match="every 50 steps, which is planned on paper only"):
        run_plan(plan.model_copy(update={"spec": spec}), runs_dir=tmp_path, base_dir=tmp_path, progress=False)
    assert not list(tmp_path.iterdir())


def test_a_plan_that_is_not_trained_here_is_refused_with_every_reason_before_anything_is_written(
    tmp_path: Path,
) -> None:
    plan = tiny.plan(tiny.layout(data=4, expert=4))
    model = plan.model.model_copy(update={"architecture": catalog.model_family("mixtral-8x7b").architecture})
    training = plan.training.model_copy(update={"precision": "fp4"})
    with pytest.raises(UntrainablePlanError) as refused:
        run_plan(
            plan.model_copy(update={"model": model, "training": training}),
            runs_dir=tmp_path,
            base_dir=tmp_path,
            progress=False,
        )
    for words in ("model.architecture", "layout.expert is 4", "training.precision is fp4"):
        assert words in str(refused.value)
    assert refused.value.exit_code == 3
    assert not list(tmp_path.iterdir())


def test_norms_are_not_recomputed_alone_without_transformer_engine(tmp_path: Path) -> None:
    plan = tiny.plan(tiny.layout(recompute="selective", recompute_modules=["layernorm"]))
    with pytest.raises(SixndError, match="needs Transformer Engine and a GPU"):
        run_plan(plan, runs_dir=tmp_path, base_dir=tmp_path, progress=False)
    assert not list(tmp_path.iterdir())
