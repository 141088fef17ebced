"""A mixing law from small runs of different data mixes: the best mix, and how sure it is (`sixnd fit --mix`).

That the mix which is best for small runs is best for a large one (rank invariance) is RegMix's hypothesis (Liu et al.
2024, arXiv:2407.01492), not a theorem; every document says so.
"""

from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from sixnd.planner.fitting.mix_surface import Array, best_mix, fit_surface, predict
from sixnd.specs.errors import SixndError, UnfitRunsError
from sixnd.specs.mix_document import MixDocument, MixFit, MixRun, Target
from sixnd.specs.mix_table import MixTable
from sixnd.specs.mixes import FittedDomain, MixLaw

MIXING_LAWS = "Ye et al. 2024 (arXiv:2403.16952): L = c + exp(Σ t·weight) for each validation text"
_SPARE = 3
"""Runs beyond the constants of one validation loss, below which nothing is fitted."""
_DRAWS = 400
_VARIES = 0.01
_EDGE = 1e-3
_POOR = 0.02
_LEVELS = (0.025, 0.975)


@dataclass(frozen=True)
class _Runs:
    """Weights (n, M), losses (T, n) and what each loss counts (T,)."""

    weights: Array
    losses: Array
    importance: Array


def fit_mix(table: MixTable, name: str, targets: dict[str, float] | None = None, seed: int = 0) -> MixDocument:
    """Fit a mixing law and find the best mix within the weights that were run.

    ``targets`` says what each validation loss counts (by default all the same). Raises ``UnfitRunsError`` where the
    runs cannot tell the law, ``SixndError`` where ``targets`` names no validation loss.
    """
    importance = _importance(table, targets)
    _refuse(table)
    weights = np.array([row.weights for row in table.rows])
    runs = _Runs(weights, np.array([row.losses for row in table.rows]).T, importance)
    floors, exponents = fit_surface(weights, runs.losses, np.ones_like(runs.losses))
    low, high = weights.min(axis=0), weights.max(axis=0)
    best = best_mix(exponents[None], importance, low, high)[0]
    spread, left_out = _residual_sd(runs, floors, exponents), _left_out(runs)
    drawn_mixes, drawn_losses = _drawn(runs, floors, exponents, spread, best, seed)
    ends = np.clip(np.quantile(drawn_mixes, _LEVELS, axis=0), 0, 1)
    domains = [
        FittedDomain(name=one, weight=w, low=min(a, w), high=max(b, w))
        for one, w, a, b in zip(table.domains, best.tolist(), ends[0].tolist(), ends[1].tolist(), strict=True)
    ]
    loss = float(importance @ predict(floors, exponents, best[None])[:, 0])
    errors = np.median(np.abs(left_out / runs.losses - 1), axis=1)
    source = f"{MIXING_LAWS}; fitted to {len(table.rows)} runs of {table.data}"
    return MixDocument(
        version="mix-law/1",
        sixnd_version=version("sixnd"),
        name=name,
        mix=MixLaw(name=name, domains=domains, source=source),
        fit=MixFit(
            data=table.data,
            data_sha256=table.sha256,
            targets=_targets(table, importance, floors, exponents, spread, errors),
            loss=loss,
            loss_interval=[float(end) for end in np.quantile(drawn_losses, _LEVELS)],
            ranges={one: [a, b] for one, a, b in zip(table.domains, low.tolist(), high.tolist(), strict=True)},
            interval_method=(
                f"95 % of {_DRAWS} refits with noise drawn anew at the runs, normal with each loss's own spread and "
                "its Student degrees of freedom, their best mixes beyond what was run too; that large runs like the "
                "same mix is assumed, and not in it"
            ),
            warnings=_warnings(table, runs, best, float(importance @ errors)),
            runs=_run_rows(table, runs, floors, exponents, left_out),
            refused=table.refused,
        ),
    )


def _importance(table: MixTable, targets: dict[str, float] | None) -> Array:
    if len(table.targets) < 2:
        raise UnfitRunsError(
            f"{table.data} has one validation loss ({', '.join(table.targets)}): by this law the best mix for one text "
            "is always all of a single domain",
            "give the loss on each domain's own validation text (loss:NAME), and what each counts by --target",
        )
    unknown = [name for name in targets or {} if name not in table.targets]
    if unknown:
        raise SixndError(f"--target {unknown[0]} is no loss of the runs", f"they have {', '.join(table.targets)}")
    parts = np.array([(targets or {}).get(name, 0.0 if targets else 1.0) for name in table.targets])
    if not parts.sum() > 0 or parts.min() < 0:
        raise SixndError("--target: no loss counts", "give each a number of zero or more, and one above it")
    return np.asarray(parts / parts.sum())


