import pytest

from sixnd.planner.plan import make_plan
from sixnd.planner.vocabulary_choice import chosen_vocabulary, embedding_costs
from sixnd.planner.vocabulary_law import vocabulary_sizes
from sixnd.specs import catalog
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.laws import VocabularyLaw


def plan(**model):
    return make_plan(
        BudgetSpec.model_validate(
            {
                "version": "budget/1",
                "name": "vocabulary",
                "budget": {"compute": "3e20 FLOPs"},
                "cluster": {"accelerators": "8 x h100-sxm"},
                "data": {"sources": [{"name": "web"}]},
                "model": model,
                "layout": {"tensor": 2},
            }
        )
    )


def test_the_size_is_the_laws_for_the_plans_inner_parameters_and_compute_rounded_up_for_the_ranks():
    made = plan()
    law = catalog.law("tao-2024")
    assert isinstance(law, VocabularyLaw)
    choice = chosen_vocabulary(made)
    best = vocabulary_sizes(law, made.model.params_non_embedding, made.model.shape.hidden, made.budget.compute_flops)
    assert choice.sizes == best
    assert choice.multiple == 128 * 2
    assert choice.entries % choice.multiple == 0
    assert best.by_loss <= choice.entries < best.by_loss + choice.multiple


def test_more_compute_for_the_same_shape_chooses_more_entries():
    shape = {"layers": 12, "hidden": 768, "heads": 12, "kv_heads": 12, "ffn": 2048}
    small, large = plan(shape=shape), plan(shape=shape)
    budget = large.budget.model_copy(update={"compute_flops": 10 * large.budget.compute_flops})
    assert chosen_vocabulary(large.model_copy(update={"budget": budget})).entries > chosen_vocabulary(small).entries


def test_embeddings_at_the_plans_own_size_are_the_plans():
    made = plan(vocab_size=50_000)
    own, double = embedding_costs(made, [50_000, 100_000])
    assert own.rows == made.model.padded_vocab_size
    assert own.params == made.model.params - made.model.params_non_embedding
    assert own.share == pytest.approx(own.params / made.model.params)
    assert double.rows == 100_096
    assert own.share < double.share < 2 * own.share


def test_it_is_said_where_the_law_was_not_fitted():
    assert chosen_vocabulary(plan(params="400M params")).outside is None
    assert "lie outside the 3.3e+07 to 1.1e+09" in str(chosen_vocabulary(plan(params="7B params")).outside)
