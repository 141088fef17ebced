"""The tables of evaluations in the loop."""

from sixnd.reports.evaluation_documents import EvaluationFacts, SourceCurve, TaskFacts
from sixnd.reports.tables import NONE, Line, Table, figure_text, titled

_INTERVALS = "In brackets: 95 % intervals over the items, Wilson's of shares of right items, else by the bootstrap."


def evaluation_tables(facts: EvaluationFacts) -> list[Table]:
    """Loss by source; tasks at the last answering; discrete against continuous; every answering."""
    return [_sources(facts.sources), _tasks(facts), _links(facts.tasks), _course(facts.tasks)]


def _sources(sources: list[SourceCurve]) -> Table:
    lines = [
        Line(
            (
                source.name,
                source.loss.text,
                source.bits_per_byte.text,
                source.first_bits_per_byte.text,
                source.held_out_tokens.text,
                source.held_out_bytes.text,
            )
        )
        for source in sources
    ]
    notes = [
        "Each source's own held-out text, its first documents, at the last measurement; bits per byte = loss · tokens "
        "/ bytes / ln 2, which texts and tokenizers can be compared by.",
    ]
    columns = "Source|#Loss|#Bits per byte|#At first|#Tokens|#Bytes"
    return titled("source-losses", "Loss by source", columns, lines, *notes)


def _tasks(facts: EvaluationFacts) -> Table:
    lines = [
        Line(
            (
                task.task,
                task.items.text,
                task.points[-1].discrete.full,
                task.chance.text,
                task.points[-1].probability.full,
                task.points[-1].nats_per_byte.full,
                task.points[-1].graded.full,
            )
        )
        for task in facts.tasks
    ]
    lines += [Line((task, *["not measured"] * 6)) for task in facts.unanswered]
    step = facts.tasks[0].points[-1].step if facts.tasks else 0
    notes = [f"After step {step:,}. {_INTERVALS}", *(_chance(task) for task in facts.tasks), *_mixed(facts)]
    columns = "Task|#Items|#Discrete|#Chance|#Probability of the answer|#Nats per byte|#Also"
    return titled("tasks", "Downstream tasks", columns, lines, *notes)


def _chance(task: TaskFacts) -> str:
    return (
        f"{task.task}: discrete is {task.discrete_name} ({task.discrete_meaning}), chance is {task.chance_basis}, and "
        f"the last column is {task.graded_name}."
    )


def _mixed(facts: EvaluationFacts) -> list[str]:
    if len(facts.items_sha256) < 2:
        return []
    return ["The items changed between attempts: their curves do not belong together."]


def _links(tasks: list[TaskFacts]) -> Table:
    lines = [
        Line(
            (task.task, task.paired_name, figure_text(task.moved_at), figure_text(task.left_chance_at), task.link.text)
        )
        for task in tasks
    ]
    notes = [
        "Tokens at which the continuous metric's interval first lay below that of the first answering, and the "
        f"discrete metric's above chance; {NONE}: never. The link is p = c + (1 − c) · σ(a + b · x), c being chance "
        "and x the continuous metric (Schaeffer et al. 2023, arXiv:2304.15004); all checkpoints answer the same "
        "items, which makes the test slow to contradict it.",
    ]
    columns = (
        "Task|Continuous metric|#Moved at|#Left chance at|Does the discrete metric follow from the continuous one?"
    )
    return titled("task-links", "Jumps and thresholds", columns, lines, *notes)


def _course(tasks: list[TaskFacts]) -> Table:
    lines = [
        Line(
            (
                task.task,
                f"{point.tokens:,}",
                point.discrete.full,
                point.probability.full,
                point.nats_per_byte.full,
                point.graded.full,
            )
        )
        for task in tasks
        for point in task.points
    ]
    columns = "Task|#Tokens|#Discrete|#Probability of the answer|#Nats per byte|#Also"
    return titled("task-course", "Tasks over the run", columns, lines)
