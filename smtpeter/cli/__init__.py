"""The operator's command, `smtpeter`."""

import click

from smtpeter import __version__
from smtpeter.cli.accounts import account
from smtpeter.cli.command import Commands
from smtpeter.cli.logins import login, token

__all__ = ["main"]


@click.group(cls=Commands)
@click.version_option(__version__, message="%(prog)s %(version)s")
def main() -> None:
    """Look after a mail sending service, while it runs and while it does not."""


main.add_command(account)
main.add_command(login)
main.add_command(token)
