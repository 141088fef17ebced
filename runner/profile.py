"""A short profile of this machine: the runner's own training step, timed on a plan's model and on smaller shapes of it.

Real training processes, started as `sixnd run` starts them, train on random tokens; each shape for a few steps. Several
shapes and batches are timed because one alone cannot tell a slow chip from a slow host.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from sixnd.runner.job import threads_for, training_environment
from sixnd.specs.errors import RunFailedError
from sixnd.specs.plan import Plan

TIMES = "times.jsonl"
WARM_UP, LEAST_STEPS = 2, 5
"""Steps of each shape that are not counted, and the fewest that are."""
_LOOK_EVERY_S = 0.2
_STEPS_WANTED = 8
"""Steps that a shape's share of the time should hold, warm-up included."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Profiled:
    """One shape, and its steps in the order they were timed."""

    plan: Plan
    """The plan with the shape and batch that were timed."""
    seconds: tuple[float, ...]


class Visits(NamedTuple):
    """Which shapes are timed, in order, each for so many seconds."""

    order: list[int]
    seconds: float


def profile(plan: Plan, seconds: float, say: Say) -> list[Profiled]:
    """Time training steps of a plan and of smaller shapes of it on this machine, in about so many ``seconds``.

    Raises ``SixndError`` where the plan's accelerators are not here, ``RunFailedError`` where the processes fail.
    """
    from sixnd.runner.launch import check_machine

    check_machine(plan)
    shapes = list(variants(plan, seconds))
    # There and back, so that a machine that slows down or is shared meanwhile counts for each shape alike.
    order = [*range(len(shapes)), *reversed(range(len(shapes)))]
    with tempfile.TemporaryDirectory(prefix="sixnd-profile-") as name:
        folder = Path(name)
        for i, (_, one) in enumerate(shapes):
            (folder / f"{i}.yaml").write_text(one.to_yaml(), "utf-8")
        _run(folder, plan, Visits(order, seconds / len(order)), [what for what, _ in shapes], say)
        visits = list(zip(order, _times(folder), strict=True))
    return [
        Profiled(one, tuple(second for at, times in visits if at == i for second in times))
        for i, (_, one) in enumerate(shapes)
    ]


def variants(plan: Plan, seconds: float) -> Iterator[tuple[str, Plan]]:
    """What is timed: the plan's model with two batches, then with half its layers and half its width.

    The larger batch is the plan's, or as much of it as leaves time for a few steps; the smaller one has a quarter of
    its micro-batches, or of the sequences in its only one. A shape that the layout cannot split is left out.
    """
    layout = plan.layout
    most = plan.training.global_batch // (layout.micro_batch * layout.data)
    step_s = max(plan.estimates.step_time_s.value, 1e-9)
    affordable = int(seconds / 8 / _STEPS_WANTED / step_s * most)
    large = _multiple(min(most, max(1, affordable)), layout.pipeline)
    small = _multiple(max(1, large // 4), layout.pipeline)
    yield "the plan's model", _with_batch(plan, large)
    if small < large:
        yield "a quarter of its batch", _with_batch(plan, small)
    elif layout.micro_batch > 1:
        narrow = layout.model_copy(update={"micro_batch": max(1, layout.micro_batch // 4)})
        yield "a part of its batch", _with_batch(plan.model_copy(update={"layout": narrow}), small)
    for what, halves in (("half its layers", _half_depth(plan)), ("half its width", _half_width(plan))):
        if halves is not None:
            yield what, _with_batch(halves, large)


def _multiple(count: int, of: int) -> int:
    """At least one, and a multiple of the stages, as the interleaved schedule asks."""
    return max(1, count // of) * of


def _with_batch(plan: Plan, micro_batches: int) -> Plan:
    batch = micro_batches * plan.layout.micro_batch * plan.layout.data
    changes = {"global_batch": batch, "batch_stages": []}
    return plan.model_copy(update={"training": plan.training.model_copy(update=changes)})


def _with_shape(plan: Plan, **sizes: int) -> Plan:
    shape = plan.model.shape.model_copy(update=sizes)
    return plan.model_copy(update={"model": plan.model.model_copy(update={"shape": shape})})


def _half_depth(plan: Plan) -> Plan | None:
    """Half the layers, if they still fill the stages evenly; embeddings that count as layers keep the model whole."""
    layers, chunks = plan.model.shape.layers // 2, plan.layout.pipeline * plan.layout.virtual_pipeline
    fits = layers >= 1 and layers % chunks == 0 and not plan.layout.embedding_as_layer
    return _with_shape(plan, layers=layers) if fits else None


def _half_width(plan: Plan) -> Plan | None:
    """Half the width with heads of the same size, if the ranks can still split it."""
    shape, ranks = plan.model.shape, plan.layout.tensor
    sizes = {name: getattr(shape, name) // 2 for name in ("hidden", "heads", "kv_heads", "ffn")}
    even = all(getattr(shape, name) % 2 == 0 for name in sizes)
    fits = even and sizes["kv_heads"] % ranks == 0 and sizes["ffn"] % ranks == 0
    return _with_shape(plan, **sizes) if fits else None


def _run(folder: Path, plan: Plan, visits: Visits, names: list[str], say: Say) -> None:
    """Start the processes, tell each shape that is done, and wait for their end."""
    from sixnd.runner.processes import stop

    ranks = plan.layout.world_size
    threads = threads_for(ranks)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
    order = ",".join(str(i) for i in visits.order)
    command += ["-m", "sixnd.runner.profiler", str(folder), f"{visits.seconds:.3f}", str(threads), order]
    log, environment = folder / "log", os.environ | training_environment(plan, threads)
    say(f"timing {len(names)} shapes in {ranks} process{'' if ranks == 1 else 'es'} of {threads} threads")
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
        try:
            _follow(process, folder, [names[i] for i in visits.order], say)
        except BaseException:
            stop(process, signal.SIGTERM)
            raise
    if process.returncode:
        told = log.read_text("utf-8", errors="replace").strip().splitlines()[-12:]
        last = "the profile's processes failed; the last they printed:\n" + "\n".join(told)
        raise RunFailedError(last, "mend that, or give another plan")


def _follow(process: "subprocess.Popen[bytes]", folder: Path, names: list[str], say: Say) -> None:
    told, ended = 0, False
    while not ended:
        ended = process.poll() is not None
        times = _times(folder)
        for name, steps in zip(names[told:], times[told:], strict=False):
            say(f"{name}: {len(steps)} steps, {sorted(steps)[len(steps) // 2]:.4g} s in the median")
        told = len(times)
        if not ended:
            time.sleep(_LOOK_EVERY_S)


def _times(folder: Path) -> list[Any]:
    """Step times of each visit that is done, in order."""
    file = folder / TIMES
    lines = file.read_text("utf-8").split("\n")[:-1] if file.exists() else []
    return [json.loads(line) for line in lines]
