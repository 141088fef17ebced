"""Random models and splits of them, whatever Megatron would say of them."""

from hypothesis import strategies as st

from sixnd.planner.candidates import MODULES
from sixnd.planner.split import Recomputation, Split
from sixnd.specs import catalog

MODULE_SETS = st.frozensets(st.sampled_from(MODULES))


@st.composite
def models_and_splits(draw, name):
    """A catalogued model, with any number of layers without experts if it has some, on even stages."""
    model = catalog.model_family(name).architecture
    if model.experts is not None:
        dense_layers = draw(st.one_of(st.just(model.experts.dense_layers), st.integers(0, model.layers)))
        experts = model.experts.model_copy(update={"dense_layers": dense_layers})
        model = model.model_copy(update={"experts": experts, "ffn": model.ffn or 4 * model.hidden})
    return model, draw(even_splits(model))


@st.composite
def even_splits(draw, model):
    """Any split into stages that hold the same number of layers."""
    ends = draw(st.booleans())
    filled = model.layers + ends * (2 + model.mtp_layers)
    chunks = [(p, v) for p in range(1, 17) for v in (1, 2, 3, 4) if filled % (p * v) == 0 and (p > 1 or v == 1)]
    pipeline, virtual = draw(
        st.sampled_from([c for c in chunks if filled // (c[0] * c[1]) > ends * (1 + model.mtp_layers)])
    )
    tensor = draw(st.sampled_from([1, 2, 4, 8]))
    whole = st.builds(Recomputation, st.just(True), st.sampled_from([None, 1, 2, 5]))
    return Split(
        tensor=tensor,
        pipeline=pipeline,
        virtual=virtual,
        context=draw(st.sampled_from([1, 2, 4])),
        expert=draw(st.sampled_from([1, 2, 8])) if model.experts else 1,
        expert_tensor=draw(st.sampled_from([1, tensor])) if model.experts else 1,
        data=draw(st.sampled_from([8, 16])),
        micro_batch=draw(st.sampled_from([1, 2])),
        micro_batches=draw(st.sampled_from([1, 4, 64])),
        sequence_parallel=tensor > 1 and draw(st.booleans()),
        recomputation=draw(st.one_of(whole, st.builds(Recomputation, modules=MODULE_SETS))),
        embedding_as_layer=ends,
    )
