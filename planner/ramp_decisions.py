"""Why a batch ramp is as it is, and what the learning rate does meanwhile."""

from sixnd.planner.batch_scaling import SOURCES
from sixnd.specs.batch_ramp import PlannedBatch
from sixnd.specs.plan import Decision, PlannedTraining

PRACTICE = (
    "published practice: GPT-3 from 32k tokens over the first 4 to 12 billion (Brown et al. 2020, arXiv:2005.14165, "
    "appendix B), Llama 3 4M, 8M and 16M (Llama Team 2024, arXiv:2407.21783, §3.4.1), DeepSeek-V3 from 3,072 to 15,360 "
    "sequences over 469B tokens (arXiv:2412.19437, §4.2)"
)
CRITICAL = "the largest batch that is not wasteful grows as the loss falls (McCandlish et al. 2018, arXiv:1812.06162)"
RATE = (
    "the learning rate is the schedule's, counted in steps, as Llama 3's: its own warm-up covers the first and most "
    "sensitive steps, and none of these runs scales it with the batch"
)


def ramp_decisions(trained: PlannedTraining, sequence: int) -> list[Decision]:
    """The stages, and the learning rate meanwhile; nothing where the batch does not change."""
    stages = trained.batch_stages
    if not stages:
        return []
    ramp = trained.batches.samples_after(stages[-1].first_step - 1)
    share = ramp / trained.batches.samples_after(trained.steps)
    of_steps = (stages[-1].first_step - 1) / trained.steps
    scaled = trained.ramp_learning_rate == "square-root"
    rate = "the learning rate is multiplied by √(batch / full batch) until the batch is full" if scaled else RATE
    return [
        Decision(
            what="training.batch_ramp",
            value=f"{in_words(stages, sequence)}: {of_steps:.1%} of the steps, {share:.1%} of the tokens",
            reason=f"{CRITICAL}, so the first tokens buy more steps in smaller ones; {rate}",
            source=f"spec: training.batch_ramp; {PRACTICE}" + (f"; {SOURCES['square-root']}" if scaled else ""),
            pinned=True,
        )
    ]


def in_words(stages: list[PlannedBatch], sequence: int) -> str:
    """The stages as a person reads them; of many the first two and the last two."""
    told = [f"{one.global_batch * sequence:,} tokens from step {one.first_step:,}" for one in stages]
    return ", ".join(told if len(told) <= 5 else [*told[:2], f"{len(told) - 4} more", *told[-2:]])
