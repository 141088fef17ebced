"""A plan for Megatron-LM and for Megatron-Bridge: only names that they know, and nothing that a shell would run."""

import ast
import importlib
import json
import os
import subprocess
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sixnd.runner.export.to_megatron_lm import _lines, arguments, megatron_lm
from sixnd.runner.export.to_nemo import nemo
from sixnd.runner.job import Job, JobFolder, SourceFiles
from sixnd.specs.errors import UntrainablePlanError
from sixnd.specs.plan import Plan
from tests.runner import tiny
from tests.runner.annealed import annealed
from tests.runner.conftest import ROOT, sources
from tests.runner.test_documents import masked
from tests.runner.test_mup import wide

TEMPLATES = ROOT / "runner" / "templates"
KNOWN = yaml.safe_load((TEMPLATES / "megatron-lm-arguments.yaml").read_text())
SWITCHES = {flag for group in KNOWN["switches"].values() for flag in group}
VALUES = {flag for group in KNOWN["values"].values() for flag in group}
BRIDGE = yaml.safe_load((TEMPLATES / "megatron-bridge-fields.yaml").read_text())

LAYOUTS = {
    "one": tiny.layout(),
    "split": tiny.layout(tensor=2, pipeline=2, data=2, embedding_as_layer=True),
    "interleaved": tiny.layout(pipeline=2, virtual_pipeline=2, micro_batch=2, recompute="full"),
    "some layers again": tiny.layout(context=2, recompute="full", recompute_layers=1, distributed_optimizer=False),
    "parts again": tiny.layout(data=20, recompute="selective", recompute_modules=["layernorm", "mlp"]),
}


def plan(layout: str = "one", **options: Any) -> Plan:
    return tiny.plan(LAYOUTS[layout], **options)


def folder(path: Path, made: Plan, names: tuple[str, ...] = ("prose", "code")) -> JobFolder:
    """A run whose data are prepared."""
    found = JobFolder(path)
    found.create(made)
    shares = [
        SourceFiles(
            name=name, weight=1 / len(names), train_prefix=f"data/{name}", validation_prefix=f"data/{name}-held"
        )
        for name in names
    ]
    found.write_job(
        Job(processes=1, threads_per_process=1, tokenizer="t", sources=shares, command=["true"], environment={})
    )
    return found


def root(cooldown: int) -> Plan:
    """An inverse square root, with so many steps of cooldown."""
    made = plan(schedule="inverse-square-root")
    return made.model_copy(update={"training": made.training.model_copy(update={"decay_steps": cooldown})})


EVERY_PLAN = [plan(name) for name in LAYOUTS] + [
    plan(tied=True, schedule="wsd"),
    root(0),
    wide(64, mup=False, heads=2),
]


@pytest.mark.parametrize("made", EVERY_PLAN)
def test_megatron_lm_s_parser_knows_every_argument(made, tmp_path):
    found = arguments(made, folder(tmp_path, made))
    for flag, value in found.items():
        assert flag in (SWITCHES if value is None else VALUES)
        allowed = KNOWN["choices"].get(flag)
        assert allowed is None or value in allowed


def test_the_arguments_say_what_the_plan_says(tmp_path):
    made = plan("split", schedule="wsd")
    found = arguments(made, folder(tmp_path, made))
    training = made.training
    assert (found["--num-layers"], found["--hidden-size"], found["--num-query-groups"]) == ("4", "64", "2")
    assert (found["--tensor-model-parallel-size"], found["--pipeline-model-parallel-size"]) == ("2", "2")
    assert {"--sequence-parallel", "--account-for-loss-in-pipeline-split", "--swiglu"} <= found.keys()
    assert float(str(found["--lr"])) == training.learning_rate
    assert float(str(found["--init-method-std"])) == training.init_std
    assert (found["--lr-decay-style"], found["--lr-wsd-decay-iters"]) == ("WSD", str(training.decay_steps))
    assert found["--train-data-path"] == ["0.5", f"{tmp_path}/data/prose", "0.5", f"{tmp_path}/data/code"]
    assert "--bf16" not in found, "the plan's precision is FP32"
    assert "--untie-embeddings-and-output-weights" in found


def test_an_inverse_square_root_is_megatron_s_own_or_refused(tmp_path):
    found, made = arguments(root(0), None), root(0).training
    assert (found["--lr-decay-style"], found["--min-lr"]) == ("inverse-square-root", repr(made.final_learning_rate))
    assert "--lr-wsd-decay-style" not in found
    assert "lr_decay_style='inverse-square-root'" in nemo(root(0), None).text
    for write in (megatron_lm, nemo):
        with pytest.raises(UntrainablePlanError, match="ends in a cooldown"):
            write(root(2), None)


def test_a_z_loss_is_refused(tmp_path):
    made = plan()
    made = made.model_copy(update={"training": made.training.model_copy(update={"z_loss": 1e-4})})
    for write in (megatron_lm, nemo):
        with pytest.raises(UntrainablePlanError, match="z-loss"):
            write(made, None)


