"""Plan → running job: prepare the data, start the training processes, watch them, say how it ended."""

import importlib.util
import time
from pathlib import Path

import torch

from sixnd.runner.attempt import check_budget, end, train, with_restarts
from sixnd.runner.base import base_event, proved_base
from sixnd.runner.cache import cache_dir
from sixnd.runner.checkpoints.going_on import keep_earlier_plan, layout_change, take_up
from sixnd.runner.cpu_units import slow_precision
from sixnd.runner.job import (
    Job,
    JobFolder,
    job_folder,
    threads_for,
    training_command,
    training_environment,
)
from sixnd.runner.journal import append_event
from sixnd.runner.launchers.nodes import Node
from sixnd.runner.low_precision import check_low_precision
from sixnd.runner.prepare import Prepared, prepare
from sixnd.runner.progress import Progress
from sixnd.runner.provenance import launch_event
from sixnd.runner.sample import sample
from sixnd.runner.supervision.stopping import clear_request
from sixnd.runner.trainable import check_trainable
from sixnd.specs.errors import RunFailedError, SixndError
from sixnd.specs.plan import Plan
from sixnd.specs.record import DataPrepared, End, Launch, RunRecord, Sample, read_record


def run_plan(plan: Plan, *, runs_dir: Path, base_dir: Path, progress: bool = True, node: Node | None = None) -> Path:
    """Train a plan on this machine, from its last checkpoint if there is one; return the run folder.

    ``base_dir`` is where relative paths of the data sources start. With a ``node``, this is the first of several
    machines, and the others join in by ``launchers.joining``. Raises ``RunFailedError`` when the training
    processes end before the last step, ``UntrainablePlanError`` when the runner does not train such a plan, and
    ``SixndError`` when it cannot run on this machine.
    """
    check_trainable(plan)
    check_machine(plan, node)
    folder = job_folder(plan, runs_dir)
    folder.make()
    with folder.locked() as lock:
        clear_request(folder.path)
        keep_earlier_plan(folder, plan, _record(folder))
        folder.create(plan)
        watcher = Progress(folder, plan, live=progress)
        if slow := slow_precision(plan):
            watcher.say(slow)
        with_restarts(
            lambda: _run_locked(folder, plan, base_dir, watcher, lock, node), plan.spec.supervision, watcher.say
        )
    return folder.path


def _run_locked(folder: JobFolder, plan: Plan, base_dir: Path, watcher: Progress, lock: int, node: Node | None) -> None:
    base = proved_base(folder, plan, base_dir, watcher.say)
    prepared = prepare(folder, plan, base_dir, cache_dir(), watcher.say)
    job = _job(folder, plan, prepared, base, node)
    folder.write_job(job)
    record = _record(folder)
    if _is_complete(record, plan):
        watcher.say(f"{folder.path} is already trained to its last step; nothing to do")
        return
    check_budget(plan, record)
    attempt = len(record.of(Launch)) + 1
    step = take_up(folder, plan, record, attempt, watcher.say)
    if step:
        _check_same_text(folder, record, prepared.event)
    change = layout_change(plan, record, attempt, step)
    if change is not None:
        append_event(folder.record_path, change)
    append_event(folder.record_path, prepared.event)
    append_event(folder.record_path, launch_event(folder, plan, attempt, step, base_dir))
    if base is not None:
        append_event(folder.record_path, base_event(plan, base, attempt))
    train(folder, plan, job, attempt, watcher, lock)
    end(folder, attempt, "finished", _sample(folder, plan, watcher), 0)


def _check_same_text(folder: JobFolder, record: RunRecord, now_prepared: DataPrepared) -> None:
    """Refuse to go on with other text than the run began with: its losses would no longer be one curve."""
    began = record.of(DataPrepared)[:1]
    if began and _digests(began[0]) != _digests(now_prepared):
        raise SixndError(
            f"the prepared text in {folder.data_path} is not what this run began with: its sources have changed",
            f"restore it, or move {folder.path} away to begin anew",
        )


def _digests(prepared: DataPrepared) -> list[str]:
    return [prepared.tokenizer_sha256, *(source.sha256 for source in prepared.sources)]


def check_machine(plan: Plan, node: Node | None = None) -> None:
    """A plan for accelerators that are not here is refused with what can be done."""
    sites, here = plan.spec.cluster.sites, torch.cuda.device_count()
    needed = plan.layout.world_size if node is None else node.nodes.ranks_each
    if sites is not None and sites.sync_every > 1:
        raise SixndError(
            f"the plan synchronises its {sites.count} sites every {sites.sync_every} steps, which is planned on paper "
            "only",
            "plan with cluster.sites.sync_every 1 to run it",
        )
    if not plan.cluster.shared_host and here < needed:
        raise SixndError(
            f"the plan needs {needed} x {plan.cluster.accelerator}, and this machine has {here} GPUs",
            "run it where they are, by --launcher on a cluster, or plan with the cluster you have",
        )
    check_low_precision(plan)
    _check_recomputation(plan)


def _check_recomputation(plan: Plan) -> None:
    """Norms are recomputed alone by what only Transformer Engine has."""
    if "layernorm" not in plan.layout.recompute_modules:
        return
    if not torch.cuda.is_available() or importlib.util.find_spec("transformer_engine") is None:
        raise SixndError(
            "the plan recomputes norms alone, which needs Transformer Engine and a GPU",
            "install it, or plan with layout.recompute none or full",
        )


def _job(folder: JobFolder, plan: Plan, prepared: Prepared, base: Path | None, node: Node | None) -> Job:
    processes = plan.layout.world_size if node is None else node.nodes.ranks_each
    threads = threads_for(processes)
    return Job(
        processes=processes,
        threads_per_process=threads,
        tokenizer=prepared.tokenizer,
        sources=prepared.sources,
        base=None if base is None else str(base),
        command=training_command(folder, processes, node),
        environment=training_environment(plan, threads),
    )


def _record(folder: JobFolder) -> RunRecord:
    return read_record(folder.record_path) if folder.record_path.exists() else RunRecord(events=[])


def _is_complete(record: RunRecord, plan: Plan) -> bool:
    end = record.last(End)
    return end is not None and end.status == "finished" and end.step == plan.training.steps


def _sample(folder: JobFolder, plan: Plan, watcher: Progress) -> str:
    """Let the trained model continue held-out text; return how the run ended, in words.

    A model that cannot be sampled is trained all the same.
    """
    watcher.say("sampling continuations of held-out text")
    began = time.perf_counter()
    try:
        for source, prompt, continuation in sample(folder, plan):
            seconds, began = time.perf_counter() - began, time.perf_counter()
            told = Sample(source=source, prompt=prompt, continuation=continuation, seconds=seconds)
            append_event(folder.record_path, told)
    except RunFailedError as error:
        watcher.say(str(error))
        return str(error)
    return "trained to the last step"
