"""What attention that ends with the document does to a plan's numbers.

How long documents are is not known before they are tokenised, so FLOPs, step time and MFU count attention over whole
sequences: at most the scores' share too much.
"""

from sixnd.planner.explanation import Facts, Step
from sixnd.planner.model_flops import forward_flops
from sixnd.planner.transformer import Transformer
from sixnd.specs.plan import Decision, PlannedData

_SOURCE = "Dubey et al. 2024 (arXiv:2407.21783), §3.2; Zhao et al. 2024 (arXiv:2402.13991)"


def document_masks_decision(data: PlannedData, model: Transformer) -> list[Decision]:
    """That attention ends with the document, and what of the plan's FLOPs this may save; nothing where it does not."""
    if not data.document_masks:
        return []
    return [
        Decision(
            what="data.document_masks",
            value="attention ends with the document",
            reason=(
                "data.document_masks says so; it mattered little to Llama 3 in ordinary pre-training and much where it "
                f"went on with very long sequences. Attention is counted as over whole sequences, {_share(model):.1%} "
                "of the FLOPs: FLOPs and MFU are at most so much too high, and the step time is that of whole sequences"
            ),
            source=f"spec: data.document_masks; {_SOURCE}",
            pinned=True,
        )
    ]


def counted(facts: Facts) -> list[Step]:
    """The FLOPs of scores across documents that are counted and not computed, at most; nothing without masks."""
    if not facts.plan.data.document_masks:
        return []
    parts = forward_flops(facts.model.architecture, facts.model.sequence, "causal")
    formula = (
        f"{parts['scores']:.5g} / {sum(parts.values()):.5g} FLOPs of a token: scores of whole sequences, where "
        "documents are masked from each other"
    )
    return [Step("counted too much at most", formula, _share(facts.model), "counted by module", "share of FLOPs")]


def _share(model: Transformer) -> float:
    parts = forward_flops(model.architecture, model.sequence, "causal")
    return parts["scores"] / sum(parts.values())
