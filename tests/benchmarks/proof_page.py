"""docs/proof/: the experiment's results as a page, a picture and JSON, and the head of the README.

    python -m tests.benchmarks.proof_page FOLDER

of what `tests.benchmarks.proof FOLDER` left there. The page says of each claim whether it held.
"""

import argparse
import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sixnd.planner import laws
from sixnd.specs.files import write_atomically
from sixnd.specs.load import load_law
from sixnd.specs.record import Launch, read_record
from tests.benchmarks.marks import between

ROOT = Path(__file__).resolve().parents[2]
DOCS, README = ROOT / "docs" / "proof", ROOT / "README.md"
BEGIN, END = "<!-- proof: written by tests/benchmarks/proof_page.py -->", "<!-- end of proof -->"
_WALL, _MEMORY, _LOSS, _SIZES = 0.20, 0.15, 0.02, 0.005
"""How far off a prediction may be: wall time, memory, loss; and the planned size from the best of three."""
_INK, _SOFT, _OWN = "#1f2328", "#8b949e", "#0969da"


def claims(found: dict[str, Any]) -> Iterator[tuple[str, str, str, bool]]:
    """What was claimed, what was predicted, what came, and whether it held."""
    loss, (low, high) = found["actual_loss"], found["interval95"]
    off = loss / found["predicted_loss"] - 1
    said = f"{found['predicted_loss']:.3f} nats (95 %: {low:.3f} to {high:.3f})"
    yield "loss inside the 95 % interval", said, f"{loss:.3f} nats", low <= loss <= high
    yield f"loss within {_LOSS:.0%} of the prediction", said, f"{loss:.3f} nats ({off:+.2%})", abs(off) <= _LOSS
    for name, unit, scale, most in (("wall_s", "min", 60, _WALL), ("memory_bytes", "MB", 1e6, _MEMORY)):
        predicted, actual = found[f"predicted_{name}"], found[f"actual_{name}"]
        what = {"wall_s": "wall time", "memory_bytes": "peak memory"}[name]
        came = f"{actual / scale:,.1f} {unit} ({actual / predicted - 1:+.1%})"
        held = abs(actual / predicted - 1) <= most
        yield f"{what} within {most:.0%}", f"{predicted / scale:,.1f} {unit}", came, held
    planned, best, noise = _of_sizes(found["sizes"])
    allowed = max(_SIZES * best, 2 * noise)
    came = f"{planned:.4f} against {best:.4f} nats, seeds differ by {noise:.4f} (standard deviation)"
    what = f"planned size within {_SIZES:.1%} of the best of three, or twice the seeds' noise"
    yield what, "the best", came, planned - best <= allowed


def _of_sizes(rows: list[dict[str, Any]]) -> tuple[float, float, float]:
    """Loss of the planned size, of the best size, and the standard deviation among seeds; means over seeds."""
    of = {name: [row["actual_loss"] for row in rows if row["size"] == name] for name in ("half", "planned", "double")}
    means = {name: statistics.fmean(losses) for name, losses in of.items()}
    return means["planned"], min(means.values()), statistics.stdev(of["planned"])


def picture(found: dict[str, Any], law: Path) -> str:
    """Loss over compute as SVG: the ladder's runs, the frontier of their law, the prediction and what came."""
    import altair as alt
    import pandas as pd
    import vl_convert

    fitted = load_law(law).law
    ladder = pd.DataFrame([{"C": float(row["flops"]), "loss": float(row["loss"])} for row in found["ladder"]])
    budgets = np.geomspace(ladder["C"].min(), found["target_flops"] * 1.5, 60)
    frontier = pd.DataFrame([{"C": c, "loss": laws.optimum(fitted, c).loss} for c in budgets])
    low, high = found["interval95"]
    actual, said = found["actual_loss"], found["predicted_loss"]
    target = pd.DataFrame([{"C": found["target_flops"], "low": low, "high": high, "loss": actual, "said": said}])
    x = alt.X(
        "C:Q",
        scale=alt.Scale(type="log", nice=False, padding=24),
        title="training compute, FLOPs (6ND)",
        axis=alt.Axis(format=".0e"),
    )

    def y(field: str) -> Any:
        return alt.Y(f"{field}:Q", scale=alt.Scale(zero=False, padding=16), title="validation loss, nats per token")

    layers = [
        alt.Chart(frontier).mark_line(color=_SOFT, strokeDash=[5, 4]).encode(x=x, y=y("loss")),
        alt.Chart(ladder).mark_circle(color=_SOFT, size=70).encode(x=x, y=y("loss")),
        alt.Chart(target).mark_rule(color=_OWN, strokeWidth=3).encode(x=x, y=y("low"), y2="high:Q"),
        alt.Chart(target).mark_point(color=_OWN, shape="square", size=120, filled=False).encode(x=x, y=y("said")),
        alt.Chart(target).mark_point(color=_INK, shape="cross", size=140, filled=True).encode(x=x, y=y("loss")),
    ]
    title = alt.Title(
        "Predicted before it was trained",
        subtitle="circles: the ladder; dashed: its law's frontier; square and bar: predicted, 95 %; cross: what came",
    )
    chart = alt.layer(*layers).properties(width=640, height=320, title=title, background="white")
    return str(vl_convert.vegalite_to_svg(chart.to_dict()))


