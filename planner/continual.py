"""Continual pre-training: what follows from a base, and what no law here can say of it."""

import numpy as np

from sixnd.planner.lora_decisions import adapter_rate, planned_lora, why_adapter_rate
from sixnd.planner.mix import chosen
from sixnd.specs.budget import BudgetSpec, Data, Training
from sixnd.specs.continual import Continual, GeneralSource, Origin, PlannedContinual
from sixnd.specs.families import Architecture
from sixnd.specs.lora import Lora
from sixnd.specs.plan import Decision, Estimate, Estimates
from sixnd.specs.replay import general_data, kept_by_base, new_data

IBRAHIM = "Ibrahim et al. 2024, arXiv:2403.08763"
GUPTA = "Gupta et al. 2023, arXiv:2308.04014"
PARMAR = "Parmar et al. 2024, arXiv:2407.07263"
_SIZES = ("model.params", "model.shape", "model.vocab_size", "model.tied_embeddings")
FROM_BASE = (*_SIZES, "data.sources", "training.learning_rate", "training.init_std")
"""Decisions that are told in words of the base, and follow no law."""
_NOT_PREDICTED = (
    "not a prediction of this run: what the law says of new weights trained on these tokens. No law here speaks of "
    "continual training"
)


def from_base(spec: BudgetSpec) -> BudgetSpec:
    """The spec with all decided that its base decides: the peak learning rate, and every source's share.

    Without a base it is the spec itself.
    """
    if spec.continual is None:
        return spec
    return spec.model_copy(update={"training": _training(spec, spec.continual), "data": _blended(spec, spec.continual)})


def base_rate(asked: Continual) -> float:
    """The peak learning rate: a share of the base's own peak, or with nothing warmed up the rate it ended at."""
    origin = _origin(asked)
    if asked.rewarm == "none":
        final = asked.final_learning_rate or origin.final_learning_rate
        assert final is not None, "checked with the spec"
        return final
    peak = asked.peak_learning_rate or origin.peak_learning_rate
    assert peak is not None, "checked with the spec"
    return asked.rewarm * peak


def planned_continual(spec: BudgetSpec, model: Architecture) -> PlannedContinual | None:
    """What a plan holds of the base; none without one."""
    asked = spec.continual
    if asked is None:
        return None
    origin, kept = _origin(asked), kept_by_base(spec)
    files = {source.name: source for source in origin.sources if source.name in kept}
    return PlannedContinual(
        base=asked.base,
        name=origin.name,
        kind=origin.kind,
        step=origin.step,
        sha256=origin.sha256,
        replay=asked.replay,
        general=[
            GeneralSource(
                name=name,
                train_prefix=files[name].train_prefix if name in files else None,
                validation_prefix=files[name].validation_prefix if name in files else None,
            )
            for name in asked.general or []
        ],
        lora=planned_lora(spec, model),
    )


def _origin(asked: Continual) -> Origin:
    assert asked.origin is not None, "checked with the spec"
    return asked.origin


def _training(spec: BudgetSpec, asked: Continual) -> Training:
    given = spec.training
    if given.learning_rate is not None:
        return given
    still = {"warmup_fraction": 0.0} if asked.rewarm == "none" else {}
    return given.model_copy(update={"learning_rate": adapter_rate(base_rate(asked), asked.lora), **still})


def _blended(spec: BudgetSpec, asked: Continual) -> Data:
    """The sources with their shares as weights: general ones share `replay`, the others the rest."""
    shares: dict[str, float] = {}
    for data, part in ((new_data(spec), 1 - asked.replay), (general_data(spec), asked.replay)):
        if data.sources:
            found = part * chosen(data).shares
            shares |= {source.name: float(share) for source, share in zip(data.sources, found, strict=True)}
    total = float(np.sum(list(shares.values())))  # below 1 where there is no general text
    weighted = [s.model_copy(update={"weight": shares[s.name] / total}) for s in spec.data.sources]
    return spec.data.model_copy(update={"sources": weighted})


def base_decisions(spec: BudgetSpec, made: list[Decision]) -> list[Decision]:
    """The plan's decisions, those that the base makes told so, and the base itself before them."""
    if spec.continual is None:
        return made
    told = [_retold(spec, spec.continual, decision) for decision in made]
    return [_base(spec.continual), *told]


