"""The tables of a plan's report, in order, as terminal, Markdown and HTML all show them."""

from sixnd.reports.documents import Option, Part, SensitivityRow, SourceShare
from sixnd.reports.plan_documents import Derivation, PlanFacts, Risk
from sixnd.reports.tables import (
    NONE,
    Line,
    Table,
    figure_text,
    laws_table,
    pairs_table,
    phases_table,
    sources_table,
    titled,
)


def plan_tables(facts: PlanFacts) -> list[Table]:
    """Every table of a plan's report that has a row."""
    tables = [
        _risks(facts.risks),
        _numbers(facts),
        *(_derivation(one) for one in facts.derivations),
        laws_table(facts.law_choices),
        _options(facts.options),
        _pareto(facts.pareto),
        _sensitivity(facts.sensitivities),
        _parts("memory", "Memory", facts.memory, f"On the fullest rank: {facts.memory_rank}."),
        _parts("time", "Step time", facts.time, "Of one optimizer step; only what is not hidden behind compute."),
        pairs_table("pipeline", "Pipeline", facts.pipeline.numbers if facts.pipeline else []),
        sources_table(facts.sources),
        phases_table(facts.phases),
        _ladder(facts),
        _text_of(facts.sources),
        pairs_table("model", "Model", facts.model),
        pairs_table("training", "Training", facts.training),
        _decisions(facts),
        pairs_table("provenance", "Provenance", facts.provenance),
    ]
    return [table for table in tables if table.lines]


def left_out(facts: PlanFacts) -> list[str]:
    """Sentences for what the report cannot show."""
    ladder = [f"No ladder for this plan: {facts.no_ladder}."] if facts.no_ladder else []
    return [*ladder, *([f"How N, D and the loss came about is left out: {facts.untold}."] if facts.untold else [])]


def _numbers(facts: PlanFacts) -> Table:
    lines = [
        Line((n.label, n.figure.full.replace(n.figure.text, f"{n.figure.text} {n.note}".strip(), 1), n.reason))
        for n in facts.key_numbers
    ]
    return titled("numbers", "Key numbers", "Number|#Value|Why", lines, "In brackets: 80 % intervals.")


def _risks(risks: list[Risk]) -> Table:
    lines = [Line((risk.label, risk.severity, risk.why, risk.advice or NONE), risk.severity) for risk in risks]
    return titled("risks", "Risks", "Risk|Severity|How far it goes|What to do", lines)


def _derivation(found: Derivation) -> Table:
    lines = [
        Line((f"{step.number}. {step.step}", step.value.full, step.formula or NONE, step.source))
        for step in found.steps
    ]
    return titled(f"derivation-{found.key}", found.title, "Step|#Value|How|Source", lines)


def _ladder(facts: PlanFacts) -> Table:
    """What a ladder for this plan costs; without a row where none can be, or none was designed."""
    if facts.ladder is None:
        return pairs_table("ladder", "A ladder for this plan", [])
    lines = [Line((pair.label, pair.text)) for pair in facts.ladder.numbers]
    notes = (f"{facts.ladder.command} designs it. Intervals of 80 %: {facts.ladder.basis}.",)
    return titled("ladder", "A ladder for this plan", "What|Value", lines, *notes)


def _options(options: list[Option]) -> Table:
    lines = [
        Line(
            (
                option.layout,
                figure_text(option.step_time),
                figure_text(option.memory),
                "chosen" if option.chosen else option.why_not,
            ),
            "chosen" if option.chosen else "",
        )
        for option in options
    ]
    return titled("options", "Layouts considered", "Layout|#Step time|#Memory|Why not", lines)


def _pareto(options: list[Option]) -> Table:
    """Empty where nothing is on the front but the chosen layout."""
    paid = any(option.money and option.money.value for option in options)
    lines = [
        Line(
            (
                option.layout,
                figure_text(option.step_time),
                figure_text(option.wall_time),
                *([figure_text(option.money)] if paid else []),
                figure_text(option.headroom),
            ),
            "chosen" if option.chosen else "",
        )
        for option in (options if len(options) > 1 else [])
    ]
    return titled(
        "pareto",
        "Layouts that no other beats",
        f"Layout|#Step time|#Wall time{'|#Cost' if paid else ''}|#Memory to spare",
        lines,
        "In time and in memory to spare: on the fullest rank, of what a plan may fill."
        + (" All use the same accelerators in the same precision, so the fastest is the cheapest." if paid else ""),
    )


def _sensitivity(rows: list[SensitivityRow]) -> Table:
    paid = any(row.tenth.money_at_high.value for row in rows)
    lines = [
        Line(
            (
                f"{row.what} {row.planned.text}",
                row.planned.interval or NONE,
                row.wall_time or NONE,
                *([row.money or NONE] if paid else []),
                row.tenth_text,
            )
        )
        for row in rows
    ]
    moved = "wall time and cost" if paid else "wall time"
    return titled(
        "sensitivity",
        f"What moves {'days and dollars' if paid else 'the wall time'}",
        f"Input, planned|#80 % interval|#Wall time{'|#Cost' if paid else ''}|#−10 / +10 %",
        lines,
        f"One input at a time, the run as planned: {moved} at the low and the high end of the input's interval, and by "
        f"how much the {'cost' if paid else 'wall time'} changes with 10 % less and 10 % more of it.",
        *(
            ["Failures are told in accelerator-hours; goodput holds what they, restarts and checkpoints do together."]
            if _stops(rows)
            else []
        ),
    )


def _stops(rows: list[SensitivityRow]) -> bool:
    return any(row.what == "Restart in" for row in rows)


def _parts(key: str, title: str, parts: list[Part], note: str) -> Table:
    lines = [Line((part.label, part.figure.text, part.share)) for part in parts]
    return titled(key, title, "Component|#Amount|#Share", lines, note)


def _decisions(facts: PlanFacts) -> Table:
    lines = [
        Line((c.what, c.value, c.reason, f"{c.source} (pinned by the spec)" if c.pinned else c.source))
        for c in facts.decisions
    ]
    return titled("decisions", "Decisions", "Decision|Choice|Why|Source", lines)


def _text_of(sources: list[SourceShare]) -> Table:
    """Empty where every source is taken as it is."""
    staged = any(source.stages for source in sources)
    lines = [
        Line((source.name, source.text or NONE, ", ".join(source.stages) or "none: taken as it is"))
        for source in (sources if staged else [])
    ]
    return titled("text", "Text and what is done to it", "Source|Text|Stages, in order", lines)
