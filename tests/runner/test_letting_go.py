"""A process that builds one model after the other, as the profile's and these tests' do, keeps none of them."""

import gc
import os
import weakref
from pathlib import Path

from sixnd.runner.trainer import Trainer
from tests.runner import alone, tiny


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))


def test_a_closed_trainer_leaves_neither_its_model_nor_the_threads_of_its_groups(tmp_path: Path) -> None:
    plan = tiny.plan(tiny.layout(micro_batch=tiny.BATCH))
    models, threads = [], []
    for turn in range(3):
        with alone.one_rank(tmp_path / str(turn)):
            trainer = Trainer(plan)
            alone.step(trainer, alone.text(plan))
            models.append(weakref.ref(trainer.chunks[0].module))
            trainer.close()
            del trainer
        gc.collect()
        threads.append(_threads())
    assert [model() for model in models] == [None] * 3
    assert threads[2] - threads[0] < 20, "groups of one rank run about sixty threads"
