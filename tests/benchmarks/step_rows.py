"""Rows of published training speed as the step-time model takes them."""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import TypeAdapter

from sixnd.planner.candidates import Layouts, module_bits
from sixnd.planner.runtime import Habits, Runtime
from sixnd.planner.step_seconds import step_seconds
from sixnd.specs import catalog
from sixnd.specs.families import Architecture
from sixnd.specs.plan import Module
from sixnd.specs.step_family import Device, Products, StepFamily
from sixnd.specs.yaml_reader import read_yaml
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


MAY_BE_ZERO = ("ep", "ffn_hidden", "shared_ffn", "gated_mlp", "mla", "seq_parallel", "zero", "internode_gbps_per_gpu")
NUMBERS = (
    *("layers", "hidden", "heads", "kv_heads", "head_dim", "vocab", "num_experts", "topk", "moe_ffn"),
    *("seq_len", "tp", "pp", "vpp", "cp", "etp", "dp", "micro_batch", "global_batch"),
    *MAY_BE_ZERO,
)
"""Columns that hold a number or nothing."""
HUGE = 1e8
"""No such number is as large."""
PACKED = 256
"""Tokens of the documents that fine-tuning rows are packed of (``packed_sequence`` in the recipes of Megatron-Bridge's
scripts/performance, on SQuAD's short paragraphs): an assumption, since so little attention costs next to nothing."""
OVERLAPPED = {("qwen3-235b-a22b", "H100-SXM"), ("deepseek-v3", "H100-SXM")}
"""Recipes with ``moe_a2a_overlap`` (Megatron-Bridge, scripts/performance/configs)."""
COPIES = {("qwen3-235b-a22b", gpu) for gpu in ("H100-SXM", "B200", "B300")}
"""Recipes with the dispatcher ``alltoall`` (the same)."""


class RefusedError(Exception):
    """A row the model cannot be held against; the message says why."""


class Configuration(NamedTuple):
    """One row as the model takes it."""

    model: Architecture
    layouts: Layouts
    """One layout."""
    sequence: int
    global_batch: float
    runtime: Runtime

    def seconds(self) -> float:
        """Seconds of a step by the model."""
        return float(step_seconds(*self).total[0])


def configuration(row: Row, families: dict[str, StepFamily] | None = None) -> Configuration:
    """The row's model, layout and runtime; raises ``RefusedError``."""
    reason = _unreadable(row)
    if reason:
        raise RefusedError(reason)
    model, layouts = _architecture(row), _layouts(row)
    micro_batches = max(1, round(number(row, "global_batch") / float(layouts.data[0] * layouts.micro_batch[0])))
    batch = micro_batches * float(layouts.data[0] * layouts.micro_batch[0])
    return Configuration(model, layouts, int(number(row, "seq_len")), batch, _runtime(row, families))


def _unreadable(row: Row) -> str | None:
    """Why a row says nothing the model could predict, or none."""
    if row["gpu"] not in DEVICES:
        return "the accelerator's figures could not be cited"
    if row["arch"] not in ("dense", "moe"):
        return f"an architecture that is not modelled: {row['arch']}"
    for column in NUMBERS:
        cell = row.get(column)
        if cell and not _is_number(cell, 0 if column in MAY_BE_ZERO else 1):
            return f"{column} is {cell}"
    missing = [column for column in ("global_batch", "seq_len") if not row[column]]
    return f"the row does not state {missing[0]}" if missing else None


def _is_number(cell: str, least: int) -> bool:
    try:
        return least <= float(cell) < HUGE
    except ValueError:
        return False


@cache
def _devices() -> dict[str, Device]:
    """Devices that no plan can ask for, since their price or memory could not be cited."""
    file = Path(__file__).with_name("devices.yaml")
    marked = read_yaml(file.read_text("utf-8"), str(file))
    assert not marked.problems, marked.problems
    return TypeAdapter(dict[str, Device]).validate_python(marked.data)


def device(name: str) -> Device:
    """A device of the catalog, or one that only published rows use."""
    return _devices().get(name) or catalog.accelerator(name)


