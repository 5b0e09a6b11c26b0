"""`smtpeter check`: whether the service would start with its configuration."""

from __future__ import annotations

import click

from smtpeter.cli.command import Command, Failed, Operator, pass_operator
from smtpeter.cli.output import answer, json_option
from smtpeter.config import ConfigError, doubts


@click.command(cls=Command)
@json_option
@pass_operator
def check(operator: Operator, *, as_json: bool) -> None:
    """Read the configuration and report every fault in it."""
    try:
        config = operator.config()
    except ConfigError as error:
        document = {"faults": list(error.faults), "warnings": []}
        answer(document, "\n".join(error.faults), as_json=as_json)
        first, more = error.faults[0], len(error.faults) - 1
        raise Failed(f"{first} (and {more} more)" if more else first) from None
    warnings = list(doubts(config))
    shown = config.path or "The configuration without a file"
    lines = [*(f"warning: {warning}" for warning in warnings), f"{shown} has no fault."]
    answer({"faults": [], "warnings": warnings}, "\n".join(lines), as_json=as_json)
