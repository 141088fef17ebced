"""The runner's training step beside a plain PyTorch loop of the same model and batch, on this machine's CPU.

    python -m tests.benchmarks.training_speed [--sizes 1M 10M 50M] [--rounds 12] [--steps 5] [--write]

Three programs take turns of a few steps each in one run (``turns``): the plain loop (``plain_llama``) and the runner as
``sixnd run`` starts it (data, supervision, record, everything but validation and checkpoints), both with all cores, and
the runner as two ranks that share the cores. A round's ratio is that of the medians of its steps; told are the median
of the rounds' ratios and their quartiles. Tokens/s are of the median step. ``--write`` puts the table into
docs/training-speed.md.
"""

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sixnd.planner.plan import make_plan
from sixnd.runner.cache import cache_dir
from sixnd.runner.cores import cores
from sixnd.runner.job import Job, JobFolder, training_environment
from sixnd.runner.prepare import prepare
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.plan import Plan
from tests.benchmarks.marks import between
from tests.benchmarks.turns import Program, interleaved

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs/training-speed.md"
BEGIN, END = "<!-- written by tests/benchmarks/training_speed.py -->", "<!-- end -->"
_WARM_UP = 3
_RUNNER, _TWO_RANKS = "runner", "runner, 2 ranks"


@dataclass(frozen=True)
class Size:
    """A model and its batch."""

    shape: dict[str, int]
    length: int
    sequences: int
    vocabulary: int
    steps: int
    """In a turn, before ``--steps`` is applied: fewer where they are slow."""


SIZES = {
    "1M": Size({"layers": 4, "hidden": 128, "heads": 4, "kv_heads": 4, "ffn": 384}, 256, 8, 2048, 5),
    "10M": Size({"layers": 6, "hidden": 320, "heads": 5, "kv_heads": 5, "ffn": 896}, 512, 4, 8192, 3),
    "50M": Size({"layers": 10, "hidden": 640, "heads": 10, "kv_heads": 5, "ffn": 1728}, 512, 4, 8192, 1),
}


@dataclass(frozen=True)
class Found:
    """What was measured of one size: round by round, each program's step times."""

    plan: Plan
    rounds: list[list[list[float]]]
    loads: tuple[float, float]
    """Load averages of the last minute, before and after."""

    def tokens_per_s(self, program: int) -> float:
        """Of the median step."""
        seconds = statistics.median(second for each in self.rounds for second in each[program])
        return self.plan.training.global_batch * self.plan.model.sequence_length / seconds

    def ratio(self, program: int, to: int = 0) -> tuple[float, float, float]:
        """Speed of one program over another's: quartiles of the rounds, the median in the middle."""
        each = [statistics.median(times[to]) / statistics.median(times[program]) for times in self.rounds]
        low, middle, high = statistics.quantiles(each, n=4)
        return low, middle, high


def planned(size: Size, ranks: int, steps: int, precision: str = "fp32") -> Plan:
    """The plan of a size on so many ranks that share the machine, long enough for so many steps."""
    tokens = steps * size.sequences * size.length
    params = make_plan(_spec(size, ranks, 1e12)).model.params
    plan = make_plan(_spec(size, ranks, 6 * params * tokens))
    never = {"every_steps": plan.training.steps + 1}
    return plan.model_copy(
        update={
            "evaluation": plan.evaluation.model_copy(update=never),
            "checkpoints": plan.checkpoints.model_copy(update=never),
            "training": plan.training.model_copy(update={"precision": precision}),
        }
    )


def _spec(size: Size, ranks: int, compute: float) -> BudgetSpec:
    return BudgetSpec.model_validate(
        {
            "version": "budget/1",
            "name": "speed",
            "budget": {"compute": compute},
            "cluster": {"accelerators": f"{ranks} x cpu-2core"},
            "data": {"sources": [{"name": "code", "recipe": "python-stdlib"}]},
            "model": {"shape": size.shape, "sequence_length": size.length, "vocab_size": size.vocabulary},
            "training": {"global_batch": size.sequences * size.length},
            "layout": {"data": ranks},
            "supervision": {"budget_factor": 1000},
        }
    )


def job_folder(path: Path, plan: Plan) -> tuple[JobFolder, Job]:
    """The plan's run folder with its data."""
    folder, threads = JobFolder(path), max(1, cores() // plan.layout.world_size)
    folder.create(plan)
    prepared = prepare(folder, plan, path, cache_dir(), lambda _text: None)
    module = "tests.benchmarks.training_speed_rank"
    ranks = str(plan.layout.world_size)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", ranks, "-m", module]
    job = Job(
        processes=plan.layout.world_size,
        threads_per_process=threads,
        tokenizer=prepared.tokenizer,
        sources=prepared.sources,
        command=[*command, str(path)],
        environment=training_environment(plan, threads),
    )
    folder.write_job(job)
    return folder, job


def measure(size: Size, rounds: int, steps: int, precision: str = "fp32") -> Found:
    """Let the three programs take turns."""
    plans = [planned(size, ranks, (rounds + 1) * steps + _WARM_UP + 2, precision) for ranks in (1, 2)]
    with contextlib.ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="speed-")))
        made = [job_folder(root / str(plan.layout.world_size), plan) for plan in plans]
        folder, job = made[0]
        tokens = folder.path / f"{job.sources[0].train_prefix}.bin"
        plain = [sys.executable, "-m", "tests.benchmarks.plain_llama", str(folder.plan_path), str(tokens), str(cores())]
        starts = [(plain, job.environment, 1), *((one.command, one.environment, one.processes) for _, one in made)]
        programs = [
            stack.enter_context(Program(command, environment, processes, root / f"{i}.log"))
            for i, (command, environment, processes) in enumerate(starts)
        ]
        for program in programs:
            program.steps(_WARM_UP)
        before = os.getloadavg()[0]
        found = list(interleaved(programs, rounds, steps))
        return Found(plans[0], found, (before, os.getloadavg()[0]))


def table(found: dict[str, Found]) -> str:
    """The measurements as a Markdown table."""
    lines = [
        "| model | parameters | batch | plain loop | runner | runner / plain | 2 ranks × 1 / 1 rank × 2 | load |",
        "|---" * 8 + "|",
    ]
    for name, one in found.items():
        model, batch = one.plan.model, one.plan.training.global_batch
        cells = [name, f"{model.params / 1e6:.1f}M", f"{batch} × {model.sequence_length}"]
        cells += [f"{one.tokens_per_s(program):,.0f} tokens/s" for program in (0, 1)]
        for low, middle, high in (one.ratio(1), one.ratio(2, to=1)):
            cells.append(f"{middle:.3f} ({low:.3f}–{high:.3f})")
        lines.append("| " + " | ".join([*cells, "{:.1f} → {:.1f}".format(*one.loads)]) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=list(SIZES), choices=SIZES)
    parser.add_argument("--rounds", type=int, default=12, help="turns of each program, at least 2")
    parser.add_argument("--steps", type=float, default=1.0, help="a turn's steps, as a multiple of the size's own")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    found = {}
    for name in arguments.sizes:
        steps = max(1, round(SIZES[name].steps * arguments.steps))
        found[name] = measure(SIZES[name], arguments.rounds, steps, arguments.precision)
        print(table({name: found[name]}), file=sys.stderr)
    print(table(found))
    if arguments.write:
        DOCS.write_text(between(DOCS.read_text("utf-8"), BEGIN, END, table(found)), "utf-8")


if __name__ == "__main__":
    main()
