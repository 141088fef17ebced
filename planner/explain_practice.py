"""Derivations of the settings of training that no law chooses."""

from sixnd.planner.explanation import Facts, Step
from sixnd.planner.practice import DETERMINISM_SOURCE, EMBEDDINGS_SOURCE, FP8_SOURCE, Z_LOSS_SOURCE


def z_loss(facts: Facts) -> list[Step]:
    """The factor, and what it adds to the gradient of a logit."""
    factor, vocabulary = facts.plan.training.z_loss, facts.plan.model.padded_vocab_size
    return [
        Step("factor of log²Z", "training.z_loss", factor, Z_LOSS_SOURCE),
        Step(
            "gradient of a logit",
            "softmax · (1 + 2 · factor · log Z) - 1 where it is the target's",
            f"{2 * factor:g} · log Z more of the softmax",
            "d log²Z / d logit = 2 · log Z · softmax",
        ),
        Step("kept beside the softmax", f"4 bytes of each token, of 4 · {vocabulary:,} / TP of it", 4, "", "bytes"),
    ]


def deterministic(facts: Facts) -> list[Step]:
    """What is asked for, and where it changes anything."""
    shared = facts.plan.cluster.shared_host
    where = "a CPU: the same bits without it" if shared else "GPUs: atomics and the order of reductions are pinned"
    return [
        Step("kernels", "training.deterministic", "the same bits each time", DETERMINISM_SOURCE),
        Step("where", "cluster.accelerators", where),
    ]


def fp8_recipe(facts: Facts) -> list[Step]:
    """What is scaled how, and what stays."""
    recipe = facts.plan.training.fp8_recipe or ""
    return [
        Step("scale of a tensor", "largest number of the format / its largest entry", recipe, FP8_SOURCE),
        Step("forward", "largest number of E4M3", 448, FP8_SOURCE),
        Step("gradients", "largest number of E5M2", 57344, FP8_SOURCE),
        Step("kept", "weights, optimizer, head, norms, attention", "as in BF16 training"),
    ]


def weight_decay_embeddings(facts: Facts) -> list[Step]:
    """Which parameters are decayed, by kind."""
    t, tied = facts.plan.training, facts.plan.model.tied_embeddings
    return [
        Step("matrices of the layers", "training.weight_decay", t.weight_decay, "spec or its default"),
        Step("norms", "vectors are not decayed", 0.0, "Megatron-core's own rule"),
        Step("embedding", "training.weight_decay_embeddings", 0.0, EMBEDDINGS_SOURCE),
        Step("head", "the embedding" if tied else "a matrix of its own", 0.0 if tied else t.weight_decay),
    ]
