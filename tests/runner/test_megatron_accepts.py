"""What our rules allow Megatron-core accepts, in the groups and stages we count; what they forbid it refuses."""

import numpy as np
import pytest
from megatron.core import parallel_state

from sixnd.planner.candidates import MODULES, Layouts, StageKind, module_bits, stage_kinds
from sixnd.planner.rules import RULES, Setting, violations
from sixnd.specs.plan import PlannedLayout
from tests.planner.broken import BROKEN, setting
from tests.planner.building import layout, machine, published
from tests.runner import megatron

FAMILIES = ("llama-3-8b", "llama-3-405b", "qwen-2-7b", "gemma-2-9b", "gpt-3-175b", "mixtral-8x7b")
LARGE = ("qwen-3-30b-a3b", "deepseek-v2-lite", "deepseek-v3")
WORLDS = ((1, 32), (32, 512), (1024, 4096))
LAXER = {
    "scale-up domain": "Megatron would run at the pace of the network in every layer",
    "experts' scale-up domain": "the same within experts",
    "last chunk": "Megatron can put further predictions on a stage of their own; we cost them beside the head",
    "sites": "Megatron knows of no sites",
    "recomputation": "Megatron does not look at modules where whole layers are recomputed",
    "recomputed twice": "Megatron would run parts of a layer a third time",
    "aligned widths": "Transformer Engine refuses, when the first product runs on a GPU",
    "aligned tokens": "the same",
}
"""Rules that Megatron-core does not have, and why we keep them."""


def candidates(here: Setting, worlds: tuple[int, int], rng: np.random.Generator, count: int) -> list[PlannedLayout]:
    """A few allowed layouts of so many ranks, drawn at random."""
    size = 60_000
    degrees = (1, 2, 3, 4, 5, 7, 8, 16)

    def some(*values: int) -> np.ndarray:
        return rng.choice(np.array(values), size)

    t, p, v, c = some(1, 2, 4, 8), some(1, 2, 3, 4, 8, 16), some(1, 1, 2, 3, 4, 8), some(1, 1, 2, 4)
    expert = some(1, 2, 8, 16, 64) if here.has_experts else some(1)
    expert_tensor = some(1, 1, 2) if here.has_experts else some(1)
    none, data = some(0), some(*degrees, 64, 256)
    parallel = (t > 1) & (some(0, 1, 1) > 0 if not here.has_experts else some(1) > 0)
    modules = some(0, *(module_bits([module]) for module in MODULES))
    drawn = Layouts(
        t, p, v, c, expert, expert_tensor, data, some(*degrees), none > 0, none, modules, parallel, some(0, 1) > 0
    )
    ranks = t * p * c * data
    wanted = (ranks >= worlds[0]) & (ranks <= worlds[1]) & ~violations(here, drawn).any(axis=0)
    found = np.flatnonzero(wanted)
    return [drawn.document(int(i)) for i in rng.choice(found, count, replace=False)]


def family(name: str) -> Setting:
    model = published(name, 4096)
    return Setting(model.with_vocab(-(-model.vocab // 1024) * 1024), machine("4096 x h100-sxm"), 6720)


def stage(here: Setting, one: PlannedLayout, rank: int) -> StageKind:
    """What we say of a stage: the kind that begins at or before it, and is there."""
    kinds = [kind for kind in stage_kinds(here.architecture, Layouts.of(one)) if kind.exists[0]]
    return max((kind for kind in kinds if kind.rank[0] <= rank), key=lambda kind: int(kind.rank[0]))


def check_groups(one: PlannedLayout) -> None:
    columns = Layouts.of(one)
    assert parallel_state.get_data_parallel_world_size() == one.data
    assert parallel_state.get_data_parallel_world_size(with_context_parallel=True) == columns.optimizer_shards[0]
    assert parallel_state.get_expert_model_parallel_world_size() == one.expert
    assert parallel_state.get_expert_tensor_parallel_world_size() == one.expert_tensor
    assert parallel_state.get_expert_data_parallel_world_size() == columns.expert_replicas[0]


def check_stages(here: Setting, one: PlannedLayout) -> None:
    config = megatron.configuration(here.architecture, one)
    for rank in range(one.pipeline):
        held = megatron.layers_of_stage(config, rank)
        ours = stage(here, one, rank)
        assert (len(held), sum(held)) == (ours.layers[0], ours.expert_layers[0]), f"{one.label()}: stage {rank}"


def begin(here: Setting, one: PlannedLayout) -> None:
    """Take this rank as far as Megatron goes before its first product."""
    config = megatron.configuration(here.architecture, one)
    built = megatron.chunks(here.architecture, one, here.model.sequence)
    megatron.start_routing(built, one)
    shards = one.context * (one.tensor if one.sequence_parallel else 1)
    assert megatron.cut_sequence(here, one) == here.model.sequence / shards
    count = megatron.count_micro_batches(here, one)
    assert count == Layouts.of(one).micro_batches(here.global_batch)[0]
    megatron.start_schedule(config, one, count)


@pytest.mark.parametrize("name", [*FAMILIES, *LARGE])
def test_megatron_accepts_what_the_rules_allow_and_splits_it_as_we_count(name):
    here, rng = family(name), np.random.default_rng(4)
    for worlds in WORLDS:
        for one in candidates(here, worlds, rng, 1 if name in LARGE else 2):
            for rank in {0, one.world_size - 1}:
                with megatron.groups(one, rank):
                    check_groups(one)
                    check_stages(here, one)
                    begin(here, one)


@pytest.mark.parametrize("one", BROKEN, ids=lambda one: one.rule)
def test_megatron_refuses_what_a_rule_forbids_unless_the_rule_is_ours(one):
    here, candidate = setting(one), layout(**one.layout)
    if one.rule in LAXER:
        with megatron.groups(candidate, 0):
            begin(here, candidate)
        return
    with pytest.raises((ValueError, AssertionError, RuntimeError)) as refused, megatron.groups(candidate, 0):
        begin(here, candidate)
    assert "site-packages" in str(refused.traceback[-1].path), "refused by us, not by Megatron"


def test_rules_marked_as_ours_are_those_that_megatron_core_does_not_have():
    in_engine = {"aligned widths", "aligned tokens"}
    assert {rule.name for rule in RULES if rule.ours} == LAXER.keys() - in_engine
