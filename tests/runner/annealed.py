"""Tiny plans of two phases, and tokenised documents for them."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sixnd.planner.annealing import PhaseSteps, in_two_phases
from sixnd.runner.indexed import indexed_writer
from sixnd.specs.plan import Plan, PlannedSource
from tests.runner import tiny


def source(name: str, weight: float, unique: float | None = None) -> PlannedSource:
    """A source whose tokens are filled in by ``annealed``."""
    return PlannedSource(
        name=name, recipe=None, path=f"{name}/*.txt", weight=weight, tokens=0, unique_tokens=unique, epochs=None
    )


def annealed(plan: Plan, annealing: Sequence[float], last: int, *, repeat: bool = False) -> Plan:
    """The plan with ``last`` of its steps reading another blend."""
    sources, main_steps = plan.data.sources, plan.training.steps - last
    steps = PhaseSteps(main_steps, last, plan.training.batches, plan.model.sequence_length)
    main = np.array([source.weight for source in sources])
    phases = in_two_phases(sources, main, np.array(annealing), steps, repeat)
    total = plan.tokens_after(plan.training.steps)
    read = [sum(phase.sources[i].tokens for phase in phases.phases) for i in range(len(sources))]
    planned = [
        source.model_copy(update={"tokens": tokens, "weight": tokens / total})
        for source, tokens in zip(sources, read, strict=True)
    ]
    data = plan.data.model_copy(update={"sources": planned, "tokens": total, "anneal": phases})
    return plan.model_copy(update={"data": data})


def documents(count: int, seed: int, longest: int = 60) -> list[np.ndarray]:
    """Documents of random length; the first two tokens number the document, so that no two are alike."""
    generator = np.random.default_rng(seed)
    found = []
    for number in range(count):
        tokens = generator.integers(3, tiny.VOCABULARY, int(generator.integers(3, longest)), dtype=np.uint16)
        tokens[:2] = divmod(number, tiny.VOCABULARY)
        found.append(tokens)
    return found


def write_shards(folder: Path, documents: Sequence[np.ndarray], shards: int) -> list[Path]:
    """The documents in so many shards, in order."""
    folder.mkdir(parents=True, exist_ok=True)
    prefixes, edges = [], np.linspace(0, len(documents), shards + 1).astype(int)
    for number, (first, last) in enumerate(itertools.pairwise(edges)):
        prefixes.append(folder / f"shard-{number:05}")
        with indexed_writer(prefixes[-1], documents[0].dtype) as writer:
            writer.add(documents[first:last])
    return prefixes
