"""How far the step-time model is from published measurements.

    python -m tests.benchmarks.cost_truth THROUGHPUT.csv

prints JSON: mean, median and 90th percentile of the absolute relative error over the dense BF16 rows that the model
can express, by GPU and source, and how many rows were refused and why.
"""

import csv
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from statistics import mean, median
from typing import Any, NamedTuple

import numpy as np

from sixnd.planner.candidates import RECOMPUTE, Layouts
from sixnd.planner.machine import Machine
from sixnd.planner.steptime import Trainer, time_terms
from sixnd.planner.transformer import Transformer
from sixnd.specs import catalog
from sixnd.specs.catalog import Accelerator
from sixnd.specs.plan import PlannedCluster

Row = dict[str, str]

GPUS = {
    "A100": "a100-sxm-80gb",
    "A100-40GB": "a100-sxm-80gb",
    "A100-80GB": "a100-sxm-80gb",
    "H100-SXM": "h100-sxm",
    "H200": "h200-sxm",
    "H200-SXM": "h200-sxm",
    "B200": "b200-sxm",
}
BF16 = {"BF16", "bf16", "amp_bf16", "FP16/BF16 mixed"}
NO_OVERLAP = ("Megatron-DeepSpeed",)
"""Frameworks whose rows were measured before gradients were reduced behind the backward pass."""


class Case(NamedTuple):
    """One row as the cost model sees it."""

    row_id: str
    group: str
    model: Transformer
    layouts: Layouts
    machine: Machine
    global_batch: int
    trainer: Trainer
    measured_s: float

    def predicted_s(self) -> float:
        """Seconds of a step by the model."""
        return float(time_terms(self.model, self.layouts, self.machine, self.global_batch, self.trainer).total[0])


def number(row: Row, key: str, default: float = float("nan")) -> float:
    return float(row[key]) if row.get(key) not in (None, "") else default


def refusal(row: Row) -> str | None:
    """Why a row cannot be used, or none."""
    checks = (
        ("not dense", row["arch"] != "dense"),
        ("not BF16", row["precision"] not in BF16),
        ("accelerator not in the catalog", row["gpu"] not in GPUS),
        ("not pre-training", row["task"] != "pretrain"),
        ("layout or micro-batch not stated", number(row, "has_full_layout_mbs", 0) != 1),
        ("flagged inconsistent", bool(row["consistency_flag"])),
        ("from memory", number(row, "from_memory", 0) != 0),
        ("proxy model", number(row, "is_proxy_model", 0) != 0),
        ("no step time", np.isnan(number(row, "iter_time_s"))),
        ("context parallelism is not modelled", number(row, "cp", 1) > 1),
        ("recomputation not stated", not row["recompute"]),
    )
    return next((reason for reason, fails in checks if fails), None)


def case(row: Row, accelerators: dict[str, Accelerator] | None = None) -> Case:
    """A row as model, layout, machine and measured seconds."""
    name = GPUS[row["gpu"]]
    accelerator = (accelerators or {}).get(name) or catalog.accelerator(name)
    rate = number(row, "internode_gbps_per_gpu") / 8 * 1e9
    if not np.isnan(rate):
        accelerator = accelerator.model_copy(update={"network_bytes_per_s": rate})
    group = f"{name}, {row['framework']}"
    machine = Machine(accelerator, _cluster(name, accelerator, int(number(row, "num_gpus"))), "bf16")
    old = row["framework"].startswith(NO_OVERLAP)
    trainer = Trainer(gradient_bytes=2 if old else 4, overlaps_data_parallel=not old)
    batch = int(number(row, "global_batch"))
    return Case(row["row_id"], group, _model(row), _layouts(row), machine, batch, trainer, number(row, "iter_time_s"))


def _cluster(name: str, accelerator: Accelerator, count: int) -> PlannedCluster:
    return PlannedCluster(
        accelerator=name,
        count=count,
        shared_host=False,
        peak_flops=accelerator.peak_flops["bf16"],
        memory_bytes=accelerator.memory_bytes,
        price_usd_per_accelerator_hour=0,
        price_source="not used here",
    )


def _model(row: Row) -> Transformer:
    heads = int(number(row, "heads"))
    kernel = row["attn_kernel"].lower()
    return Transformer(
        layers=int(number(row, "layers")),
        hidden=int(number(row, "hidden")),
        heads=heads,
        kv_heads=int(number(row, "kv_heads", heads)),
        ffn=int(number(row, "ffn_hidden")),
        vocab=int(number(row, "vocab")),
        sequence=int(number(row, "seq_len")),
        tied=False,
        gated=number(row, "gated_mlp", 0) == 1,
        fused_attention="unfused" not in kernel,
    )


def _layouts(row: Row) -> Layouts:
    recompute = next((level for level in RECOMPUTE if row["recompute"].startswith(level)), "full")
    recompute = "selective" if "selective" in row["recompute"] else recompute
    counts = [number(row, key, 1) for key in ("tp", "pp", "vpp", "dp", "micro_batch")] + [RECOMPUTE.index(recompute), 0]
    parallel = number(row, "seq_parallel", 0) == 1
    return Layouts.of_rows([(*(int(n) for n in counts), parallel, False)])


def summary(errors: Iterable[float]) -> dict[str, float]:
    """Absolute relative errors in per cent: count, mean, median, 90th percentile; and the mean signed error."""
    signed = list(errors)
    sizes = sorted(abs(e) for e in signed)
    return {
        "n": len(sizes),
        "mape": round(100 * mean(sizes), 2),
        "median": round(100 * median(sizes), 2),
        "p80": round(100 * float(np.quantile(sizes, 0.8)), 2),
        "p90": round(100 * float(np.quantile(sizes, 0.9)), 2),
        "bias": round(100 * mean(signed), 2),
    }


def cases(path: Path) -> tuple[list[Case], Counter[str]]:
    """The usable rows of a file and the reasons why others are not."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    reasons = [refusal(row) for row in rows]
    usable = [case(row) for row, reason in zip(rows, reasons, strict=True) if reason is None]
    return usable, Counter(reason for reason in reasons if reason is not None)


def report(path: Path) -> dict[str, Any]:
    """Errors over all usable rows and by GPU and framework, and the refused rows by reason."""
    usable, refused = cases(path)
    groups: dict[str, list[float]] = defaultdict(list)
    for one in usable:
        groups[one.group].append(one.predicted_s() / one.measured_s - 1)
    every = [error for errors in groups.values() for error in errors]
    by_group = {name: summary(errors) for name, errors in sorted(groups.items())}
    return {"dense_bf16": summary(every) if every else {"n": 0}, "groups": by_group, "refused": dict(refused)}


if __name__ == "__main__":
    print(json.dumps(report(Path(sys.argv[1])), indent=2))
