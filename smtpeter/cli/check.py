"""`smtpeter check`: whether the service would start with its configuration."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from smtpeter.cli.command import Command, Failed, Operator, pass_operator
from smtpeter.cli.output import answer, json_option
from smtpeter.config import ConfigError
from smtpeter.rehearsal import Findings, rehearse


@click.command(cls=Command)
@json_option
@pass_operator
def check(operator: Operator, *, as_json: bool) -> None:
    """Try the configuration, the certificate, the ports and the database; report every fault."""
    try:
        config = operator.config()
    except ConfigError as error:
        findings = Findings(error.faults)
    else:
        findings = rehearse(config, datetime.fromtimestamp(operator.now(), UTC))
    lines = [*findings.faults, *(f"warning: {warning}" for warning in findings.warnings)]
    if not findings.faults:
        lines.append(f"{config.path or 'The configuration without a file'} has no fault.")
    document = {"faults": list(findings.faults), "warnings": list(findings.warnings)}
    answer(document, "\n".join(lines), as_json=as_json)
    if findings.faults:
        first, more = findings.faults[0], len(findings.faults) - 1
        raise Failed(f"{first} (and {more} more)" if more else first)
