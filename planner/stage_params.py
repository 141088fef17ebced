"""Parameters on a rank of a stage, by what splits them, and the buffers that libraries keep for them."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from sixnd.planner import model as counts
from sixnd.planner.activations import Tokens, fused_matrices
from sixnd.planner.candidates import Bools, Floats, Ints, Layouts
from sixnd.planner.stage import Stage
from sixnd.specs.families import Architecture

_NONE: Floats = np.zeros(1)


class RankParams(NamedTuple):
    """Parameters on one rank, by what their optimizer is split over."""

    dense: Floats
    """Everything but routed experts."""
    experts: Floats

    @property
    def total(self) -> Floats:
        """All of them."""
        return self.dense + self.experts


def rank_params(model: Architecture, layouts: Layouts, stage: Stage) -> RankParams:
    """Parameters on one rank of a stage; norms, routers and latent down-projections are whole on every rank.

    Key and value heads are split too where TP exceeds their number (Megatron gathers them in the forward pass).
    """
    (split, whole), experts = _ends(model, stage), _NONE
    for with_experts, layers in _layers(model, stage):
        each = counts.layer_params(model, with_experts)
        split = split + layers * float(each.attention + each.ffn)
        whole = whole + layers * float(each.attention_whole + each.norms + each.router)
        if each.experts:
            experts = layers * float(each.experts) / (layouts.expert * layouts.expert_tensor)
    return RankParams(split / layouts.tensor + whole, experts)


def product_params(model: Architecture, layouts: Layouts, stage: Stage) -> Floats:
    """Those of a stage's layers whose matrix products may be quantised: all but norms and routers."""
    found = _NONE
    for with_experts, layers in _layers(model, stage):
        each = counts.layer_params(model, with_experts)
        latents = each.attention_whole if model.latent_attention else 0  # its norms, a few thousand, are among them
        per_layer = (each.attention + each.ffn) / layouts.tensor + latents
        if each.experts:
            per_layer = per_layer + each.experts / (layouts.expert * layouts.expert_tensor)
        found = found + layers * per_layer
    return found


def _layers(model: Architecture, stage: Stage) -> Iterator[tuple[bool, Floats]]:
    """Layers without and with experts, modules of multi-token prediction among them."""
    experts, further = model.experts, stage.further(model)
    if experts is None:
        yield False, stage.dense + further
        return
    if experts.dense_layers:
        yield False, stage.dense
    yield True, stage.sparse + further


def _ends(model: Architecture, stage: Stage) -> tuple[Floats, Floats]:
    """Parameters of embedding, positions, final norm, head and MTP: (split by TP, whole).

    The last stage has an embedding of its own for a head that is tied to it, or for modules of MTP, which read tokens.
    """
    embedding, norm = counts.embedding_params(model), counts.norm_params(model, model.hidden)
    split, whole = _NONE, _NONE
    if stage.first.any():
        split = np.asarray(stage.first * float(embedding))
        whole = np.asarray(stage.first * float(counts.position_params(model)))
    if stage.last.any():
        alone, further = stage.first & stage.last, model.mtp_layers
        on_last = np.where(alone, 0 if model.tied else 1, 2 if further and not model.tied else 1)
        split = split + np.asarray(stage.last * (on_last * float(embedding) + 2.0 * model.hidden**2 * further))
        whole = whole + np.asarray(stage.last * ((1.0 + 3 * further) * norm))
    return split, whole


def buffers(at: Tokens, stage: Stage) -> Floats:
    """Bytes of workspaces, and of placeholders of weight gradients."""
    software, layers = at.software, dict(_layers(at.model, stage))
    sparse = layers.get(True, _NONE) > 0
    found = np.where(sparse, software.workspace_bytes + software.grouped_workspace_bytes, software.workspace_bytes)
    if not software.weight_gradient_placeholders:
        return found
    return found + software.element_bytes * _placeholders(at, stage, layers.get(False, _NONE) > 0, sparse)


class _Shape(NamedTuple):
    rows: Floats
    columns: Floats


def _placeholders(at: Tokens, stage: Stage, dense: Bools, sparse: Bools) -> Floats:
    """Elements of one tensor for every shape of weight on a stage, whatever the number of layers."""
    model, tensor = at.model, at.layouts.tensor
    present: list[tuple[Bools, _Shape]] = [(stage.last, _Shape(model.vocab / tensor, np.full(1, model.hidden)))]
    present += [(dense | sparse, shape) for shape in _attention(model, tensor)]
    present += [(dense, shape) for shape in _feed_forward(model, model.ffn, tensor)]
    if model.experts is not None:
        present += [(sparse, shape) for shape in _feed_forward(model, model.experts.shared_ffn, tensor)]
        present += [(sparse, shape) for shape in _feed_forward(model, model.experts.ffn, at.layouts.expert_tensor)]
    elements: Floats = _NONE
    for i, (held, (rows, columns)) in enumerate(present):
        again = np.zeros(1, dtype=np.bool_)
        for other, shape in present[:i]:
            again = again | (other & (rows == shape.rows) & (columns == shape.columns))
        elements = elements + (held & ~again) * rows * columns
    return elements


def _attention(model: Architecture, tensor: Ints) -> Iterator[_Shape]:
    """Shapes of one layer's weights on a rank, outputs by inputs."""
    hidden, latent, whole = np.full(1, model.hidden), model.latent_attention, np.ones(1)
    if latent is None:
        yield _Shape((counts.query_width(model) + 2 * counts.kv_width(model)) / tensor, hidden)
    else:
        if latent.query_rank:
            yield _Shape(latent.query_rank * whole, hidden)
        yield _Shape(counts.query_width(model) / tensor, (latent.query_rank or model.hidden) * whole)
        yield _Shape((latent.kv_rank + latent.rotary) * whole, hidden)
        yield _Shape(model.heads * (latent.query_key + latent.value) / tensor, latent.kv_rank * whole)
    yield _Shape(hidden, counts.value_width(model) / tensor)


def _feed_forward(model: Architecture, width: int, ranks: Ints) -> Iterator[_Shape]:
    if width:
        hidden = np.full(1, model.hidden)
        yield _Shape(fused_matrices(model) * width / ranks, hidden)
        yield _Shape(hidden, width / ranks)
