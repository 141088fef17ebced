"""Several data centres that train one model: what the slow link between them costs a step, on paper.

Each site holds whole replicas. Their gradients are averaged over the link at each step, or the sites train alone for a
while and average how far their weights went (DiLoCo, Douillard et al. 2023, arXiv:2311.08105).
"""

from dataclasses import replace

from sixnd.planner.layout import Found
from sixnd.specs.budget import BudgetSpec, Sites
from sixnd.specs.plan import Decision, LayoutOption, TimeBreakdown

DILOCO = "Douillard et al. 2023, DiLoCo, arXiv:2311.08105"
_SHOWN_SITES, _SHOWN_STEPS = 8, 500
"""DiLoCo's eight workers with 500 steps between synchronisations lost nothing against synchronous training."""


def synchronisation_s(sites: Sites, params: int) -> float:
    """Seconds of one synchronisation: a ring of the sites, of which each sends 2 (S − 1)/S of all parameters."""
    sent = 2 * (sites.count - 1) / sites.count * params * sites.sync_bytes
    return sent / sites.link_bytes_per_s


def between_sites_s(spec: BudgetSpec, params: int) -> float:
    """Seconds of a step spent on the link, on average over the steps between two synchronisations; none is hidden."""
    sites = spec.cluster.sites
    return 0.0 if sites is None else synchronisation_s(sites, params) / sites.sync_every


def with_link(time: TimeBreakdown, spec: BudgetSpec, params: int) -> TimeBreakdown:
    """A step's time with the link's share of it."""
    return time.model_copy(update={"between_sites": between_sites_s(spec, params)})


def over_sites(found: Found, spec: BudgetSpec, params: int) -> Found:
    """What a search found, with the link in each option's time."""
    if spec.cluster.sites is None:
        return found
    seconds = between_sites_s(spec, params)
    options, front = (tuple(_later(one, seconds) for one in some) for some in (found.options, found.pareto))
    return replace(found, options=options, pareto=front)


def _later(option: LayoutOption, seconds: float) -> LayoutOption:
    if option.step_time_s is None:
        return option
    return option.model_copy(update={"step_time_s": option.step_time_s + seconds})


def sites_decisions(spec: BudgetSpec, params: int, step_time_s: float) -> list[Decision]:
    """What the link costs; nothing where there is one site."""
    sites = spec.cluster.sites
    if sites is None:
        return []
    once_s, share = synchronisation_s(sites, params), between_sites_s(spec, params) / step_time_s
    often = "each step" if sites.sync_every == 1 else f"every {sites.sync_every:,} steps"
    return [
        Decision(
            what="cluster.sites",
            value=f"{sites.count} sites, synchronised {often}",
            reason=(
                f"{params:,} parameters at {sites.sync_bytes:g} bytes take {once_s:.3g} s on a link of "
                f"{sites.link_bytes_per_s:.3g} bytes/s: {share:.1%} of the step time, none of it hidden behind training"
            ),
            source="spec: cluster.sites",
            pinned=True,
        )
    ]


def sites_warnings(spec: BudgetSpec) -> list[str]:
    """What the plan assumes of training in several sites."""
    sites = spec.cluster.sites
    if sites is None:
        return []
    found = ["cluster.sites: the link is taken to hold its rate; its latency and its failures are not counted"]
    if sites.sync_every == 1:
        return found
    shown = f"{_SHOWN_SITES} workers and {_SHOWN_STEPS} steps"
    beyond = sites.count > _SHOWN_SITES or sites.sync_every > _SHOWN_STEPS
    found.append(
        f"cluster.sites.sync_every: the loss is predicted as if sites that synchronise every {sites.sync_every:,} "
        f"steps lost nothing by it, as {shown} did ({DILOCO}); {'this is beyond that, and ' if beyond else ''}whether "
        "it holds at this size is not known. The outer optimizer's state is not in the memory estimate, and sixnd run "
        "does not train this way"
    )
    return found
