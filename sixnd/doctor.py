"""What `sixnd doctor` finds out about the machine and the installation, without importing torch."""

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from sixnd import __version__

_SHOWN = ("torch", "megatron-core", "sentencepiece", "pydantic", "numpy")
_EXTRAS = ("run", "report", "export")


_UNITS = {"amx": "matrix units (AMX)", "avx512": "vector units (AVX-512 BF16)", "none": "no units: plan in FP32"}


def examine() -> dict[str, Any]:
    """Versions, cores, memory (bytes), GPUs as their driver names them, and what each extra still lacks."""
    from sixnd.runner.cpu_units import ENTRIES, bf16_units

    units = bf16_units()
    return {
        "sixnd": __version__,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _SHOWN},
        "extras": {extra: _lacking(extra) for extra in _EXTRAS},
        "system": f"{platform.system()} {platform.machine()}",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "bf16_units": units,
        "cpu_entry": ENTRIES[units],
        "memory_bytes": _memory_bytes(),
        "gpus": _gpus(),
    }


def examination_text(facts: dict[str, Any]) -> str:
    """The facts as a person reads them."""
    rows = [("sixnd", facts["sixnd"]), ("python", facts["python"])]
    rows += [(name, found or "not installed") for name, found in facts["packages"].items()]
    rows += [(f"[{extra}]", _extra_text(extra, lacking)) for extra, lacking in facts["extras"].items()]
    memory = facts["memory_bytes"]
    rows += [
        ("system", facts["system"]),
        ("cores", str(facts["cores"])),
        ("BF16 on CPU", _UNITS[facts["bf16_units"]]),
        ("CPU in specs", _entry_text(facts["cpu_entry"], facts["cores"])),
        ("memory", f"{memory / 1e9:.1f} GB" if memory else "unknown"),
        ("GPUs", "; ".join(facts["gpus"]) or "none found (nvidia-smi); training runs on the CPU"),
    ]
    return "\n".join(f"{label:<14} {value}" for label, value in rows)


def _extra_text(extra: str, lacking: list[str]) -> str:
    return f"lacks {', '.join(lacking)}: pip install 'sixnd[{extra}]'" if lacking else "complete"


def _entry_text(entry: str, cores: int) -> str:
    """How to name this CPU in a spec."""
    if cores == 2:
        return f"cluster.accelerators: 1 x {entry}"
    return (
        f"cluster.accelerators: 1 x {entry}, which has 2 cores: `sixnd calibrate --measure` tells this machine's speed"
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _lacking(extra: str) -> list[str]:
    """Requirements of an extra that are missing or too old."""
    lacking = []
    for requirement in map(Requirement, requires("sixnd") or []):
        if requirement.marker is None or not requirement.marker.evaluate({"extra": extra}):
            continue
        found = _version(requirement.name)
        if found is None or not requirement.specifier.contains(found, prereleases=True):
            lacking.append(f"{requirement.name}{requirement.specifier}")
    return lacking


def _memory_bytes() -> int | None:
    """Physical memory, or the container's limit where that is lower."""
    try:
        physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.is_file() else "max"
    return min(physical, int(text)) if text.isdigit() else physical


def _gpus() -> list[str]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    query = [program, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return [f"nvidia-smi does not answer: {error}"]
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]