def test_an_embedding_without_decay_is_refused(tmp_path):
    made = plan()
    training = made.training.model_copy(update={"weight_decay_embeddings": False})
    for write in (megatron_lm, nemo):
        with pytest.raises(UntrainablePlanError, match="embedding is not decayed"):
            write(made.model_copy(update={"training": training}), None)


def started(script: str, where: Path, *more: str) -> list[str]:
    """The argument list that a script starts ``torchrun`` with."""
    (where / "bin").mkdir()
    fake = where / "bin" / "torchrun"
    fake.write_text("#!/usr/bin/env python3\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    fake.chmod(0o755)
    (where / "train.sh").write_text(script)
    path = f"{where / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "train.sh", *more], cwd=where, env={"PATH": path}, capture_output=True, text=True, check=True
    )
    return list(json.loads(done.stdout))


def test_a_hostile_folder_reaches_pretrain_gpt_as_it_is(tmp_path):
    (tmp_path / "work").mkdir()
    hostile = tmp_path / "run $(touch pwned) 'a\"\n`id`; ünï"
    made = plan("parts again")
    words = started(megatron_lm(made, folder(hostile, made)).text, tmp_path / "work", "--exit-interval", "5")
    assert f"{hostile}/data/prose" in words
    assert f"{hostile}/data/code-held" in words
    assert words[words.index("--recompute-modules") :][:3] == ["--recompute-modules", "layernorm", "mlp"]
    assert words[:4] == ["--nproc-per-node", "5", "--nnodes", "4"], "20 ranks on nodes of at most 8"
    assert words[-2:] == ["--exit-interval", "5"]
    assert sorted(file.name for file in (tmp_path / "work").iterdir()) == ["bin", "train.sh"]


@given(
    values=st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1, max_size=4)
)
def test_any_value_is_quoted(values):
    script = "printf '%s\\0' \\\n" + _lines({"--x": values})
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    assert done.stdout.decode().split("\0")[:-1] == ["--x", *values]


def calls(text: str) -> dict[str, dict[str, Any]]:
    """What the recipe sets, by class: values that are literals as such, others as their text."""
    tree = ast.parse(text)
    found = {}
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.keywords):
        assert isinstance(call.func, ast.Name)
        found[call.func.id] = {keyword.arg: _value(keyword.value) for keyword in call.keywords}
    return found


def _value(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)


def inherited(name: str) -> set[str]:
    path = BRIDGE["inherits"].get(name)
    if path is None:
        return set()
    module, _, attribute = path.rpartition(".")
    return {field.name for field in fields(getattr(importlib.import_module(module), attribute))}


@pytest.mark.parametrize("made", EVERY_PLAN)
def test_megatron_bridge_and_megatron_core_know_every_name_of_the_recipe(made, tmp_path):
    text = nemo(made, folder(tmp_path, made)).text
    for name, values in calls(text).items():
        assert values.keys() <= set(BRIDGE["fields"][name]) | inherited(name), name
    imported = {
        (node.module, alias.name) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }  # fmt: skip
    assert imported == {(module, name) for module, names in BRIDGE["imports"].items() for name in names}


def test_the_recipe_says_what_the_plan_says(tmp_path):
    made = plan("split")
    hostile = tmp_path / "run '\"\n)"
    found = calls(nemo(made, folder(hostile, made)).text)
    assert found["LlamaModelProvider"]["num_query_groups"] == 2
    assert found["LlamaModelProvider"]["pipeline_dtype"] == "torch.float32"
    assert found["OptimizerConfig"]["lr"] == made.training.learning_rate
    assert found["TrainingConfig"]["global_batch_size"] == tiny.BATCH
    train, validation, test = found["GPTDatasetConfig"]["blend_per_split"]
    assert train == ([f"{hostile}/data/prose", f"{hostile}/data/code"], [0.5, 0.5])
    assert validation[0] == [f"{hostile}/data/prose-held", f"{hostile}/data/code-held"]
    assert test is None


@pytest.mark.parametrize("write", [megatron_lm, nemo])
def test_what_cannot_be_said_there_is_told(write):
    made = annealed(tiny.plan(steps=12, sources=sources(12)), [0.25, 0.75], 4)
    notes = " ".join(write(made, None).notes)
    assert "anneals from step 9 on is left out" in notes
    assert "data are not named" in notes
    assert "for a CPU" in notes
    assert all(f"# - {note}\n" in write(made, None).text for note in write(made, None).notes)


@pytest.mark.parametrize("write", [megatron_lm, nemo])
def test_a_plan_that_would_be_another_model_there_is_refused(write):
    with pytest.raises(UntrainablePlanError, match="muP"):
        write(wide(128, mup=True), None)
    low = plan().model_copy(update={"training": plan().training.model_copy(update={"precision": "fp8"})})
    with pytest.raises(UntrainablePlanError, match="precision is fp8"):
        write(low, None)
    with pytest.raises(UntrainablePlanError, match="attention ends with the document"):
        write(masked(plan()), None)
