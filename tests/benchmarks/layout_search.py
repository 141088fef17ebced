"""How fast the search for a layout is, and how many layouts it costs a second.

    python -m tests.benchmarks.layout_search

prints JSON, a case each: splits considered, layouts that obey every rule (before recomputation), layouts evaluated,
CPU seconds of the search on one core, cold (the first in its process, imports left out), and layouts a second: those
that were evaluated, and all variants that the search is exact about. For comparison, measured on two shared cores of
the same kind with each tool's own example: one evaluation costs Calculon (caa4b11) 2.0 ms and SimuMax (4dcaae5) 85 ms.
"""

import json
import os
import subprocess
import sys

CASES = {
    "llama-3-405b on 16,384 H100": ("llama-3-405b", "16384 x h100-sxm", 2048),
    "deepseek-v3 on 2,048 H100": ("deepseek-v3", "2048 x h100-sxm", 15360),
    "gpt-3-175b on 1,024 A100": ("gpt-3-175b", "1024 x a100-sxm-80gb", 1536),
    "gpt-1t on 3,072 A100": ("gpt-1t", "3072 x a100-sxm-80gb", 3072),
}
OTHERS_S = {"Calculon": 2.0e-3, "SimuMax": 85e-3}


def searched(family: str, accelerators: str, sequences: int) -> dict[str, object]:
    """One search in this process."""
    import time

    from sixnd.planner.layout_search import explore
    from sixnd.planner.layout_space import recomputed
    from sixnd.planner.rules import Setting
    from sixnd.planner.vocabulary import padded
    from sixnd.specs.budget import Layout
    from tests.planner.building import machine, published

    model = published(family)
    setting = Setting(model.with_vocab(padded(model.vocab, 1024)), machine(accelerators), sequences)
    start = time.process_time()
    space = explore(setting, Layout())
    seconds = time.process_time() - start
    covered = len(recomputed(setting, Layout(), space.bounds.layouts))
    best = space.costed.layouts.document(0).label()
    return {
        "best": best,
        "step_time_s": round(float(space.costed.time_s[0]), 3),
        "splits": len(space.splits),
        "lawful": len(space.bounds.layouts),
        "evaluated": space.evaluated,
        "covered": covered,
        "cpu_s": round(seconds, 3),
        "evaluated_per_s": round(space.evaluated / seconds),
        "covered_per_s": round(covered / seconds),
        "times_others": {name: round(each * covered / seconds) for name, each in OTHERS_S.items()},
    }


def main() -> None:
    """Search each case in a process of its own."""
    if len(sys.argv) > 1:
        print(json.dumps(searched(*CASES[sys.argv[1]])))
        return
    alone = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.benchmarks.layout_search"]
    runs = {name: subprocess.run([*command, name], check=True, capture_output=True, env=alone) for name in CASES}
    print(json.dumps({name: json.loads(run.stdout) for name, run in runs.items()}, indent=2))


if __name__ == "__main__":
    main()
