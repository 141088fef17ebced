"""A training process of the profile, as ``profile`` starts it: times the steps of one shape after the other."""

import gc
import json
import logging
import os
import sys
import time
from pathlib import Path

import torch
from megatron.core import parallel_state

from sixnd.runner.batches import StepSampler, micro_batches
from sixnd.runner.device import current_device, training_device
from sixnd.runner.profile import LEAST_STEPS, TIMES, WARM_UP
from sixnd.runner.trainer import Trainer, start_process_groups, stop_process_groups
from sixnd.specs.load import load_plan
from sixnd.specs.plan import Plan

_MOST_STEPS = 200


class RandomText:
    """Sequences of random tokens, dealt out like a dataset's; sequence ``i`` is always the same."""

    def __init__(self, plan: Plan) -> None:
        self.length, self.vocabulary = plan.model.sequence_length, plan.model.vocab_size

    def __getitem__(self, i: int) -> dict[str, torch.Tensor]:
        generator = torch.Generator().manual_seed(i)
        tokens = torch.randint(self.vocabulary, (self.length + 1,), generator=generator)
        places = torch.arange(self.length)
        mask = torch.ones(self.length)
        return {"tokens": tokens[:-1], "labels": tokens[1:], "loss_mask": mask, "position_ids": places}


def step_times(plan: Plan, seconds: float) -> list[float]:
    """Seconds of each step, warm-up left out, until ``seconds`` are over; the same on every rank."""
    trainer = Trainer(plan)
    rank = parallel_state.get_data_parallel_rank()
    steps = WARM_UP + _MOST_STEPS
    batches = [
        micro_batches(RandomText(plan), StepSampler(plan.training.batches, plan.layout, rank, 1, steps))
        for _chunk in trainer.chunks
    ]
    found, over = [], time.perf_counter() + seconds
    for step in range(steps):
        began = time.perf_counter()
        loss, _norm, _rate = trainer.step(batches)
        torch.distributed.all_reduce(torch.tensor([loss], dtype=torch.float64, device=current_device()))
        found.append(time.perf_counter() - began)
        if step + 1 >= WARM_UP + LEAST_STEPS and _any_rank(time.perf_counter() > over):
            break
    trainer.close()
    return found[WARM_UP:]


def _any_rank(yes: bool) -> bool:
    """Whether any rank says yes, so that all end at the same step."""
    said = torch.tensor([float(yes)], device=current_device())
    torch.distributed.all_reduce(said, op=torch.distributed.ReduceOp.MAX)
    return bool(said.item())


def main() -> None:
    """Time shapes of the folder as the order says; the last rank writes the times of each visit on a line."""
    logging.getLogger("megatron").setLevel(logging.ERROR)
    folder, seconds, threads, order = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    torch.set_num_threads(threads)
    plans = {name: load_plan(folder / f"{name}.yaml") for name in set(order.split(","))}
    first = plans["0"]
    with training_device(int(os.environ.get("LOCAL_RANK", "0"))):
        start_process_groups(first.layout, first.training.seed)
        for name in order.split(","):
            times = step_times(plans[name], seconds)
            if torch.distributed.get_rank() == torch.distributed.get_world_size() - 1:
                with (folder / TIMES).open("a", encoding="utf-8") as file:
                    file.write(json.dumps(times) + "\n")
            gc.collect()
        stop_process_groups()


if __name__ == "__main__":
    main()
