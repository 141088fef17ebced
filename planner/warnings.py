"""What a reader must know before signing a plan."""

import math

from sixnd.planner import laws
from sixnd.planner.draft import Draft, Drafter
from sixnd.planner.hyperparameter_laws import range_broken
from sixnd.planner.mix_decisions import mix_warnings
from sixnd.planner.sites import sites_warnings
from sixnd.specs import catalog
from sixnd.specs.plan import Estimates, PlannedData

_FEW_STEPS = 100
_THIN_MARGIN = 0.9
_NOTABLE_DEVIATION = 0.05
_PUBLISHED_GOODPUT = 0.9
"""More than 90 % of the wall-clock trained Llama 3 405B and MegaScale's models."""


def warnings(drafter: Drafter, draft: Draft, data: PlannedData, estimates: Estimates) -> list[str]:
    """Extrapolation, repetition, deviations from what was asked, thin margins."""
    return [
        *_law_range(drafter, draft),
        *_rounded(drafter),
        *_hyperparameter_range(drafter, draft),
        *_deviations(drafter, draft),
        *_experts(draft),
        *_quantised(drafter),
        *mix_warnings(drafter.spec, data, estimates),
        *_lossy(drafter),
        *_margins(drafter, draft, estimates),
        *_failures(drafter, draft, estimates),
        *sites_warnings(drafter.spec),
    ]


def _lossy(drafter: Drafter) -> list[str]:
    if drafter.spec.data.tokenizer.kind != "wordpiece":
        return []
    return [
        "data.tokenizer: WordPiece is lossy: the model cannot write line ends, indentation or double spaces, nor words "
        "with rare characters; byte-bpe, sp-bpe and sp-unigram lose nothing"
    ]


def _law_range(drafter: Drafter, draft: Draft) -> list[str]:
    outside = laws.decades_outside(drafter.law, draft.candidate.model.active_params, draft.tokens)
    if not outside:
        return []
    widening = 1 + laws.WIDENING_PER_DECADE * outside
    message = (
        f"{drafter.law_name} is extrapolated {outside:.1f} decades outside the range it was fitted on; intervals of "
        f"loss and N are widened {widening:.2f}-fold by rule, which is a guide, not a measurement"
    )
    return [message, *_nonsense(drafter, draft)]


def _rounded(drafter: Drafter) -> list[str]:
    if not drafter.law.rounded:
        return []
    return [f"{drafter.law_name} has two-digit exponents, too few to allocate by: {drafter.law.weakness}"]


def _nonsense(drafter: Drafter, draft: Draft) -> list[str]:
    """A law far outside its range may predict more loss than guessing has."""
    model = draft.candidate.model
    predicted, guessing = drafter.loss(model.active_params, draft.tokens), math.log(model.vocab)
    if predicted <= guessing:
        return []
    return [
        f"{drafter.law_name} predicts a loss of {predicted:.1f} nats, more than guessing among {model.vocab:,} entries "
        f"has ({guessing:.1f}): it says nothing about a run this small, neither on loss nor on the best N"
    ]


def _hyperparameter_range(drafter: Drafter, draft: Draft) -> list[str]:
    spec = drafter.spec
    if spec.training.global_batch is not None and spec.training.learning_rate is not None:
        return []
    law = catalog.hyperparameter_law(spec.hyperparameter_law)
    found = range_broken(law, drafter.point(draft.candidate, draft.tokens))
    return [f"{spec.hyperparameter_law} is extrapolated to {' and '.join(found)}; {law.weakness}"] if found else []


def _deviations(drafter: Drafter, draft: Draft) -> list[str]:
    spec, found = drafter.spec, []
    if spec.model.params is not None:
        off = draft.candidate.model.params / spec.model.params - 1
        if abs(off) > _NOTABLE_DEVIATION:
            found.append(
                f"model.params: the nearest shape has {draft.candidate.model.params:,} parameters, "
                f"{off:+.1%} from what was asked"
            )
    off = draft.batch.deviation(spec.model.sequence_length)
    if spec.training.global_batch is not None and abs(off) > 1e-9:
        found.append(
            f"training.global_batch: {spec.training.global_batch:,.0f} tokens are not a multiple of sequence_length; "
            f"{draft.batch.sequences * spec.model.sequence_length:,} tokens, which split well, are planned ({off:+.2%})"
        )
    return found


def _experts(draft: Draft) -> list[str]:
    model = draft.candidate.model
    if model.active_params == model.params:
        return []
    return [
        f"model.family: the law knows dense models; N is the {model.active_params:.4g} parameters that a token passes, "
        f"of {model.params:.4g} in all. What the other experts are worth is not in the predicted loss, which is "
        "therefore too high"
    ]


def _quantised(drafter: Drafter) -> list[str]:
    precision = drafter.machine.precision
    if precision not in ("fp8", "fp4"):
        return []
    run = "`sixnd run` does not train in it"
    if precision == "fp8":
        run = "`sixnd run` trains in it only where Transformer Engine is, which no test of it has seen yet"
    return [
        f"training.precision: no law here knows what products in {precision} do to the loss; the predicted loss is "
        f"that of BF16, and {run}"
    ]


def _margins(drafter: Drafter, draft: Draft, estimates: Estimates) -> list[str]:
    found, room = [], drafter.machine.planned.memory_bytes
    if estimates.memory_bytes.high > room:
        found.append(
            f"memory: the upper end of the estimate ({estimates.memory_bytes.high / 1e9:.1f} GB) exceeds a rank's "
            f"{room / 1e9:.1f} GB; the layout may run out of memory"
        )
    if draft.steps < _FEW_STEPS:
        found.append(
            f"only {draft.steps} optimizer steps: laws of loss, batch and learning rate say little about so short a run"
        )
    return found


def _failures(drafter: Drafter, draft: Draft, estimates: Estimates) -> list[str]:
    """A cluster whose failures cost more than published runs lost, and spot capacity, whose absence is not counted."""
    found, stops = [], drafter.clock(draft).stops
    if estimates.goodput is not None and stops is not None and estimates.goodput.value < _PUBLISHED_GOODPUT:
        found.append(
            f"goodput: {estimates.goodput.value:.0%}, as {drafter.spec.accelerators.count:,} accelerators stop every "
            f"{stops.between_s / 3600:.2g} h and take {stops.restart_s / 60:.2g} min to restart; published runs kept "
            f"{_PUBLISHED_GOODPUT:.0%} and more on up to 16,384. Restarting faster (cluster.restart_time) helps most"
        )
    if drafter.spec.cluster.pricing == "spot":
        found.append(
            "cluster.pricing is spot: the rate of interruptions is the seller's own, for single machines; whether so "
            "many are to be had at once is not known, and waiting for them is counted only by cluster.replacement_time"
        )
    return found
