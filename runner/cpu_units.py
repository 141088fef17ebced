"""What this machine's CPU multiplies BF16 with, by what its kernel says of it."""

from pathlib import Path
from typing import Literal

from sixnd.specs.plan import Plan

Units = Literal["amx", "avx512", "none"]
_FLAGS: tuple[tuple[str, Units], ...] = (("amx_bf16", "amx"), ("avx512_bf16", "avx512"))
"""Names in /proc/cpuinfo, the quickest first."""
ENTRIES: dict[Units, str] = {"amx": "cpu-2core-amx", "avx512": "cpu-2core-avx512-bf16", "none": "cpu-2core"}
"""The catalog's entry for each."""
_CPU_INFO = Path("/proc/cpuinfo")


def bf16_units() -> Units:
    """Matrix units (AMX), vector units (AVX-512 BF16), or none; none too where the system does not tell."""
    lines = _CPU_INFO.read_text("utf-8", errors="replace").splitlines() if _CPU_INFO.exists() else []
    flags = set(next((line for line in lines if line.startswith("flags")), "").split())
    return next((units for flag, units in _FLAGS if flag in flags), "none")


def slow_precision(plan: Plan) -> str:
    """A sentence on a plan that trains in BF16 on a CPU that has to emulate it; else empty."""
    if not plan.cluster.shared_host or plan.training.precision != "bf16" or bf16_units() != "none":
        return ""
    return (
        "the plan trains in BF16, and this CPU has no units for it (neither AMX nor AVX-512 BF16): its products are "
        "then slower than in FP32; plan with training.precision fp32, or with cluster.accelerators cpu-2core"
    )
