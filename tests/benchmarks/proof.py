"""The whole product as one experiment: a run is predicted from a ladder of small ones before it is trained.

    python -m tests.benchmarks.proof [FOLDER] [--target specs/examples/proof/target.yaml]

Data, ladder, fit, calibrate, plan, run, report, and the planned size against its half and its double. Every step is a
command that a user types, and is printed. What lies in FOLDER (runs/proof) is not done again, so an experiment that was
cut off goes on. A prediction is written, and its plan hashed, before its run is trained. `tests.benchmarks.proof_page`
makes the page of the results. About an hour on two cores that nobody else uses.
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

from sixnd.planner.flops import flops_6nd
from sixnd.planner.plan import make_plan
from sixnd.runner.job import job_folder
from sixnd.specs.files import file_sha256, write_atomically
from sixnd.specs.load import load_budget, load_law, load_plan
from sixnd.specs.plan import Estimate, Plan
from sixnd.specs.record import End, RunRecord, read_record
from sixnd.specs.yaml_reader import dump_yaml

LADDER = ("--share", "70%", "--runs", "12", "--design", "isoflop", "--tokens-per-param", "5", "80")
"""isoFLOP curves, since published runs are told best by those near the frontier (docs/proof/published.md)."""
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
    def prepared(self) -> Path:
        """The target's spec with the prepared text."""
        return self.folder / "prepared-target.yaml"

    @property
    def ladder(self) -> Path:
        """Folder of the ladder's specs."""
        return self.folder / "ladder"

    @property
    def runs(self) -> Path:
        """Folder of all runs."""
        return self.folder / "runs"

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


def make_data(at: Experiment) -> None:
    """The text is cleaned, deduplicated and tokenised once, for all runs."""
    if not at.prepared.exists():
        sixnd("data", "prepare", at.target, "--into", at.folder / "data")
        spec = {"version": "budget/1", "extends": os.path.relpath(at.target, at.folder)}
        _written(at.prepared, spec | {"data": {"prepared": "data/prepared.yaml"}})


def make_law(at: Experiment) -> None:
    """The ladder is designed, trained and fitted; its step times calibrate the cost model."""
    if not (at.ladder / "ladder.yaml").exists():
        sixnd("ladder", at.prepared, *LADDER, "-o", at.ladder)
    if not (at.ladder / "runs.csv").exists():
        sixnd("ladder", at.ladder, "--run", "--runs-dir", at.runs)
        sixnd("ladder", at.ladder, "--collect", at.runs, "-o", at.ladder / "runs.csv")
    if not (at.ladder / "law.yaml").exists():
        sixnd("fit", at.ladder / "runs.csv", "--name", "ladder", "-o", at.ladder / "law.yaml")
    if not (at.folder / "machine.yaml").exists():
        runs = [word for row in at.rows() for word in ("--run", row["run"])]
        sixnd("calibrate", at.prepared, *runs, "--name", "machine", "-o", at.folder / "machine.yaml")


