"""How far the memory model is from published measurements.

    python -m tests.benchmarks.memory_truth MEMORY.csv [--rows OUT.csv]

prints JSON: rows used, rows refused with the reason, and the absolute relative error in per cent overall (dense and
mixture-of-experts or context-parallel apart), by source and by precision; and for rows that ran out of memory whether
the model says so. Allocated figures are held against what tensors hold, figures of the device (nvidia-smi) against that
plus allocator slack and process memory, component figures against the component. Rows are predicted stage by stage;
``as_planned`` tells on how many the planner's search over layouts says the same of the fullest stage, and how exactly.
"""

import argparse
import csv
import json
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, median
from typing import Any, NamedTuple

import numpy as np

from sixnd.planner import model as counts
from sixnd.planner.activations import Tokens, bytes_kept, layer_tensors
from sixnd.planner.memory import fullest_stage
from sixnd.planner.split import Recomputation, Software, Split, StateBytes
from sixnd.planner.stage_memory import StageMemory, fullest, stages
from sixnd.specs import catalog
from sixnd.specs.families import Architecture

Row = dict[str, str]

ALLOCATED_ERROR, DEVICE_ERROR = 0.003, 0.23
"""Half-widths of the 80 % interval: of what tensors hold, where program and shape are known, and of device figures.
The first is twice the largest error on SimuMax's ranks, whose six configurations are few; the second the 80th
percentile of BLOOM's readings, in-sample."""

WORKSPACE = 32 * 2**20
"""One cuBLAS workspace on Hopper and later, torch's or Transformer Engine's (``get_cublas_workspace_size_bytes``)."""
TE_PLAIN = Software(
    weight_gradient_placeholders=True, workspace_bytes=2 * WORKSPACE, grouped_workspace_bytes=4 * WORKSPACE
)
TE_FUSED = replace(TE_PLAIN, cross_entropy="in place")
NEMO = replace(TE_PLAIN, cross_entropy="fused")
KORTHIKANTI = Software(fused_attention=False, dropout=True)
OLD = Software(fused_attention=False)

GPT = {"gated": False, "norm": "layer", "biases": "all", "learned_positions": 2048, "tied": True}
DEGREES = ("tp", "pp", "vpp", "cp", "ep", "dp", "micro_batch")
SHARE = "activation memory as percent of tensor-parallel baseline"
MEGATRON = {  # Korthikanti et al. 2022, table 3
    "megatron-22B": (48, 6144, 64),
    "gpt3-175B": (96, 12288, 96),
    "turing-530B": (105, 20480, 128),
    "megatron-1T": (128, 25600, 160),
}


class RefusedError(Exception):
    """A row the model cannot be held against; the message says why."""


class Case(NamedTuple):
    """A row as the model sees it."""

    row_id: str
    kind: str
    """``dense`` or ``moe`` (mixture of experts or context parallelism)."""
    source: str
    precision: str
    predicted: float
    measured: float
    relative_error: float
    moment: str
    planned: float | None
    """Bytes on the fullest stage as a search over layouts counts them, over those of the fullest of all stages; none
    where stages are uneven, which no planned layout is."""

    @property
    def error(self) -> float:
        """Signed relative error."""
        return self.predicted / self.measured - 1


@dataclass(frozen=True)
class Measured:
    """What a row says of its run."""

    row: Row
    model: Architecture
    split: Split
    state: StateBytes
    software: Software

    def stages(self) -> list[StageMemory]:
        """The model's answer, stage by stage."""
        return stages(self.model, self.split, int(number(self.row, "seq_len")), self.state, self.software)

    def planned(self, found: list[StageMemory]) -> float | None:
        """Bytes on the fullest stage as a search over layouts counts them, over those of the fullest stage found."""
        split, layouts = self.split, self.split.layouts
        if self.model.layers % (split.pipeline * split.virtual):
            return None
        at = Tokens(self.model, layouts, self.software, int(number(self.row, "seq_len")))
        one = fullest_stage(at, self.state, np.full(1, float(split.micro_batches)))
        return float(one.allocated[0] / fullest(found).allocated)


def number(row: Row, key: str, default: float = float("nan")) -> float:
    """A cell as a number."""
    return float(row[key]) if row.get(key) not in (None, "") else default


