"""`sixnd audit`: whether a claim about a training run can be true."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sixnd.console import print_json, print_result, text_width

if TYPE_CHECKING:
    from sixnd.specs.claim import Claim
    from sixnd.specs.laws import NamedLaw

_INFEASIBLE = 4
T = TypeVar("T")
_FLAGS: dict[str, tuple[str, str]] = {
    "params": ("7B", "Parameters N."),
    "active_params": ("37B", "With a mixture of experts: parameters a token passes through."),
    "tokens": ("1T", "Training tokens D."),
    "compute": ("4.2e22 FLOPs", "Training compute C."),
    "accelerators": ("64 x a100-sxm", "How many of which accelerator."),
    "accelerator": ("a100-sxm", "Which accelerator, where it is not said how many."),
    "time": ("15 days", "Wall-clock."),
    "accelerator_hours": ("82432 GPU-hours", "Accelerator time."),
    "money": ("250k USD", "What the accelerators cost."),
    "price": ("1.5 USD", "What one accelerator-hour costs."),
    "mfu": ("38 %", "Model FLOPs utilisation against the dense BF16 peak."),
    "loss": ("1.9", "Loss at the end, nats a token."),
}


def _with_flags(command: Any) -> Any:
    for field, (example, text) in reversed(_FLAGS.items()):
        option = click.option(f"--{field.replace('_', '-')}", field, metavar="TEXT", help=f"{text} [{example}]")
        command = option(command)
    return command


@click.command()
@click.argument("subject", metavar="[CLAIM_FILE_OR_RUN]", required=False)
@_with_flags
@click.option("--law", "law_name", default="besiroglu-2024", show_default=True, help="Scaling law, or a fitted one.")
@click.option("--known", is_flag=True, help="Print the table of published runs instead.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def audit(subject: str | None, law_name: str, known: bool, as_json: bool, **flags: str | None) -> int:
    """Say whether a claim about a training run can be true.

    The claim is given by options, by a YAML file (`version: claim/1`), or as the name of a published run (`sixnd
    catalog published-runs`); an option replaces what the file or run says. What is left out is solved for.
    Exits with 4 where arithmetic forbids the claim.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    law = _law(law_name)
    if known:
        if given or subject is not None:
            raise click.UsageError("--known prints all published runs; leave the claim out")
        return _print_known(law, as_json)
    from dataclasses import asdict

    from sixnd.audit_text import audit_text
    from sixnd.planner.audit import audit as audited

    found = audited(_claim(subject, given), law)
    if as_json:
        print_json(asdict(found) | {"can_be_true": found.verdict.can_be_true})
    else:
        print_result(audit_text(found, text_width()))
    return 0 if found.verdict.can_be_true else _INFEASIBLE


def _print_known(law: "NamedLaw", as_json: bool) -> int:
    from dataclasses import asdict

    from sixnd.audit_text import known_text
    from sixnd.planner.published import known_runs

    runs = known_runs(law.law)
    if as_json:
        print_json([asdict(run) for run in runs])
    else:
        print_result(known_text(runs, law.name))
    return 0


def _law(name: str) -> "NamedLaw":
    from sixnd.planning import named_law

    return _or_usage("--law", lambda: named_law(name))


def _claim(subject: str | None, given: dict[str, str]) -> "Claim":
    from pydantic import ValidationError

    from sixnd.specs.claim import Claim

    base = {} if subject is None else _subject(subject).model_dump(mode="json", exclude_none=True)
    for one, other in (("accelerators", "accelerator"), ("accelerator", "accelerators")):
        if one in given and other not in given:
            base.pop(other, None)
    try:
        return Claim.model_validate({"version": "claim/1"} | base | given)
    except ValidationError as error:
        raise click.UsageError("\n".join(_told(dict(detail)) for detail in error.errors(include_url=False))) from None


def _subject(subject: str) -> "Claim":
    from sixnd.specs.claim import Claim, claim_of_run
    from sixnd.specs.load import load

    path = Path(subject)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return load(path, Claim)
    return _or_usage("CLAIM_FILE_OR_RUN", lambda: claim_of_run(subject))


def _or_usage(where: str, look_up: Callable[[], T]) -> T:
    """What a catalog holds of a name that was given; a name it does not hold is a wrong call."""
    from sixnd.specs.errors import SixndError

    try:
        return look_up()
    except SixndError as error:
        raise click.UsageError(f"{where}: {error}") from None


def _told(detail: dict[str, Any]) -> str:
    """One mistake with the option it was made in."""
    message = str(detail["msg"]).removeprefix("Value error, ")
    if not detail["loc"]:
        return message
    shown = f" (given: '{detail['input']}')" if str(detail["input"]) not in message else ""
    return f"--{str(detail['loc'][0]).replace('_', '-')}: {message}{shown}"
