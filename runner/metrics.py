"""Where a step's numbers go: a JSON line in the record, always, and TensorBoard beside it."""

from torch.utils.tensorboard import SummaryWriter

from sixnd.runner.job import JobFolder
from sixnd.runner.journal import dated, open_record
from sixnd.specs.document import Document
from sixnd.specs.evaluation_record import SourceLosses, TaskScores
from sixnd.specs.record import Step, Validation, event_line


class Metrics:
    """Appends events to the record, each line whole and on disk's way before the next step begins."""

    def __init__(self, folder: JobFolder) -> None:
        self.record = open_record(folder.record_path)
        self.board = SummaryWriter(str(folder.tensorboard_path))

    def write(self, event: Document) -> None:
        """Append one event; numbers of steps and validations go to TensorBoard too."""
        self.record.write(event_line(dated(event)))
        self.record.flush()
        if isinstance(event, Step):
            for name in ("loss", "grad_norm", "learning_rate", "tokens_per_s", "step_time_s", "mfu", "memory_bytes"):
                self.board.add_scalar(f"train/{name}", getattr(event, name), event.step)
        elif isinstance(event, Validation):
            self.board.add_scalar("validation/loss", event.loss, event.step)
        elif isinstance(event, SourceLosses):
            for source in event.sources:
                self.board.add_scalar(f"bits_per_byte/{source.name}", source.bits_per_byte, event.step)
        elif isinstance(event, TaskScores):
            for score in event.scores:
                for measure in (score.discrete, *score.continuous):
                    self.board.add_scalar(f"tasks/{score.task}/{measure.name}", measure.value, event.step)

    def close(self) -> None:
        """Flush and close both."""
        self.record.close()
        self.board.close()
