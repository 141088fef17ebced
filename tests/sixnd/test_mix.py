"""`sixnd fit --mix`, planning by its file, and the mix explained, as a user calls them."""

import json
from pathlib import Path

import numpy as np
import pytest

from sixnd.cli import main
from sixnd.specs.load import load_any
from sixnd.specs.mix_document import MixDocument

SPEC = """\
version: budget/1
name: mixed
budget: {compute: 3e21 FLOPs}
cluster: {accelerators: 64 x h100-sxm}
data:
  mix: MIX
  sources:
    - {name: crawl, kind: web, weight: auto, unique_tokens: 500B tokens}
    - {name: code, kind: code, weight: auto, unique_tokens: 20B tokens}
    - {name: poems, kind: books, quality: 3, weight: auto, unique_tokens: 10B tokens}
"""


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    generator = np.random.default_rng(1)
    weights = generator.dirichlet([2, 1.5, 1.5], 24)
    losses = 2 + np.exp(weights @ np.array([[-0.8, 0.4, 0.1], [0.9, -1.2, 0.9], [0.2, 0.5, -1.0]]).T)
    names = ("web", "code", "books")
    rows = [",".join([*(f"weight:{n}" for n in names), *(f"loss:{n}" for n in names)])]
    rows += [",".join(f"{value:.6f}" for value in (*w, *y)) for w, y in zip(weights, losses, strict=True)]
    file = tmp_path / "runs.csv"
    file.write_text("\n".join(rows) + "\n")
    return file


def spec_by(tmp_path: Path, mix: str, **changes: str) -> str:
    text = SPEC.replace("MIX", mix)
    for old, new in changes.items():
        text = text.replace(f"  {old}:", new)
    file = tmp_path / "spec.yaml"
    file.write_text(text)
    return str(file)


def test_a_fitted_mix_is_written_and_planned_by(runs, tmp_path, capsys):
    assert main(["fit", str(runs), "--mix", "--name", "blend", "-o", str(tmp_path / "mix.yaml")]) == 0
    told = capsys.readouterr()
    assert "Best" in told.out
    assert "mix: mix.yaml" in told.err
    written = load_any(tmp_path / "mix.yaml")
    assert isinstance(written, MixDocument)
    assert main(["plan", spec_by(tmp_path, "mix.yaml"), "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    best = written.mix.weights()
    planned = {source["name"]: source["weight"] for source in plan["data"]["sources"]}
    assert planned == pytest.approx({"crawl": best["web"], "code": best["code"], "poems": best["books"]}, abs=1e-9)


def test_too_few_runs_are_an_invalid_input(runs, capsys):
    runs.write_text("\n".join(runs.read_text().splitlines()[:5]))
    assert main(["fit", str(runs), "--mix"]) == 3
    assert "at least 7 runs" in capsys.readouterr().err


@pytest.mark.parametrize("more", [["--mix", "--form", "chinchilla"], ["--target", "web=1"]])
def test_options_of_the_other_fit_are_a_wrong_call(runs, more):
    assert main(["fit", str(runs), *more]) == 2


def test_the_mix_is_explained_with_what_better_text_would_take(tmp_path, capsys):
    assert main(["explain", spec_by(tmp_path, "llama-1"), "mix", "--json"]) == 0
    steps = {step["step"]: step for step in json.loads(capsys.readouterr().out)["steps"]}
    assert steps["web in the mix"]["value"] == pytest.approx(0.82)
    assert "epochs of poems" in steps
    assert "assumption" in steps["effective tokens"]["source"]
    planned = next(step for name, step in steps.items() if name.endswith("(planned)"))
    assert "1 × planned D" in planned["formula"]


def test_more_epochs_than_the_spec_allows_end_with_what_would_do(tmp_path, capsys):
    spec = spec_by(tmp_path, "proportional", sources="  max_epochs: 0.1\n  sources:")
    assert main(["plan", spec]) == 4
    told = capsys.readouterr().err
    assert "feasible with data.tokens of at most" in told
    assert "spec.yaml:7:15" in told


def test_published_mixes_are_listed_with_their_citation(capsys):
    assert main(["catalog", "mixes"]) == 0
    told = capsys.readouterr().out
    assert "arXiv:2302.13971" in told
    assert "llama-3-estimate" in told
    assert "weights: web 82.0%, code 4.5%, encyclopaedia 4.5%, books 4.5%" in " ".join(told.split())
