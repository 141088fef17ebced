"""The learning rate of each step, counted in steps."""

import math
from typing import Any

from megatron.core.optimizer import MegatronOptimizer
from megatron.core.optimizer_param_scheduler import OptimizerParamScheduler

from sixnd.runner.schedule_names import COOLDOWNS, STYLES
from sixnd.specs.plan import Plan
from sixnd.specs.step_batches import StepBatches


class Scheduler(OptimizerParamScheduler):
    """Megatron's schedules, and the cooldown that its inverse square root has not (Zhai et al. 2022, §3.5).

    Before the cooldown that root is Megatron's: max(min_lr, max_lr · √(warm-up / step)).
    """

    ramp: StepBatches | None = None
    """Where the learning rate follows a batch that grows."""

    def get_lr(self, param_group: dict[str, Any]) -> float:
        """Learning rate of a group of parameters after ``num_steps``."""
        rate = self._scheduled(param_group)
        return rate if self.ramp is None else rate * math.sqrt(self.ramp.of_step(self.num_steps) / self.ramp.full)

    def _scheduled(self, param_group: dict[str, Any]) -> float:
        cooldown = self.wsd_decay_steps or 0
        first = self.lr_decay_steps - cooldown
        if self.lr_decay_style != "inverse-square-root" or not first < self.num_steps <= self.lr_decay_steps:
            return float(super().get_lr(param_group))
        rates = {"min_lr": self.min_lr, "max_lr": self.max_lr} | param_group
        lowest, peak = float(rates["min_lr"]), float(rates["max_lr"])
        highest = max(lowest, peak * math.sqrt(max(self.lr_warmup_steps, 1) / first))
        fallen = (self.num_steps - first) / cooldown
        left = 1 - (math.sqrt(fallen) if self.lr_wsd_decay_style == "minus_sqrt" else fallen)
        return lowest + left * (highest - lowest)


def build_scheduler(plan: Plan, optimizer: MegatronOptimizer) -> Scheduler:
    """Linear warm-up, then cosine, stable-and-decay or inverse square root, as planned."""
    training = plan.training
    cools = training.schedule != "cosine"
    scheduler = Scheduler(
        optimizer,
        init_lr=0.0,
        max_lr=training.learning_rate,
        min_lr=training.final_learning_rate,
        lr_warmup_steps=training.warmup_steps,
        lr_decay_steps=training.steps,
        lr_decay_style=STYLES[training.schedule],
        start_wd=training.weight_decay,
        end_wd=training.weight_decay,
        wd_incr_steps=training.steps,
        wd_incr_style="constant",
        wsd_decay_steps=training.decay_steps if cools else None,
        lr_wsd_decay_style=COOLDOWNS[training.cooldown] if cools else None,
    )
    scheduler.ramp = training.batches if training.ramp_learning_rate == "square-root" else None
    scheduler.step(increment=1)  # the first step trains too: without this its learning rate would be zero
    return scheduler
