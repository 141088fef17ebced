"""`sixnd export` and `sixnd sample`: what they write, and how they refuse. The models themselves: tests/runner."""

import os
import subprocess
from pathlib import Path

import pytest

from sixnd.cli import main
from tests.specs.example import SPEC

EXAMPLES = Path(__file__).parents[2] / "specs" / "examples"


@pytest.fixture
def spec(tmp_path) -> Path:
    file = tmp_path / "spec.yaml"
    file.write_text(SPEC)
    return file


def test_a_spec_becomes_a_script_of_megatron_lm_and_what_it_cannot_say_is_told(spec, tmp_path, capsys):
    script = tmp_path / "train.sh"
    assert main(["export", str(spec), "--to", "megatron-lm", "-o", str(script)]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "note: the data are not named" in err
    assert f"wrote {script}" in err
    subprocess.run(["sh", "-n", str(script)], check=True)
    assert "--tensor-model-parallel-size 2" in script.read_text()


def test_a_spec_becomes_a_recipe_of_megatron_bridge(spec, tmp_path):
    recipe = tmp_path / "recipe.py"
    assert main(["export", str(spec), "--to", "nemo", "-o", str(recipe)]) == 0
    compile(recipe.read_text(), "recipe.py", "exec")


def test_a_model_of_another_architecture_is_refused_and_nothing_written(tmp_path, capsys):
    script = tmp_path / "train.sh"
    example = EXAMPLES / "h100-deepseek-v3.yaml"
    assert main(["export", str(example), "--to", "megatron-lm", "-o", str(script)]) == 3
    assert "architecture of its own" in capsys.readouterr().err
    assert not script.exists()


def test_only_a_run_has_a_model(spec, tmp_path, capsys):
    assert main(["export", str(spec), "--to", "huggingface", "-o", str(tmp_path / "out")]) == 1
    assert "holds no run" in capsys.readouterr().err
    assert main(["sample", str(tmp_path), "--prompt", "a"]) == 1
    assert "neither a run (job.yaml) nor an exported model (config.json)" in capsys.readouterr().err


def test_a_step_is_of_a_model_and_not_of_a_plan(spec, tmp_path, capsys):
    assert main(["export", str(spec), "--to", "nemo", "-o", str(tmp_path / "r.py"), "--step", "3"]) == 2
    assert "--step is of a trained model" in capsys.readouterr().err


def test_an_export_leaves_the_environment_as_it_was(tmp_path, monkeypatch):
    from sixnd.export_verbs import _on_the_cpu

    for before in (None, "0,1"):
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if before is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", before)
        with _on_the_cpu():
            assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
        assert os.environ.get("CUDA_VISIBLE_DEVICES") == before
