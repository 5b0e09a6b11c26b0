"""What the commands for what an account has have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from sqlalchemy import Connection

from smtpeter.cli.command import Failed
from smtpeter.cli.values import parse_email, parse_line, parse_setting
from smtpeter.message.features import NORMAL
from smtpeter.store import accounts as store
from smtpeter.store.accounts import Login, Token
from smtpeter.store.settings import LoginSettings

F = TypeVar("F", bound=Callable[..., Any])

Switches = tuple[tuple[str, bool], ...]
Settings = tuple[tuple[str, Any], ...]

email_argument = click.argument("email", metavar="EMAIL", type=parse_email)
optional_email_argument = click.argument("email", metavar="EMAIL", type=parse_email, required=False)
label_option = click.option(
    "--label", metavar="TEXT", type=parse_line, default="", help="What it is used for."
)
new_label_option = click.option(
    "--label", metavar="TEXT", type=parse_line, help="What it is used for from now on."
)


def setting_option(otherwise: str) -> Callable[[F], F]:
    """
    The option that changes settings.

    Args:
        otherwise: what becomes of those that are not named.
    """
    return click.option(
        "--setting",
        "settings",
        metavar="NAME=VALUE",
        type=parse_setting,
        multiple=True,
        help=f"A setting, such as privacy=on; may be repeated. {otherwise}",
    )


def require_change(*said: object) -> None:
    """
    See that a command that changes something was told what.

    Raises:
        Failed: it was not.
    """
    if all(each is None or each == () for each in said):
        raise Failed("nothing was named that could be changed (see --help)")


def emails(connection: Connection, email: str | None = None) -> dict[int, str]:
    """The addresses of all accounts by their numbers, or of the one that is named."""
    if email is not None:
        named = store.existing_account(connection, email)
        return {named.id: named.email}
    return {each.id: each.email for each in store.accounts(connection)}


def state(credential: Login | Token) -> str:
    return "revoked" if credential.revoked is not None else "good"


def shown(**facts: str) -> str:
    """What there is to tell, a line for each, indented."""
    width = max(map(len, facts))
    return "\n".join(f"    {name.ljust(width)}  {fact}".rstrip() for name, fact in facts.items())


def settings_names(settings: LoginSettings) -> str:
    others = () if settings.priority == NORMAL else (f"priority={settings.priority}",)
    return ", ".join((*settings.switched_on(), *others)) or "none"