@dataclass(frozen=True)
class Foretold:
    """A run whose spec was planned, and whose prediction was written down, before it was trained."""

    spec: Path
    runs: Path

    @property
    def plan(self) -> Path:
        """Its plan, by the ladder's law and calibration."""
        return self.spec.with_suffix(".plan.yaml")

    def prediction(self) -> dict[str, Any]:
        """What the plan predicts, and when it did; never again once it is written."""
        file = self.spec.with_suffix(".prediction.json")
        if not file.exists():
            sixnd("plan", self.spec, "-o", self.plan)
            plan = load_plan(self.plan)
            assert not job_folder(plan, self.runs).record_path.exists(), "predicted before it is trained"
            said = {"predicted_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **_said(plan)}
            write_atomically(file, json.dumps(said | {"plan_sha256": file_sha256(self.plan)}, indent=1) + "\n")
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        assert found["plan_sha256"] == file_sha256(self.plan), "the plan is the one that was predicted from"
        return found

    def results(self) -> dict[str, Any]:
        """Predicted and actual, after it was trained where it is not yet."""
        said = self.prediction()
        plan = load_plan(self.plan)
        folder = job_folder(plan, self.runs)
        if not _is_finished(folder.record_path):
            sixnd("run", self.plan, "--runs-dir", self.runs)
        actual = measured(plan, read_record(folder.record_path))
        return said | {f"actual_{name}": value for name, value in actual.items()} | {"run": str(folder.path)}


def _is_finished(record: Path) -> bool:
    end = read_record(record).last(End) if record.exists() else None
    return end is not None and end.status == "finished"


def _said(plan: Plan) -> dict[str, Any]:
    said: dict[str, Any] = {
        "params": plan.model.params,
        "tokens": plan.data.tokens,
        "target_flops": flops_6nd(plan.model.params, plan.data.tokens),
    }
    for name, field in PREDICTED.items():
        estimate: Estimate = getattr(plan.estimates, field)
        behind = "" if name == "loss" else f"_{name}"
        said[f"predicted_{name}"] = estimate.value
        said[f"interval80{behind}"], said[f"interval95{behind}"] = estimate.ends(0.8), estimate.ends(0.95)
    return said


def measured(plan: Plan, record: RunRecord) -> dict[str, float]:
    """What became of a run, under the names of what was predicted."""
    from sixnd.reports.run_facts import run_facts

    rows = {row.key: row for row in run_facts(plan, record).rows}
    found = {"loss": "loss", "step_s": "step_time", "wall_s": "wall_time", "memory_bytes": "memory"}
    actual = {name: rows[key].actual for name, key in found.items()}
    return {name: figure.value for name, figure in actual.items() if figure is not None and figure.value is not None}


def _of_run(folder: Path) -> dict[str, float]:
    return measured(load_plan(folder / "plan.yaml"), read_record(folder / "record.jsonl"))


def refit(at: Experiment, target: dict[str, Any]) -> None:
    """The law with the target as one more run."""
    after = at.folder / "law-with-target.yaml"
    if after.exists():
        return
    columns = {"params": "params", "tokens": "tokens", "flops": "target_flops", "loss": "actual_loss"}
    own = {"name": "target"} | {column: target[name] for column, name in columns.items()}
    with (at.folder / "runs-with-target.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(own), extrasaction="ignore")
        writer.writeheader()
        writer.writerows([*at.rows(), own])
    sixnd("fit", at.folder / "runs-with-target.csv", "--name", "with-target", "-o", after)


def sizes(at: Experiment) -> Iterator[dict[str, Any]]:
    """At one budget the planned size, its half and its double, the planned one with several seeds."""
    specs = at.folder / "sizes"
    specs.mkdir(exist_ok=True)
    compute = load_budget(at.target).budget.compute
    assert compute is not None, "the target's budget is compute"
    base = {"version": "budget/1", "extends": "../target.yaml", "budget": {"compute": compute * QUESTION_SHARE}}
    planned = make_plan(load_budget(_written(specs / "planned.yaml", base | {"name": "size-planned"}))).model.params
    asked = [("planned", 1.0, seed) for seed in SEEDS] + [("half", 0.5, SEEDS[0]), ("double", 2.0, SEEDS[0])]
    for name, factor, seed in asked:
        own = base | {"name": f"size-{name}-{seed}", "training": {"seed": seed}}
        pinned = own if factor == 1 else own | {"model": {"params": factor * planned}}
        run = Foretold(_written(specs / f"{name}-{seed}.yaml", pinned), at.runs)
        yield {"size": name, "seed": seed} | run.results()


def _written(file: Path, spec: dict[str, Any]) -> Path:
    write_atomically(file, dump_yaml(spec))
    return file


def prove(at: Experiment) -> dict[str, Any]:
    """All of it; the results as docs/proof/results.json holds them."""
    at.folder.mkdir(parents=True, exist_ok=True)
    make_data(at)
    make_law(at)
    spec = {"version": "budget/1", "extends": "ladder/target.yaml", "cluster": {"calibration": "machine.yaml"}}
    target = Foretold(_written(at.folder / "target.yaml", spec), at.runs).results()
    sixnd("report", target["run"], "-o", at.folder / "report.html")
    refit(at, target)
    return target | {
        "ladder_max_flops": max(float(row["flops"]) for row in at.rows()),
        "sizes": list(sizes(at)),
        "ladder": [row | {"wall_s": _of_run(Path(row["run"]))["wall_s"]} for row in at.rows()],
        "law": _constants(at.ladder / "law.yaml"),
        "law_with_target": _constants(at.folder / "law-with-target.yaml"),
    }


def _constants(file: Path) -> dict[str, Any]:
    law = load_law(file).law.plain()
    return {name: law[name] for name in ("E", "A", "B", "alpha", "beta", "gamma", "residual_sd", "missed_per_decade")}


def main() -> None:
    """Run the experiment, or what is left of it, and print where its results are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("runs/proof"))
    parser.add_argument("--target", type=Path, default=Path("specs/examples/proof/target.yaml"))
    asked = parser.parse_args()
    target = Path(os.path.relpath(asked.target))
    found = prove(Experiment(asked.folder, target))
    write_atomically(asked.folder / "results.json", json.dumps(found, indent=1) + "\n")
    print(f"results: {asked.folder / 'results.json'}")


if __name__ == "__main__":
    main()
