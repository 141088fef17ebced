"""Contradictions between fields: each is found, names both places, and is not seen where there is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.specs import catalog
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.checks import check_budget
from sixnd.specs.errors import Problem
from sixnd.specs.yaml_reader import read_yaml
from tests.specs.example import spec_with

SHAPE = "shape: {layers: 12, hidden: 768, heads: 12, kv_heads: 4, ffn: 2048}"


def problems(*changes: tuple[str, str]) -> list[Problem]:
    """Contradictions in the example spec with changes that leave it sound field by field."""
    return check_budget(BudgetSpec.model_validate(read_yaml(spec_with(*changes), "f.yaml").data))


def budget(text: str) -> tuple[str, str]:
    return ("compute: 3e21 FLOPs", text)


def layout(text: str) -> tuple[str, str]:
    return ("tensor: 2", text)


def shape(**changes: int) -> tuple[str, str]:
    text = SHAPE
    for name, value in changes.items():
        before, _, after = text.partition(f"{name}: ")
        text = f"{before}{name}: {value}{after.lstrip('0123456789')}"
    return ("sequence_length: 4096", text)


def test_the_example_holds_no_contradiction():
    assert problems() == []
    assert problems(shape()) == []


@pytest.mark.parametrize(
    ("change", "path", "both"),
    [
        (
            budget("time: 14 days\n  accelerator_hours: 40000 GPU-hours"),
            ("budget", "time"),
            ("budget.accelerator_hours (40,000", "budget.time (21,504"),
        ),
        (
            budget("time: 14 days\n  money: 250k USD"),
            ("budget", "money"),
            ("budget.time (21,504", "budget.money (84,7"),
        ),
        (
            budget("accelerator_hours: 100 GPU-hours\n  money: 250k USD"),
            ("budget", "money"),
            ("budget.accelerator_hours (100", "budget.money"),
        ),
        (
            budget("compute: 1e26 FLOPs\n  time: 1 day"),
            ("budget", "compute"),
            ("budget.compute (1e+26 FLOPs)", "budget.time (1,536", "of the peak of h100-sxm"),
        ),
        (budget("compute: ~"), ("budget",), ("compute, accelerator_hours, money, time",)),
        (("sequence_length: 4096", f"params: 7B\n  {SHAPE}"), ("model", "params"), ("params", "shape")),
        (
            ("schedule: wsd", "schedule: wsd\n  warmup_fraction: 0.6\n  decay_fraction: 0.5"),
            ("training", "decay_fraction"),
            ("warmup_fraction", "decay_fraction"),
        ),
        (
            ("schedule: wsd", "schedule: wsd\n  global_batch: 512"),
            ("training", "global_batch"),
            ("a batch of 512 tokens", "no sequence of 4,096", "512 sequences are 2,097,152 tokens"),
        ),
        (shape(heads=10, kv_heads=5), ("model", "shape", "heads"), ("hidden (768)", "heads (10)")),
        (shape(kv_heads=5), ("model", "shape", "kv_heads"), ("heads (12)", "kv_heads (5)")),
        (shape(hidden=756, heads=12), ("model", "shape", "heads"), ("hidden / heads is 63", "even")),
        (layout("tensor: 3"), ("layout", "tensor"), ("tensor 3", "64 ranks")),
        (
            layout("tensor: 2\n  pipeline: 2\n  data: 8"),
            ("layout", "tensor"),
            ("tensor 2 × pipeline 2 × data 8 makes 32 ranks", "the cluster has 64"),
        ),
        (
            layout("tensor: 1\n  sequence_parallel: true"),
            ("layout", "sequence_parallel"),
            ("sequence_parallel", "tensor"),
        ),
        (
            layout("pipeline: 1\n  virtual_pipeline: 2"),
            ("layout", "virtual_pipeline"),
            ("virtual_pipeline", "pipeline above 1"),
        ),
        (("name: prose", "name: code"), ("data", "sources", 1, "name"), ("two sources are named 'code'", "number 1")),
        (
            ("recipe: installed-docs", "recipe: installed-docs, path: '*.txt'"),
            ("data", "sources", 1, "recipe"),
            ("recipe", "path"),
        ),
    ],
)
def test_a_contradiction_is_told_once_and_names_both_sides(change, path, both):
    (problem,) = problems(change)
    assert problem.path == path
    for part in both:
        assert part in problem.sentence


def test_a_budget_in_money_without_a_price_says_which_field_to_set():
    free = [name for name in catalog.names("accelerators") if catalog.accelerator(name).price.usd_per_hour == 0]
    if not free:
        pytest.skip("every accelerator of the catalog has a price")
    (problem,) = problems(budget("money: 10 USD"), ("64 x h100-sxm", f"64 x {free[0]}"))
    assert "cluster.price_usd_per_accelerator_hour" in problem.do


def test_two_ways_to_say_one_budget_may_differ_by_rounding():
    assert problems(budget("time: 14 days\n  accelerator_hours: 21500 GPU-hours")) == []


def test_a_price_in_the_spec_decides_what_money_buys():
    price = ("64 x h100-sxm", "64 x h100-sxm\n  price_usd_per_accelerator_hour: 2 USD")
    assert problems(budget("accelerator_hours: 1000 GPU-hours\n  money: 2000 USD"), price) == []
    assert problems(budget("accelerator_hours: 1000 GPU-hours\n  money: 2950 USD"), price) != []


def test_compute_and_time_that_the_hardware_could_do_are_left_to_the_planner():
    assert problems(budget("compute: 1e21 FLOPs\n  time: 1 day")) == []


@given(st.integers(1, 64), st.integers(1, 64), st.integers(1, 64))
def test_a_pinned_layout_is_taken_exactly_when_it_makes_the_cluster(tensor, pipeline, data):
    found = problems(layout(f"tensor: {tensor}\n  pipeline: {pipeline}\n  data: {data}"))
    assert (found == []) == (tensor * pipeline * data == 64)


@given(st.integers(1, 128))
def test_a_partly_pinned_layout_is_taken_exactly_when_it_divides_the_cluster(tensor):
    assert (problems(layout(f"tensor: {tensor}")) == []) == (64 % tensor == 0)
