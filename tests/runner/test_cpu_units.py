from pathlib import Path

import pytest

from sixnd.runner import cpu_units
from sixnd.runner.cpu_units import ENTRIES, Units, bf16_units, slow_precision
from sixnd.specs import catalog
from sixnd.specs.plan import Plan
from tests.runner import tiny


def _flags(monkeypatch: pytest.MonkeyPatch, folder: Path, flags: str) -> None:
    info = folder / "cpuinfo"
    info.write_text(f"processor\t: 0\nmodel name\t: a CPU\nflags\t\t: {flags}\nbugs\t\t: amx_bf16\n")
    monkeypatch.setattr(cpu_units, "_CPU_INFO", info)


def _plan(precision: str) -> Plan:
    plan = tiny.plan()
    return plan.model_copy(update={"training": plan.training.model_copy(update={"precision": precision})})


@pytest.mark.parametrize(
    ("flags", "units"),
    [
        ("fpu avx512_bf16 amx_tile amx_bf16", "amx"),
        ("fpu avx512_bf16 avx512f", "avx512"),
        ("fpu avx2 amx_tile avx512_bf16x", "none"),
    ],
)
def test_the_kernels_flags_tell_the_units(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flags: str, units: Units
) -> None:
    _flags(monkeypatch, tmp_path, flags)
    assert bf16_units() == units


def test_a_system_that_does_not_tell_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cpu_units, "_CPU_INFO", tmp_path / "absent")
    assert bf16_units() == "none"


def test_every_kind_of_cpu_has_an_entry_with_the_peaks_it_can_reach() -> None:
    for units, entry in ENTRIES.items():
        assert ("bf16" in catalog.accelerator(entry).peak_flops) == (units != "none")


def test_bf16_is_called_slow_only_where_it_is_emulated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _flags(monkeypatch, tmp_path, "fpu avx2")
    assert "training.precision fp32" in slow_precision(_plan("bf16"))
    assert slow_precision(_plan("fp32")) == ""
    on_gpus = _plan("bf16")
    cluster = on_gpus.cluster.model_copy(update={"shared_host": False})
    assert slow_precision(on_gpus.model_copy(update={"cluster": cluster})) == ""
    _flags(monkeypatch, tmp_path, "fpu avx512_bf16")
    assert slow_precision(_plan("bf16")) == ""
