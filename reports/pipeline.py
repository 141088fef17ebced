"""When each stage of a pipeline works on which micro-batch: one step under 1F1B, plain or interleaved."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Literal, NamedTuple

from sixnd.specs.plan import PlannedPipeline

Kind = Literal["Forward", "Backward"]
_PAIRS_KEPT = 3
"""Forward and backward passes of the steady part that are drawn on either side of what is left out."""

_GAP = 0.04
"""Of what is drawn, the width of the gap that stands for what is not."""


class Pass(NamedTuple):
    """One pass of a micro-batch through one chunk of a stage; counted from 0, seconds from the step's begin."""

    stage: int
    kind: Kind
    micro_batch: int
    chunk: int
    start_s: float
    end_s: float


class _Job(NamedTuple):
    kind: Kind
    micro_batch: int
    chunk: int


@dataclass(frozen=True)
class Schedule:
    """Every pass of a step, in the order of stages and then of time."""

    passes: tuple[Pass, ...]
    stages: int
    length_s: float

    @property
    def idle_share(self) -> float:
        """Share of all stages' time in which they do nothing."""
        return 1 - sum(one.end_s - one.start_s for one in self.passes) / (self.stages * self.length_s)


def schedule(pipeline: PlannedPipeline) -> Schedule:
    """Play one step: each stage does its passes in Megatron's order, each as soon as what it needs is there.

    1F1B and its interleaved form are those of Narayanan et al. 2021 (arXiv:2104.04473, figures 4); transfers take no
    time. A chunk's pass is its share of the stage's.
    """
    stages, chunks = len(pipeline.forward_s), pipeline.chunks
    orders = [_order(stage, stages, chunks, pipeline.micro_batches) for stage in range(stages)]
    ends: dict[tuple[int, _Job], float] = {}
    played: list[list[Pass]] = [[] for _ in range(stages)]
    while any(len(done) < len(order) for done, order in zip(played, orders, strict=True)):
        for stage, (done, order) in enumerate(zip(played, orders, strict=True)):
            for job in order[len(done) :]:
                ready = _ready(stage, job, stages, chunks, ends)
                if ready is None:
                    break
                seconds = (pipeline.forward_s if job.kind == "Forward" else pipeline.backward_s)[stage] / chunks
                start = max(ready, done[-1].end_s if done else 0.0)
                ends[stage, job] = start + seconds
                done.append(Pass(stage, *job, start, start + seconds))
    return Schedule(tuple(chain.from_iterable(played)), stages, max(done[-1].end_s for done in played))


def _order(stage: int, stages: int, chunks: int, micro_batches: int) -> list[_Job]:
    """What a stage does, in its order: forward passes to warm up, then one of each in turn, then what is left."""
    forward = [_Job("Forward", n, chunk) for n, chunk in _turns(stages, chunks, micro_batches)]
    backward = [_Job("Backward", n, chunks - 1 - chunk) for n, chunk in _turns(stages, chunks, micro_batches)]
    ahead = stages - stage - 1 if chunks == 1 else 2 * (stages - stage - 1) + (chunks - 1) * stages
    ahead = min(ahead, len(forward))
    steady = len(forward) - ahead
    pairs = chain.from_iterable(zip(forward[ahead:], backward[:steady], strict=True))
    return [*forward[:ahead], *pairs, *backward[steady:]]


def _turns(stages: int, chunks: int, micro_batches: int) -> Iterator[tuple[int, int]]:
    """(micro-batch, chunk) in turn: as many micro-batches as there are stages pass one chunk, then the next."""
    group = stages if chunks > 1 else micro_batches
    for first in range(0, micro_batches, group):
        for chunk in range(chunks):
            yield from zip(range(first, min(first + group, micro_batches)), repeat(chunk), strict=False)


def _ready(stage: int, job: _Job, stages: int, chunks: int, ends: dict[tuple[int, _Job], float]) -> float | None:
    """When what a pass needs is there; none while that is not known."""
    forward = job.kind == "Forward"
    place = job.chunk * stages + stage
    if forward and place == 0:
        return 0.0
    if not forward and place == stages * chunks - 1:
        return ends.get((stage, job._replace(kind="Forward")))
    chunk, before = divmod(place - 1 if forward else place + 1, stages)
    return ends.get((before, job._replace(chunk=chunk)))


@dataclass(frozen=True)
class Break:
    """A span of the steady part that a picture leaves out."""

    start_s: float
    end_s: float
    micro_batches: int
    """That would be drawn in it."""
    width_s: float
    """Of the gap that is drawn instead, in seconds of the axis."""

    @property
    def saved_s(self) -> float:
        """How far what follows moves to the left."""
        return self.end_s - self.start_s - self.width_s


def steady_break(found: Schedule) -> Break | None:
    """What of a long step can be left out: after the first stage's first backward passes, before its last forward ones.

    None where the step has no longer steady part than is drawn anyhow.
    """
    first = [one for one in found.passes if one.stage == 0]
    forward = [one for one in first if one.kind == "Forward"]
    backward = [one for one in first if one.kind == "Backward"]
    pair = forward[0].end_s - forward[0].start_s + backward[0].end_s - backward[0].start_s
    start, end = backward[0].start_s + _PAIRS_KEPT * pair, forward[-1].end_s - _PAIRS_KEPT * pair
    if end - start < 2 * _PAIRS_KEPT * pair:
        return None
    chunks = 1 + max(one.chunk for one in forward)
    hidden = sum(start <= one.start_s < end for one in forward)
    return Break(start, end, round(hidden / chunks), _GAP * (found.length_s - end + start))


def drawn(found: Schedule, gap: Break | None) -> list[Pass]:
    """The passes as a picture places them: what is in the break left out, what follows it moved to the left."""
    if gap is None:
        return list(found.passes)
    placed = []
    for one in found.passes:
        if one.start_s < gap.start_s:
            placed.append(one._replace(end_s=min(one.end_s, gap.start_s)))
        if one.end_s > gap.end_s:
            start = max(one.start_s, gap.end_s) - gap.saved_s
            placed.append(one._replace(start_s=start, end_s=one.end_s - gap.saved_s))
    return placed


def some_stages(stages: int, passes: int, most_passes: int) -> list[int]:
    """Stages to draw, evenly spaced and with both ends: as many as have no more passes than that between them."""
    count = max(2, min(stages, most_passes * stages // passes))
    return sorted({round(i * (stages - 1) / (count - 1)) for i in range(count)})
