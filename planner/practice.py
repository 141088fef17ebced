"""Why the settings of training are as they are that no law chooses: told where the spec asks for them."""

from sixnd.specs.plan import Decision, PlannedTraining

Z_LOSS_SOURCE = "PaLM (Chowdhery et al. 2022, arXiv:2204.02311, §5) took 1e-4 · log²Z"

DETERMINISM_SOURCE = "Megatron-LM's --deterministic-mode (megatron/training/arguments.py); PyTorch, Reproducibility"

FP8_SOURCE = "Nemotron-H (NVIDIA 2025, arXiv:2504.03624); formats: Micikevicius et al. 2022, arXiv:2209.05433"

EMBEDDINGS_SOURCE = "OLMo 2 (Walsh et al. 2024, arXiv:2501.00656) leaves them out; Megatron-LM decays them by default"


def practice_decisions(trained: PlannedTraining) -> list[Decision]:
    """One for each setting that is not its default."""
    return [*_embeddings(trained), *_z_loss(trained), *_deterministic(trained), *_fp8_recipe(trained)]


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


def _fp8_recipe(trained: PlannedTraining) -> list[Decision]:
    if trained.fp8_recipe is None:
        return []
    return [
        Decision(
            what="training.fp8_recipe",
            value=f"{trained.fp8_recipe}: forward products in E4M3, gradients in E5M2",
            reason="each tensor is scaled by its own largest entry: it keeps no history that a checkpoint of another "
            "layout would have to split; every layer takes it, first and last ones too",
            source=FP8_SOURCE,
        )
    ]


def _embeddings(trained: PlannedTraining) -> list[Decision]:
    if trained.weight_decay_embeddings:
        return []
    return [
        Decision(
            what="training.weight_decay_embeddings",
            value="the embedding is not decayed",
            reason="training.weight_decay_embeddings says so; what it does to the loss was not measured here",
            source=f"spec: training.weight_decay_embeddings; {EMBEDDINGS_SOURCE}",
            pinned=True,
        )
    ]
