"""One structure for every rendering of a report: terminal, Markdown, HTML and JSON all show these facts."""

from sixnd.reports.forgetting_comparison import forgetting_comparison
from sixnd.reports.ladder_facts import ladder_facts
from sixnd.reports.law_documents import LawFacts
from sixnd.reports.law_facts import law_facts
from sixnd.reports.plan_documents import PlanFacts
from sixnd.reports.plan_facts import plan_facts
from sixnd.reports.run_documents import RunFacts
from sixnd.reports.run_facts import run_facts

__all__ = [
    "LawFacts",
    "PlanFacts",
    "RunFacts",
    "forgetting_comparison",
    "ladder_facts",
    "law_facts",
    "plan_facts",
    "run_facts",
]
