"""`--set path=value`: what the command line changes in a spec."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def set_option(verb: F) -> F:
    """Give a verb the option, as ``changes``."""
    option = click.option(
        "--set",
        "changes",
        multiple=True,
        metavar="PATH=VALUE",
        help="Change one value of the spec, e.g. budget.time='7 days' or data.sources.web.weight=2; null takes it out.",
    )
    return option(verb)
