"""The operator's command, `smtpeter`."""

import click

from smtpeter import __version__
from smtpeter.cli.command import Commands, LateCommand

__all__ = ["main"]


@click.group(cls=Commands)
@click.version_option(__version__, message="%(prog)s %(version)s")
def main() -> None:
    """Look after a mail sending service, while it runs and while it does not."""


for name, module, summary in (
    ("account", "accounts", "Accounts: who may send."),
    ("login", "logins", "Logins: user names and passwords for SMTP."),
    ("token", "tokens", "Tokens: for REST."),
    ("quota", "quotas", "Quotas: how many messages may go in an hour, a day, a month."),
    (
        "suppression",
        "suppressionfiles",
        "Suppression lists: recipients to whom an account sends no more.",
    ),
    (
        "domain",
        "domains",
        "Sender domains: what is done for mail from them, and what the DNS has of them.",
    ),
    (
        "dkim",
        "dkim",
        "Keys that sign mail: those of sender domains, and others.",
    ),
    (
        "dns",
        "dns",
        "Show the records that a domain should publish, each with what the DNS says now.",
    ),
    ("queue", "queue", "Show the messages that wait for each receiver."),
    (
        "message",
        "message",
        "Tell the story of one message: its facts, its events, what was changed in its HTML.",
    ),
    (
        "arrivals",
        "arrivals",
        "List what came last to our own addresses: bounces, complaints, reports, letters.",
    ),
    (
        "tls-report",
        "tlsreport",
        "Show how the sessions of a day (UTC, else today) were secured, and why others were not.",
    ),
    ("link-key", "linkkeys", "Keys that prove tracked links."),
    (
        "check",
        "check",
        "Try the configuration, the certificate, the ports and the database; report every fault.",
    ),
):
    main.add_command(LateCommand(name, f"{__name__}.{module}", summary))
