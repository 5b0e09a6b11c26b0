"""`smtpeter tls-report`: how the sessions with receivers were secured."""

from __future__ import annotations

from datetime import UTC, date, datetime

import click

from smtpeter.cli.command import Command, Operator, pass_operator
from smtpeter.cli.output import answer, json_option, table
from smtpeter.cli.values import parse_domain
from smtpeter.delivery.security.tlsreport import tls_reports
from smtpeter.store import tlsresults


def parse_day(text: str) -> str:
    """
    A day as results have it.

    Raises:
        BadParameter: it is none.
    """
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise click.BadParameter(f"{text!r} is no date such as 2026-01-31") from None


@click.command("tls-report", cls=Command)
@click.argument("day", metavar="[DATE]", type=parse_day, required=False)
@click.option(
    "--domain", metavar="NAME", type=parse_domain, help="Sessions with this domain alone."
)
@json_option
@pass_operator
def tls_report(operator: Operator, *, day: str | None, domain: str | None, as_json: bool) -> None:
    """
    Show how the sessions of a day (UTC, else today) were secured, and why others were not.

    With --json it is a list of reports as RFC 8460 has them, one for each domain.
    """
    chosen = day or datetime.fromtimestamp(operator.now(), UTC).date().isoformat()
    with operator.database() as database, database.connect() as connection:
        found = tlsresults.of_day(connection, chosen, domain)
    headings = ("domain", "policy", "host", "result", "sessions")
    rows = [
        (each.domain, each.policy_type, each.host, each.result or "secured", str(each.sessions))
        for each in found
    ]
    text = table(headings, rows) if rows else f"No sessions are known of {chosen}."
    answer(tls_reports(found, chosen, operator.config().hostname), text, as_json=as_json)
