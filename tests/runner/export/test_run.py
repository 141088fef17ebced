"""A run that trained split over TP × PP × DP, handed over whole: the same logits, and somebody to talk to."""

import json
from pathlib import Path

import pytest
import torch

from sixnd.cli import main
from sixnd.runner.export.huggingface_folder import load_llama
from sixnd.runner.export.to_huggingface import export_huggingface
from sixnd.runner.job import JobFolder
from sixnd.runner.one_device import trained_model
from sixnd.runner.sample import Sampling, sample_exported, sample_run
from sixnd.runner.tokenizers.file import load_tokenizer
from sixnd.specs.errors import SixndError
from tests.runner import tiny
from tests.runner.conftest import Train, sources

TEXT = "def load(path: Path) -> None:\n    return"


@pytest.mark.integration
@pytest.mark.filterwarnings("ignore:`load_state_dict` is deprecated:FutureWarning")  # Megatron loads by it
def test_a_run_of_any_layout_is_exported_and_sampled(train: Train, tmp_path: Path, capsys):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    ranks = tiny.layout(tensor=2, pipeline=2)
    plan = tiny.plan(ranks, steps=4, sources=sources(4), checkpoint_every=2, tied=True, learning_rate=1e-2)
    run, record = train(plan, "split")
    out = tmp_path / "exported"
    assert main(["export", str(run), "--to", "huggingface", "-o", str(out)]) == 0
    assert "the model after step 4" in capsys.readouterr().err

    tokenizer = AutoTokenizer.from_pretrained(out, local_files_only=True)
    ids = tokenizer(TEXT)["input_ids"]
    assert ids == [int(i) for i in load_tokenizer(run / JobFolder(run).job().tokenizer).encode([TEXT])[0]]
    with trained_model(JobFolder(run)) as (_plan, model, step):
        logits = model(torch.tensor([ids]), torch.arange(len(ids))[None], None)
        whole = {
            name: tensor.clone() for name, tensor in model.state_dict().items() if isinstance(tensor, torch.Tensor)
        }
    assert step == 4
    theirs = AutoModelForCausalLM.from_pretrained(out, local_files_only=True).eval()
    with torch.no_grad():
        assert torch.allclose(theirs(torch.tensor([ids])).logits, logits, rtol=0, atol=1e-4)
    _, back = load_llama(out)
    assert all(torch.equal(back[name], whole[name]) for name in whole)
    assert f"training loss, step 4: {record.steps()[-1].loss:.4f}" in (out / "README.md").read_text()

    assert export_huggingface(run, tmp_path / "earlier", step=2) == 2
    _, earlier = load_llama(tmp_path / "earlier")
    assert not torch.equal(earlier["decoder.final_layernorm.weight"], back["decoder.final_layernorm.weight"])
    with pytest.raises(SixndError, match="no checkpoint of step 3; there are those of 2, 4"):
        export_huggingface(run, tmp_path / "never", step=3)
    assert not (tmp_path / "never").exists()

    sampling = Sampling(tokens=12, seed=5)
    spoken = sample_run(run, TEXT, sampling)
    assert spoken == sample_run(run, TEXT, sampling) == sample_exported(out, TEXT, sampling)
    assert main(["sample", str(run), "--prompt", TEXT, "-n", "12", "--seed", "5"]) == 0
    assert capsys.readouterr().out == spoken + "\n"
    assert json.loads((out / "generation_config.json").read_text())["eos_token_id"] == 0

    damaged = max((run / "checkpoints" / "step_00000004").iterdir(), key=lambda file: file.stat().st_size)
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    assert main(["export", str(run), "--to", "huggingface", "-o", str(tmp_path / "older")]) == 0
    told = capsys.readouterr().err
    assert f"step_00000004 is passed over: {damaged.name}" in told
    assert "the model after step 2" in told
    with pytest.raises(SixndError, match=damaged.name):
        export_huggingface(run, tmp_path / "never", step=4)
