"""Train a ladder of small models on this CPU and hold the cost model against it.

    python -m tests.benchmarks.cpu_ladder RUNS_FOLDER > ladder.json

About twenty minutes on two cores. Runs that RUNS_FOLDER already holds finished are not trained again. The JSON has
each run's N, D and final validation loss, and its step time and memory as planned and as measured.
"""

import json
import statistics
import sys
from pathlib import Path

from sixnd.planner.plan import make_plan
from sixnd.runner.launch import run_plan
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.record import read_record

SIZES = {4e5: (3e5, 9e5, 2.4e6), 8e5: (2e5, 5e5, 1.2e6), 1.5e6: (1.5e5, 3.5e5, 8e5), 3.4e6: (1e5, 2.5e5)}
EVALUATION_TOKENS = 65_536


def spec(params: float, tokens: float, **training: float) -> BudgetSpec:
    """One rung: the quickstart's text, vocabulary and sequence length at another size and length."""
    sources = {"code": ("python-stdlib", 2), "docs": ("installed-docs", 2), "plays": ("shakespeare", 1)}
    return BudgetSpec.model_validate(
        {
            "version": "budget/1",
            "name": f"ladder-{params:.0e}-{tokens:.0e}".replace("+", ""),
            "budget": {"compute": 6 * params * tokens},
            "cluster": {"accelerators": "1 x cpu-2core"},
            "model": {"params": params, "sequence_length": 256, "vocab_size": 4096},
            "data": {
                "sources": [{"name": n, "recipe": r, "weight": w} for n, (r, w) in sources.items()],
                "validation_fraction": 1e-4,
            },
            "training": training,
            "evaluation": {"every_steps": 100_000},
        }
    )


def with_evaluation(rung: BudgetSpec) -> BudgetSpec:
    """The rung with as many validation batches as make ``EVALUATION_TOKENS``, whatever its batch."""
    plan = make_plan(rung)
    batch = plan.training.global_batch * plan.model.sequence_length
    batches = max(1, round(EVALUATION_TOKENS / batch))
    return rung.model_copy(update={"evaluation": rung.evaluation.model_copy(update={"batches": batches})})


def train(rung: BudgetSpec, runs_dir: Path) -> dict[str, float]:
    """Train one rung; return what was planned and what was measured."""
    plan = make_plan(with_evaluation(rung))
    folder = run_plan(plan, runs_dir=runs_dir, base_dir=Path(), progress=True)
    record = read_record(folder / "record.jsonl")
    steps = record.steps()
    return {
        "N": plan.model.params,
        "D": plan.data.tokens,
        "L": record.validations()[-1].loss,
        "hidden": plan.model.shape.hidden,
        "layers": plan.model.shape.layers,
        "global_batch": plan.training.global_batch,
        "micro_batch": plan.layout.micro_batch,
        "step_time_s": statistics.median(step.step_time_s for step in steps[3:]),
        "planned_step_time_s": plan.estimates.step_time_s.value,
        "memory_bytes": max(step.memory_bytes for step in steps),
        "planned_memory_bytes": plan.estimates.memory_bytes.value,
    }


def main() -> None:
    """Train what is missing, print JSON."""
    runs_dir = Path(sys.argv[1])
    runs = [train(spec(params, tokens), runs_dir) for params, lengths in SIZES.items() for tokens in lengths]
    ratios = [run["step_time_s"] / run["planned_step_time_s"] for run in runs]
    json.dump({"runs": runs, "measured_over_planned_step_time": sorted(ratios)}, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