def known_as(name: str) -> str:
    """The catalog's name of a row's model: `llama3.1-405b` is `llama-3-405b`, `deepseekv3` is `deepseek-v3`."""
    dashed = re.sub(r"^(llama|qwen|gemma|nemotron)-?(?=\d)", r"\1-", name.lower().replace("_", "-"))
    dashed = dashed.replace("deepseekv", "deepseek-v").replace("llama-3.1", "llama-3").replace("kimi-1t", "kimi-k2")
    names = catalog.names("model-families")
    return dashed if dashed in names else dashed.replace("qwen-2.5", "qwen-2")


def shape(row: Row) -> Architecture:
    """The architecture of a row's model: a catalogued one with the row's layers, a Megatron GPT, or BLOOM."""
    name, tensor = row["model"], int(number(row, "tp", 1))
    if name in MEGATRON or name.startswith("bloom"):
        return _gpt(row, *MEGATRON.get(name, (0, 0, 0)))
    known = known_as(name)
    if known not in catalog.names("model-families"):
        raise RefusedError("the row does not state the model's shape")
    model = catalog.model_family(known).architecture
    if number(row, "hidden", model.hidden) != model.hidden:
        raise RefusedError("the row's shape is not the published model's, and it states no more of it")
    changes: dict[str, Any] = {"layers": int(number(row, "layers", model.layers))}
    if row["source"].startswith("SimuMax"):
        changes |= _launched_by_simumax(model, known, tensor)
    return model.model_copy(update=changes)