def _base(asked: Continual) -> Decision:
    origin = _origin(asked)
    after = f" after step {origin.step:,}" if origin.step else ""
    return Decision(
        what="continual.base",
        value=f"{origin.name}{after}",
        reason=(
            f"all weights are its own (SHA-256 {origin.sha256[:16]}…, checked before they are trusted); the optimizer "
            "begins anew, at step 0"
        ),
        source="spec: continual.base",
        pinned=True,
    )


def _retold(spec: BudgetSpec, asked: Continual, decision: Decision) -> Decision:
    if decision.what in _SIZES:
        told = {"reason": f"those of {_origin(asked).name}, which training starts from", "source": "continual.base"}
        return decision.model_copy(update={**told, "pinned": True})
    if decision.what == "training.init_std":
        told = {"reason": "not used: no weight is drawn anew", "source": "continual.base"}
        return decision.model_copy(update=told)
    if decision.what == "data.sources":
        return decision.model_copy(update=_replay(spec, asked))
    if decision.what == "training.learning_rate" and spec.training.learning_rate is None:
        return decision.model_copy(update=_rewarmed(asked) if asked.lora is None else _of_adapters(asked, asked.lora))
    return decision


def _replay(spec: BudgetSpec, asked: Continual) -> dict[str, object]:
    names = [source.name for source in general_data(spec).sources]
    if not names:
        how = "no source stands for what the base knows: what it forgets is not measured"
    else:
        how = (
            f"{asked.replay:.3g} of the tokens from {', '.join(names)}, against forgetting; held-out text of them is "
            "measured whatever the share"
        )
    new = chosen(new_data(spec))
    return {
        "reason": f"{how}; the rest by {new.how}",
        "source": f"{IBRAHIM}: 1 to 5 % for a weak shift of text, about 25 % for a strong one",
        "pinned": "replay" in asked.model_fields_set,
    }


def _rewarmed(asked: Continual) -> dict[str, object]:
    pinned = "rewarm" in asked.model_fields_set
    if asked.rewarm == "none":
        reason = (
            "the rate the base ended at, decayed from there and never raised: least is forgotten, and least learnt, "
            "from text unlike the base's"
        )
        return {"reason": reason, "source": PARMAR, "pinned": pinned}
    peak = asked.peak_learning_rate or _origin(asked).peak_learning_rate
    reason = (
        f"{asked.rewarm:g} of the base's own peak of {peak:.4g}, warmed up to and decayed from again. A base has ended "
        "at a rate too low to learn much at; the higher it is raised, the more is learnt and the more forgotten, which "
        "replay makes up for"
    )
    return {"reason": reason, "source": f"{GUPTA}; {IBRAHIM}", "pinned": pinned}


def _of_adapters(asked: Continual, lora: Lora) -> dict[str, object]:
    told, (reason, source) = _rewarmed(asked), why_adapter_rate(base_rate(asked), lora)
    return {
        "reason": f"{reason}; of all weights: {told['reason']}",
        "source": f"{source}; {told['source']}",
        "pinned": told["pinned"] or "learning_rate_times" in lora.model_fields_set,
    }


def unpredicted(spec: BudgetSpec, estimates: Estimates) -> Estimates:
    """The estimates, with the law's loss marked as none of a continual run's."""
    if spec.continual is None:
        return estimates
    loss: Estimate = estimates.loss.model_copy(update={"basis": _NOT_PREDICTED, "extrapolated": True})
    return estimates.model_copy(update={"loss": loss})


def continual_warnings(spec: BudgetSpec) -> list[str]:
    """What a reader must know of a run that starts from a base."""
    asked = spec.continual
    if asked is None:
        return []
    found = [
        "continual: the loss at the end is not predicted. The laws here are of models trained from new weights; N, D "
        "and the batch are by them, the loss of this run is not"
    ]
    if not asked.general:
        found.append("continual: no source stands for what the base knows, so what it forgets is not measured")
    if asked.origin is not None and asked.origin.kind == "llama" and asked.general:
        found.append(
            "continual: whether the base was trained on the held-out text of the general sources is not known; where "
            "it was, that text looks better than text it has not seen"
        )
    return found
