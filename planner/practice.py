"""Why the settings of training are as they are that no law chooses: told where the spec asks for them."""

from sixnd.specs.plan import Decision, PlannedTraining

Z_LOSS_SOURCE = "PaLM (Chowdhery et al. 2022, arXiv:2204.02311, §5) took 1e-4 · log²Z"

DETERMINISM_SOURCE = "Megatron-LM's --deterministic-mode (megatron/training/arguments.py); PyTorch, Reproducibility"


def practice_decisions(trained: PlannedTraining) -> list[Decision]:
    """One for each setting that is not its default."""
    return [*_z_loss(trained), *_deterministic(trained)]


def _z_loss(trained: PlannedTraining) -> list[Decision]:
    if not trained.z_loss:
        return []
    return [
        Decision(
            what="training.z_loss",
            value=f"{trained.z_loss:g} · log²Z beside the loss",
            reason="training.z_loss says so: it holds the sum of the exponentials of a token's logits near 1; what is "
            "recorded as loss stays cross-entropy, and the law predicts that",
            source=f"spec: training.z_loss; {Z_LOSS_SOURCE}",
            pinned=True,
        )
    ]


def _deterministic(trained: PlannedTraining) -> list[Decision]:
    if not trained.deterministic:
        return []
    return [
        Decision(
            what="training.deterministic",
            value="only kernels that give the same bits each time",
            reason="training.deterministic says so; a CPU trains to the same bits anyway, and on GPUs the step takes "
            "longer than is estimated here, by what was not measured",
            source=f"spec: training.deterministic; {DETERMINISM_SOURCE}",
            pinned=True,
        )
    ]
