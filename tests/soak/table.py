"""The faults and what became of them, as docs/soak.md tells them."""

from datetime import UTC, datetime

from sixnd.specs.record import Launch, Step
from tests.soak.plan import ANNEALED, EVERY, STEPS
from tests.soak.soak import Row, Soak

_TEXT = """\
# One run, {faults} faults, the same losses

`make soak` trains a tiny model twice: {steps} steps on two ranks, a checkpoint every {every}, annealing in the last
{annealed}, validation every 25. The first run is left alone. To the second each fault below is done for real, to its
processes and files, in an order that a seed decides; where `sixnd run` ended, the same command was given again. It must
end with the first one's losses, gradient norms, learning rates and validation losses, **equal to the last bit**. The
record must hold every step; steps that were trained again must have been the same, and no process may be left behind.

Only the NaN needs help from inside: a rank whose loss function spoils one batch when a file tells it to. All else is
`sixnd run` as it is. The code is `tests/soak/`; this page is written by a run of it:
`python -m tests.soak --write docs/soak.md`.

{date}, {machine}: {attempts} attempts, {trained} steps trained for {steps}, {seconds:.0f} s in all{loaded}. The full
disk was {disk}.

| fault | what was done | after step | what the run did | exit code | went on from step | steps redone |
|---|---|---|---|---|---|---|
{rows}

Exit codes: 6 the run failed, 7 it paused, 130 interrupted, -9 killed. Where there is none the same processes went on.

## What it holds, and what not

- **Why the NaN is done again.** Skipping or rolling back leaves batches out, so a run with such an alarm ends with
  other weights than one without: right for a bad batch, which would be bad again. A NaN that the machine made is not in
  the data. `retry` takes the last checkpoint and trains on the same batches again, and skips a step that is ill twice.
- Faults are spread over the run, one at a time. Two at once, and faults of a network or of several machines, are not in
  it; nor are GPUs.
- A bit that flips in memory is seen only where it makes a loss or gradient norm ill. What is on the disk is read and
  compared by SHA-256 at every start: checkpoints, tokens, tokenizer, and Megatron's indices. What changes on the disk
  while a run trains is found at the next start.
"""


def page(soak: Soak, load: float) -> str:
    """The page of a soak that was run under so much load (processes that wanted a core, in the mean)."""
    launch = soak.record.last(Launch)
    crowded = load > 2 * launch.cpu_count
    return _TEXT.format(
        faults=len(soak.rows),
        steps=STEPS,
        every=EVERY,
        annealed=ANNEALED,
        date=datetime.now(UTC).date().isoformat(),
        machine=f"{launch.cpu_count} CPU cores ({launch.device})",
        attempts=len(soak.record.of(Launch)),
        trained=len(soak.record.of(Step)),
        seconds=soak.seconds,
        loaded=f" on a machine with a load of {load:.0f}" if crowded else "",
        disk=soak.disk,
        rows="\n".join(_line(row) for row in soak.rows),
    )


def _line(row: Row) -> str:
    code = "" if row.fault.code is None else str(row.fault.code)
    resumed = "" if row.resumed is None else str(row.resumed)
    cells = [row.fault.name, row.fault.done, str(row.step), row.fault.became, code, resumed, str(row.redone)]
    return f"| {' | '.join(cells)} |"
