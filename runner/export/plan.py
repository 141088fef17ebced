"""A plan for other programs that train on Megatron-core: what is written, and what they cannot be told."""

from dataclasses import dataclass

from sixnd.runner.job import JobFolder
from sixnd.specs.errors import UntrainablePlanError
from sixnd.specs.plan import Plan


@dataclass(frozen=True)
class Exported:
    """A file's text, and what a reader must know of how it differs from the plan."""

    text: str
    notes: list[str]


def refuse(plan: Plan, *more: str) -> None:
    """A plan whose model would be another one there is refused with all that stands in the way, and with ``more``."""
    reasons = [*more]
    if plan.model.architecture is not None:
        reasons.append("its model has an architecture of its own; only models of model.shape are exported")
    if plan.training.mup is not None:
        reasons.append("it trains with muP, whose learning rates and factors cannot be said there")
    if plan.training.schedule == "inverse-square-root" and plan.training.decay_steps:
        reasons.append("its inverse square root ends in a cooldown; there it has none (training.decay_fraction: 0)")
    if plan.data.document_masks:
        reasons.append(
            "its attention ends with the document; there Transformer Engine attends, which does not look at the mask "
            "of --reset-attention-mask (NVIDIA/Megatron-LM#2357)"
        )
    if plan.training.z_loss:
        reasons.append("its loss has a z-loss, which a dense model has not there")
    if not plan.training.weight_decay_embeddings:
        reasons.append("its embedding is not decayed, which cannot be said there")
    if plan.continual is not None:
        reasons.append("it starts from a trained model, whose weights those programs cannot load as they are")
    if plan.training.precision not in ("bf16", "fp32"):
        reasons.append(f"its precision is {plan.training.precision}; only bf16 and fp32 are exported")
    if reasons:
        raise UntrainablePlanError(
            f"this plan cannot be exported: {'; '.join(reasons)}", "plan without it, or use `sixnd run`"
        )


def blends(folder: JobFolder) -> tuple[list[str], list[str]]:
    """Weights and prefixes of the training and the validation blend, in turn, as Megatron's datasets take them."""
    train, validation = [], []
    for source in (each for each in folder.job().sources if each.weight):
        train += [f"{source.weight:.12g}", str(folder.path / source.train_prefix)]
        validation += [f"{source.weight:.12g}", str(folder.path / source.validation_prefix)]
    return train, validation


def differences(plan: Plan, folder: JobFolder | None) -> list[str]:
    """What no such program can be told of a plan."""
    notes = [
        "initial weights and the order of the data are drawn otherwise there, so losses agree only in distribution",
        "validation goes on through the held-out text there; here it is the same batches each time",
    ]
    if folder is None:
        notes.append("the data are not named: export from the run folder once they are prepared")
    if plan.data.anneal is not None:
        switch = plan.phases[1].first_step
        notes.append(f"the blend that anneals from step {switch:,} on is left out: one blend is read from start to end")
    if plan.cluster.shared_host:
        notes.append("the plan is for a CPU, and Megatron-LM and Megatron-Bridge train on GPUs")
    return notes
