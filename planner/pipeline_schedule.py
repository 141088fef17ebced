"""Seconds of one micro-batch on each stage of a pipeline, by the step-time model."""

from itertools import chain, repeat

from sixnd.planner.candidates import Layouts, stage_kinds
from sixnd.planner.runtime import Runtime
from sixnd.planner.step_seconds import stage_seconds
from sixnd.planner.transformer import Transformer
from sixnd.planner.utilisation import forward_share
from sixnd.specs.plan import PlannedLayout, PlannedPipeline


def planned_pipeline(
    model: Transformer, layout: PlannedLayout, global_batch: int, runtime: Runtime
) -> PlannedPipeline | None:
    """What one step's schedule is made of; none with one stage, and on a shared host, where nobody idles."""
    if layout.pipeline == 1 or runtime.sharers > 1:
        return None
    alone = Layouts.of(layout)
    kinds = stage_kinds(model.architecture, alone)
    times = stage_seconds(model.architecture, alone, model.sequence, runtime)
    of_kinds = (repeat(float(time[0]), int(kind.count[0])) for kind, time in zip(kinds, times, strict=True))
    seconds, share = list(chain.from_iterable(of_kinds)), forward_share(model, layout)
    return PlannedPipeline(
        forward_s=[one * share for one in seconds],
        backward_s=[one * (1 - share) for one in seconds],
        micro_batches=global_batch // (layout.data * layout.micro_batch),
        chunks=layout.virtual_pipeline,
        basis="step-time model; forward and backward split by their FLOPs, what is recomputed in the backward pass",
    )
