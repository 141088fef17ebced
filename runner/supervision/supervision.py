"""Watching one rank's training from inside: alarms and what is done at them, limits, and requests to end.

All ranks judge alike, since they judge numbers that all ranks have. What only one of them knows (the clock, the
budget, a request in the run folder) reaches the others with the step's loss, in the same reduction.
"""

import contextlib
import faulthandler
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sixnd.runner.job import JobFolder
from sixnd.runner.processes import STACKS
from sixnd.runner.supervision.alarms import Finding, StepRules, ThroughputRule
from sixnd.runner.supervision.heartbeat import Heartbeat, read_beats
from sixnd.runner.supervision.history import History, applied_steps, history_of
from sixnd.runner.supervision.limits import Meter, deadline, limits, passed, trained_tokens, wall_seconds
from sixnd.runner.supervision.slowness import ComputeTimes, slowest
from sixnd.runner.supervision.stopping import SIGNALS, clear_request, stop_request
from sixnd.specs.document import Document
from sixnd.specs.plan import Plan
from sixnd.specs.record import Launch, RunRecord, Step, read_record
from sixnd.specs.run_events import Alarm, Paused, Started
from sixnd.specs.supervision import Action

_LOOK_EVERY_S = 1.0
_KNOWN_STEPS = 20_000
"""So far back the numbers of steps are known: more than a window and the steps since the oldest checkpoint."""
_ANOTHER_RANK = "SIGTERM or SIGUSR1 to a training process"

Write = Callable[[Document], None]


@dataclass(frozen=True)
class Judgement:
    """What is to be done about a step."""

    step: int
    loss: float
    """Mean over the global batch."""
    finding: Finding | None
    action: Action
    """Without a finding `warn`, which does nothing."""
    asked: bool
    """Whether the run is to save and end after this step."""

    @property
    def applies(self) -> bool:
        """Whether the update is applied."""
        return self.action == "warn"


