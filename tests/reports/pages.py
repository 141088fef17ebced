"""Every kind of report as a page, made of documents that stand still."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from sixnd.data_text import audit_report
from sixnd.planner.ladder import Request, make_ladder
from sixnd.reports.difference import plan_difference, run_difference
from sixnd.reports.html import (
    comparison_html,
    difference_html,
    ladder_html,
    law_html,
    plan_html,
    run_html,
    tables_html,
)
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.data_audit import DataAudit, Duplicates, LicenceHeld, SourceAudit
from sixnd.specs.ladder import Ladder
from sixnd.specs.load import parse
from sixnd.specs.plan import Plan
from sixnd.specs.reasoning import Chain, Link, Reasoning
from sixnd.specs.record import RunRecord
from sixnd.tokenizer_text import table_report
from tests.reports import build, law_build
from tests.reports.evaluation_build import with_evaluations
from tests.reports.test_forgetting import HELD_OUT, continued, measured
from tests.specs.example import SPEC


def _small() -> tuple[Plan, RunRecord]:
    plan = build.small_plan()
    return plan, build.resumed_run(plan)


def _plan() -> str:
    step = Link(step="N*", formula="G·(C/6)^a = 0.11963 × (1.769e+20/6)^0.512612", value=1.143e9, unit="parameters")
    source = "Hoffmann et al. 2022, arXiv:2203.15556, eq. 4"
    told = step.model_copy(update={"source": source, "intervals": {"80 %": (1.075e9, 1.22e9)}})
    names = ("model.params", "data.tokens", "estimates.loss")
    chains = [
        Chain(name=name, value="", pinned=False, steps=[told.model_copy(update={"step": name})]) for name in names
    ]
    return plan_html(build.costed_plan(build.big_plan()), Reasoning(chains=chains, ladder=_made_ladder()))


@cache
def _made_ladder() -> Ladder:
    return make_ladder(parse(SPEC, "spec.yaml", BudgetSpec), Request(0.05, runs=6), "spec.yaml").ladder


def _run() -> str:
    plan, record = _small()
    return run_html(plan, with_evaluations(plan, record))


def _law() -> str:
    return law_html(law_build.law())


def _ladder() -> str:
    return ladder_html(_made_ladder())


def _plans() -> str:
    return difference_html(plan_difference(build.small_plan(), build.big_plan()))


def _runs() -> str:
    plan, record = _small()
    other = plan.model_copy(update={"name": "another-seed"})
    return difference_html(run_difference((plan, record), (other, record), (plan, record)))


def _forgetting() -> str:
    return comparison_html(continued_runs())


def continued_runs() -> list[tuple[Plan, RunRecord]]:
    """Two runs from one base, of which one replayed what the base had read."""
    plan, record = _small()
    sources = [source for source in plan.data.sources if source.name in HELD_OUT]
    whole = plan.model_copy(update={"data": plan.data.model_copy(update={"sources": sources})})
    return [(run, measured(run, record)) for run in (continued(whole, share) for share in (0.0, 0.25))]


def forgetful_run() -> str:
    """One run that started from a base, whose page tells beside the rest what it forgot."""
    return run_html(*continued_runs()[1])


def _audit() -> str:
    source = SourceAudit(
        name="web",
        documents=12_345,
        bytes=67_890_123,
        licences=[LicenceHeld(licence="GPL-3.0-only", kind="copyleft", documents=12)],
        languages={"en": 12_000, "de": 300},
        addresses={"e-mail": 7},
        documents_with_addresses=5,
    )
    twice = Duplicates(source="web", of="web", exact=3, near=9, examples=["web-7 of web-1"])
    audit = DataAudit(sources=[source], duplicates=[twice], near_settings="5 words, 112 hashes, 0.8 alike")
    return tables_html(audit_report(Path("prepared"), audit))


def _tokenizers() -> str:
    measured = {"documents": 40, "bytes": 12_000, "tokens": 3_000, "came_back": 39, "used_share": 0.4}
    rates = {"bytes_per_token": 4.0, "tokens_per_word": 1.4}
    named = {"tokenizer": "a/rather/long/path/to/a/tokenizer.tok", "kind": "byte-bpe", "vocab_size": 4096}
    one = {**named, "stored": "uint16", "lossless": True, "note": "", **measured, **rates}
    by_source = [{**one, "name": source} for source in ("web", "code")]
    none: dict[str, list[Any]] = {"by_domain": [], "by_language": [], "parity": [], "embeddings": []}
    return tables_html(table_report({"tokenizers": [one], "by_source": by_source, **none}))


PAGES: dict[str, Callable[[], str]] = {
    "plan": _plan,
    "run": _run,
    "law": _law,
    "ladder": _ladder,
    "plans": _plans,
    "runs": _runs,
    "forgetting": _forgetting,
    "audit": _audit,
    "tokenizers": _tokenizers,
}
