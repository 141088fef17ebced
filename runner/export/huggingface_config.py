"""A Llama's ``config.json``: written for a model of ours, and read from a folder of others'."""

import json
from pathlib import Path
from typing import Any

from sixnd.runner.export.huggingface import NORM_EPSILON, ROTARY_BASE, Llama
from sixnd.runner.tokenizers.text_models import END_OF_DOCUMENT, PADDING
from sixnd.specs.errors import InvalidDataError
from sixnd.specs.plan import Plan

_TYPES = {"bf16": "bfloat16", "fp32": "float32"}
_ONLY_VALUES: dict[str, tuple[Any, ...]] = {
    "model_type": ("llama",),
    "architectures": (["LlamaForCausalLM"],),
    "hidden_act": ("silu",),
    "attention_bias": (False,),
    "mlp_bias": (False,),
    "attention_dropout": (0, None),
    "rms_norm_eps": (NORM_EPSILON,),
    "rope_theta": (ROTARY_BASE,),
    "rope_scaling": (None,),
    "partial_rotary_factor": (1, None),
    "pretraining_tp": (1, None),
    "quantization_config": (None,),
}
"""Settings of which a model of ours has these values alone."""
_SIZES = {
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "vocab_size",
    "max_position_embeddings",
    "tie_word_embeddings",
}
_NEUTRAL = {
    "_name_or_path",
    "bos_token_id",
    "dtype",
    "eos_token_id",
    "initializer_range",
    "pad_token_id",
    "rope_parameters",  # read apart
    "torch_dtype",
    "transformers_version",
    "use_cache",
}
"""Settings that change no logits."""


def config(plan: Plan, llama: Llama) -> dict[str, Any]:
    """What ``config.json`` says of a plan's model."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": llama.hidden,
        "intermediate_size": llama.ffn,
        "num_hidden_layers": llama.layers,
        "num_attention_heads": llama.heads,
        "num_key_value_heads": llama.kv_heads,
        "head_dim": llama.head_dim,
        "vocab_size": llama.vocab_size,
        "max_position_embeddings": llama.sequence_length,
        "rms_norm_eps": NORM_EPSILON,
        "rope_theta": ROTARY_BASE,
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": llama.tied,
        "initializer_range": plan.training.init_std,
        "torch_dtype": _TYPES[plan.training.precision],
        **generation_config(),
    }


def generation_config() -> dict[str, Any]:
    """What ``generation_config.json`` says: one mark begins a document and ends it."""
    return {"bos_token_id": END_OF_DOCUMENT, "eos_token_id": END_OF_DOCUMENT, "pad_token_id": PADDING}


def read_config(folder: Path) -> Llama:
    """The sizes in a folder's ``config.json``; raises ``InvalidDataError`` naming what a model of ours cannot have."""
    path = folder / "config.json"
    try:
        said = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidDataError(
            f"{path}: cannot be read as JSON ({error})", "name the folder of a Llama model"
        ) from error
    problems = list(_problems(said))
    if problems:
        raise InvalidDataError(f"{path}: our models cannot have {'; '.join(problems)}", "name another model")
    return _llama(said, path)


def _problems(said: dict[str, Any]) -> list[str]:
    flat = said | _rope(said.get("rope_parameters"))
    wrong = [
        f"{name} {json.dumps(flat[name])} (only {json.dumps(values[0])})"
        for name, values in _ONLY_VALUES.items()
        if flat.get(name, values[0]) not in values
    ]
    known = set(_ONLY_VALUES) | _SIZES | _NEUTRAL
    wrong += [f"{name} {json.dumps(flat[name])} (not known here)" for name in sorted(flat) if name not in known]
    if "rms_norm_eps" not in flat:
        wrong.append(f"rms_norm_eps 1e-06, which is what leaving it out means (only {NORM_EPSILON})")
    if "model_type" not in flat:
        wrong.append('a model_type that is not said (only "llama")')
    return wrong


def _rope(parameters: Any) -> dict[str, Any]:
    """Newer files keep the rotary positions' settings together; any type but the default scales them."""
    if not isinstance(parameters, dict):
        return {}
    scaled = {"rope_scaling": parameters} if parameters.get("rope_type", "default") != "default" else {}
    rest = {name: value for name, value in parameters.items() if name != "rope_type"}
    return scaled or rest


def _llama(said: dict[str, Any], path: Path) -> Llama:
    try:
        heads, hidden = int(said["num_attention_heads"]), int(said["hidden_size"])
        return Llama(
            layers=int(said["num_hidden_layers"]),
            hidden=hidden,
            heads=heads,
            kv_heads=int(said.get("num_key_value_heads") or heads),
            head_dim=int(said.get("head_dim") or hidden // heads),
            ffn=int(said["intermediate_size"]),
            vocab_size=int(said["vocab_size"]),
            sequence_length=int(said.get("max_position_embeddings", 2048)),
            tied=bool(said.get("tie_word_embeddings", False)),
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise InvalidDataError(
            f"{path}: a size is missing or no number ({error})", "name the folder of a Llama"
        ) from error
