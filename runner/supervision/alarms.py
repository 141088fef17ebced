"""The rules that tell a step that went wrong from one that did not. Pure: numbers in, findings out."""

import math
import statistics
from collections import deque
from dataclasses import dataclass

from sixnd.specs.run_events import Rule
from sixnd.specs.supervision import Supervision

_NORMAL = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""
_LEAST_RISE = 0.05
"""Share of the median by which a loss must rise: a window that hardly varies makes no spike of nothing."""
_RECENT_STEPS = 8
_LEAST_SLOW_S = 10.0
"""Time for which steps must be slow: short ones are slow for a second whenever a checkpoint is written beside them."""


@dataclass(frozen=True)
class Finding:
    """What is wrong, by which rule."""

    rule: Rule
    value: float
    threshold: float
    message: str


class StepRules:
    """Judges loss and gradient norm of each step by those of the applied steps before it."""

    def __init__(self, rules: Supervision) -> None:
        self.rules = rules
        self.losses: deque[float] = deque(maxlen=rules.window)
        self.norms: deque[float] = deque(maxlen=rules.window)

    def judge(self, loss: float, grad_norm: float) -> Finding | None:
        """What is wrong with a step; it is not learnt from yet."""
        found = _non_finite(loss, grad_norm)
        if found is not None or len(self.losses) < self.rules.window // 4:
            return found
        return self._loss_spike(loss) or self._gradient_spike(grad_norm)

    def learn(self, loss: float, grad_norm: float) -> None:
        """Take an applied step into the window."""
        if math.isfinite(loss) and math.isfinite(grad_norm):
            self.losses.append(loss)
            self.norms.append(grad_norm)

    def _loss_spike(self, loss: float) -> Finding | None:
        threshold = loss_threshold(list(self.losses), self.rules.loss_deviations)
        if loss <= threshold:
            return None
        return Finding("loss-spike", loss, threshold, f"the loss is {loss:.4f}, above {threshold:.4f}")

    def _gradient_spike(self, grad_norm: float) -> Finding | None:
        threshold = self.rules.gradient_times * statistics.median(self.norms)
        if grad_norm <= threshold:
            return None
        message = f"the gradient norm is {grad_norm:.4g}, above {threshold:.4g}"
        return Finding("gradient-spike", grad_norm, threshold, message)


def _non_finite(loss: float, grad_norm: float) -> Finding | None:
    for name, value in (("loss", loss), ("gradient norm", grad_norm)):
        if not math.isfinite(value):
            return Finding("non-finite", value, math.inf, f"the {name} is {value}")
    return None


def loss_threshold(losses: list[float], deviations: float) -> float:
    """Loss above which a step is a spike: robust deviations above the median, and at least 5 % above it."""
    middle = statistics.median(losses)
    spread = _NORMAL * statistics.median(abs(loss - middle) for loss in losses)
    return middle + max(deviations * spread, _LEAST_RISE * abs(middle))


class ThroughputRule:
    """Tells once when steps have been slower than usual for a while, and again only after they were as fast as usual.

    Steps of another batch take another time by nature: where it changes, what is usual is learnt anew.
    """

    def __init__(self, rules: Supervision) -> None:
        self.rules = rules
        self.seconds: deque[float] = deque(maxlen=rules.window)
        self.slow_s, self.batch = 0.0, 0

    def step_s(self, batch: int) -> float:
        """Median time of the steps, as it would be of so large a batch; 0 before there is one."""
        return statistics.median(self.seconds) * batch / self.batch if self.seconds else 0.0

    def judge(self, seconds: float, batch: int) -> Finding | None:
        """Take the time of a step of so many sequences; what is wrong, if that is new."""
        if batch != self.batch:
            self.seconds.clear()
            self.slow_s, self.batch = 0.0, batch
        self.seconds.append(seconds)
        if len(self.seconds) < max(self.rules.window // 4, 2 * _RECENT_STEPS):
            return None
        usual, recent = statistics.median(self.seconds), statistics.median(list(self.seconds)[-_RECENT_STEPS:])
        before, threshold = self.slow_s, self.rules.throughput_share
        self.slow_s = before + seconds if usual < threshold * recent else 0.0
        if not before < _LEAST_SLOW_S <= self.slow_s:
            return None
        message = f"steps take {recent:.3g} s where {usual:.3g} s are usual: {usual / recent:.0%} of the usual speed"
        return Finding("throughput", usual / recent, threshold, message)
