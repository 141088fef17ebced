from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from megatron.core.distributed import param_and_grad_buffer

from sixnd.runner.trainer import Trainer
from tests.runner import alone, tiny


@pytest.fixture
def no_collective(monkeypatch: pytest.MonkeyPatch) -> None:
    """gloo's own all-reduce, reduce-scatter and all-gather fail when they are reached."""

    def reached(name: str) -> Callable[..., None]:
        def fail(*_args: object, **_options: object) -> None:
            raise AssertionError(f"{name} was handed to gloo")

        return fail

    monkeypatch.setattr(torch.distributed, "all_reduce", reached("all_reduce"))
    for name in ("dist_reduce_scatter_func", "dist_all_gather_func"):
        monkeypatch.setattr(param_and_grad_buffer, name, reached(name))


@pytest.mark.usefixtures("no_collective")
def test_a_rank_alone_trains_without_handing_anything_to_gloo(tmp_path: Path) -> None:
    plan = tiny.plan(tiny.layout(micro_batch=tiny.BATCH))
    with alone.one_rank(tmp_path):
        trainer, batch = Trainer(plan), alone.text(plan)
        first, last = (alone.step(trainer, batch) for _ in range(2))
    assert last[0] < first[0]


@pytest.mark.usefixtures("no_collective")
def test_a_group_of_one_keeps_its_sum_and_gets_its_share(tmp_path: Path) -> None:
    with alone.one_rank(tmp_path):
        total = torch.tensor([1.5, 2.0])
        assert torch.distributed.all_reduce(total, op=torch.distributed.ReduceOp.MAX) is None
        assert total.tolist() == [1.5, 2.0]
        assert torch.distributed.all_reduce(total, async_op=True).wait()
        share = torch.zeros(2)
        param_and_grad_buffer.dist_reduce_scatter_func(share, total, op=torch.distributed.ReduceOp.SUM)
        assert torch.equal(share, total)
        whole = torch.zeros(2)
        assert param_and_grad_buffer.dist_all_gather_func(whole, share, async_op=True).wait()
        assert torch.equal(whole, share)
