import pytest
import torch

from sixnd.runner import device
from sixnd.runner.device import training_device

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="the stand-ins are for machines without a GPU")


def test_cuda_calls_reach_the_cpu_inside_and_are_themselves_again_outside() -> None:
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in device._stand_ins()]
    with training_device(0) as where:
        assert where.type == "cpu"
        for made in (
            torch.tensor([1.0], device="cuda"),
            torch.zeros(2, device=torch.cuda.current_device()),
            torch.ones(2).cuda(),
            torch.ones(2).to("cuda"),
            torch.ones(2).to(device="cuda:0", dtype=torch.float64),
            torch.nn.Linear(2, 2).cuda().weight,
        ):
            assert made.device.type == "cpu"
        with torch.cuda.stream(torch.cuda.Stream()):
            torch.cuda.synchronize()
        assert torch.ones(1).type() == "torch.cuda.FloatTensor"
        assert torch.ones(1).type(torch.int32).dtype == torch.int32
    assert all(getattr(owner, name) is original for owner, name, original in before)


def test_random_states_of_cuda_are_those_of_the_cpu() -> None:
    with training_device(0):
        torch.cuda.manual_seed(7)
        state = torch.cuda.get_rng_state()
        first = torch.rand(3)
        torch.set_rng_state(state)
        assert torch.equal(torch.rand(3), first)


def test_the_stand_ins_leave_also_after_an_error() -> None:
    original = torch.tensor
    with pytest.raises(RuntimeError, match="inside"), training_device(0):
        raise RuntimeError("inside")
    assert torch.tensor is original
