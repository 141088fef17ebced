"""Attention that ends with the document: packed, each document is what it is by itself."""

import math
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sixnd.runner import attention
from sixnd.runner import model as model_module
from sixnd.runner.attention import FusedCoreAttention
from sixnd.runner.batches import StepSampler, micro_batches
from sixnd.runner.documents import document_begins
from sixnd.runner.evaluation.rows import Rows
from sixnd.runner.evaluation.scores import scores
from sixnd.runner.model import build_chunk, layer_spec, transformer_config
from sixnd.runner.prepare import _key
from sixnd.runner.sample import logits_of
from sixnd.runner.tokenizers.text_models import END_OF_DOCUMENT
from sixnd.runner.trainer import Trainer
from sixnd.specs.plan import Plan, PlannedMup
from tests.runner import alone, tiny

LENGTHS = (9, 1, 14, 5, 3)
"""Tokens of the documents of a sequence, which has ``tiny.LENGTH``; the mark alone is the second."""
MUP = PlannedMup(
    base_width=32,
    base_head_dim=16,
    embedding_init_std=0.02,
    hidden_lr_multiplier=0.5,
    hidden_weight_decay_multiplier=2.0,
    logit_multiplier=0.5,
    attention_scale=0.1,
)


def masked(plan: Plan) -> Plan:
    """The plan with attention that ends with the document."""
    return plan.model_copy(update={"data": plan.data.model_copy(update={"document_masks": True})})


def documents(lengths: tuple[int, ...] = LENGTHS, seed: int = 0) -> list[Tensor]:
    """Random documents as they are read: the mark, then text."""
    generator = torch.Generator().manual_seed(seed)
    texts = (torch.randint(2, tiny.VOCABULARY, (length - 1,), generator=generator) for length in lengths)
    return [torch.cat([torch.tensor([END_OF_DOCUMENT]), text]) for text in texts]


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with alone.one_rank(tmp_path_factory.mktemp("group")):
        yield


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40))
def test_every_mark_begins_a_document_and_so_does_the_sequence(ids: list[int]) -> None:
    begins = document_begins(torch.tensor([ids]))[0]
    assert begins.tolist() == [i == 0 or token == END_OF_DOCUMENT for i, token in enumerate(ids)]


