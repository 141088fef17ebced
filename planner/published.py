"""What was published of real runs: their over-training and MFU, and the highest MFU there is."""

from dataclasses import dataclass
from functools import cache
from statistics import median

from sixnd.planner import laws
from sixnd.planner.flops import flops_6nd
from sixnd.planner.laws import CHINCHILLA_RATIO
from sixnd.specs import catalog
from sixnd.specs.laws import SurfaceLaw
from sixnd.specs.published_runs import PublishedMfu, PublishedRun


@dataclass(frozen=True)
class KnownRun:
    """A published run against the rule of 20 and against a law."""

    name: str
    params: float
    """N; the active parameters of a mixture of experts."""
    tokens: float
    tokens_per_param: float
    over_training: float
    """Tokens a parameter over the rule of 20."""
    over_law: float
    """Tokens a parameter over those of the law's own optimum at the run's compute."""
    mfu: float | None
    """C = 6ND over what the accelerators' dense BF16 peak would do in its hours."""
    source: str


@dataclass(frozen=True)
class Typical:
    """MFU of published runs, failures and restarts included."""

    lowest: float
    lowest_run: str
    median: float
    highest: float
    highest_run: str


def known_runs(law: SurfaceLaw) -> list[KnownRun]:
    """Every published run of the catalog, in its order."""
    return [_known(name, catalog.published_run(name), law) for name in catalog.names("published-runs")]


def _known(name: str, run: PublishedRun, law: SurfaceLaw) -> KnownRun:
    params = run.active_params or run.params
    best = laws.optimum(law, flops_6nd(params, run.tokens))
    ratio = run.tokens / params
    return KnownRun(
        name=name,
        params=params,
        tokens=run.tokens,
        tokens_per_param=ratio,
        over_training=ratio / CHINCHILLA_RATIO,
        over_law=ratio / (best.tokens / best.params),
        mfu=run_mfu(run),
        source=run.source,
    )


def run_mfu(run: PublishedRun) -> float | None:
    """C = 6ND over peak × accelerator-hours; none where hours are not published or the peak is not in the catalog."""
    if run.accelerator is None or run.accelerator_hours is None:
        return None
    peak = catalog.accelerator(run.accelerator).peak_flops["bf16"]
    return flops_6nd(run.active_params or run.params, run.tokens) / (run.accelerator_hours * 3600 * peak)


@cache
def typical_mfu() -> Typical:
    """What whole runs reached."""
    runs = {name: run_mfu(catalog.published_run(name)) for name in catalog.names("published-runs")}
    found = sorted((mfu, name) for name, mfu in runs.items() if mfu is not None)
    (lowest, lowest_run), (highest, highest_run) = found[0], found[-1]
    return Typical(lowest, lowest_run, median(mfu for mfu, _ in found), highest, highest_run)


def highest_mfu(accelerator: str | None) -> PublishedMfu:
    """The highest MFU found published in BF16: on that accelerator, or where none is, on any."""
    found = [each for each in _speeds() if each.precision == "bf16"]
    own = [each for each in found if accelerator is not None and each.accelerator == accelerator]
    return max(own or found, key=lambda each: each.mfu)


def highest_low_precision(accelerator: str | None) -> PublishedMfu | None:
    """The highest share of the BF16 peak found published in 8 or 4 bits on that accelerator."""
    found = [each for each in _speeds() if each.precision != "bf16" and each.accelerator == accelerator]
    return max(found, key=lambda each: each.mfu) if found and accelerator is not None else None


def _speeds() -> list[PublishedMfu]:
    return [catalog.published_mfu(name) for name in catalog.names("published-mfu")]
