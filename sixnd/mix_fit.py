"""`sixnd fit --mix`: a mixing law from small runs that differ in their data mix."""

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sixnd.console import print_json, print_result, tell, text_width, write_accepted

if TYPE_CHECKING:
    from sixnd.specs.mix_document import MixDocument


def fit_mix_file(
    runs: Path,
    *,
    name: str,
    target: str | None,
    seed: int,
    output: Path | None,
    skip_refused: bool,
    width: int | None,
    as_json: bool,
) -> int:
    """Fit, print and write; the exit code is 3 where rows are no runs and that is not accepted."""
    from sixnd.planner.fitting.mix_law import fit_mix
    from sixnd.specs.mix_table import read_mixes

    table = read_mixes(runs)
    for row in table.refused:
        tell(f"{row.row}: {row.why}")
    tell(f"fitting {len(table.rows)} runs of {len(table.domains)} domains to {len(table.targets)} losses")
    document = fit_mix(table, name, None if target is None else _parts(target), seed)
    if as_json:
        print_json(document.plain())
    else:
        print_result(mix_text(document, text_width(width)))
    use = f"plan by it: `mix: {output.name}` under data in a spec, its sources with `weight: auto`" if output else ""
    return write_accepted(output, document, len(table.refused), skip_refused, use)


def _parts(text: str) -> dict[str, float]:
    """``web=1,code=2`` as a mapping."""
    found = {}
    for part in text.split(","):
        name, _, value = (piece.strip() for piece in part.partition("="))
        try:
            found[name] = float(value)
        except ValueError:
            raise click.BadParameter(f"--target {part}: what each loss counts is given like web=1,code=2") from None
    return found


def mix_text(document: "MixDocument", width: int) -> str:
    """The best mix with its intervals, what it was found by, and what the runs cannot tell."""
    fit, mix = document.fit, document.mix
    names = [*(one.name for one in mix.domains), *(one.name for one in fit.targets), "Domain"]
    room = max(map(len, names)) + 2
    lines = [textwrap.fill(mix.source, width), "", f"{'Domain':<{room}}{'Best':>7}  {'95 %':<16}Run"]
    for one in mix.domains:
        low, high = fit.ranges[one.name]
        between = f"{one.low:.3f} to {one.high:.3f}"
        lines.append(f"{one.name:<{room}}{one.weight:>7.3f}  {between:<16}{low:.3f} to {high:.3f}")
    low, high = fit.loss_interval
    nearest = min(fit.runs, key=lambda run: run.loss)
    told = (
        f"Loss of small runs at the best mix: {fit.loss:.4f} nats a token (95 % {low:.4f} to {high:.4f}); the best run "
        f"had {nearest.loss:.4f} ({nearest.row})."
    )
    lines += ["", textwrap.fill(told, width), "", f"{'Loss':<{room}}{'Counts':>7}{'Missed, left out':>18}"]
    lines += [f"{each.name:<{room}}{each.importance:>7.3f}{each.leave_one_out_error:>18.2%}" for each in fit.targets]
    notes = [fit.interval_method, *fit.warnings]
    return "\n".join([*lines, "", *(textwrap.fill(f"- {note}", width, subsequent_indent="  ") for note in notes)])
