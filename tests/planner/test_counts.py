import pytest

from sixnd.planner.flops import flops_6nd
from tests.planner.building import LLAMA_2_7B, LLAMA_3_8B, LLAMA_3_70B, LLAMA_3_405B, dense


@pytest.mark.parametrize(
    ("model", "published"),
    [
        (LLAMA_2_7B, 6_738_415_616),
        (LLAMA_3_8B, 8_030_261_248),
        (LLAMA_3_70B, 70_553_706_496),
        (LLAMA_3_405B, 405_853_388_800),
    ],
)
def test_parameters_equal_the_published_counts(model, published):
    assert model.params == published


def test_tying_saves_exactly_one_embedding():
    tied = dense(32, 4096, 32, 8, 14336, vocab=128256, sequence=8192, tied=True)
    assert LLAMA_3_8B.params - tied.params == 128256 * 4096
    assert tied.params_non_embedding == LLAMA_3_8B.params_non_embedding


@pytest.mark.parametrize("model", [LLAMA_2_7B, LLAMA_3_8B, LLAMA_3_70B])
def test_flops_are_six_a_weight_and_half_of_the_scores(model):
    """PaLM, appendix B: 6N + 12·L·h·s a token over the matrices, with the causal half of the scores."""
    weights = model.params - model.layers * 2 * model.hidden - model.hidden - model.embedding_params
    scores = 12 * model.layers * model.hidden * model.sequence / 2
    assert model.training_flops == pytest.approx(6 * weights + scores, rel=1e-12)


def test_six_nd_of_llama_3_is_close_to_its_printed_compute():
    assert flops_6nd(405e9, 15.6e12) == pytest.approx(3.8e25, rel=0.01)
