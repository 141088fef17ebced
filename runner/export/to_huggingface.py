"""A run's model as a folder that Hugging Face's `transformers` loads."""

import json
from pathlib import Path

from sixnd.runner.checkpoints.files import OnDamage
from sixnd.runner.export.huggingface import llama_of, to_llama
from sixnd.runner.export.huggingface_config import config, generation_config
from sixnd.runner.export.huggingface_folder import new_folder, write_weights
from sixnd.runner.export.huggingface_tokenizer import write_hf_tokenizer
from sixnd.runner.export.model_card import model_card
from sixnd.runner.job import JobFolder
from sixnd.runner.lora import whole_weights
from sixnd.runner.one_device import trained_model
from sixnd.specs.record import read_record


def export_huggingface(
    run: Path, output: Path, step: int | None = None, skipped: OnDamage = lambda _folder, _reason: None
) -> int:
    """Write the model of the run in ``run``, as it was after ``step`` (or last), to a new folder; return its step.

    The checkpoint may be of any layout; the model is merged on this device, whose memory must hold it whole.
    ``skipped`` is told of newer checkpoints that are damaged.
    """
    folder = JobFolder(run)
    llama = llama_of(folder.plan())
    with new_folder(output) as temporary, trained_model(folder, step, skipped) as (plan, model, at):
        write_weights(temporary, to_llama(whole_weights(model), llama, plan.training.mup))
        _write_json(temporary / "config.json", config(plan, llama))
        _write_json(temporary / "generation_config.json", generation_config())
        write_hf_tokenizer(temporary, folder.path / folder.job().tokenizer, llama.sequence_length)
        (temporary / "README.md").write_text(model_card(plan, read_record(folder.record_path), at), "utf-8")
    return at


def _write_json(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
