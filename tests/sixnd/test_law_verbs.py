"""`sixnd fit` and `sixnd allocate` as a user calls them."""

import json

import numpy as np
import pytest

from sixnd.cli import main
from sixnd.planner.laws import Surface
from sixnd.specs.load import load_budget, load_law

TRUTH = Surface(1.8, 480.0, 2100.0, 0.35, 0.37)
SPEC = """\
version: budget/1
name: with-own-law
budget: {compute: 1e21 FLOPs}
cluster: {accelerators: 64 x h100-sxm}
data: {sources: [{name: web, path: "*.txt"}]}
law: laws/mine.yaml
"""


def runs_file(folder, name="runs.csv", bad=()):
    params, ratio = (axis.ravel() for axis in np.meshgrid(np.geomspace(3e7, 3e9, 4), np.geomspace(4, 150, 4)))
    loss = TRUTH.loss(params, params * ratio) * np.exp(0.003 * np.random.default_rng(0).standard_normal(16))
    rows = [f"{N!r},{N * r!r},{L!r}" for N, r, L in zip(params.tolist(), ratio.tolist(), loss.tolist(), strict=True)]
    file = folder / name
    file.write_text("\n".join(["params,tokens,loss", *rows, *bad]) + "\n")
    return file


def fit(*arguments):
    return main(["fit", *map(str, arguments), "--draws", "400"])


def test_json_holds_the_fit_and_allocations_for_every_budget_asked_for(tmp_path, capsys):
    assert fit(runs_file(tmp_path), "--json", "--at", "1e21", "5.76e23", "--at", "1e22 FLOPs") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["form"], found["approach"]) == ("chinchilla", 3)
    assert set(found["parameters"]) == {"E", "A", "B", "alpha", "beta", "gamma"}
    assert found["parameters"]["alpha"] * found["parameters"]["gamma"] == pytest.approx(0.35, abs=0.05)
    assert (found["rows_used"], found["rows_refused"]) == (16, 0)
    assert [row["C"] for row in found["allocation"]] == [1e21, 5.76e23, 1e22]
    for row in found["allocation"]:
        assert 6 * row["N"] * row["D"] == pytest.approx(row["C"])
        for name in ("N", "D", "L"):
            low, high = row["intervals"][name]
            assert low < row[name] < high


def test_a_written_law_plans_a_spec_that_names_it(tmp_path, capsys):
    (tmp_path / "laws").mkdir()
    assert fit(runs_file(tmp_path), "--name", "mine", "-o", tmp_path / "laws" / "mine.yaml", "--json") == 0
    assert load_law(tmp_path / "laws" / "mine.yaml").name == "mine"
    spec, plan = tmp_path / "spec.yaml", tmp_path / "plan.yaml"
    spec.write_text(SPEC)
    assert load_budget(spec).planning_law.name == "mine"
    capsys.readouterr()
    assert main(["plan", str(spec), "-o", str(plan)]) == 0
    assert "mine" in capsys.readouterr().out
    assert main(["validate", str(spec), str(plan)]) == 0


def test_a_spec_that_names_no_law_is_told_with_its_line_and_the_file_s_own_mistake(tmp_path, capsys):
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC)
    assert main(["validate", str(spec)]) == 3
    told = capsys.readouterr().err
    assert f"{spec}:6:6: law: " in told
    (tmp_path / "laws").mkdir()
    (tmp_path / "laws" / "mine.yaml").write_text("version: law/1\nname: 3 x\n")
    assert main(["validate", str(spec)]) == 3
    assert "mine.yaml:1:1" in capsys.readouterr().err
    assert main(["validate", str(tmp_path / "laws" / "mine.yaml")]) == 3
    assert "mine.yaml:2:7" in capsys.readouterr().err


def test_bad_rows_are_named_the_law_is_not_written_and_the_code_is_3(tmp_path, capsys):
    file, law = runs_file(tmp_path, bad=["1e8,2e9,nan", "1e8,2e9,-1"]), tmp_path / "law.yaml"
    assert fit(file, "-o", law, "--json") == 3
    out, err = capsys.readouterr()
    assert json.loads(out)["rows_refused"] == 2
    assert "runs.csv:18" in err
    assert "runs.csv:19" in err
    assert not law.exists()
    assert fit(file, "-o", law, "--json", "--skip-refused") == 0
    assert law.exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("params,tokens,loss\n1e7,1e9,3\n", "1 usable run"),
        ("params,tokens,loss\n" + "".join(f"1e8,{i}e9,{4 - i / 10}\n" for i in range(1, 8)), "model size"),
        ("params,tokens,loss\n" + "".join(f"{i / 10},{i}e9,{4 - i / 10}\n" for i in range(1, 8)), "billions"),
        ("a,b\n1,2\n", "--columns"),
    ],
)
def test_a_table_that_tells_no_law_is_refused_in_words_with_code_3(tmp_path, capsys, text, words):
    file = tmp_path / "runs.csv"
    file.write_text(text)
    assert fit(file) == 3
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(("approach", "needs"), [("1", "curve"), ("2", "equal compute")])
def test_an_approach_says_what_it_needs(tmp_path, capsys, approach, needs):
    assert fit(runs_file(tmp_path), "--approach", approach, "--json") == 3
    assert needs in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--at", "1e21 bananas"], "bananas"), (["--at", "inf"], "inf"), (["--name", "my law"], "my law")],
)
def test_a_wrong_option_is_a_wrong_call(tmp_path, capsys, arguments, words):
    assert fit(runs_file(tmp_path), *arguments) == 2
    assert words in capsys.readouterr().err


def allocate(capsys, *arguments):
    assert main(["allocate", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_allocate_answers_with_intervals_and_every_other_law(capsys):
    found = allocate(capsys, "5.76e23")
    assert found["N"] == pytest.approx(7.225e10, rel=1e-3)
    assert found["intervals"]["N"]["80%"][0] < found["N"] < found["intervals"]["N"]["95%"][1]
    assert {choice["law"] for choice in found["laws"]} >= {"kaplan-2020", "hoffmann-2022", "deepseek-2024"}


def test_allocate_fixes_serves_repeats_and_targets(capsys):
    free = allocate(capsys, "1e22")
    assert allocate(capsys, "1e22", "--params", "1B")["N"] == 1e9
    assert allocate(capsys, "1e22", "--tokens", "1T")["D"] == 1e12
    assert allocate(capsys, "1e22", "--params", "1B")["L"] > free["L"]
    assert allocate(capsys, "1e22", "--serve-output", "10T")["N"] < free["N"]
    assert allocate(capsys, "1e22", "--unique", "20B")["L"] > free["L"]
    assert allocate(capsys, "--loss", str(free["L"]))["C"] == pytest.approx(1e22, rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 1, "compute budget"),
        (["--loss", "1.5"], 4, "irreducible"),
        (["1e22", "--params", "1B", "--tokens", "1T"], 1, "nothing to choose"),
        (["1e22", "--params", "1B widgets"], 2, "widgets"),
        (["nan"], 2, "nan"),
        (["1e400"], 2, "1e400"),
        (["1e22", "--law", "kaplan-2020"], 1, "besiroglu-2024"),
        (["1e23", "--experts", "64"], 4, "512 experts"),
    ],
)
def test_allocate_refuses_in_words(capsys, arguments, code, words):
    assert main(["allocate", *arguments]) == code
    assert words in capsys.readouterr().err


def test_allocate_prints_the_answer_in_eighty_columns(capsys):
    assert main(["allocate", "1e22", "--serve-output", "1T", "--unique", "50B"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert "Tokens a parameter" in out
    assert "What each law would choose" in out
