"""`sixnd export` and `sixnd sample`: hand a model or a plan to other programs, and hear what a model says."""

import contextlib
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sixnd.console import print_result, tell

if TYPE_CHECKING:
    from sixnd.runner.sample import Sampling

_FILE = click.Path(path_type=Path)
_STEP = click.option("--step", type=click.IntRange(min=1), help="Of the checkpoint (default: the newest).")


@click.command()
@click.argument("source", metavar="RUN_FOLDER_OR_PLAN", type=_FILE)
@click.option(
    "--to",
    "target",
    required=True,
    type=click.Choice(["huggingface", "megatron-lm", "nemo"]),
    help="huggingface: the trained model as a folder; megatron-lm, nemo: the plan as a script or a recipe.",
)
@click.option("-o", "--output", required=True, type=_FILE, help="New folder, or file, to write.")
@_STEP
def export(source: Path, target: str, output: Path, step: int | None) -> None:
    """Write a trained model, or a plan, for other programs.

    A model is merged from the checkpoint of any layout into a Llama that `transformers` loads. A plan becomes a shell
    script with the arguments of Megatron-LM's pretrain_gpt.py, or a recipe of Megatron-Bridge; from a run folder it
    names the prepared data too.
    """
    if target == "huggingface":
        return _export_model(source, output, step)
    if step is not None:
        raise click.UsageError("--step is of a trained model: it goes with --to huggingface")
    return _export_plan(source, target, output)


@click.command()
@click.argument("folder", metavar="RUN_OR_EXPORTED_FOLDER", type=_FILE)
@click.option("--prompt", required=True, help="Text to go on from; empty begins a document.")
@click.option("-n", "--tokens", type=click.IntRange(min=1), default=96, show_default=True, help="At most.")
@click.option("--temperature", type=click.FloatRange(min=0), default=0.8, show_default=True, help="0: the likeliest.")
@click.option("--top-p", type=click.FloatRange(0, 1), default=1.0, show_default=True, help="Draw from so much chance.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed writes the same.")
@_STEP
def sample(
    folder: Path, prompt: str, tokens: int, temperature: float, top_p: float, seed: int, step: int | None
) -> None:
    """Let a trained model go on from a prompt.

    Prints what it writes. Takes a run folder, or a folder that `sixnd export --to huggingface` wrote (with the extra
    `export`).
    """
    with _quiet():
        from sixnd.runner.sample import Sampling

        sampling = Sampling(tokens=tokens, temperature=temperature, top_p=top_p, seed=seed)
        print_result(_sampled(folder, prompt, sampling, step))


def _sampled(folder: Path, prompt: str, sampling: "Sampling", step: int | None) -> str:
    from sixnd.runner.sample import sample_exported, sample_run
    from sixnd.specs.errors import SixndError

    if (folder / "job.yaml").is_file():
        return sample_run(folder, prompt, sampling, step, _tell_skipped)
    if not (folder / "config.json").is_file():
        raise SixndError(
            f"{folder} holds neither a run (job.yaml) nor an exported model (config.json)", "name one of those"
        )
    if step is not None:
        raise click.UsageError("an exported folder holds one model: leave --step out")
    return sample_exported(folder, prompt, sampling)


def _export_model(run: Path, output: Path, step: int | None) -> None:
    from sixnd.specs.errors import SixndError

    if not (run / "job.yaml").is_file():
        raise SixndError(f"{run} holds no run: there is no job.yaml in it", "name a run folder")
    with _quiet(), _on_the_cpu():
        from sixnd.runner.export.to_huggingface import export_huggingface

        at = export_huggingface(run, output, step, _tell_skipped)
    tell(f"wrote {output}: the model after step {at}; try it with: sixnd sample {output} --prompt 'Once'")


def _tell_skipped(checkpoint: Path, reason: str) -> None:
    tell(f"note: {checkpoint.name} is passed over: {reason}")


def _export_plan(source: Path, target: str, output: Path) -> None:
    from sixnd.console import write_text
    from sixnd.planning import plan_of
    from sixnd.runner.export.to_megatron_lm import megatron_lm
    from sixnd.runner.export.to_nemo import nemo
    from sixnd.runner.job import JobFolder

    folder = JobFolder(source) if source.is_dir() else None
    write = megatron_lm if target == "megatron-lm" else nemo
    made = write(folder.plan() if folder else plan_of(source), folder)
    write_text(output, made.text)
    for note in made.notes:
        tell(f"note: {note}")
    tell(f"wrote {output}")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Megatron warns at import of every optional kernel library that is not there."""
    import logging

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore")
        for library in ("megatron", "torch.utils.cpp_extension", "transformers"):
            logging.getLogger(library).setLevel(logging.ERROR)
        yield


@contextlib.contextmanager
def _on_the_cpu() -> Iterator[None]:
    """Merging needs memory, of which the host has more, and nothing of a GPU."""
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    try:
        yield
    finally:
        os.environ.pop("CUDA_VISIBLE_DEVICES")
        if before is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = before
