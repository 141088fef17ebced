"""Items of downstream tasks: token ids with one or more continuations, written once a run and read by every process."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from sixnd.runner.tokenizers.text_models import END_OF_DOCUMENT
from sixnd.specs.errors import InvalidDataError
from sixnd.specs.evaluation_record import TaskItems
from sixnd.specs.files import write_atomically


@dataclass(frozen=True)
class Item:
    """A prompt and the continuations that are compared; where there is but one, it is the right one."""

    task: str
    source: str
    """Whose held-out text it was made of; empty where it was generated."""
    prompt: list[int]
    """Token ids."""
    choices: list[list[int]]
    """Token ids of each continuation."""
    answer: int
    """Which choice is right."""
    answer_bytes: int
    """Of the right one in UTF-8."""

    def sequence(self, choice: int) -> list[int]:
        """End of document, prompt and one continuation: what the model reads and is asked to predict."""
        return [END_OF_DOCUMENT, *self.prompt, *self.choices[choice]]

    @property
    def tokens(self) -> int:
        """That its longest sequence feeds to the model."""
        return 1 + len(self.prompt) + max(map(len, self.choices)) - 1


@dataclass(frozen=True)
class ItemSet:
    """Items of all tasks, and what is known of each task without a model."""

    items: list[Item]
    tasks: list[TaskItems]
    sha256: str = ""
    """Of the file."""

    def of(self, task: str) -> list[Item]:
        """One task's."""
        return [item for item in self.items if item.task == task]


def write_items(path: Path, items: list[Item], tasks: list[TaskItems]) -> None:
    """Write one JSON line a task, then one an item, and last ``<path>.sha256``: items without it are not there."""
    lines = [json.dumps({"task": task.plain()}, ensure_ascii=False) for task in tasks]
    lines += [json.dumps({"item": asdict(item)}, ensure_ascii=False, separators=(",", ":")) for item in items]
    text = "\n".join(lines) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text)
    write_atomically(_digest_path(path), hashlib.sha256(text.encode()).hexdigest() + "\n")


def are_written(path: Path) -> bool:
    """Whether all items are there."""
    return path.is_file() and _digest_path(path).is_file()


def read_items(path: Path) -> ItemSet:
    """The items that ``write_items`` wrote; raises ``InvalidDataError`` where the file is no longer what it was."""
    content = path.read_bytes()
    found, known = hashlib.sha256(content).hexdigest(), _digest_path(path).read_text("utf-8").strip()
    if found != known:
        raise InvalidDataError(
            f"{path}: its SHA-256 is {found}, not {known}: the tasks' items were changed, and later checkpoints would "
            "answer others than earlier ones",
            "restore the file",
        )
    rows = [json.loads(line) for line in content.decode().splitlines()]
    return ItemSet(
        items=[Item(**row["item"]) for row in rows if "item" in row],
        tasks=[TaskItems.model_validate(row["task"]) for row in rows if "task" in row],
        sha256=found,
    )


def _digest_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")
