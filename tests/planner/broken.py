"""A layout that breaks a rule, and only that one, for each rule."""

import math
from dataclasses import dataclass, field, replace
from typing import Any

from sixnd.planner.rules import Setting
from sixnd.planner.transformer import Transformer
from tests.planner.building import LLAMA_3_8B, LLAMA_3_405B, dense, machine, published

DEEPSEEK_V3 = published("deepseek-v3", 4096)
MIXTRAL = published("mixtral-8x7b", 8192)
ODD = dense(12, 384, 6, 1, 3072, vocab=49152, sequence=3072)
BIASED = Transformer(MIXTRAL.architecture.model_copy(update={"biases": "all"}), 4096)


@dataclass(frozen=True)
class Broken:
    """A layout that breaks one rule, and words of the sentence."""

    rule: str
    words: str
    layout: dict[str, Any]
    model: Transformer = LLAMA_3_8B
    batch: int = 128
    more: dict[str, Any] = field(default_factory=dict)
    precision: str = "bf16"


BROKEN = (
    Broken(
        "heads",
        "heads (12) cannot be split over TP 8",
        {"tensor": 8},
        dense(12, 768, 12, 4, 3072, vocab=32768, sequence=2048),
    ),
    Broken(
        "kv heads", "TP 4 neither divides the 6", {"tensor": 4}, dense(12, 768, 12, 6, 3072, vocab=32768, sequence=2048)
    ),
    Broken("queries, keys and values", "the 512 rows", {"tensor": 6}, ODD),
    Broken("feed-forward", "width (11010)", {"tensor": 4}, dense(32, 4096, 32, 32, 11010, vocab=32768, sequence=4096)),
    Broken("shared experts", "experts (1028)", {"tensor": 8}, published("deepseek-v3", 4096)),
    Broken("vocabulary", "vocabulary (50257)", {"tensor": 4}, dense(12, 768, 12, 12, 3072, vocab=50257, sequence=2048)),
    Broken("scale-up domain", "TP 16 would leave the 8", {"tensor": 16}),
    Broken("sequence parallelism", "needs TP above 1", {"sequence_parallel": True}),
    Broken("sequence shards", "8190 tokens over TP 4", {"tensor": 4}, replace(LLAMA_3_8B, sequence=8190)),
    Broken("context", "8194 tokens cannot be cut into 2 × CP 2", {"context": 2}, replace(LLAMA_3_8B, sequence=8194)),
    Broken("no experts", "EP 2 and ETP 1", {"expert": 2, "data": 2}),
    Broken("experts", "8 experts cannot be spread over EP 16", {"expert": 16, "data": 16}, MIXTRAL),
    Broken("expert width", "width (14336) cannot be split over ETP 6", {"expert_tensor": 6, "data": 6}, MIXTRAL, 384),
    Broken(
        "expert ranks",
        "EP 8 × ETP 1 ranks do not divide TP 2 × CP 1 × DP 2 = 4",
        {"tensor": 2, "data": 2, "expert": 8},
        MIXTRAL,
    ),
    Broken("experts' sequence parallelism", "TP 2", {"tensor": 2, "sequence_parallel": False}, MIXTRAL),
    Broken("expert biases", "ETP 2 must be 1", {"data": 2, "expert_tensor": 2}, BIASED),
    Broken("experts' scale-up domain", "ETP 16", {"data": 16, "expert_tensor": 16}, MIXTRAL),
    Broken("layers", "126 layers do not fill PP 16 × VPP 1", {"pipeline": 16}, LLAMA_3_405B),
    Broken(
        "last chunk",
        "PP 16 × VPP 4 chunks",
        {"pipeline": 16, "virtual_pipeline": 4, "embedding_as_layer": True},
        DEEPSEEK_V3,
    ),
    Broken("virtual pipeline", "VPP 2 needs PP above 1", {"virtual_pipeline": 2}),
    Broken("replicas", "128 sequences a step do not divide over DP 3", {"data": 3}),
    Broken("sites", "2 replicas do not divide over 4 sites", {"data": 2}, more={"sites": 4}),
    Broken("global batch", "DP 2 × micro-batch 3", {"data": 2, "micro_batch": 3}),
    Broken("interleaving", "multiples of PP 8, but there are 4", {"pipeline": 8, "virtual_pipeline": 2, "data": 32}),
    Broken("recomputation", "no module", {"recompute": "full", "recompute_modules": ["mlp"]}),
    Broken(
        "absent modules",
        "no mla_up_proj and no moe",
        {"recompute": "selective", "recompute_modules": ["mla_up_proj", "moe"]},
    ),
    Broken("recomputed twice", "already", {"recompute": "selective", "recompute_modules": ["moe", "moe_act"]}, MIXTRAL),
    Broken(
        "aligned widths",
        "feed-forward width (13688) over 1 ranks is no multiple of 16",
        {},
        dense(40, 5120, 40, 40, 13688, vocab=32000, sequence=4096),
        precision="fp8",
    ),
    Broken(
        "aligned tokens",
        "micro-batch 1 × 4112 tokens over CP 1 is no multiple of 32",
        {},
        replace(LLAMA_3_8B, sequence=4112),
        precision="fp4",
    ),
)


def setting(one: Broken) -> Setting:
    """The model, machine and batch of an example."""
    model = one.model
    if one.rule == "shared experts":
        experts = model.architecture.experts.model_copy(update={"shared_ffn": 1028})
        model = Transformer(model.architecture.model_copy(update={"experts": experts}), model.sequence)
    ranks = math.prod(one.layout.get(degree, 1) for degree in ("tensor", "pipeline", "context", "data"))
    here = replace(machine(f"{ranks} x h100-sxm"), precision=one.precision)
    return Setting(model, here, one.batch, one.more.get("sites", 1))
