"""What `sixnd allocate` prints: the answer with intervals, and what every other law would choose."""

import textwrap
from typing import Any

from sixnd.planner.answers import Answer, Asked
from sixnd.reports import format as fmt
from sixnd.reports.law_rows import law_row
from sixnd.reports.tables import laws_table
from sixnd.reports.terminal import tables_text
from sixnd.specs.laws import NamedLaw
from sixnd.specs.plan import LawChoice

_LABELS = {"N": "Parameters N", "D": "Tokens D", "C": "Training compute C", "L": "Predicted loss"}


def allocation_facts(
    law: NamedLaw, asked: Asked, found: Answer, choices: list[LawChoice], experts: dict[str, float] | None
) -> dict[str, Any]:
    """The answer as plain data."""
    return {
        "law": law.name,
        "N": found.params,
        "D": found.tokens,
        "C": found.compute,
        "L": found.loss,
        "tokens_per_param": found.tokens / found.params,
        "over_training": found.over_training,
        "intervals": {
            name: {f"{level:.0%}": [one.low, one.high] for level, one in levels.items()}
            for name, levels in found.intervals.items()
        },
        "decades_outside": found.decades_outside,
        "served_tokens": asked.served_tokens,
        "lifetime_flops": found.lifetime_flops,
        "epochs": found.epochs,
        "tokens_worth": found.tokens_worth,
        "loss_of_new_data": found.loss_of_new_data,
        "experts_worth": experts,
        "laws": [choice.plain() for choice in choices],
    }


def allocation_text(
    law: NamedLaw, asked: Asked, found: Answer, choices: list[LawChoice], experts: dict[str, float] | None, width: int
) -> str:
    """The answer, ``width`` columns wide."""
    values = {"N": found.params, "D": found.tokens, "C": found.compute, "L": found.loss}
    kinds = {"N": "count", "D": "count", "C": "flops", "L": "nats"}
    lines = [textwrap.fill(f"{law.name}: {law.law.source}", width), ""]
    for name, value in values.items():
        shown = fmt.FORMATS[kinds[name]](value)
        between = [
            f"{level:.0%}: {fmt.interval(kinds[name], value, one.low, one.high)}"
            for level, one in found.intervals.get(name, {}).items()
        ]
        lines.append(f"{_LABELS[name]:<18} {shown:>14}  {'; '.join(between) or 'fixed'}")
    ratio = found.tokens / found.params
    lines.append(f"{'Tokens a parameter':<18} {ratio:>14.3g}  {found.over_training:.2g} times the rule of 20")
    lines += [textwrap.fill(note, width) for note in _notes(asked, found, experts)]
    rows = [law_row(choice, law.name) for choice in choices]
    return "\n".join(lines) + "\n\n" + tables_text([laws_table(rows)], width)


def _notes(asked: Asked, found: Answer, experts: dict[str, float] | None) -> list[str]:
    notes = []
    if asked.served_tokens:
        notes.append(
            f"Serving counts as {fmt.count(asked.served_tokens)} tokens at 2N FLOPs: {fmt.flops(found.lifetime_flops)} "
            "FLOPs over the model's life; N is the one for which this loss costs least (Sardana et al. 2024)."
        )
    if found.tokens_worth is not None:
        notes.append(
            f"The unique tokens are read {found.epochs:.1f} times and are worth {fmt.count(found.tokens_worth)} unique "
            f"ones; with new data the loss would be {found.loss_of_new_data:.4f} (Muennighoff et al. 2023, whose "
            "constants are weakly identified)."
        )
    elif found.epochs is not None:
        notes.append(f"The unique tokens are read {found.epochs:.2g} times: nothing repeats.")
    if found.decades_outside:
        notes.append(
            f"Extrapolated {found.decades_outside:.1f} decades outside the law's range: its intervals are widened by "
            "rule, which is a guide, not a measurement."
        )
    if experts:
        told = ", ".join(f"{fmt.count(worth)} by {name}" for name, worth in experts.items())
        notes.append(f"With routed experts this N would be worth a dense model of {told} parameters.")
    return notes
