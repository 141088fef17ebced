"""MFU of Llama-like models of 125M, 350M and 1B parameters on one GPU, at 4,096 tokens a sequence in BF16.

    python -m tests.benchmarks.gpu_mfu [--sizes 125M 350M 1B] [--seconds 60] [--accelerator h100-sxm] [--no-write]

Each size is a process of its own that trains by the runner's own step (``sixnd.runner.profiler``) on random tokens.
Told are the median step after warm-up, tokens/s, MFU as plans and records count it (exact model FLOPs, causal attention
as half, over the catalog's dense BF16 peak), what the planner expected, and peak memory; docs/gpu.md is written.
Where there is no GPU it says so and ends.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from sixnd.planner.plan import make_plan
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.plan import Plan

DOCS = Path(__file__).parents[2] / "docs/gpu.md"
LENGTH = 4096
_ACCELERATORS = {"H200": "h200-sxm", "H100": "h100-sxm", "A100": "a100-sxm-80gb", "B200": "b200-sxm"}
"""What CUDA's names of devices hold, and the catalog's entry."""
NO_GPU = "there is no GPU here, so no MFU can be measured; run this command on a machine with one"


@dataclass(frozen=True)
class Size:
    """A model, and how many sequences are passed at once and in a step."""

    shape: dict[str, int]
    vocabulary: int
    micro_batch: int
    batch: int


SIZES = {
    "125M": Size({"layers": 12, "hidden": 768, "heads": 12, "kv_heads": 12, "ffn": 2048}, 50304, 8, 32),
    "350M": Size({"layers": 24, "hidden": 1024, "heads": 16, "kv_heads": 16, "ffn": 2816}, 32000, 8, 32),
    "1B": Size({"layers": 16, "hidden": 2048, "heads": 32, "kv_heads": 8, "ffn": 8192}, 32000, 4, 32),
}


@dataclass(frozen=True)
class Measured:
    """One size on this GPU."""

    name: str
    device: str
    params: int
    step_time_s: float
    planned_step_time_s: float
    tokens_per_s: float
    mfu: float
    memory_bytes: int
    transformer_engine: bool


def planned(name: str, accelerator: str) -> Plan:
    """The plan of one size: one GPU, nothing recomputed."""
    size = SIZES[name]
    return make_plan(
        BudgetSpec.model_validate(
            {
                "version": "budget/1",
                "name": f"gpu-{name.lower()}",
                "budget": {"compute": 1e18},
                "cluster": {"accelerators": f"1 x {accelerator}"},
                "data": {"sources": [{"name": "random", "recipe": "python-stdlib"}]},
                "model": {"shape": size.shape, "sequence_length": LENGTH, "vocab_size": size.vocabulary},
                "training": {"global_batch": size.batch * LENGTH, "precision": "bf16"},
                "layout": {"micro_batch": size.micro_batch, "recompute": "none"},
            }
        )
    )


def mfu(plan: Plan, step_time_s: float) -> float:
    """Exact model FLOPs of a step over what the plan's accelerator could do in its time."""
    tokens = plan.training.global_batch * plan.model.sequence_length
    return tokens * plan.model.flops_per_token / (step_time_s * plan.cluster.peak_flops)


def measure(name: str, accelerator: str, seconds: float) -> Measured:
    """Train one size for so long, in this process."""
    import torch

    from sixnd.runner.device import training_device
    from sixnd.runner.model import has_transformer_engine
    from sixnd.runner.profiler import step_times
    from sixnd.runner.trainer import start_process_groups, stop_process_groups

    plan = planned(name, accelerator)
    with tempfile.TemporaryDirectory() as folder, training_device(0):
        start_process_groups(plan.layout, plan.training.seed, alone=Path(folder))
        step = statistics.median(step_times(plan, seconds))
        stop_process_groups()
    return Measured(
        name=name,
        device=torch.cuda.get_device_name(),
        params=plan.model.params,
        step_time_s=step,
        planned_step_time_s=plan.estimates.step_time_s.value,
        tokens_per_s=plan.training.global_batch * LENGTH / step,
        mfu=mfu(plan, step),
        memory_bytes=torch.cuda.max_memory_allocated(),
        transformer_engine=has_transformer_engine(),
    )


def page(rows: list[Measured], day: date) -> str:
    """docs/gpu.md."""
    engine = "with" if rows[0].transformer_engine else "without"
    lines = [
        "# Training speed on a GPU",
        "",
        f"One {rows[0].device}, {LENGTH:,} tokens a sequence, BF16, {engine} Transformer Engine, {day.isoformat()}.",
        "Written by `python -m tests.benchmarks.gpu_mfu`, which says how it is counted.",
        "",
        "| model | parameters | step | planned | tokens/s | MFU | peak memory |",
        "|---" * 7 + "|",
    ]
    lines += [
        f"| {row.name} | {row.params / 1e6:,.0f}M | {row.step_time_s:.3f} s | {row.planned_step_time_s:.3f} s "
        f"| {row.tokens_per_s:,.0f} | {row.mfu:.1%} | {row.memory_bytes / 1e9:.1f} GB |"
        for row in rows
    ]
    return "\n".join([*lines, ""])


def _check_gpu() -> None:
    import torch

    if not torch.cuda.is_available():
        sys.exit(NO_GPU)


def _here() -> str:
    """The catalog's entry for this machine's GPU; ends where it is not known."""
    import torch

    device = torch.cuda.get_device_name()
    for part, entry in _ACCELERATORS.items():
        if part in device:
            return entry
    sys.exit(f"{device} is not in the list of this benchmark; name its entry of the catalog by --accelerator")


def _in_its_own_process(name: str, accelerator: str, seconds: float) -> Measured:
    command = [sys.executable, "-m", "tests.benchmarks.gpu_mfu", "--one", name]
    command += ["--accelerator", accelerator, "--seconds", str(seconds)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=list(SIZES), choices=SIZES)
    parser.add_argument("--seconds", type=float, default=60, help="of each size, warm-up included")
    parser.add_argument("--accelerator", help="the catalog's entry whose peak counts; by the device's name else")
    parser.add_argument("--no-write", action="store_true")
    parser.add_argument("--one", choices=SIZES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    _check_gpu()
    here = _here() if arguments.accelerator is None else arguments.accelerator
    if arguments.one:
        print(json.dumps(asdict(measure(arguments.one, here, arguments.seconds))))
        return
    told = page([_in_its_own_process(name, here, arguments.seconds) for name in arguments.sizes], date.today())
    print(told)
    if not arguments.no_write:
        DOCS.write_text(told, "utf-8")


if __name__ == "__main__":
    main()