def _refuse(table: MixTable) -> None:
    """Too few runs, and weights that do not vary on their own."""
    runs, constants = len(table.rows), len(table.domains) + 1
    if runs < constants + _SPARE:
        raise UnfitRunsError(
            f"{table.data} has {runs} usable runs",
            f"a mixing law of {len(table.domains)} domains has {constants} "
            f"constants for each validation loss and needs at least {constants + _SPARE} runs, better {3 * constants}",
        )
    weights = np.array([row.weights for row in table.rows])
    still = [name for name, spread in zip(table.domains, np.ptp(weights, axis=0), strict=True) if spread < _VARIES]
    if still:
        raise UnfitRunsError(
            f"the weight of {', '.join(still)} hardly varies over the runs: what it does to the loss cannot be told",
            "draw weights at random (RegMix draws them from a Dirichlet around what there is)",
        )
    if np.linalg.matrix_rank(weights, tol=_VARIES) < len(table.domains):
        raise UnfitRunsError(
            "some weights rise and fall together in all runs, so that what each does cannot be told apart",
            "draw them independently",
        )


def _residual_sd(runs: _Runs, floors: Array, exponents: Array) -> Array:
    missed = np.log(predict(floors, exponents, runs.weights)) - np.log(runs.losses)
    return np.asarray(np.sqrt((missed**2).sum(axis=1) / _free(runs)))


def _free(runs: _Runs) -> int:
    """Degrees of freedom of each loss."""
    count, domains = runs.weights.shape
    return int(count - domains - 1)


def _left_out(runs: _Runs) -> Array:
    """Loss (T, n) of each run predicted from all others."""
    count = len(runs.weights)
    found = np.empty_like(runs.losses)
    for target, losses in enumerate(runs.losses):
        fits = fit_surface(runs.weights, np.tile(losses, (count, 1)), 1 - np.eye(count))
        found[target] = np.diagonal(predict(*fits, runs.weights))
    return found


def _drawn(runs: _Runs, floors: Array, exponents: Array, spread: Array, best: Array, seed: int) -> tuple[Array, Array]:
    """Best mixes (R, M) of refits with other noise, and what those predict (R,) at the best mix of the runs."""
    generator, fitted = np.random.default_rng(seed), predict(floors, exponents, runs.weights)
    refits = []
    for target, sd in enumerate(spread):
        wide = sd * np.sqrt(_free(runs) / generator.chisquare(_free(runs), (_DRAWS, 1)))
        losses = fitted[target] * np.exp(wide * generator.standard_normal((_DRAWS, len(runs.weights))))
        refits.append(fit_surface(runs.weights, losses, np.ones_like(losses)))
    drawn = np.stack([each for _, each in refits], axis=1)
    losses = np.stack([predict(*each, best[None])[:, 0] for each in refits], axis=1)
    nowhere, everything = np.zeros_like(best), np.ones_like(best)  # a best beyond what was run must be seen
    return best_mix(drawn, runs.importance, nowhere, everything), np.asarray(losses @ runs.importance)


def _targets(
    table: MixTable, importance: Array, floors: Array, exponents: Array, spread: Array, errors: Array
) -> list[Target]:
    return [
        Target(
            name=name,
            importance=float(importance[i]),
            floor=float(floors[i]),
            exponents=dict(zip(table.domains, exponents[i].tolist(), strict=True)),
            residual_sd=float(spread[i]),
            leave_one_out_error=float(errors[i]),
        )
        for i, name in enumerate(table.targets)
    ]


def _warnings(table: MixTable, runs: _Runs, best: Array, error: float) -> list[str]:
    found = [
        "that the best mix of small runs is that of a large one is a hypothesis (RegMix, Liu et al. 2024), and repeats "
        "are not in it: the runs say nothing of a small source read many times"
    ]
    low, high = runs.weights.min(axis=0), runs.weights.max(axis=0)
    for name, weight, a, b in zip(table.domains, best, low, high, strict=True):
        if min(weight - a, b - weight) < _EDGE:
            found.append(f"{name} is at the edge of what was run ({a:.3g} to {b:.3g}): the best may lie beyond")
    needed = 3 * (len(table.domains) + 1)
    if len(table.rows) < needed:
        found.append(f"{len(table.rows)} runs are few for {len(table.domains)} domains; {needed} would be better")
    if error > _POOR:
        found.append(f"runs left out are missed by {error:.1%} in the middle: the form does not hold, or noise is much")
    return found


def _run_rows(table: MixTable, runs: _Runs, floors: Array, exponents: Array, left_out: Array) -> list[MixRun]:
    measured, predicted = runs.importance @ runs.losses, runs.importance @ predict(floors, exponents, runs.weights)
    return [
        MixRun(
            row=row.where,
            weights=dict(zip(table.domains, row.weights, strict=True)),
            loss=float(measured[i]),
            predicted=float(predicted[i]),
            left_out=float((runs.importance @ left_out)[i]),
        )
        for i, row in enumerate(table.rows)
    ]
