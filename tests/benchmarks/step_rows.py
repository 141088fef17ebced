"""Rows of published training speed as the general step-time model takes them."""

import re
from typing import NamedTuple

from sixnd.planner import step_seconds
from sixnd.planner.split import Recomputation, Split
from sixnd.planner.step_seconds import Setting
from sixnd.planner.step_work import Habits
from sixnd.specs import catalog
from sixnd.specs.families import Architecture
from sixnd.specs.step_family import Products, StepFamily
from tests.benchmarks.memory_truth import known_as, number

Row = dict[str, str]

DEVICES = {
    "A100": ("ampere", "a100-sxm-80gb"),
    "A100-80GB": ("ampere", "a100-sxm-80gb"),
    "A100-40GB": ("ampere", "a100-sxm-80gb"),
    "H100-SXM": ("hopper", "h100-sxm"),
    "H200": ("hopper", "h200-sxm"),
    "H200-SXM": ("hopper", "h200-sxm"),
    "B200": ("blackwell", "b200-sxm"),
    "B300": ("blackwell", "b300-sxm"),
    "GB200": ("blackwell", "gb200-nvl72"),
    "GB300": ("blackwell", "gb300-nvl72"),
}
OLD = ("Megatron-DeepSpeed", "Megatron-LM")
"""Programs whose rows were measured before flash attention and before gradients were reduced behind compute."""


class RefusedError(Exception):
    """A row the model cannot be held against; the message says why."""


class Configuration(NamedTuple):
    """One row as the model takes it."""

    model: Architecture
    split: Split
    sequence: int
    setting: Setting

    def seconds(self) -> float:
        """Seconds of a step by the model."""
        return step_seconds.step_seconds(self.model, self.split, self.sequence, self.setting).total


def configuration(row: Row, families: dict[str, StepFamily] | None = None) -> Configuration:
    """The row's model, split and setting; raises ``RefusedError``."""
    if row["gpu"] not in DEVICES:
        raise RefusedError("the accelerator's figures could not be cited")
    model, habits = _architecture(row), _habits(row)
    return Configuration(model, _split(row, model), int(number(row, "seq_len")), _setting(row, habits, families))


def _setting(row: Row, habits: Habits, families: dict[str, StepFamily] | None) -> Setting:
    chips, name = DEVICES[row["gpu"]]
    family = (families or {}).get(chips) or catalog.step_family(chips)
    device, precision = family.devices[name], _precision(row["precision"])
    if precision not in device.peak_flops:
        raise RefusedError(f"no peak of {row['gpu']} in {row['precision']} could be cited")
    rate = number(row, "internode_gbps_per_gpu") / 8 * 1e9
    if rate > 0:
        device = device.model_copy(update={"network_bytes_per_s": rate})
    return Setting(family, device, precision, habits)


def _precision(text: str) -> Products:
    """Scaled FP8 of all kinds multiplies at the FP8 peak, FP16 at that of BF16."""
    lower = text.lower()
    if "fp4" in lower:
        return "fp4"
    return "fp8" if "fp8" in lower else "bf16"


def _architecture(row: Row) -> Architecture:
    """A catalogued model, or one of the row's own sizes."""
    name = known_as(row["model"])
    if name in catalog.names("model-families"):
        model = catalog.model_family(name).architecture
        if (model.hidden, model.layers) == (number(row, "hidden"), number(row, "layers")):
            return model
    if number(row, "mla", 0) == 1:
        raise RefusedError("the row does not state the ranks of latent attention, and the model is not catalogued")
    needed = ("layers", "hidden", "heads", "ffn_hidden", "vocab", "seq_len")
    if not all(number(row, key) > 0 for key in needed):
        raise RefusedError("the row does not state the model's shape")
    return Architecture.model_validate(_sizes(row) | _experts(row))


def _sizes(row: Row) -> dict[str, object]:
    heads, hidden = int(number(row, "heads")), int(number(row, "hidden"))
    return {
        "layers": int(number(row, "layers")),
        "hidden": hidden,
        "heads": heads,
        "kv_heads": int(number(row, "kv_heads", heads)),
        "head_dim": int(number(row, "head_dim", hidden // heads)),
        "ffn": int(number(row, "ffn_hidden")),
        "gated": number(row, "gated_mlp", 0) == 1,
        "vocab": int(number(row, "vocab")),
    }


def _experts(row: Row) -> dict[str, object]:
    if row["arch"] != "moe":
        return {}
    if not all(number(row, key) > 0 for key in ("num_experts", "topk", "moe_ffn")):
        raise RefusedError("the row does not state its experts")
    shape = {"routed": "num_experts", "top_k": "topk", "ffn": "moe_ffn"}
    return {"experts": {key: int(number(row, name)) for key, name in shape.items()} | _shared(row)}


def _shared(row: Row) -> dict[str, int]:
    return {"shared_ffn": int(number(row, "shared_ffn", 0))}


def _split(row: Row, model: Architecture) -> Split:
    tensor, pipeline, context, data, batch = (int(number(row, k, 1)) for k in ("tp", "pp", "cp", "dp", "micro_batch"))
    expert = int(number(row, "ep", 0))
    if model.experts is not None and not expert:  # NeMo Automodel's rows, one node unless they say more
        expert = min(data, 8)
    return Split(
        tensor=tensor,
        pipeline=pipeline,
        virtual=int(number(row, "vpp", 1)),
        context=context,
        expert=max(1, expert),
        expert_tensor=int(number(row, "etp", 1)),
        data=data,
        micro_batch=batch,
        micro_batches=max(1, round(number(row, "global_batch") / (data * batch))),
        sequence_parallel=number(row, "seq_parallel", 0) == 1,
        distributed_optimizer=number(row, "zero", 0) >= 1,
        recomputation=_recomputation(row["recompute"]),
    )


def _recomputation(text: str) -> Recomputation:
    """What the row says; a recipe that says nothing recomputes nothing, and norms and activations cost little."""
    some = re.search(r"full layers=(\d+)", text)
    if some or text.startswith("full"):
        return Recomputation(full=True, layers=int(some[1]) if some else None)
    return Recomputation(modules=frozenset({"core_attn"})) if "core attention" in text else Recomputation()


def _habits(row: Row) -> Habits:
    framework, kernel = row["framework"], row["attn_kernel"]
    old = framework.startswith(OLD)
    te = "TE" in kernel or framework.startswith("NeMo (")
    return Habits(
        fused_attention="unfused" not in kernel and not (old and not kernel),
        flash2=not te,
        sharded_weights=number(row, "zero", 0) == 3,
        overlaps=not old,
        gradient_bytes=2 if old else 4,
        adapters=row["task"] == "lora",
    )
