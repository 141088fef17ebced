"""Continuations by the trained model, from its last checkpoint, in a process of its own and on one device.

Any layout's checkpoint can be sampled, since weights are resharded on load; a model that does not fit one device
cannot.
"""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sixnd.runner.job import JobFolder
from sixnd.runner.tokenizers.text_models import END_OF_DOCUMENT
from sixnd.specs.errors import RunFailedError
from sixnd.specs.plan import Plan

PROMPT_TOKENS, NEW_TOKENS, TEMPERATURE = 32, 96, 0.8
_COLD = 1e-6  # logits divided by less overflow, and by so little only the likeliest is drawn anyway


def sample(folder: JobFolder, plan: Plan) -> Iterator[tuple[str, str, str]]:
    """Source, prompt and continuation for each source; nothing where the model does not fit one device."""
    weight_bytes = plan.model.params * (4 if plan.training.precision == "fp32" else 2)
    if weight_bytes > 0.8 * plan.cluster.memory_bytes:
        return
    command = [sys.executable, "-m", "sixnd.runner.sample", str(folder.path)]
    environment = os.environ | folder.job().environment
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if result.returncode:
        log = folder.logs_path / "sample.log"
        log.write_text(result.stdout + result.stderr, encoding="utf-8")
        raise RunFailedError("the model is trained to its last step, but sampling it failed", f"see {log}")
    for line in result.stdout.splitlines():
        if line.startswith("{"):
            entry = json.loads(line)
            yield entry["source"], entry["prompt"], entry["continuation"]


def _prompts(folder: JobFolder) -> Iterator[tuple[str, list[int]]]:
    """The beginning of one held-out document of each source."""
    from megatron.core.datasets.indexed_dataset import IndexedDataset

    for source in folder.job().sources:
        documents = IndexedDataset(str(folder.path / source.validation_prefix))
        yield source.name, [int(i) for i in documents[0][:PROMPT_TOKENS]]


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn."""

    tokens: int = NEW_TOKENS
    """Drawn at most."""
    one_document: bool = True
    """Whether the end of a document ends the text."""
    temperature: float = TEMPERATURE
    """What logits are divided by; 0 takes the likeliest token."""
    top_p: float = 1.0
    """Draw from the likeliest tokens that make up this probability together."""
    seed: int = 0


Logits = Callable[[list[int]], Any]
"""Of the next token, for the whole unpadded vocabulary, as a vector."""


def continuation(logits: Logits, ids: Sequence[int], sampling: Sampling, generator: Any = None) -> list[int]:
    """Ids that a model draws behind ``ids``; the same seed draws the same."""
    import torch

    generator = generator or torch.Generator().manual_seed(sampling.seed)
    drawn: list[int] = []
    while len(drawn) < sampling.tokens:
        token = _draw(logits([*ids, *drawn]).float().cpu(), sampling, generator)
        if token == END_OF_DOCUMENT and sampling.one_document:
            break
        drawn.append(token)
    return drawn


def _draw(logits: Any, sampling: Sampling, generator: Any) -> int:
    import torch

    if sampling.temperature < _COLD:
        return int(logits.argmax())
    chances = torch.softmax(logits / sampling.temperature, dim=-1)
    if sampling.top_p < 1:
        chances = _nucleus(chances, sampling.top_p)
    return int(torch.multinomial(chances, 1, generator=generator))


def _nucleus(chances: Any, share: float) -> Any:
    """Chances of the likeliest that make up ``share`` together (one at least), the others set to 0."""
    ordered, places = chances.sort(descending=True, stable=True)
    before = ordered.cumsum(0) - ordered
    before[0] = 0.0
    kept = chances.new_zeros(chances.shape)
    return kept.index_copy(0, places, ordered * (before < max(share, 1e-9)))


def logits_of(model: Any, plan: Plan) -> Logits:
    """What a model of ours on one device says of the next token, looking back on as many as it was trained to see."""
    import torch

    from sixnd.runner.documents import document_begins

    device = next(model.parameters()).device

    def of(ids: list[int]) -> Any:
        window = torch.tensor([ids[-plan.model.sequence_length :]])
        positions = torch.arange(window.shape[1], device=device)[None]
        begins = document_begins(window) if plan.data.document_masks else None
        return model(window.to(device), positions, begins)[0, -1, : plan.model.vocab_size]

    return of


def sample_run(
    run: Path,
    prompt: str,
    sampling: Sampling,
    step: int | None = None,
    skipped: Callable[[Path, str], None] = lambda _folder, _reason: None,
) -> str:
    """What the model of the run in ``run`` writes behind a prompt, from its last checkpoint or that of ``step``."""
    from sixnd.runner.one_device import trained_model
    from sixnd.runner.tokenizers.file import load_tokenizer

    folder = JobFolder(run)
    tokenizer = load_tokenizer(folder.path / folder.job().tokenizer)
    ids = [int(i) for i in tokenizer.encode([prompt])[0]] or [END_OF_DOCUMENT]
    with trained_model(folder, step, skipped) as (plan, model, _step):
        return tokenizer.decode(continuation(logits_of(model, plan), ids, sampling))


def sample_exported(folder: Path, prompt: str, sampling: Sampling) -> str:
    """The same of a folder that `transformers` loads; only safetensors are read, and no code of the folder's is run."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    model = AutoModelForCausalLM.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False, use_safetensors=True
    ).eval()
    ids = tokenizer(prompt)["input_ids"] or [END_OF_DOCUMENT]
    longest = model.config.max_position_embeddings

    def logits(seen: list[int]) -> Any:
        return model(torch.tensor([seen[-longest:]])).logits[0, -1]

    with torch.no_grad():
        return str(tokenizer.decode(continuation(logits, ids, sampling)))


def _print_samples(folder: JobFolder) -> None:
    import torch

    from sixnd.runner.one_device import trained_model
    from sixnd.runner.tokenizers.tokenizer import Tokenizer

    logging.getLogger("megatron").setLevel(logging.ERROR)
    tokenizer = Tokenizer(folder.path / folder.job().tokenizer)
    with trained_model(folder) as (plan, model, _step):
        generator = torch.Generator().manual_seed(plan.training.seed)
        for source, prompt in _prompts(folder):
            text = tokenizer.detokenize(prompt)
            ids = continuation(logits_of(model, plan), prompt, Sampling(one_document=False), generator)
            written = tokenizer.detokenize([*prompt, *ids])[len(text) :]
            print(json.dumps({"source": source, "prompt": text, "continuation": written}), flush=True)


if __name__ == "__main__":
    _print_samples(JobFolder(Path(sys.argv[1])))
