"""One structure for every rendering of a report: terminal, Markdown, HTML and JSON all show these facts."""

from sixnd.reports.documents import PlanFacts, RunFacts
from sixnd.reports.plan_facts import plan_facts
from sixnd.reports.run_facts import run_facts

__all__ = ["PlanFacts", "RunFacts", "plan_facts", "run_facts"]
