"""The tables of a fitted law's report, in order."""

from sixnd.reports.documents import Pair
from sixnd.reports.format import MINUS, count, number, significant, size
from sixnd.reports.law_documents import Allocation, LawFacts, OptimalPoint, RunPoint
from sixnd.reports.tables import NONE, Line, Table, pairs_table, titled

_WORST_RUNS = 20


def law_tables(facts: LawFacts, worst: int = _WORST_RUNS) -> list[Table]:
    """Every table that has a row; of the residuals only so many of the largest (charts and JSON have all)."""
    tables = [
        _constants(facts),
        _allocations(facts.allocations),
        _approaches(facts),
        _published(facts),
        _residuals(facts, worst),
        _refused(facts),
        pairs_table("sources", "Sources of the published laws", _sources(facts)),
        pairs_table("provenance", "Provenance", facts.provenance),
    ]
    return [table for table in tables if table.lines]


def _constants(facts: LawFacts) -> Table:
    lines = [Line((n.label, n.figure.text, n.figure.interval or NONE, n.reason)) for n in facts.constants]
    return titled("constants", "Constants and fit", "What|#Value|#95 % interval|Meaning", lines, *facts.notes)


def _allocations(rows: list[Allocation]) -> Table:
    lines = [
        Line(
            (
                row.compute,
                row.params.full,
                row.tokens.full,
                row.tokens_per_param.full,
                row.loss.full.replace(" nats", ""),
                row.where,
            ),
            "beyond the law's range" if row.decades_outside else "",
        )
        for row in rows
    ]
    notes = [f"Under C = 6ND{'; 95 % intervals in brackets' * any(row.loss.interval for row in rows)}."]
    if any(row.decades_outside for row in rows):
        notes.append("Extrapolated where it says ×: so many times more compute than the largest run, or less than any.")
    columns = "C, FLOPs|#N*|#D*|#D*/N*|#Loss, nats|Where"
    return titled("allocations", "Compute-optimal allocation", columns, lines, *notes)


def _approaches(facts: LawFacts) -> Table:
    own = [line for line in facts.lines if line.kind != "published"]
    lines = [
        Line(
            (
                line.label,
                number(line.coefficient),
                line.exponent.text,
                line.exponent.interval or NONE,
                *_at(line.at_largest),
                signed_percent(line.bias) if line.bias is not None else NONE,
            ),
            "chosen" if line.kind == "this law" else "",
        )
        for line in own
    ]
    notes = ["N* = coefficient · C^exponent, C in FLOPs."]
    notes += [f"{line.label}: {line.note}." for line in own if line.kind == "approach"]
    if any(line.bias is not None for line in own):
        notes.append(
            "Bias: by how much these runs' parabolas would misplace N* at the largest budget, were the surface true."
        )
    columns = f"Approach|#Coefficient|#Exponent|#95 % interval|#N* at\n{facts.largest_run}|#D*/N*|#Bias"
    return titled("approaches", "N* by each approach", columns, lines if len(own) > 1 else [], *notes)


def _published(facts: LawFacts) -> Table:
    lines = [
        Line(
            (line.name, line.exponent.text, *_at(line.at_largest), *_at(line.at_end)),
            "chosen" if line.kind == "this law" else "",
        )
        for line in facts.lines
        if line.kind != "approach"
    ]
    note = (
        f"{facts.largest_run} FLOPs is the largest run, {facts.frontier_end} the end of the frontier drawn. Published "
        "laws are of other corpora, and some count N otherwise."
    )
    columns = f"Law|#Exponent|#N* at\n{facts.largest_run}|#D*/N*|#N* at\n{facts.frontier_end}|#D*/N*"
    return titled("published", "Beside published laws", columns, lines, note)


def _at(point: OptimalPoint) -> tuple[str, str]:
    return size(point.params), significant(point.tokens / point.params)


def _residuals(facts: LawFacts, limit: int) -> Table:
    worst = sorted(facts.runs, key=lambda run: -abs(run.residual))[:limit]
    lines = [Line(_residual(run), "outside" if run.outlier else "") for run in worst]
    note = f"The {len(worst)} largest of {len(facts.runs):,}: what of the measured loss the law leaves unexplained"
    columns = "Run|#N|#D|#Loss|#Residual|#Left out|Outlier"
    left_out = "; left out: the same by a law fitted to all other runs."
    return titled("residuals", "Largest residuals", columns, lines, note + left_out)


def _residual(run: RunPoint) -> tuple[str, ...]:
    return (
        run.row,
        count(run.params),
        count(run.tokens),
        f"{run.loss:.4f}",
        signed_percent(run.residual),
        signed_percent(run.left_out_error),
        "outlier" if run.outlier else NONE,
    )


def _sources(facts: LawFacts) -> list[Pair]:
    return [
        Pair(label=line.name, text=f"{line.note}. {line.source}") for line in facts.lines if line.kind == "published"
    ]


def signed_percent(share: float) -> str:
    """A share with its sign, to a hundredth of a percent."""
    return f"{100 * share:+.2f} %".replace("-", MINUS)


def _refused(facts: LawFacts) -> Table:
    return titled("refused", "Rows that are no runs", "Row|Why", [Line((row.label, row.text)) for row in facts.refused])
