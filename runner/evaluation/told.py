"""What the last evaluations found, as lines for a person who looks on."""

from collections.abc import Mapping

from sixnd.specs.evaluation_record import Measured, SourceLosses, TaskScores, TasksWritten
from sixnd.specs.record import RunRecord


def chances(written: TasksWritten | None) -> dict[str, float]:
    """Share of items that is right by chance, by task; none where the record does not tell."""
    return {} if written is None else {task.task: task.chance for task in written.tasks}


def sources_told(losses: SourceLosses) -> str:
    """Bits per byte of each source."""
    return "bits per byte: " + ", ".join(f"{source.name} {source.bits_per_byte:.3f}" for source in losses.sources)


def tasks_told(scores: TaskScores, chances: Mapping[str, float]) -> str:
    """Share of right items of each task, with its 95 % interval and what chance gives, where that is known."""
    return "right: " + ", ".join(
        f"{score.task} {_share(score.discrete, chances.get(score.task))}" for score in scores.scores
    )


def _share(right: Measured, chance: float | None) -> str:
    by_chance = "" if chance is None else f", chance {chance:.1%}"
    return f"{right.value:.1%} ({right.low:.1%} to {right.high:.1%}{by_chance})"


def last_evaluations(record: RunRecord) -> tuple[str, ...]:
    """The newest of each kind with its step; none where nothing was evaluated yet."""
    lines = [f"step {each.step:,}: validation loss {each.loss:.4f}" for each in record.validations()[-1:]]
    lines += [f"step {each.step:,}: {sources_told(each)}" for each in record.source_losses()[-1:]]
    known = chances(record.last(TasksWritten))
    lines += [f"step {each.step:,}: {tasks_told(each, known)}" for each in record.task_scores()[-1:]]
    return tuple(lines)