def _runtime(row: Row, families: dict[str, StepFamily] | None) -> Runtime:
    chips, name = DEVICES[row["gpu"]]
    family = (families or {}).get(chips) or catalog.step_family(chips)
    chip, precision = device(name), products(row["precision"])
    if precision not in chip.peak_flops:
        raise RefusedError(f"no peak of {row['gpu']} in {row['precision']} could be cited")
    rate = number(row, "internode_gbps_per_gpu") / 8 * 1e9
    if rate > 0:
        chip = chip.model_copy(update={"network_bytes_per_s": rate})
    return Runtime(family, chip, precision, _habits(row))


def products(text: str) -> Products:
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


def _layouts(row: Row) -> Layouts:
    """The row's layout; where layers do not divide by stages, embedding and head are taken to count as layers."""
    tensor, pipeline, context, data, batch = (int(number(row, k, 1)) for k in ("tp", "pp", "cp", "dp", "micro_batch"))
    expert = int(number(row, "ep", 0))
    if row["arch"] == "moe" and not expert:  # NeMo Automodel's rows, one node unless they say more
        expert = min(data, 8)
    full, layers, modules = _recomputation(row["recompute"])
    columns = {
        "tensor": tensor,
        "pipeline": pipeline,
        "virtual": int(number(row, "vpp", 1)),
        "context": context,
        "expert": max(1, expert),
        "expert_tensor": int(number(row, "etp", 1)),
        "data": data,
        "micro_batch": batch,
        "recompute_full": full,
        "recompute_layers": layers,
        "recompute_modules": module_bits(modules),
        "sequence_parallel": number(row, "seq_parallel", 0) == 1,
        "embedding_as_layer": pipeline > 1 and number(row, "layers") % pipeline > 0,
    }
    return Layouts(**{name: np.array([value]) for name, value in columns.items()})


WORDS: tuple[tuple[str, Module], ...] = (
    ("core attention", "core_attn"),
    ("norm", "layernorm"),
    ("mla_up_proj", "mla_up_proj"),
    ("mla up-proj", "mla_up_proj"),
    ("moe_act", "moe_act"),
    ("shared_expert", "shared_experts"),
)
"""What a row's text says of modules that are recomputed alone."""


def _recomputation(text: str) -> tuple[bool, int, list[Module]]:
    """Whether whole layers run again, how many of a chunk (0: all), and modules; silence recomputes nothing."""
    some = re.search(r"full layers=(\d+)", text)
    if some or text.startswith("full"):
        return True, int(some[1]) if some else 0, []
    lower = text.lower()
    found = {module for word, module in WORDS if word in lower}
    parts = re.split(r"[^a-z_]+", lower)
    found |= {module for module in ("moe", "mlp") if module in parts}
    found |= {"moe_act"} if "act" in parts else set()
    return False, 0, sorted(found)


def _graphed(row: Row) -> bool:
    """Whether Megatron-Bridge ran experts in whole-step CUDA graphs: from 26.06 on in MXFP8 on NVL72, but Kimi K2."""
    recent = row["date_or_release"][:5] >= "26.06" and row["gpu"] in ("GB200", "GB300")
    return recent and row["arch"] == "moe" and "MXFP8" in row["precision"] and not row["model"].startswith("kimi")


def _habits(row: Row) -> Habits:
    framework, kernel = row["framework"], row["attn_kernel"]
    old, bridge = framework.startswith(OLD), framework.startswith("Megatron-Bridge")
    te = "TE" in kernel or framework.startswith("NeMo (")
    packs = row["task"] in ("lora", "sft") and framework.startswith(("NeMo (", "Megatron-Bridge"))
    graphed, recipe = bridge and _graphed(row), (row["model"], row["gpu"])
    return Habits(
        fused_attention="unfused" not in kernel and not (old and not kernel),
        flash2=not te,
        sharded_weights=number(row, "zero", 0) == 3,
        sharded_optimizer=number(row, "zero", 0) >= 1,
        overlaps=not old,
        gradient_bytes=2 if old or bridge else 4,
        document_tokens=PACKED if packs else None,
        hides_dispatch=graphed or "A2A overlap" in row["notes"] or (bridge and recipe in OVERLAPPED),
        sends_copies="A2A dispatcher" in row["notes"] or (bridge and recipe in COPIES),
        graphed=graphed,
        adapters=row["task"] == "lora",
    )