def dense(query: Tensor, key: Tensor, value: Tensor, begins: Tensor, scale: float) -> Tensor:
    """The same attention by a mask of the whole score matrix."""
    length, batch, heads, width = query.shape
    number = begins.cumsum(1)
    seen = (number[:, :, None] == number[:, None, :]).tril()
    key, value = (t.repeat_interleave(heads // key.shape[2], dim=2) for t in (key, value))
    scores_ = torch.einsum("qbhd,kbhd->bhqk", query, key) * scale
    weights = scores_.masked_fill(~seen[:, None], float("-inf")).softmax(-1)
    return torch.einsum("bhqk,kbhd->qbhd", weights, value).reshape(length, batch, heads * width)


@given(st.data())
def test_attention_and_its_gradients_are_those_of_a_mask_of_the_documents(data: st.DataObject) -> None:
    heads, kv_heads = data.draw(st.sampled_from([(4, 4), (4, 2), (3, 1)]))
    batch, length, ranks = data.draw(st.integers(1, 3)), 16, data.draw(st.sampled_from([1, 2, 4]))
    ids = data.draw(st.lists(st.integers(0, 3), min_size=batch * length, max_size=batch * length))
    begins = document_begins(torch.tensor(ids).reshape(batch, length))
    torch.manual_seed(0)
    query = torch.randn(length, batch, heads, 8, requires_grad=True)
    key, value = (torch.randn(length, batch, kv_heads, 8, requires_grad=True) for _ in range(2))
    found = _on_ranks(query, key, value, begins, ranks)
    expected = dense(query, key, value, begins, 0.3)
    torch.testing.assert_close(found, expected)
    weights = torch.randn(expected.shape)
    for one, other in zip(
        torch.autograd.grad((found * weights).sum(), (query, key, value)),
        torch.autograd.grad((expected * weights).sum(), (query, key, value)),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def _on_ranks(query: Tensor, key: Tensor, value: Tensor, begins: Tensor, ranks: int) -> Tensor:
    """All places of the sequence, attended by so many context-parallel ranks one after the other."""
    config = SimpleNamespace(attention_dropout=0.0, context_parallel_size=ranks)
    attend = FusedCoreAttention(config, softmax_scale=0.3)
    if ranks == 1:
        return attend(query, key, value, begins)
    chunks, found = query.chunk(2 * ranks), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attention, "_whole_sequence", lambda share: share)  # keys and values are whole here
        for rank in range(ranks):
            patch.setattr(attention.parallel_state, "get_context_parallel_rank", lambda rank=rank: rank)
            share = torch.cat([chunks[rank], chunks[-1 - rank]])
            found[rank], found[2 * ranks - 1 - rank] = attend(share, key, value, begins).chunk(2)
    return torch.cat([found[place] for place in sorted(found)])


@pytest.mark.parametrize("mup", [None, MUP], ids=["standard", "muP"])
@pytest.mark.parametrize("recompute", ["none", "full", "selective"])
def test_packed_documents_have_the_logits_and_gradients_of_each_by_itself(
    group: None, mup: PlannedMup | None, recompute: str
) -> None:
    # Also that positions need no reset: a document far into its sequence has the logits of one at its beginning.
    plan = masked(tiny.plan(tiny.layout(recompute=recompute)))
    plan = plan.model_copy(update={"training": plan.training.model_copy(update={"mup": mup})})
    model, parts = build_chunk(plan, transformer_config(plan)), documents()
    for matrix in model.parameters():
        if matrix.dim() > 1:
            matrix.data.mul_(5)  # at their initial size logits are too small to tell much apart
    packed = torch.cat(parts)[None]
    together, gradients = _logits_and_gradients(model, packed, document_begins(packed))
    apart = [_logits_and_gradients(model, part[None], None) for part in parts]
    torch.testing.assert_close(together, torch.cat([logits for logits, _ in apart], dim=1), atol=1e-5, rtol=1e-5)
    for name, gradient in gradients.items():
        summed = sum(of_part[name] for _, of_part in apart)
        torch.testing.assert_close(gradient, summed, atol=2e-5 * float(summed.abs().max()), rtol=1e-4, msg=name)
    across, _ = _logits_and_gradients(model, packed, None)
    assert (across - together)[:, LENGTHS[0] :].abs().max() > 0.01, "without masks they see each other"


def _logits_and_gradients(model: Any, tokens: Tensor, begins: Tensor | None) -> tuple[Tensor, dict[str, Tensor]]:
    """Logits, and gradients of the sum of the loss of each token's own id."""
    model.zero_grad()
    logits = model(tokens, torch.arange(tokens.shape[1])[None], begins)
    torch.nn.functional.cross_entropy(logits[0], tokens[0], reduction="sum").backward()
    return logits.detach(), {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


class Packed(torch.utils.data.Dataset[dict[str, Tensor]]):
    """One sequence of documents again and again, as the datasets hand it out."""

    def __init__(self, parts: list[Tensor]) -> None:
        text = torch.cat([*parts, torch.tensor([END_OF_DOCUMENT])])
        self.sample = {"tokens": text[:-1], "labels": text[1:], "loss_mask": torch.ones(tiny.LENGTH)}
        self.sample["position_ids"] = torch.arange(tiny.LENGTH)

    def __getitem__(self, _index: int) -> dict[str, Tensor]:
        return self.sample


@pytest.mark.parametrize("masks", [True, False])
def test_training_and_validation_see_what_the_plan_says(group: None, masks: bool) -> None:
    plan = tiny.plan(tiny.layout(micro_batch=tiny.BATCH))
    plan, parts = masked(plan) if masks else plan, documents()
    trainer = Trainer(plan)

    def batches() -> list[Iterator[dict[str, Tensor]]]:
        return [
            micro_batches(
                Packed(parts),
                StepSampler(plan.training.batches, plan.layout, 0, 1, 1),
                document_masks=plan.data.document_masks,
            )
        ]

    model, labels = trainer.chunks[0].module, Packed(parts).sample["labels"]
    seen = parts if masks else [torch.cat(parts)]
    with torch.no_grad():
        logits = torch.cat([model(part[None], torch.arange(len(part))[None], None)[0] for part in seen])
    expected = float(torch.nn.functional.cross_entropy(logits, labels))  # every label counts, marks among them
    assert trainer.validate(batches(), 1) == pytest.approx(expected, rel=1e-6)
    assert trainer.step(batches())[0] == pytest.approx(expected, rel=1e-6)


def test_rows_are_scored_document_by_document(group: None) -> None:
    trainer = Trainer(masked(tiny.plan(tiny.layout(micro_batch=2))))
    first, second = documents((20, 12))
    packed, padding = torch.cat([first, second]), torch.full((20,), 1)
    tokens = np.stack([packed.numpy(), torch.cat([second, padding]).numpy()])
    labels = np.roll(tokens, -1, axis=1)
    mask = np.zeros(tokens.shape, bool)
    mask[0, 20:31] = mask[1, :11] = True  # what is predicted of the second document
    nats = scores(trainer, Rows(tokens, labels, mask), lambda batches: batches)[:, 0]
    assert nats[0] == pytest.approx(nats[1], rel=1e-6)
    assert nats[0] / 11 == pytest.approx(math.log(tiny.VOCABULARY), abs=0.5)


def test_a_continuation_sees_its_own_document_only(group: None) -> None:
    plan = masked(tiny.plan())
    model, (first, second) = build_chunk(plan, transformer_config(plan)).eval(), documents((20, 12))
    with torch.no_grad():
        behind, by_itself = (logits_of(model, plan)(ids.tolist()) for ids in (torch.cat([first, second]), second))
    torch.testing.assert_close(behind, by_itself, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("masks", [True, False])
def test_transformer_engine_s_layers_have_our_attention_where_documents_are_masked(
    masks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = object()
    spec = layer_spec()
    spec.submodules.self_attention.submodules.core_attention = theirs
    monkeypatch.setattr(model_module, "has_transformer_engine", lambda: True)
    monkeypatch.setattr(model_module, "get_gpt_layer_with_transformer_engine_spec", lambda: spec)
    found = layer_spec(document_masks=masks).submodules.self_attention.submodules.core_attention
    assert found is (FusedCoreAttention if masks else theirs)


def test_the_same_prepared_data_serve_with_masks_and_without() -> None:
    assert _key(masked(tiny.plan())) == _key(tiny.plan())


def test_where_documents_begin_stays_on_the_host(group: None, tmp_path: Path) -> None:
    plan = masked(tiny.plan(tiny.layout(micro_batch=tiny.BATCH)))
    [batch] = micro_batches(
        Packed(documents()), StepSampler(plan.training.batches, plan.layout, 0, 1, 1), document_masks=True
    )
    assert batch["begins"].device.type == "cpu"
    assert batch["begins"].sum(1).tolist() == [len(LENGTHS)] * tiny.BATCH
