"""The whole product as one experiment: a run is predicted from a ladder of small ones before it is trained.

    python -m tests.benchmarks.proof [FOLDER] [--target specs/examples/proof/target.yaml] [--write]

Ladder, fit, calibrate, plan, run, report, and the planned size against its half and its double. Every step is a command
that a user types, and is printed. What lies in FOLDER (runs/proof) is not done again, so an experiment that was cut off
goes on. The prediction is written, and its plan hashed, before the target is trained. ``--write`` puts the results into
docs/proof/. About an hour on two cores that nobody else uses.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sixnd.planner.plan import make_plan
from sixnd.runner.job import job_folder
from sixnd.specs.files import file_sha256, write_atomically
from sixnd.specs.load import load_budget, load_plan
from sixnd.specs.plan import Estimate, Plan
from sixnd.specs.record import End, RunRecord, read_record
from sixnd.specs.yaml_reader import dump_yaml

LADDER = ("--share", "49%", "--runs", "12", "--tokens-per-param", "5", "200")
QUESTION_SHARE = 1 / 8
"""Compute of each run of the second question, of the target's."""
SEEDS = (1234, 1235, 1236)
"""Of the planned size; its half and its double have the first."""
PREDICTED = {"loss": "loss", "step_s": "step_time_s", "wall_s": "wall_time_s", "memory_bytes": "memory_bytes"}


