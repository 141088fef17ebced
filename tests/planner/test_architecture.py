import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.planner import laws
from sixnd.planner.architecture import candidates, lattice, nearest, with_vocab
from sixnd.planner.draft import Drafter
from sixnd.planner.machine import machine_of
from sixnd.specs import catalog
from sixnd.specs.budget import ModelRequest
from sixnd.specs.errors import InfeasibleError
from tests.planner.building import spec

LATTICE = candidates(ModelRequest(), 1024)


def test_the_lattice_reaches_from_tiny_to_a_trillion_without_large_gaps():
    sizes = [c.model.params for c in LATTICE]
    assert sizes[0] < 3e5
    assert sizes[-1] > 1e12
    assert all(later / earlier < 1.4 for earlier, later in itertools.pairwise(sizes) if earlier > 2e7)


@pytest.mark.parametrize("shape", lattice(), ids=str)
def test_every_shape_is_a_sane_decoder(shape):
    assert shape.hidden % shape.heads == 0
    assert shape.heads % shape.kv_heads == 0
    assert shape.hidden // shape.heads in (16, 32, 64, 128), "fused attention takes multiples of 8"
    assert shape.hidden // shape.heads == 16 or shape.hidden >= 256, "of one kind on a CPU's ladder"
    assert shape.heads % 2 == 0 or shape.hidden < 128
    assert shape.layers % 2 == 0
    assert 2.6 < shape.ffn / shape.hidden <= 3
    assert 8 <= shape.hidden / shape.layers < 141
    assert shape.kv_heads == (8 if shape.hidden >= 4096 else shape.heads)


def drafter(law="besiroglu-2024", counting="6ND"):
    asked = spec({"compute": 1e20, "counting": counting}, law=law)
    return Drafter(asked, machine_of(asked))


def chosen_loss(planner, budget):
    chosen = planner.candidate_for(budget)
    return planner.loss(chosen.model.params, budget / planner.flops_per_token(chosen))


@pytest.mark.parametrize("counting", ["6ND", "exact"])
@pytest.mark.parametrize("name", catalog.planning_laws())
def test_a_larger_budget_never_chooses_a_worse_loss(name, counting):
    planner = drafter(name, counting)
    losses = [chosen_loss(planner, 10**exponent) for exponent in np.arange(13, 28, 0.05)]
    assert all(later <= earlier for earlier, later in itertools.pairwise(losses))


@given(st.floats(18, 26).map(lambda e: 10**e))
@settings(max_examples=50)
def test_the_chosen_shape_is_close_to_the_laws_optimum(budget):
    assert chosen_loss(drafter(), budget) < laws.optimum(catalog.law("besiroglu-2024"), budget).loss * 1.002


def test_embeddings_stay_within_a_third_unless_the_smallest_vocabulary_is_too_large():
    for c in LATTICE:
        copies = 1 if c.model.tied else 2
        padding = c.model.vocab - c.vocab_size
        share = copies * (c.vocab_size) * c.model.hidden / (c.model.params - copies * padding * c.model.hidden)
        assert share <= 1 / 3 + 1e-9 or c.vocab_size == 512


def test_untied_embeddings_stay_within_a_fifth():
    for c in LATTICE:
        assert c.model.tied or 2 * c.model.embedding_params <= 0.2 * c.model.params


@given(st.floats(6, 12.3).map(lambda e: 10**e))
def test_the_nearest_shape_is_nearest_by_ratio(params):
    found = nearest(LATTICE, params)
    ratio = max(found.model.params / params, params / found.model.params)
    assert all(max(c.model.params / params, params / c.model.params) >= ratio * (1 - 1e-12) for c in LATTICE)


def test_a_size_beyond_the_lattice_is_refused_with_its_bounds():
    with pytest.raises(InfeasibleError, match=r"model\.shape"):
        nearest(LATTICE, 1e15)


def test_pinned_vocabulary_and_tying_are_taken():
    request = ModelRequest.model_validate({"vocab_size": 50257, "tied_embeddings": False})
    found = with_vocab(lattice()[0], request, 128)
    assert (found.vocab_size, found.model.vocab, found.model.tied) == (50257, 50304, False)