class Supervisor:
    """Watches one rank. The rank that records the loss, which is given ``write``, also reports and keeps limits."""

    def __init__(self, folder: JobFolder, plan: Plan, attempt: int, rank: int, stage: int, write: Write | None) -> None:
        self.run, self.plan, self.attempt, self.write = folder.path, plan, attempt, write
        self.rules = plan.spec.supervision
        self.heart = Heartbeat(folder.path, rank, stage, attempt, self.rules.heartbeat)
        self.steps, self.compute = StepRules(self.rules), ComputeTimes(self.rules.window)
        self.history = History([], [])
        self.known: dict[int, tuple[float, float]] = {}  # loss and gradient norm of steps that were applied
        self.signalled = ""
        self.record = read_record(folder.record_path) if folder.record_path.exists() else RunRecord(events=[])
        self.keeper = None if write is None else _LimitKeeper(folder, plan, attempt, self.record, write)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Beat, and take signals, while the block runs."""

        def ask(number: int, _frame: Any) -> None:
            self.signalled = f"{signal.Signals(number).name} to a training process"

        for number in SIGNALS:
            signal.signal(number, ask)
        faulthandler.register(STACKS)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends at once, also out of a collective
        with self.heart.beating():
            yield

    def begin(self, resumed: int) -> None:
        """Take up what was known after the step that is resumed from."""
        record, self.record = self.record, RunRecord(events=[])  # a long run's is large
        self.history = history_of(record, resumed)
        for step in applied_steps(record, 0, resumed):
            self._learn(step.step, step.loss, step.grad_norm)
        last = max((part.to for part in self.history.skipped), default=resumed)
        later = {step.step: (step.loss, step.grad_norm) for step in applied_steps(record, resumed, last)}
        self.known |= {step: numbers for step, numbers in later.items() if self._is_passed(step)}
        self.heart.enter("training", resumed)

    def went_back(self, reached: int) -> None:
        """Know no more than was known after the step that was gone back to."""
        known = sorted(self.known.items())
        self.known = {step: numbers for step, numbers in known if step <= reached or self._is_passed(step)}
        self.steps = StepRules(self.rules)
        for step, numbers in self.known.items():
            if step <= reached:
                self.steps.learn(*numbers)
        self.heart.enter("training", reached)

    def _is_passed(self, step: int) -> bool:
        """Whether a step is not trained because the run was rolled back over it."""
        return self.history.past(step - 1) >= step

    def past_skipped(self, step: int) -> int:
        """The last of the steps that are not trained again because they were rolled back over, or the step itself."""
        reached = self.history.past(step)
        for number in range(step + 1, reached + 1):
            if number in self.known:
                self.steps.learn(*self.known[number])
        return reached

    def _learn(self, step: int, loss: float, grad_norm: float) -> None:
        self.steps.learn(loss, grad_norm)
        self.known[step] = (loss, grad_norm)
        self.known.pop(step - _KNOWN_STEPS, None)

    def wish(self) -> bool:
        """Whether this rank wants the run to save and end."""
        return bool(self.signalled) or (self.keeper is not None and self.keeper.must_end(self.heart.step))

    def judge(self, step: int, loss: float, grad_norm: float, *, asked: bool) -> Judgement:
        """What to do with a step before its update; the same on every rank."""
        finding = self.steps.judge(loss, grad_norm)
        action: Action = "warn" if finding is None else self._action(finding, step)
        if action == "warn":
            self._learn(step, loss, grad_norm)
        return Judgement(step, loss, finding, action, asked)

    def _action(self, finding: Finding, step: int) -> Action:
        asked: Action = {
            "non-finite": self.rules.non_finite,
            "loss-spike": self.rules.loss_spike,
            "gradient-spike": self.rules.gradient_spike,
        }[finding.rule]
        done = self.history.recent_interventions(step, self.rules.window)
        if asked in ("skip", "rollback", "retry") and done >= self.rules.most_interventions:
            return "stop"
        return "skip" if asked == "retry" and step in self.history.retried else asked

    def acted(self, judged: Judgement, went_to: int | None = None) -> None:
        """Record what was done about a finding; a rollback that found no checkpoint was a skip."""
        if judged.finding is None:
            return
        action = judged.action
        if action == "rollback" and went_to is None:
            action = "skip"
        if action == "retry":
            self.history.retry(judged.step)
        elif action in ("skip", "rollback"):
            self.history.intervene(judged.step, went_to)
        if self.write:
            self.write(_alarm(self.attempt, judged.step, judged.finding, action, went_to))

    def stepped(self, step: Step, compute_s: float) -> None:
        """Take the times of a step that is recorded."""
        self.heart.compute = self.compute.add(compute_s, self.plan.training.batches.of_step(step.step))
        if self.keeper:
            self.keeper.stepped(step)

    def started(self, step: int) -> None:
        """The first step is about to begin: how long that took is recorded."""
        if self.keeper:
            self.keeper.started(step)

    def saved(self, step: int, seconds: float) -> None:
        """A checkpoint was saved: what was spent so far is recorded with it."""
        self.heart.enter("training", step)
        if self.keeper:
            self.keeper.saved(step, seconds)

    def paused(self, step: int, unsaved: str | None) -> None:
        """Record why the run ends before its last step, and why without a checkpoint, where it has none."""
        if self.keeper:
            self.keeper.paused(step, self.signalled, unsaved)


def _alarm(attempt: int, step: int, finding: Finding, action: str, to_step: int | None = None) -> Alarm:
    done = {
        "warn": "trained on",
        "skip": "this batch's update was not applied",
        "rollback": f"went back to step {to_step} and skipped the batches since",
        "retry": f"went back to {f'step {to_step}' if to_step else 'before it'} and trains on the same batches again",
        "stop": "the run was stopped before the update",
        "pause": "the run saves and ends",
    }[action]
    return Alarm.model_validate(
        {
            "attempt": attempt,
            "step": step,
            "rule": finding.rule,
            "value": finding.value,
            "threshold": finding.threshold,
            "action": action,
            "message": f"{finding.message}; {done}",
            "to_step": to_step,
        }
    )


class _LimitKeeper:
    """Time, budget, speed and requests, kept by the rank that writes the record."""

    def __init__(self, folder: JobFolder, plan: Plan, attempt: int, record: RunRecord, write: Write) -> None:
        self.run, self.attempt, self.write = folder.path, attempt, write
        self.meter = Meter(plan, wall_seconds(record, attempt), trained_tokens(plan, record.of(Step)))
        self.batches, self.length = plan.training.batches, plan.model.sequence_length
        self.limits, self.speed = limits(plan), ThroughputRule(plan.spec.supervision)
        self.began = _began(record, attempt)
        self.deadline = deadline(plan, self.began)
        self.tokens, self.save_s, self.looked = 0, 0.0, 0.0
        self.reason = ""

    def must_end(self, step: int) -> bool:
        """Whether the run must save and end; ``reason`` then says why. Looks once a second."""
        now = time.monotonic()
        if self.reason or now - self.looked < _LOOK_EVERY_S:
            return bool(self.reason)
        self.looked = now
        self.reason = stop_request(self.run) or self._by_clock(step) or self._by_budget(step)
        return bool(self.reason)

    def _by_clock(self, step: int) -> str:
        due = self.deadline
        step_s = self.speed.step_s(self.batches.of_step(step + 1))
        return due.why if due is not None and due.is_due(time.time(), step_s, self.save_s) else ""

    def _by_budget(self, step: int) -> str:
        spent = self.meter.spent(self.attempt, step, self.tokens, time.time() - self.began)
        for limit in passed(self.limits, spent):
            value = getattr(spent, limit.currency)
            self.limits.remove(limit)
            finding = Finding("budget", value, limit.most, limit.told(value))
            self.write(_alarm(self.attempt, step, finding, "pause" if limit.pauses else "warn"))
            if limit.pauses:
                return f"{limit.told(value)}; raise supervision.budget_factor or the budget to go on"
        return ""

    def stepped(self, step: Step) -> None:
        batch = self.batches.of_step(step.step)
        self.tokens += batch * self.length
        finding = self.speed.judge(step.step_time_s, batch)
        if finding is None:
            return
        slow = slowest(read_beats(self.run))
        told = "no rank stands out" if slow is None else (
            f"rank {slow[0].rank} on {slow[0].host} takes {slow[1]:.1f} times as long for its own forward passes"
        )  # fmt: skip
        named = Finding(finding.rule, finding.value, finding.threshold, f"{finding.message}; {told}")
        self.write(_alarm(self.attempt, step.step, named, "warn"))

    def started(self, step: int) -> None:
        self.write(Started(attempt=self.attempt, step=step, seconds=time.time() - self.began))

    def saved(self, step: int, seconds: float) -> None:
        self.save_s = max(self.save_s, seconds)
        self.write(self.meter.spent(self.attempt, step, self.tokens, time.time() - self.began))

    def paused(self, step: int, signalled: str, unsaved: str | None) -> None:
        reason = self.reason or signalled or _ANOTHER_RANK
        self.write(Paused(attempt=self.attempt, step=step, reason=reason, unsaved=unsaved))
        clear_request(self.run)


def _began(record: RunRecord, attempt: int) -> float:
    """When this attempt was launched, in seconds since the epoch; now, where it was started by hand."""
    launches = [launch for launch in record.of(Launch) if launch.attempt == attempt]
    return datetime.fromisoformat(launches[-1].time).timestamp() if launches else time.time()