@dataclass(frozen=True)
class Experiment:
    """Where everything lies."""

    folder: Path
    target: Path

    @property
    def ladder(self) -> Path:
        """Folder of the ladder's specs."""
        return self.folder / "ladder"

    @property
    def runs(self) -> Path:
        """Folder of all runs."""
        return self.folder / "runs"

    @property
    def plan(self) -> Path:
        """The target's plan, by the ladder's law."""
        return self.folder / "plan.yaml"

    @property
    def prediction(self) -> Path:
        """What is predicted of the target, and when it was."""
        return self.folder / "prediction.json"

    def rows(self) -> list[dict[str, str]]:
        """The ladder's finished runs."""
        with (self.ladder / "runs.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))


def sixnd(*arguments: str | Path) -> None:
    """One command as a user types it."""
    words = [str(argument) for argument in arguments]
    print("$ sixnd", *words, flush=True)
    done = subprocess.run([str(Path(sys.executable).parent / "sixnd"), *words], stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        sys.exit(f"`sixnd {' '.join(words)}` ended with code {done.returncode}: the proof goes on from here")


def make_law(at: Experiment) -> None:
    """The ladder is designed, trained and fitted; its step times calibrate the cost model."""
    if not (at.ladder / "ladder.yaml").exists():
        sixnd("ladder", at.target, *LADDER, "-o", at.ladder)
    if not (at.ladder / "runs.csv").exists():
        sixnd("ladder", at.ladder, "--run", "--runs-dir", at.runs)
        sixnd("ladder", at.ladder, "--collect", at.runs, "-o", at.ladder / "runs.csv")
    if not (at.ladder / "law.yaml").exists():
        sixnd("fit", at.ladder / "runs.csv", "--name", "ladder", "-o", at.ladder / "law.yaml")
    if not (at.folder / "machine.yaml").exists():
        runs = [word for row in at.rows() for word in ("--run", row["run"])]
        sixnd("calibrate", at.target, *runs, "--name", "machine", "-o", at.folder / "machine.yaml")


def predict(at: Experiment) -> dict[str, Any]:
    """The target's plan, and what it predicts; never again once it is written."""
    if not at.prediction.exists():
        spec = {
            "version": "budget/1",
            "extends": "ladder/target.yaml",
            "cluster": {"calibration": "machine.yaml"},
        }
        write_atomically(at.folder / "target.yaml", dump_yaml(spec))
        sixnd("plan", at.folder / "target.yaml", "-o", at.plan)
        plan = load_plan(at.plan)
        assert not job_folder(plan, at.runs).record_path.exists(), "predicted before it is trained"
        said = {"predicted_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **_said(plan)}
        write_atomically(at.prediction, json.dumps(said | {"plan_sha256": file_sha256(at.plan)}, indent=1) + "\n")
    found: dict[str, Any] = json.loads(at.prediction.read_text(encoding="utf-8"))
    assert found["plan_sha256"] == file_sha256(at.plan), "the plan is the one that was predicted from"
    return found


def _said(plan: Plan) -> dict[str, Any]:
    estimates = {name: getattr(plan.estimates, field) for name, field in PREDICTED.items()}
    predicted = {name: _with_intervals(estimate) for name, estimate in estimates.items()}
    flops = 6.0 * plan.model.params * plan.data.tokens
    return {"params": plan.model.params, "tokens": plan.data.tokens, "target_flops": flops, "predicted": predicted}


def _with_intervals(estimate: Estimate) -> dict[str, Any]:
    return {"value": estimate.value, "interval80": estimate.ends(0.8), "interval95": estimate.ends(0.95)}


def trained(at: Experiment, document: Path) -> tuple[Plan, RunRecord, Path]:
    """The finished run of a spec or plan."""
    plan = _plan_of(document)
    folder = job_folder(plan, at.runs)
    end = read_record(folder.record_path).last(End) if folder.record_path.exists() else None
    if end is None or end.status != "finished":
        sixnd("run", document, "--runs-dir", at.runs)
    return plan, read_record(folder.record_path), folder.path


def _plan_of(document: Path) -> Plan:
    return load_plan(document) if document.name == "plan.yaml" else make_plan(load_budget(document))


def measured(plan: Plan, record: RunRecord) -> dict[str, float]:
    """What became of a run, under the names of what was predicted."""
    from sixnd.reports.run_facts import run_facts

    rows = {row.key: row for row in run_facts(plan, record).rows}
    found = {"loss": "loss", "step_s": "step_time", "wall_s": "wall_time", "memory_bytes": "memory"}
    actual = {name: rows[key].actual for name, key in found.items()}
    return {name: figure.value for name, figure in actual.items() if figure is not None and figure.value is not None}


def refit(at: Experiment, plan: Plan, loss: float) -> None:
    """The law with the target as one more run."""
    after = at.folder / "law-with-target.yaml"
    if after.exists():
        return
    rows = at.rows()
    flops = 6.0 * plan.model.params * plan.data.tokens
    own = {"name": plan.name, "params": plan.model.params, "tokens": plan.data.tokens, "flops": flops, "loss": loss}
    with (at.folder / "runs-with-target.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["name", "params", "tokens", "flops", "loss"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows([*rows, own])
    sixnd("fit", at.folder / "runs-with-target.csv", "--name", "with-target", "-o", after)


def sizes(at: Experiment) -> Iterator[dict[str, Any]]:
    """At one budget the planned size, its half and its double, the planned one with several seeds."""
    specs = at.folder / "sizes"
    specs.mkdir(exist_ok=True)
    compute = load_budget(at.target).budget.compute
    assert compute is not None, "the target's budget is compute"
    base = {"version": "budget/1", "extends": "../target.yaml", "budget": {"compute": compute * QUESTION_SHARE}}
    planned = _plan_of(_written(specs / "planned.yaml", base | {"name": "size-planned"})).model.params
    asked = [("planned", 1.0, seed) for seed in SEEDS] + [("half", 0.5, SEEDS[0]), ("double", 2.0, SEEDS[0])]
    for name, factor, seed in asked:
        own = base | {"name": f"size-{name}-{seed}", "training": {"seed": seed}}
        pinned = own if factor == 1 else own | {"model": {"params": factor * planned}}
        plan, record, _ = trained(at, _written(specs / f"{name}-{seed}.yaml", pinned))
        loss = measured(plan, record)["loss"]
        yield {"size": name, "seed": seed, "params": plan.model.params, "tokens": plan.data.tokens, "loss": loss}


def _written(file: Path, spec: dict[str, Any]) -> Path:
    write_atomically(file, dump_yaml(spec))
    return file


def prove(at: Experiment) -> dict[str, Any]:
    """All of it; the results as docs/proof/results.json holds them."""
    at.folder.mkdir(parents=True, exist_ok=True)
    began = time.time()
    make_law(at)
    said = predict(at)
    plan, record, run = trained(at, at.plan)
    actual = measured(plan, record)
    sixnd("report", run, "-o", at.folder / "report.html")
    refit(at, plan, actual["loss"])
    three = list(sizes(at))
    predicted = said["predicted"]
    return {
        "predicted_loss": predicted["loss"]["value"],
        "interval80": predicted["loss"]["interval80"],
        "interval95": predicted["loss"]["interval95"],
        "actual_loss": actual["loss"],
        "predicted_wall_s": predicted["wall_s"]["value"],
        "actual_wall_s": actual["wall_s"],
        "predicted_memory_bytes": predicted["memory_bytes"]["value"],
        "actual_memory_bytes": actual["memory_bytes"],
        "ladder_max_flops": max(float(row["flops"]) for row in at.rows()),
        "target_flops": said["target_flops"],
        "plan_sha256": said["plan_sha256"],
        "prediction": said,
        "actual": actual,
        "sizes": three,
        "ladder": at.rows(),
        "seconds": time.time() - began,
    }


def main() -> None:
    """Run the experiment, or what is left of it, and print its results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("runs/proof"))
    parser.add_argument("--target", type=Path, default=Path("specs/examples/proof/target.yaml"))
    asked = parser.parse_args()
    target = Path(os.path.relpath(asked.target))
    found = prove(Experiment(asked.folder, target))
    write_atomically(asked.folder / "results.json", json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
