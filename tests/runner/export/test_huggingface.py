"""Our models as Hugging Face's Llama and back: the same logits, the same bits, and what is foreign is named."""

import json
import os
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sixnd.runner.export.huggingface import Llama, Weights, from_llama, llama_of, to_llama
from sixnd.runner.export.huggingface_config import config, generation_config
from sixnd.runner.export.huggingface_folder import load_llama, new_folder, write_weights
from sixnd.runner.model import build_chunk, transformer_config
from sixnd.specs.errors import InvalidDataError, SixndError
from sixnd.specs.plan import Plan
from tests.runner import alone, tiny
from tests.runner.test_mup import wide

TOKENS = torch.randint(500, (2, tiny.LENGTH), generator=torch.Generator().manual_seed(7))
PLACES = torch.arange(tiny.LENGTH).expand(2, -1)


def shaped(*, tied: bool = False, kv_heads: int = 2, vocab_size: int = tiny.VOCABULARY) -> Plan:
    plan = tiny.plan(tied=tied)
    shape = plan.model.shape.model_copy(update={"kv_heads": kv_heads})
    model = plan.model.model_copy(update={"shape": shape, "vocab_size": vocab_size})
    return plan.model_copy(update={"model": model})


MODELS = {
    "untied, grouped queries": shaped(),
    "tied": shaped(tied=True),
    "a key for each query": shaped(kv_heads=4),
    "one key for all queries, padded rows": shaped(kv_heads=1, vocab_size=500),
    "muP": wide(128, mup=True),
    "muP, tied, larger heads": wide(128, mup=True, tied=True, heads=4),
}


def ours(plan: Plan, folder: Path, weights: Weights | None = None) -> tuple[Weights, torch.Tensor]:
    """A model's weights, whole, and its logits of ``TOKENS``; the weights given, or random ones."""
    with alone.one_rank(folder / "rank"), torch.no_grad():
        model = build_chunk(plan, transformer_config(plan)).eval()
        generator = torch.Generator().manual_seed(1)
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.05)
        if weights is not None:
            model.load_state_dict(weights, strict=False)
        whole = {
            name: tensor.clone() for name, tensor in model.state_dict().items() if isinstance(tensor, torch.Tensor)
        }
        return whole, model(TOKENS, PLACES, None)[..., : plan.model.vocab_size]


def written(plan: Plan, weights: Weights, folder: Path, **options: int) -> Path:
    llama = llama_of(plan)
    with new_folder(folder / "exported") as temporary:
        write_weights(temporary, to_llama(weights, llama, plan.training.mup), **options)
        (temporary / "config.json").write_text(json.dumps(config(plan, llama)))
        (temporary / "generation_config.json").write_text(json.dumps(generation_config()))
    return folder / "exported"


def theirs(folder: Path) -> torch.Tensor:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True).eval()
    assert type(model).__name__ == "LlamaForCausalLM"
    with torch.no_grad():
        return model(TOKENS).logits


@pytest.mark.parametrize("plan", MODELS.values(), ids=MODELS)
def test_transformers_gives_the_same_logits(plan, tmp_path):
    weights, logits = ours(plan, tmp_path)
    assert logits.std() > 0.1, "logits that are all alike would show nothing"
    assert torch.allclose(theirs(written(plan, weights, tmp_path)), logits, rtol=0, atol=1e-4)


@pytest.mark.parametrize("plan", [MODELS["untied, grouped queries"], MODELS["tied"]], ids=["untied", "tied"])
def test_ours_to_a_llama_and_back_is_the_same_to_the_last_bit(plan, tmp_path):
    weights, _ = ours(plan, tmp_path)
    llama, back = load_llama(written(plan, weights, tmp_path, shard_bytes=100_000))
    assert len(list((tmp_path / "exported").glob("*.safetensors"))) > 1
    assert llama == llama_of(plan)
    assert all(torch.equal(back[name], weights[name]) for name in weights)


def test_a_llama_of_transformers_gives_the_same_logits_here(tmp_path):
    from transformers import LlamaConfig, LlamaForCausalLM

    plan = MODELS["one key for all queries, padded rows"]
    torch.manual_seed(3)
    said = config(plan, llama_of(plan)) | {"initializer_range": 0.1}
    model = LlamaForCausalLM(LlamaConfig(**{k: v for k, v in said.items() if k != "torch_dtype"})).eval()
    model.save_pretrained(tmp_path / "theirs")
    _, weights = load_llama(tmp_path / "theirs", rows=plan.model.padded_vocab_size)
    _, logits = ours(plan, tmp_path, weights)
    with torch.no_grad():
        assert torch.allclose(model(TOKENS).logits, logits, rtol=0, atol=1e-4)


