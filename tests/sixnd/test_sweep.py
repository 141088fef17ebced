"""`sixnd sweep`: a spec planned with several values of some fields, as table, JSON and CSV."""

import csv
import json
from pathlib import Path

import pytest

from sixnd.cli import main
from sixnd.planner.plan import make_plan
from sixnd.specs.load import load_budget

SPEC = Path(__file__).parents[2] / "specs" / "examples" / "h100-1b.yaml"


def swept(capsys, *fields: str) -> list[dict]:
    assert main(["sweep", str(SPEC), *fields, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_every_combination_is_planned_as_the_plan_of_its_own_spec(capsys):
    rows = swept(capsys, "budget.money=200 USD,400 USD", "training.global_batch=1M,2M")
    assert [(row["budget.money"], row["training.global_batch"]) for row in rows] == [
        ("200 USD", "1M"),
        ("200 USD", "2M"),
        ("400 USD", "1M"),
        ("400 USD", "2M"),
    ]
    alone = make_plan(load_budget(SPEC, ["budget.money=200 USD", "training.global_batch=2M"]))
    assert rows[1]["params"] == alone.model.params
    assert rows[1]["money_usd"] == alone.estimates.money_usd.value
    assert rows[1]["layout"] == alone.layout.label()


def test_more_money_buys_a_better_loss(capsys):
    losses = [row["loss"] for row in swept(capsys, "budget.money=100 USD,400 USD,1600 USD")]
    assert losses == sorted(losses, reverse=True)
    assert len(set(losses)) == 3


def test_a_combination_without_a_plan_is_a_row_that_says_why(capsys):
    rows = swept(capsys, "layout.tensor=1,16")
    assert rows[0]["why_not"] is None
    assert rows[1]["params"] is None
    assert rows[1]["why_not"]


def test_a_value_that_no_spec_may_have_is_a_row_too(capsys):
    rows = swept(capsys, "budget.money=400 USD,400 miles")
    assert rows[0]["params"] > 0
    assert "'miles'" in rows[1]["why_not"]


def test_a_mistake_that_every_combination_has_is_told_with_its_place(tmp_path, capsys):
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC.read_text("utf-8").replace("400 USD", "400 miles"), "utf-8")
    assert main(["sweep", str(spec), "training.seed=1,2"]) == 3
    assert f"{spec}:8:10: budget.money: " in capsys.readouterr().err


def test_nothing_feasible_is_exit_code_4(capsys):
    assert (
        main(["sweep", str(SPEC), "cluster.memory_per_accelerator=1 GB,2 GB", "--set", "model.params=70B params"]) == 4
    )
    assert "Plans side by side" in capsys.readouterr().out


@pytest.mark.parametrize("field", ["budget.money", "budget.money=", "=1", "budget.money=1 USD,,2 USD"])
def test_a_field_without_values_is_a_wrong_call(field, capsys):
    assert main(["sweep", str(SPEC), field]) == 2
    assert "expected PATH=VALUE,VALUE…" in capsys.readouterr().err


def test_too_many_combinations_are_refused(capsys):
    numbers = ",".join(map(str, range(1, 42)))
    assert main(["sweep", str(SPEC), f"training.seed={numbers}", f"layout.micro_batch={numbers}"]) == 2
    assert "1,681 combinations" in capsys.readouterr().err


def test_commas_inside_of_brackets_and_quotes_do_not_part_values(capsys):
    rows = swept(capsys, "training={seed: 1, schedule: wsd},{seed: 2}", "data.sources.web.licence='a,b',c")
    assert [row["training"] for row in rows] == ["{seed: 1, schedule: wsd}"] * 2 + ["{seed: 2}"] * 2
    assert [row["data.sources.web.licence"] for row in rows] == ["'a,b'", "c"] * 2


def test_the_table_fits_its_width_and_the_file_holds_every_number(tmp_path, capsys):
    assert main(["sweep", str(SPEC), "cluster.accelerators=8 x h100-sxm,16 x h100-sxm", "--width", "80"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split()[:3] for line in lines if " x " in line] == [["8", "x", "h100-sxm"], ["16", "x", "h100-sxm"]]
    out = tmp_path / "sweep.csv"
    assert main(["sweep", str(SPEC), "training.seed=1,2", "-o", str(out)]) == 0
    rows = list(csv.DictReader(out.read_text("utf-8").splitlines()))
    assert [row["training.seed"] for row in rows] == ["1", "2"]
    assert float(rows[0]["wall_time_s"]) > 0
