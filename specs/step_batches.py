"""How many sequences each optimizer step reads, and how many are read before it: the one place that counts them."""

import bisect
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from sixnd.specs.batch_ramp import PlannedBatch


@dataclass(frozen=True)
class StepBatches:
    """Batches of all steps. Steps count from 1; step t reads the samples [samples_after(t - 1), samples_after(t))."""

    full: int
    """Sequences in a step after the ramp, and without one in every step."""
    stages: tuple[PlannedBatch, ...] = ()
    """All stretches of steps in order, the full batch's last; empty where the batch never changes."""

    @cached_property
    def _firsts(self) -> list[int]:
        return [stage.first_step for stage in self.stages] or [1]

    @cached_property
    def _batches(self) -> list[int]:
        return [stage.global_batch for stage in self.stages] or [self.full]

    @cached_property
    def _before(self) -> list[int]:
        """Sequences read before each stage."""
        read = [0]
        for stage in self.stages[:-1]:
            read.append(read[-1] + stage.steps * stage.global_batch)
        return read

    def of_step(self, step: int) -> int:
        """Sequences in a step; steps beyond the last have the full batch."""
        return self._batches[max(bisect.bisect_right(self._firsts, step) - 1, 0)]

    def samples_after(self, step: int) -> int:
        """Sequences read in the steps up to this one; 0 after step 0."""
        i = max(bisect.bisect_right(self._firsts, step) - 1, 0)
        return self._before[i] + (step - self._firsts[i] + 1) * self._batches[i]

    def all_after(self, steps: Iterable[int]) -> list[int]:
        """The same after each of many steps."""
        return [self.samples_after(step) for step in steps]

    def step_reaching(self, samples: float) -> int:
        """The first step after which at least so many sequences are read."""
        i = max(bisect.bisect_left(self._before, samples) - 1, 0)
        return max(1, self._firsts[i] - 1 + math.ceil((samples - self._before[i]) / self._batches[i]))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Every batch that a step may have, each once, the full one last."""
        return (*dict.fromkeys(batch for batch in self._batches if batch != self.full), self.full)
