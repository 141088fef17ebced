"""muP: a learning rate tuned on a narrow model, made to hold on a wide one of the same depth.

Rules for Adam from Tensor Programs V (Yang et al. 2022, arXiv:2203.03466, table 8 and §4), with m = width / base width:

==================  ===================  ==============  ====================================================
weights             initial std          learning rate   applied
==================  ===================  ==============  ====================================================
embedding, norms    that of base width   1               as they are
hidden matrices     / √m                 / m             weight decay · m, so that rate · decay stays the same
head                that of base width   1               logits / m
==================  ===================  ==============  ====================================================

Query · key is multiplied by √(base head dimension) / head dimension instead of 1 / √(head dimension). At the base
width everything is as in the standard parametrization. Depth is not scaled: projections back into the residual stream
are divided by √(2 · layers) as without muP. That rate · decay must stay the same is Wang and Aitchison 2024
(arXiv:2405.13698): without it muP's transfer breaks down as training goes on.
"""

import math

from sixnd.specs.budget import Training
from sixnd.specs.plan import PlannedMup

SOURCE = (
    "Tensor Programs V: Yang et al. 2022, arXiv:2203.03466, table 8; weight decay against the learning rate: Wang "
    "and Aitchison 2024, arXiv:2405.13698"
)


def standard_init_std(hidden: int) -> float:
    """√(2/(5h)), of matrices at width h (Nguyen and Salazar 2019, §2.2)."""
    return math.sqrt(2 / (5 * hidden))


def planned_mup(asked: Training, hidden: int, head_dim: int) -> PlannedMup | None:
    """The numbers for a model of that width and head dimension; ``None`` where the spec asks for the standard."""
    if asked.parametrization == "standard":
        return None
    base = asked.mup_base_width
    assert base is not None, "the spec's validator sees to it"
    base_head_dim = asked.mup_base_head_dim or head_dim
    return PlannedMup(
        base_width=base,
        base_head_dim=base_head_dim,
        embedding_init_std=standard_init_std(base),
        hidden_lr_multiplier=base / hidden,
        hidden_weight_decay_multiplier=hidden / base,
        logit_multiplier=base / hidden,
        attention_scale=math.sqrt(base_head_dim) / head_dim,
    )