def page(found: dict[str, Any]) -> str:
    """docs/proof/README.md."""
    runs = len(found["ladder"])
    head = [
        "# The proof: a run predicted before it was trained",
        "",
        f"{runs} small runs, a law of them, and a plan for {_times(found):.1f} times the compute of the largest.",
        f"The prediction was written, and its plan hashed, at {found['predicted_at']}; then the plan was run.",
        f"On {found['machine']}, commit {found['commit']}, {found['date']}; all {_minutes(found)}.",
        "Written by `python -m tests.benchmarks.proof_page`; all of it anew: `make proof`. The same on a cluster",
        "of your own: [own-cluster.md](own-cluster.md). All attempts, why they came as they did, and what each mended:",
        "[history.md](history.md). The same asked of published runs: [published.md](published.md).",
        "",
        "![loss over compute](loss.svg)",
        "",
    ]
    parts = (_claims_table(found), _ladder(found), _laws(found), _sizes_table(found))
    return "\n".join([*head, *(line for part in parts for line in [*part, ""])])


def _minutes(found: dict[str, Any]) -> str:
    runs = [row["wall_s"] for row in found["ladder"]] + [row["actual_wall_s"] for row in (found, *found["sizes"])]
    return f"{len(runs)} runs took {sum(runs) / 60:.0f} minutes"


def readme_head(found: dict[str, Any]) -> str:
    """What the README opens with."""
    picture = "![Loss over compute: the ladder, its law, the prediction and what came](docs/proof/loss.svg)"
    said = [
        f"**Predicted before it was trained**: {len(found['ladder'])} small runs gave a law, by which a run of "
        f"{_times(found):.1f} times the",
        f"compute of their largest was planned. {found['machine']}, commit {found['commit']}, {found['date']};",
        f"{_minutes(found)}; again by `make proof`. [The page](docs/proof/README.md),",
        "[why it came so, and all attempts](docs/proof/history.md).",
    ]
    return "\n".join([picture, "", *said, "", *_claims_table(found)])


def _times(found: dict[str, Any]) -> float:
    return float(found["target_flops"] / found["ladder_max_flops"])


def _claims_table(found: dict[str, Any]) -> list[str]:
    rows = [
        f"| {what} | {predicted} | {came} | {'yes' if holds else '**no**'} |"
        for what, predicted, came, holds in claims(found)
    ]
    return ["| claim | predicted | came | held |", "|---|---|---|---|", *rows]


def _laws(found: dict[str, Any]) -> list[str]:
    rows = [
        f"| {name} | {_law(found[key])} |" for name, key in (("ladder", "law"), ("with the target", "law_with_target"))
    ]
    head = ["## The law, before and after", "", "| fitted to | L |", "|---|---|", *rows]
    return [*head, "", f"The plan's SHA-256, written before the run: `{found['plan_sha256']}`."]


def _law(law: dict[str, float]) -> str:
    terms = f"{law['A']:,.4g}/N^{law['alpha']:.4g} + {law['B']:,.4g}/D^{law['beta']:.4g}"
    return f"{law['E']:.4g} + {terms}" if law["gamma"] == 1 else f"{law['E']:.4g} + ({terms})^{law['gamma']:.4g}"


def _ladder(found: dict[str, Any]) -> list[str]:
    rows = [
        f"| {row['name']} | {int(row['params']):,} | {int(row['tokens']):,} | {float(row['flops']):.2e} "
        f"| {float(row['loss']):.4f} |"
        for row in found["ladder"]
    ]
    rows.append(
        f"| **the target** | {found['params']:,} | {found['tokens']:,} | {found['target_flops']:.2e} "
        f"| {found['actual_loss']:.4f} (predicted {found['predicted_loss']:.4f}) |"
    )
    return ["## The ladder", "", "| run | N | D | FLOPs (6ND) | validation loss |", "|---|---|---|---|---|", *rows]


def _sizes_table(found: dict[str, Any]) -> list[str]:
    rows = [
        f"| {row['size']} | {row['seed']} | {row['params']:,} | {row['tokens']:,} | {row['predicted_loss']:.4f} "
        f"({row['interval95'][0]:.3f} to {row['interval95'][1]:.3f}) | {row['actual_loss']:.4f} "
        f"| {row['predicted_wall_s']:.0f} | {row['actual_wall_s']:.0f} |"
        for row in found["sizes"]
    ]
    compute = found["sizes"][0]["target_flops"]
    return [
        "## The planned size against its half and its double",
        "",
        f"At one budget, {compute:.2e} FLOPs, on the same held-out text; each predicted before it was trained.",
        "",
        "| size | seed | N | D | predicted loss (95 %) | validation loss | predicted wall, s | wall, s |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
    ]


def provenance(run: Path) -> dict[str, str]:
    """Machine and commit with which the target was trained, as its record says."""
    launch = read_record(run / "record.jsonl").last(Launch)
    assert launch is not None, "it was trained"
    return {"machine": f"{launch.cpu_count} cores of {launch.device}", "commit": (launch.git_commit or "none")[:7]}


def main() -> None:
    """Write the page, the picture and the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    asked = parser.parse_args()
    found = json.loads((asked.folder / "results.json").read_text(encoding="utf-8"))
    found |= provenance(Path(found["run"])) | {"date": found["predicted_at"][:10]}
    published = DOCS / "published.json"
    if published.exists():
        found["published"] = json.loads(published.read_text(encoding="utf-8"))
    for row in (found, *found["sizes"], *found["ladder"]):
        del row["run"]  # a path of the machine that it was trained on
    DOCS.mkdir(parents=True, exist_ok=True)
    write_atomically(DOCS / "loss.svg", picture(found, asked.folder / "ladder" / "law.yaml"))
    write_atomically(DOCS / "results.json", json.dumps(found, indent=1) + "\n")
    write_atomically(DOCS / "README.md", page(found))
    write_atomically(README, between(README.read_text(encoding="utf-8"), BEGIN, END, readme_head(found)))


if __name__ == "__main__":
    main()
