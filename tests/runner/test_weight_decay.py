"""Which parameters are decayed by how much: the optimizer's own groups, and what a step does."""

from pathlib import Path

import pytest
import torch

from sixnd.planner.mup import planned_mup
from sixnd.runner.trainer import Trainer
from sixnd.specs.budget import Training
from sixnd.specs.plan import Plan
from tests.runner import alone, tiny
from tests.runner.conftest import Train, sources
from tests.runner.test_layout_parity import curve

DECAY = 0.1
LAYER = {"self_attention.linear_qkv", "self_attention.linear_proj", "mlp.linear_fc1", "mlp.linear_fc2"}


def planned(embeddings: bool, *, tied: bool = False, mup: bool = False, **degrees: int) -> Plan:
    plan = tiny.plan(tiny.layout(**degrees), steps=4, sources=sources(12), tied=tied)
    changes: dict[str, object] = {"weight_decay_embeddings": embeddings}
    if mup:
        asked = Training(parametrization="mup", mup_base_width=16, learning_rate=plan.training.learning_rate)
        changes["mup"] = planned_mup(asked, 64, 16)
    return plan.model_copy(update={"training": plan.training.model_copy(update=changes)})


def decays(plan: Plan, folder: Path) -> dict[str, float]:
    """Weight decay of each parameter's group, by its name."""
    with alone.one_rank(folder):
        trainer = Trainer(plan)
        [part] = trainer.optimizer.chained_optimizers
        names = {parameter: name for name, parameter in trainer.chunks[0].module.named_parameters()}
        groups = {names[parameter]: group for parameter, (group, _) in part.model_param_group_index_map.items()}
        assert groups.keys() == set(names.values())
        return {name: part.optimizer.param_groups[group]["weight_decay"] for name, group in groups.items()}


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("embeddings", [False, True])
def test_matrices_are_decayed_norms_are_not_and_the_embedding_as_planned(
    embeddings: bool, tied: bool, tmp_path: Path
) -> None:
    found = decays(planned(embeddings, tied=tied), tmp_path / "one")
    assert found.pop("embedding.word_embeddings.weight") == (DECAY if embeddings else 0.0)
    if not tied:
        assert found.pop("output_layer.weight") == DECAY
    for name, decay in found.items():
        matrix = any(f".{part}.weight" in name for part in LAYER)
        assert matrix or "norm" in name, name
        assert decay == (DECAY if matrix else 0.0), name


def test_with_mup_hidden_matrices_have_a_decay_of_their_own(tmp_path: Path) -> None:
    plan = planned(False, mup=True)
    found = decays(plan, tmp_path / "one")
    assert found["embedding.word_embeddings.weight"] == 0
    assert found["decoder.layers.0.mlp.linear_fc1.weight"] == pytest.approx(DECAY * 4)
    assert found["output_layer.weight"] == DECAY


def test_a_step_shrinks_rows_of_tokens_that_do_not_occur_only_where_the_embedding_is_decayed(tmp_path: Path) -> None:
    def moved(embeddings: bool) -> torch.Tensor:
        plan = planned(embeddings, micro_batch=tiny.BATCH)
        batch = alone.text(plan)
        unseen = sorted(set(range(tiny.VOCABULARY)) - set(batch["tokens"].flatten().tolist()))
        with alone.one_rank(tmp_path / str(embeddings)):
            trainer = Trainer(plan)
            rows = trainer.chunks[0].module.embedding.word_embeddings.weight
            before = rows[unseen].detach().clone()
            rate = alone.step(trainer, batch)[2]
            return rows[unseen].detach() / before - 1, rate

    kept, _ = moved(False)
    assert torch.equal(kept, torch.zeros_like(kept))
    shrunk, rate = moved(True)
    assert float(shrunk.mean()) == pytest.approx(-rate * DECAY, rel=1e-2)


@pytest.mark.integration
def test_the_two_copies_of_a_tied_embedding_stay_one(train: Train) -> None:
    _, one = train(planned(False, tied=True), "one")
    _, split = train(planned(False, tied=True, pipeline=2), "split")
    for measure, values in curve(split).items():
        assert values == pytest.approx(curve(one)[measure], rel=1e-5), measure
