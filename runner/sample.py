"""Continuations by the trained model, from its last checkpoint, in a process of its own and on one device.

Any layout's checkpoint can be sampled, since weights are resharded on load; a model that does not fit one device
cannot.
"""

import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sixnd.runner.job import JobFolder
from sixnd.specs.errors import RunFailedError
from sixnd.specs.plan import Plan

PROMPT_TOKENS, NEW_TOKENS, TEMPERATURE = 32, 96, 0.8


def sample(folder: JobFolder, plan: Plan) -> Iterator[tuple[str, str, str]]:
    """Source, prompt and continuation for each source; nothing where the model does not fit one device."""
    weight_bytes = plan.model.params * (2 if plan.training.precision == "bf16" else 4)
    if weight_bytes > 0.8 * plan.cluster.memory_bytes:
        return
    command = [sys.executable, "-m", "sixnd.runner.sample", str(folder.path)]
    environment = os.environ | folder.job().environment
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if result.returncode:
        log = folder.logs_path / "sample.log"
        log.write_text(result.stdout + result.stderr, encoding="utf-8")
        raise RunFailedError(f"the model is trained to its last step, but sampling it failed; see {log}")
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


def _continue(model: Any, ids: list[int], plan: Plan, generator: Any) -> list[int]:
    """``NEW_TOKENS`` more token ids, drawn at ``TEMPERATURE`` from the real (unpadded) vocabulary."""
    import torch

    device = next(model.parameters()).device
    for _ in range(NEW_TOKENS):
        window = torch.tensor([ids[-plan.model.sequence_length :]], device=device)
        positions = torch.arange(window.shape[1], device=device)[None]
        logits = model(window, positions, None)[0, -1, : plan.model.vocab_size]
        chances = torch.softmax(logits.float().cpu() / TEMPERATURE, dim=-1)
        ids = [*ids, int(torch.multinomial(chances, 1, generator=generator))]
    return ids


def _one_device(plan: Plan) -> Plan:
    alone = {
        "tensor": 1,
        "pipeline": 1,
        "virtual_pipeline": 1,
        "context": 1,
        "data": 1,
        "sequence_parallel": False,
        "embedding_as_layer": False,
    }
    return plan.model_copy(update={"layout": plan.layout.model_copy(update=alone)})


def _print_samples(folder: JobFolder) -> None:
    import torch

    from sixnd.runner.checkpoint import latest_checkpoint, load_weights
    from sixnd.runner.device import training_device
    from sixnd.runner.model import build_chunk, transformer_config
    from sixnd.runner.tokenizer import Tokenizer
    from sixnd.runner.trainer import start_process_groups, stop_process_groups

    logging.getLogger("megatron").setLevel(logging.ERROR)
    plan = _one_device(folder.plan())
    tokenizer = Tokenizer(folder.path / folder.job().tokenizer)
    found = latest_checkpoint(folder.checkpoints_path, plan.fingerprint())
    assert found is not None, "a finished run has a checkpoint"
    with training_device(0), tempfile.TemporaryDirectory() as rendezvous, torch.no_grad():
        start_process_groups(plan.layout, plan.training.seed, alone=Path(rendezvous))
        model = build_chunk(plan, transformer_config(plan)).eval()
        load_weights(found[0], [model])
        generator = torch.Generator().manual_seed(plan.training.seed)
        for source, prompt in _prompts(folder):
            text = tokenizer.detokenize(prompt)
            ids = _continue(model, prompt, plan, generator)
            continuation = tokenizer.detokenize(ids)[len(text) :]
            print(json.dumps({"source": source, "prompt": text, "continuation": continuation}), flush=True)
        stop_process_groups()


if __name__ == "__main__":
    _print_samples(JobFolder(Path(sys.argv[1])))
