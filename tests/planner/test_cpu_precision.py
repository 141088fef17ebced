import pytest

from sixnd.planner.plan import make_plan
from sixnd.specs.budget import BudgetSpec


def _plan(accelerator: str, precision: str = "auto"):
    return make_plan(
        BudgetSpec.model_validate(
            {
                "version": "budget/1",
                "name": "cpu",
                "budget": {"compute": 1e13},
                "cluster": {"accelerators": f"1 x {accelerator}"},
                "model": {"params": 1.1e6, "sequence_length": 256},
                "data": {"sources": [{"name": "code", "recipe": "python-stdlib"}]},
                "training": {"precision": precision},
            }
        )
    )


@pytest.mark.parametrize(
    ("accelerator", "precision"),
    [("cpu-2core", "fp32"), ("cpu-2core-avx512-bf16", "bf16"), ("cpu-2core-amx", "bf16")],
)
def test_auto_takes_bf16_where_the_cpu_multiplies_it(accelerator: str, precision: str) -> None:
    assert _plan(accelerator).training.precision == precision


def test_bf16_on_a_cpu_is_planned_quicker_and_with_a_wider_interval() -> None:
    fp32, bf16 = (_plan("cpu-2core-avx512-bf16", each).estimates.step_time_s for each in ("fp32", "bf16"))
    usual = _plan("cpu-2core").estimates.step_time_s
    assert bf16.value < fp32.value
    assert bf16.high / bf16.value > 1.4 * usual.high / usual.value
