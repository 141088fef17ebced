from dataclasses import replace

import numpy as np
import pytest

from sixnd.planner.runtime import with_constants
from sixnd.specs import catalog
from tests.benchmarks.step_columns import read
from tests.benchmarks.step_fit import ALL, CONSTANTS, Fit, half_widths
from tests.benchmarks.step_writing import CATALOG, with_family
from tests.planner.shared_data import shared


@pytest.fixture(scope="module")
def columns():
    return read(shared("truth/throughput.csv"), shared("truth/layout_sweeps_a100.csv"))


def everything(columns):
    return np.ones(len(columns.rows), dtype=bool)


def test_columns_predict_as_each_row_does_alone(columns):
    from tests.benchmarks.step_rows import configuration

    families = {name: catalog.step_family(name) for name in ALL}
    found = np.exp(columns.log_predicted(families))
    for i in range(0, len(columns.rows), 97):
        assert found[i] == pytest.approx(configuration(columns.rows[i]).seconds())


def test_constants_that_made_the_times_are_found_again(columns):
    fit = Fit.of(columns)
    truth = np.log([one.centre for one in CONSTANTS]) - 0.05
    made = replace(columns, log_seconds=fit.predicted(truth))
    found = Fit.of(made)
    off = found.predicted(found.fitted(everything(columns))) - made.log_seconds
    assert np.abs(off).mean() < 0.01


def test_the_catalog_holds_what_the_fit_gives(columns):
    fit = Fit.of(columns)
    families = fit.families_at(fit.fitted(everything(columns)))
    for name in ALL:
        kept = catalog.step_family(name)
        for one in CONSTANTS:
            field, _, key = one.name.partition(".")
            if name in one.families:
                new, old = (
                    getattr(family, field)[key] if key else getattr(family, field) for family in (families[name], kept)
                )
                assert old == pytest.approx(new, rel=0.02), (name, one.name)


def test_half_widths_hold_eighty_per_cent_of_the_rows(columns):
    off = np.random.default_rng(0).normal(0, 0.1, len(columns.rows))
    widths = half_widths(columns, columns.log_seconds + off, columns.log_seconds + off)
    assert widths["relative_error"]["hopper"] == pytest.approx(np.expm1(0.128), abs=0.02)
    assert widths["expert_relative_error"]["ampere"] == max(widths["expert_relative_error"].values())


def test_what_is_written_into_the_catalog_is_read_again(tmp_path):
    family = with_constants(catalog.step_family("hopper"), {"matmul.fp8": 0.5, "launch_s": 1e-3, "network": 0.123})
    text = with_family(CATALOG.read_text("utf-8"), "hopper", family)
    before = CATALOG.read_text("utf-8").splitlines()
    changed = [line.strip() for line, old in zip(text.splitlines(), before, strict=True) if line != old]
    products = f"matmul: {{bf16: {family.matmul['bf16']:.3g}, fp8: 0.5}}"
    assert changed == [products, "network: 0.123", "launch_s: 1000.0e-6"]