def _launched_by_simumax(model: Architecture, name: str, tensor: int) -> dict[str, Any]:
    """Where SimuMax's launch scripts differ from the published model (simu_tools/megatron_scripts at 4dcaae5).

    Their tokenizer adds one entry, Megatron pads the vocabulary to 128 × TP; Llama 3 405B has 16 query groups; one
    layer is dense in DeepSeek, which has no MTP and routes without bias.
    """
    entries = model.vocab + (2 if name == "llama-3-8b" else 1)
    changes: dict[str, Any] = {"vocab": -(-entries // (128 * tensor)) * 128 * tensor, "mtp_layers": 0}
    if name == "llama-3-405b":
        changes["kv_heads"] = 16
    if model.experts is not None and model.latent_attention is not None:
        changes["experts"] = model.experts.model_copy(update={"dense_layers": 1, "router_bias": False})
    return changes


def _gpt(row: Row, layers: int, hidden: int, heads: int) -> Architecture:
    bloom = row["model"].startswith("bloom")
    layers, hidden = int(number(row, "layers", layers)), int(number(row, "hidden", hidden))
    heads = int(number(row, "heads", heads))
    if not layers * hidden * heads:
        raise RefusedError("the row does not state the model's shape")
    own = {"vocab": 250880, "learned_positions": 0} if bloom else {"vocab": 51200}
    shape = {"layers": layers, "hidden": hidden, "heads": heads, "kv_heads": heads, "ffn": 4 * hidden}
    if hidden % heads:
        shape["head_dim"] = -(-hidden // heads)
    return Architecture.model_validate(shape | GPT | own)


def split(row: Row) -> Split:
    """The row's degrees of parallelism."""
    tensor, pipeline, context = (int(number(row, key, 1)) for key in ("tp", "pp", "cp"))
    data = max(1, int(number(row, "dp", number(row, "num_gpus", 1) / (tensor * pipeline * context))))
    per_step = number(row, "grad_accum", number(row, "global_batch") / (data * number(row, "micro_batch", 1)))
    if math.isnan(per_step):
        raise RefusedError("the row does not state its batch")
    return Split(
        tensor=tensor,
        pipeline=pipeline,
        virtual=int(number(row, "vpp", 1)),
        context=context,
        expert=int(number(row, "ep", 1)),
        expert_tensor=int(number(row, "etp", 1)),
        data=data,
        micro_batch=int(number(row, "micro_batch", 1)),
        micro_batches=max(1, int(per_step)),
        sequence_parallel=number(row, "seq_parallel", 0) == 1,
        recomputation=recomputation(row["recompute"]),
    )


def recomputation(text: str) -> Recomputation:
    """A row's recomputation; ``selective`` alone is Megatron's default, the core attention."""
    if text.startswith("full"):
        return Recomputation(full=True)
    return Recomputation(modules=frozenset({"core_attn"})) if "sel" in text else Recomputation()


def program(row: Row) -> tuple[StateBytes, Software]:
    """What the row's training program keeps a parameter, and how its libraries behave."""
    if row["source"].startswith("Korthikanti"):
        return StateBytes(), KORTHIKANTI
    if row["framework"].startswith("NeMo"):  # its BF16 recipes keep and reduce gradients in BF16
        return StateBytes(gradient=2), NEMO
    if row["framework"].startswith("Megatron-DeepSpeed"):
        # DeepSpeed's FP16 optimizer casts its share of the gradients to FP32 for the step, beside the master weights.
        return (StateBytes(gradient=2, master=8) if row["precision"] == "FP16" else StateBytes()), OLD
    if "TE 2" in row["framework"]:
        return StateBytes(), TE_FUSED if "cef" in row["table"] else TE_PLAIN
    return StateBytes(), Software(workspace_bytes=2 * WORKSPACE)


def reason_against(row: Row) -> str | None:
    """Why a row cannot be used, or none."""
    checks = (
        ("from memory", number(row, "from_memory", 0) != 0),
        ("ZeRO 2 and 3 and their offloading are not modelled", number(row, "zero", 1) > 1),
        ("the row's component is not one the model tells apart", row["component"] not in (*COMPONENTS, SHARE)),
        ("a degree of parallelism or the micro-batch is zero", any(number(row, key, 1) < 1 for key in DEGREES)),
        ("the row does not state its sequence length", math.isnan(number(row, "seq_len"))),
    )
    return next((reason for reason, fails in checks if fails), None)


def case(row: Row) -> Case:
    """A row with its prediction; raises ``RefusedError``."""
    reason = reason_against(row)
    if reason:
        raise RefusedError(reason)
    if row["component"] == SHARE:
        return _share_of_baseline(row)
    measured = number(row, "measured_gb", number(row, "gpu_mem_gb") if row["component"] == "OOM" else math.nan)
    if math.isnan(measured):
        raise RefusedError("the row has no figure")
    state, software = program(row)
    state = replace(state, distributed=number(row, "zero", 1) >= 1)
    run = Measured(row, shape(row), split(row), state, software)
    found = run.stages()
    stage = _stage_of(row, run.split, found)
    predicted, error = COMPONENTS[row["component"]](row, stage)
    kind = "moe" if run.model.experts is not None or run.split.context > 1 else "dense"
    return Case(
        row["row_id"],
        kind,
        row["source"],
        row["precision"],
        predicted / 1e9,
        measured,
        error,
        stage.when,
        run.planned(found),
    )


def _share_of_baseline(row: Row) -> Case:
    """Activations of one layer as per cent of those of tensor parallelism alone (Korthikanti et al. 2022, fig. 1)."""
    model, tensor, how = shape(row), int(number(row, "tp", 1)), row["recompute"]
    if not row["mem_kind"].startswith("percent="):
        raise RefusedError("the row has no figure")

    def kept(parallel: bool, again: Recomputation) -> float:
        parts = Split(tensor=tensor, sequence_parallel=parallel, recomputation=again)
        at = Tokens(model, parts.layouts, KORTHIKANTI, 2048)
        return float((at.layer_input if again.full else bytes_kept(at, layer_tensors(at, False)))[0])

    share = kept("seq" in how, recomputation(how.removeprefix("seq"))) / kept(False, Recomputation())
    measured = float(row["mem_kind"].removeprefix("percent="))
    return Case(row["row_id"], "dense", row["source"], "", 100 * share, measured, ALLOCATED_ERROR, "one layer", None)


def _stage_of(row: Row, parts: Split, found: list[StageMemory]) -> StageMemory:
    """The stage of the row's rank, the first stage, or the fullest of the ends."""
    rank = row["rank"]
    if rank.isdigit():
        return found[int(rank) * parts.pipeline // int(number(row, "num_gpus"))]
    if rank == "first stage":
        return found[0]
    return fullest(found)


def _total(row: Row, stage: StageMemory) -> tuple[float, float]:
    """Bytes of a figure of all memory: by torch's allocator, its reserve, or the device."""
    kind = row["mem_kind"]
    if kind.startswith(("torch max_allocated", "peak_memory_usage")):
        return float(stage.allocated), ALLOCATED_ERROR
    gpu = catalog.accelerator("a100-sxm-80gb")
    reserved = float(stage.allocated) * (1 + gpu.allocator_slack)
    return reserved + (0.0 if "reserved" in kind else gpu.process_bytes), DEVICE_ERROR


def _states(row: Row, stage: StageMemory) -> float:
    """Model states. Korthikanti's figure 1 leaves the embeddings out: its bars are 18·12Lh²/(tp) to four digits."""
    if not row["source"].startswith("Korthikanti"):
        return float(stage.states)
    model, parts = shape(row), split(row)
    layer = counts.layer_params(model, False)
    held = (layer.attention + layer.ffn) / parts.tensor + layer.norms
    return 18 * held * len(parts.layers_of(0, model.layers))


COMPONENTS: dict[str, Callable[[Row, StageMemory], tuple[float, float]]] = {
    "total": _total,
    "OOM": _total,
    "activations": lambda _row, stage: (float(stage.activations), ALLOCATED_ERROR),
    "params+grads+optimizer": lambda row, stage: (_states(row, stage), ALLOCATED_ERROR),
}


def summary(cases: Iterable[Case]) -> dict[str, float]:
    """Absolute relative errors in per cent, and the share of rows inside the 80 % interval."""
    found = list(cases)
    sizes = sorted(abs(one.error) for one in found)
    if not sizes:
        return {"n": 0}
    inside = [abs(one.measured / one.predicted - 1) <= one.relative_error for one in found]
    return {
        "n": len(sizes),
        "mape": round(100 * mean(sizes), 2),
        "median": round(100 * median(sizes), 2),
        "p90": round(100 * float(np.quantile(sizes, 0.9)), 2),
        "bias": round(100 * mean(one.error for one in found), 2),
        "coverage80": round(100 * mean(inside), 1),
    }


def _grouped(cases: list[Case], key: Callable[[Case], str]) -> dict[str, dict[str, float]]:
    return {name: summary(c for c in cases if key(c) == name) for name in sorted({key(c) for c in cases})}


def cases(path: Path) -> tuple[list[Case], list[dict[str, str]], list[Case]]:
    """Rows with a figure, refused rows with reasons, and rows that ran out of memory."""
    used: list[Case] = []
    refused: list[dict[str, str]] = []
    exhausted: list[Case] = []
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            try:
                (exhausted if row["component"] == "OOM" else used).append(case(row))
            except RefusedError as reason:
                refused.append({"row_id": row["row_id"], "reason": str(reason)})
    return used, refused, exhausted


def report(path: Path) -> dict[str, Any]:
    """The errors of a file's rows."""
    used, refused, exhausted = cases(path)
    return {
        "used": len(used) + len(exhausted),
        "refused": refused,
        "overall": {kind: summary(c for c in used if c.kind == kind) for kind in ("dense", "moe")},
        "by_source": _grouped(used, lambda c: c.source),
        "by_precision": _grouped(used, lambda c: c.precision or "not stated"),
        "as_planned": _as_planned(used + exhausted),
        "out_of_memory": {"n": len(exhausted), "called": sum(c.predicted > c.measured for c in exhausted)},
    }


def _as_planned(found: list[Case]) -> dict[str, float]:
    ratios = [one.planned for one in found if one.planned is not None]
    return {"n": len(ratios), "largest_difference": max((abs(ratio - 1) for ratio in ratios), default=0.0)}


def write_rows(path: Path, out: Path) -> None:
    """Predicted and measured figure of every used row."""
    used, _, exhausted = cases(path)
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("row_id", "kind", "source", "precision", "predicted_gb", "measured_gb", "error", "moment"))
        for c in used + exhausted:
            figures = (f"{c.predicted:.4f}", f"{c.measured:.4f}", f"{c.error:.4f}")
            writer.writerow((c.row_id, c.kind, c.source, c.precision, *figures, c.moment))


def main() -> None:
    """Print the report."""
    parser = argparse.ArgumentParser(description="Memory model against published measurements")
    parser.add_argument("file", type=Path)
    parser.add_argument("--rows", type=Path, help="write predicted and measured figures here as CSV")
    given = parser.parse_args()
    print(json.dumps(report(given.file), indent=2))
    if given.rows:
        write_rows(given.file, given.rows)


if __name__ == "__main__":
    main()
