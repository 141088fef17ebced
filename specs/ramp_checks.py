"""What is wrong with a spec's ramp of the batch, each mistake with its place."""

import itertools
from collections.abc import Iterator

from sixnd.specs.batch_ramp import BatchRamp, BatchStage
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.errors import Path, Problem

_PLACE: Path = ("training", "batch_ramp")
_BATCH: Path = ("training", "global_batch")
_TOKENS: Path = ("data", "tokens")


def ramp_problems(spec: BudgetSpec) -> list[Problem]:
    """Every contradiction within `training.batch_ramp`, and with the batch and the tokens of the spec."""
    ramp = spec.training.batch_ramp
    if ramp is None:
        return []
    said = [name for name in ("start", "increment", "tokens", "fraction") if getattr(ramp, name) is not None]
    if ramp.stages is not None:
        message = "stages say the whole ramp"
        do = "leave this out, or leave out stages and give start with tokens or fraction"
        stray = [Problem((*_PLACE, name), message, do, also=((*_PLACE, "stages"),)) for name in said]
        return [*stray, *_stages(spec, ramp.stages)]
    return [*_linear(ramp), *_against_spec(spec, ramp)]


def _linear(ramp: BatchRamp) -> Iterator[Problem]:
    if ramp.start is None:
        yield Problem(_PLACE, "a ramp does not say how it begins", "give stages, or start with tokens or fraction")
    elif (ramp.tokens is None) == (ramp.fraction is None):
        message = f"{'two things say' if ramp.tokens else 'nothing says'} over how much the batch grows from start"
        yield Problem((*_PLACE, "fraction" if ramp.tokens else "start"), message, "give one of tokens and fraction")


def _against_spec(spec: BudgetSpec, ramp: BatchRamp) -> Iterator[Problem]:
    """The ramp's ends against the spec's batch, sequence and tokens."""
    if ramp.start is not None:
        yield from _batch(spec, ramp.start, (*_PLACE, "start"))
    if ramp.tokens is not None:
        yield from _end(spec, ramp.tokens, (*_PLACE, "tokens"))


def _stages(spec: BudgetSpec, stages: list[BatchStage]) -> Iterator[Problem]:
    for i, (one, after) in enumerate(itertools.pairwise(stages), 1):
        for name in ("until", "global_batch"):
            before, value = getattr(one, name), getattr(after, name)
            if value <= before:
                message = f"{name} must rise from stage to stage, and {value:,.0f} follows {before:,.0f}"
                yield Problem((*_PLACE, "stages", i, name), message, "put the stages in order, or leave one out")
    yield from _batch(spec, stages[0].global_batch, (*_PLACE, "stages", 0, "global_batch"))
    if len(stages) > 1:
        yield from _below_full(spec, stages[-1].global_batch, (*_PLACE, "stages", len(stages) - 1, "global_batch"))
    yield from _end(spec, stages[-1].until, (*_PLACE, "stages", len(stages) - 1, "until"))


def _batch(spec: BudgetSpec, tokens: float, path: Path) -> Iterator[Problem]:
    length = spec.model.sequence_length
    if tokens < length:
        message = f"{tokens:,.0f} tokens are less than one sequence of {length:,}"
        yield Problem(path, message, f"give {length:,} or more", also=(("model", "sequence_length"),))
    yield from _below_full(spec, tokens, path)


def _below_full(spec: BudgetSpec, tokens: float, path: Path) -> Iterator[Problem]:
    full = spec.training.global_batch
    if full is not None and tokens >= full:
        message = f"a ramp grows to training.global_batch, and {tokens:,.0f} is not below its {full:,.0f}"
        yield Problem(path, message, "start lower, or raise global_batch", also=(_BATCH,))


def _end(spec: BudgetSpec, tokens: float, path: Path) -> Iterator[Problem]:
    if spec.data.tokens is not None and tokens >= spec.data.tokens:
        message = f"the ramp would take {tokens:,.0f} tokens, and training reads {spec.data.tokens:,.0f}"
        yield Problem(path, message, "shorten the ramp, or raise data.tokens", also=(_TOKENS,))
