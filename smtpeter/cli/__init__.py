"""The operator's command, `smtpeter`."""

import click

from smtpeter import __version__
from smtpeter.cli.accounts import account
from smtpeter.cli.arrivals import arrivals
from smtpeter.cli.check import check
from smtpeter.cli.command import Commands
from smtpeter.cli.dkim import dkim
from smtpeter.cli.dns import dns
from smtpeter.cli.domains import domain
from smtpeter.cli.linkkeys import link_key
from smtpeter.cli.logins import login
from smtpeter.cli.message import message
from smtpeter.cli.queue import queue
from smtpeter.cli.quotas import quota
from smtpeter.cli.suppressionfiles import suppression
from smtpeter.cli.tlsreport import tls_report
from smtpeter.cli.tokens import token

__all__ = ["main"]


@click.group(cls=Commands)
@click.version_option(__version__, message="%(prog)s %(version)s")
def main() -> None:
    """Look after a mail sending service, while it runs and while it does not."""


for command in (
    *(account, login, token, quota, suppression),
    *(domain, dkim, dns, queue, message, arrivals, tls_report, link_key, check),
):
    main.add_command(command)