@given(
    kv_heads=st.integers(1, 4), share=st.integers(1, 4), head_dim=st.sampled_from([2, 4]), tied=st.booleans(),
    padding=st.integers(0, 3),
)  # fmt: skip
def test_every_entry_of_every_matrix_comes_back(kv_heads, share, head_dim, tied, padding):
    llama = Llama(1, 3, kv_heads * share, kv_heads, head_dim, 5, 7, 8, tied)
    count = iter(range(10_000_000))
    tensors = {
        name: torch.tensor([float(next(count)) for _ in range(torch.Size(shape).numel())]).reshape(shape)
        for name, shape in llama.shapes().items()
    }
    back = to_llama(from_llama(tensors, llama, 7 + padding), llama, None)
    assert back.keys() == tensors.keys()
    assert all(torch.equal(back[name], tensors[name]) for name in tensors)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("llama")
    plan = MODELS["tied"]
    return written(plan, ours(plan, root)[0], root)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model_type": "gemma"}, 'model_type "gemma" (only "llama")'),
        ({"rope_theta": 500000.0}, "rope_theta 500000.0 (only 10000.0)"),
        ({"rope_parameters": {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0}}, "rope_scaling"),
        ({"rope_parameters": {"rope_type": "default", "rope_theta": 5e5}}, "rope_theta 500000.0"),
        ({"attention_bias": True}, "attention_bias true (only false)"),
        ({"rms_norm_eps": 1e-6}, "rms_norm_eps 1e-06"),
        ({"rms_norm_eps": None}, "rms_norm_eps null"),
        ({"quantization_config": {"bits": 4}}, "quantization_config"),
        ({"sliding_window": 4096}, "sliding_window 4096 (not known here)"),
        ({"hidden_size": "wide"}, "a size is missing or no number"),
        ({"intermediate_size": 64}, "config.json asks for [64, 64]"),
        ({"num_hidden_layers": 5}, "model.layers.4.input_layernorm.weight is missing"),
        ({"num_hidden_layers": 3}, "model.layers.3.input_layernorm.weight is not a Llama's"),
    ],
    ids=str,
)
def test_what_a_model_of_ours_cannot_be_is_refused_by_name(folder, changes, told, tmp_path):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    said = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(said | changes))
    with pytest.raises(InvalidDataError) as refusal:
        load_llama(tmp_path)
    assert told in str(refusal.value)


def test_pickled_weights_are_never_opened(folder, tmp_path):
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    (tmp_path / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch pwned'\ntR.")
    with pytest.raises(InvalidDataError, match="written as safetensors: no others"):
        load_llama(tmp_path)


@pytest.mark.parametrize(
    "index",
    [
        {"weight_map": {"model.norm.weight": "../other/model.safetensors"}},
        {"weight_map": {"model.norm.weight": 3}},
        {"weight_map": []},
        {},
    ],
    ids=str,
)
def test_an_index_that_leads_elsewhere_is_refused(folder, index, tmp_path):
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(InvalidDataError, match=r"index\.json"):
        load_llama(tmp_path)


def test_a_cut_file_of_weights_is_told(folder, tmp_path):
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-1])
    with pytest.raises(InvalidDataError, match="cannot be read as safetensors"):
        load_llama(tmp_path)


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    def cut_off() -> None:
        with new_folder(tmp_path / "model") as temporary:
            (temporary / "half").write_text("written")
            raise KeyError

    with pytest.raises(KeyError):
        cut_off()
    assert list(tmp_path.iterdir()) == []


def test_others_may_read_the_folder(folder):
    mask = os.umask(0)
    os.umask(mask)
    assert folder.stat().st_mode & 0o777 == 0o777 & ~mask
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o666 & ~mask}


def test_a_folder_with_content_is_not_written_over(tmp_path):
    (tmp_path / "mine").write_text("keep")
    with pytest.raises(SixndError, match="not empty"), new_folder(tmp_path):
        raise AssertionError("never entered")
    assert (tmp_path / "mine").read_text() == "keep"
