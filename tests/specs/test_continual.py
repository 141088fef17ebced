"""The base that a spec names: what the spec takes from it, and what is refused with the place of the mistake."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from sixnd.specs.budget import BudgetSpec
from sixnd.specs.continual import Continual, PlannedContinual
from sixnd.specs.errors import InvalidDocumentError
from sixnd.specs.load import load_budget, load_sources
from sixnd.specs.lora import PlannedLora
from sixnd.specs.plan import PlannedMup
from tests.specs import bases


def refused(path: Path) -> InvalidDocumentError:
    with pytest.raises(InvalidDocumentError) as found:
        load_budget(path)
    return found.value


def test_a_run_gives_its_sizes_tokenizer_and_sources(tmp_path: Path) -> None:
    run = bases.a_run(tmp_path / "runs" / "prose" / "0a1b2c3d")
    for named in ("runs/prose/0a1b2c3d", "runs/prose", "runs/prose/0a1b2c3d/checkpoints/step_00000006"):
        spec = load_budget(bases.spec_file(tmp_path, named))
        assert spec.model.shape is not None
        assert spec.model.shape.plain() == bases.SHAPE
        assert (spec.model.vocab_size, spec.model.tied_embeddings, spec.model.sequence_length) == (512, False, 32)
        assert spec.data.tokenizer.file == "runs/prose/0a1b2c3d/data/tokenizer.tok"
        assert [(s.name, s.weight, s.unique_tokens) for s in spec.data.sources] == [
            ("code", 1.0, None),
            ("prose", 0.75, 1000.0),
            ("notes", 0.25, 1000.0),
        ]
        asked = spec.continual
        assert asked is not None
        assert asked.origin is not None
        assert asked.general == ["prose", "notes"]
        assert asked.replay == 0.05
        assert (asked.origin.step, asked.origin.peak_learning_rate) == (6, 1e-3)
        assert asked.origin.final_learning_rate == pytest.approx(1e-4)
        assert asked.origin.sources[0].validation_prefix == "data/prose-validation-0b"
    assert (run / "plan.yaml").is_file()


def test_the_newest_checkpoint_with_a_sound_manifest_is_taken(tmp_path: Path) -> None:
    run = bases.a_run(tmp_path / "run")
    newest = run / "checkpoints" / "step_00000006" / "sixnd.json"
    newest.write_text(newest.read_text().replace('"step": 6', '"step": 7'))
    spec = load_budget(bases.spec_file(tmp_path, "run"))
    assert spec.continual is not None
    assert spec.continual.origin is not None
    assert spec.continual.origin.step == 4
    assert spec.continual.origin.final_learning_rate is None  # its rate has not come to its end


def test_a_llama_gives_its_sizes_and_tokenizer(tmp_path: Path) -> None:
    bases.a_llama(tmp_path / "llama")
    rate = ("  base:", "  replay: 0%\n  peak_learning_rate: 3e-4\n  base:")
    spec = load_budget(bases.spec_file(tmp_path, "llama", rate))
    assert spec.model.shape is not None
    assert spec.model.shape.plain() == bases.SHAPE
    assert spec.model.tied_embeddings is True
    assert spec.data.tokenizer.file == "llama/tokenizer.json"
    assert spec.data.tokenizer.kind == "byte-bpe"
    assert spec.continual is not None
    assert spec.continual.origin is not None
    before = spec.continual.origin.sha256
    (tmp_path / "llama" / "model.safetensors").write_bytes(b"other weights")
    again = load_budget(tmp_path / "code.yaml")
    assert again.continual is not None
    assert again.continual.origin is not None
    assert again.continual.origin.sha256 != before


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model_type": "mistral"}, 'model_type is "mistral", and only "llama" is taken'),
        ({"model_type": "left out"}, "model_type is null"),
        ({"hidden_size": "64"}, "hidden_size is '64', and no positive whole number"),
        ({"num_hidden_layers": 0}, "num_hidden_layers is 0"),
        ({"num_attention_heads": True}, "num_attention_heads is True"),
        ({"head_dim": 32}, "head_dim 32 × 4 heads is not hidden_size 64"),
        ({"vocab_size": "left out"}, "vocab_size is None"),
    ],
)
def test_a_folder_of_another_architecture_or_of_broken_sizes_is_refused(
    tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    bases.a_llama(tmp_path / "llama", **changes)
    error = refused(bases.spec_file(tmp_path, "llama"))
    assert re.search(r"code\.yaml:6:9: .*config\.json: ", str(error))
    assert told in str(error)


def test_pickles_are_not_opened(tmp_path: Path) -> None:
    folder = bases.a_llama(tmp_path / "llama")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    told = str(refused(bases.spec_file(tmp_path, "llama")))
    assert "there are no weights in safetensors (pytorch_model.bin is no safetensors)" in told
    assert "a pickle can run any program" in told


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff\xfe", b'{"model": {"type": "Unigram"}}', b'{"model": 3}'])
def test_a_tokenizer_that_is_none_of_ours_is_refused(tmp_path: Path, content: bytes) -> None:
    folder = bases.a_llama(tmp_path / "llama")
    (folder / "tokenizer.json").write_bytes(content)
    assert "tokenizer.json" in str(refused(bases.spec_file(tmp_path, "llama")))


def test_a_folder_that_holds_no_model_is_told_with_its_place(tmp_path: Path) -> None:
    told = str(refused(bases.spec_file(tmp_path, "nowhere")))
    assert "code.yaml:6:9: " in told
    assert "nowhere is no folder; name a run's, a checkpoint's in it, or that of a Llama" in told
    (tmp_path / "nowhere").mkdir()
    assert "neither a run" in str(refused(tmp_path / "code.yaml"))


def test_of_several_runs_by_one_name_one_must_be_named(tmp_path: Path) -> None:
    first = bases.a_run(tmp_path / "prose" / "0a1b2c3d")
    shutil.copytree(first, tmp_path / "prose" / "4e5f6a7b")
    assert "holds several runs; name one of 0a1b2c3d, 4e5f6a7b" in str(refused(bases.spec_file(tmp_path, "prose")))


def test_a_run_without_a_checkpoint_or_with_another_plans_is_refused(tmp_path: Path) -> None:
    bases.a_run(tmp_path / "new", steps=())
    assert "has no checkpoint yet" in str(refused(bases.spec_file(tmp_path, "new")))
    foreign = bases.a_run(tmp_path / "foreign", steps=())
    bases.a_checkpoint(foreign, 6, "ffffffff")
    assert "was written by another plan than its run's" in str(refused(bases.spec_file(tmp_path, "foreign")))


def test_a_run_with_mup_is_to_be_exported_first(tmp_path: Path) -> None:
    plan = bases.plan_of_base()
    mup = PlannedMup(
        base_width=32,
        base_head_dim=16,
        embedding_init_std=0.02,
        hidden_lr_multiplier=0.5,
        hidden_weight_decay_multiplier=2,
        logit_multiplier=0.5,
        attention_scale=0.25,
    )
    made = plan.model_copy(update={"training": plan.training.model_copy(update={"mup": mup})})
    bases.a_run(tmp_path / "run", made)
    told = str(refused(bases.spec_file(tmp_path, "run")))
    assert "trained with muP, whose factors are part of the model; export it (`sixnd export --to huggingface`)" in told


def test_a_run_that_trained_adapters_is_to_be_exported_first(tmp_path: Path) -> None:
    planned = PlannedContinual(
        base="b",
        name="b",
        kind="run",
        step=1,
        sha256="0" * 64,
        replay=0,
        general=[],
        lora=PlannedLora(rank=4, alpha=8, targets=["attention"], params=1),
    )
    bases.a_run(tmp_path / "run", bases.plan_of_base().model_copy(update={"continual": planned}))
    assert "it trained adapters, which stand beside its weights; export it" in str(
        refused(bases.spec_file(tmp_path, "run"))
    )


def test_what_the_base_decides_is_not_decided_again(tmp_path: Path) -> None:
    bases.a_run(tmp_path / "run")
    asked = (
        "data:",
        "model: {params: 7B params, vocab_size: 512, sequence_length: 64}\ndata:\n  tokenizer: {kind: sp-bpe}",
    )
    told = str(refused(bases.spec_file(tmp_path, "run", asked)))
    for field in ("model.params", "model.vocab_size", "data.tokenizer"):
        assert f"{field} is that of continual.base; leave it out" in told
    spec = load_budget(bases.spec_file(tmp_path, "run", ("data:", "model: {sequence_length: 64}\ndata:")))
    assert spec.model.sequence_length == 64


@pytest.mark.parametrize(
    ("change", "line", "told"),
    [
        (("  base:", "  replay: 100%\n  base:"), 6, "less than 1"),
        (("  base:", "  replay: five%\n  base:"), 6, "is no share; write one like `5%` or `0.05`"),
        (("  base:", "  general: [pros]\n  base:"), 6, "no source is named 'pros'"),
        (("  base:", "  general: [code]\n  base:"), 6, "every source is general text"),
        (("  base:", "  general: []\n  base:"), 5, "name sources that stand for it under continual.general"),
        (("  base:", "  rewarm: 0\n  base:"), 6, "rewarm"),
        (("name: code, path", "name: prose, path"), 9, "source 'prose' is one of the base's too"),
        (("compute: 1e12 FLOPs", "loss: 3.0"), 3, "no law here speaks of the loss of continual training"),
        (
            ("data:", "training: {parametrization: mup, mup_base_width: 32, learning_rate: 0.01}\ndata:"),
            7,
            "muP's factors are part of a model from its start",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, change: tuple[str, str], line: int, told: str) -> None:
    bases.a_run(tmp_path / "run")
    error = refused(bases.spec_file(tmp_path, "run", change))
    assert told in str(error)
    assert line in [problem.line for problem in error.problems]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("rewarm: 0.3", "rewarm 0.3 needs the base's peak learning rate, and llama does not say it; give"),
        ("rewarm: none", "rewarm none needs the base's final learning rate"),
    ],
)
def test_a_folder_that_does_not_say_its_learning_rate_needs_one(tmp_path: Path, said: str, told: str) -> None:
    bases.a_llama(tmp_path / "llama")
    spec = bases.spec_file(tmp_path, "llama", ("  base:", f"  replay: 0%\n  {said}\n  base:"))
    assert told in str(refused(spec))
    rates = spec.read_text().replace("  base:", "  peak_learning_rate: 1e-3\n  final_learning_rate: 1e-4\n  base:")
    spec.write_text(rates)
    assert load_budget(spec).continual is not None


def test_a_rate_of_the_spec_and_a_rewarming_are_not_both_taken(tmp_path: Path) -> None:
    bases.a_run(tmp_path / "run")
    rate = ("data:", "training: {learning_rate: 1e-4}\ndata:")
    assert load_budget(bases.spec_file(tmp_path, "run", rate)).training.learning_rate == 1e-4
    both = bases.spec_file(tmp_path, "run", rate, ("  base:", "  rewarm: 0.5\n  base:"))
    assert "rewarm and training.learning_rate both decide the peak" in str(refused(both))


def test_preparing_the_data_alone_takes_the_bases_tokenizer_and_leaves_its_sources(tmp_path: Path) -> None:
    bases.a_run(tmp_path / "run")
    spec = load_sources(bases.spec_file(tmp_path, "run"))
    assert [source.name for source in spec.data.sources] == ["code"]
    assert spec.data.tokenizer.file == "run/data/tokenizer.tok"


def test_a_spec_that_was_not_read_from_its_file_is_refused() -> None:
    spec = BudgetSpec.model_validate(
        {
            "version": "budget/1",
            "name": "code",
            "budget": {"compute": "1e12 FLOPs"},
            "cluster": {"accelerators": "1 x cpu-2core"},
            "continual": {"base": "runs/prose"},
            "data": {"sources": [{"name": "code", "path": "*.py"}]},
        }
    )
    from sixnd.specs.checks import check_budget

    assert any("load the spec from its file" in problem.sentence for problem in check_budget(spec))


@pytest.mark.parametrize(("written", "read"), [("5%", 0.05), ("12.5 %", 0.125), (0.25, 0.25), (0, 0.0)])
def test_a_share_is_written_in_per_cent_or_as_a_number(written: object, read: float) -> None:
    assert Continual.model_validate({"base": "b", "replay": written}).replay == pytest.approx(read)


def test_a_manifest_of_another_version_is_told(tmp_path: Path) -> None:
    run = bases.a_run(tmp_path / "run")
    (run / "data" / "manifest.json").write_text(json.dumps({"sources": [{"name": "prose"}], "event": {"sources": []}}))
    assert "not what a preparation of this version writes" in str(refused(bases.spec_file(tmp_path, "run")))


def test_the_examples_are_one_base_and_three_shares_of_replay(tmp_path: Path) -> None:
    run = bases.a_run(tmp_path / "runs" / "continual-prose" / "0a1b2c3d")
    folder = tmp_path / "specs" / "examples" / "continual"
    shutil.copytree(bases.EXAMPLES, folder)
    assert load_budget(folder / "base.yaml").name == run.parent.name
    specs = [load_budget(folder / f"code-{share}.yaml") for share in (0, 5, 25)]
    assert [spec.continual.replay for spec in specs if spec.continual] == [0, 0.05, 0.25]
    assert len({spec.name for spec in specs}) == 3
    assert len({(spec.budget.compute, str(spec.data.sources[0])) for spec in specs}) == 1
