"""`smtpeter domain`: the domains from which accounts send, and their hosts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from smtpeter.cli.command import Commands, Operator, pass_operator
from smtpeter.cli.credentials import (
    email_argument,
    emails,
    optional_email_argument,
    require_change,
)
from smtpeter.cli.output import answer, json_option, moment, moment_or_none, table
from smtpeter.cli.values import parse_domain, parse_sender_domain
from smtpeter.domains import DomainError, bounce_host_of, host_for, tracking_host_of
from smtpeter.store import accounts
from smtpeter.store import domains as store
from smtpeter.store.domains import SenderDomain


@click.group(cls=Commands)
def domain() -> None:
    """Sender domains: where the links in their mail point."""


domain_argument = click.argument("name", metavar="DOMAIN", type=parse_domain)


def settings_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that `add` and `set` share."""
    options = (
        click.option("--tracking", metavar="HOST", help="Where tracked links point."),
        click.option("--bounces", metavar="HOST", help="Where bounces go."),
        click.option(
            "--https",
            type=click.Choice(["on", "off"]),
            help="Whether tracked links begin with https: instead of http:.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@domain.command("add")
@email_argument
@click.argument("name", metavar="DOMAIN", type=parse_sender_domain)
@settings_options
@json_option
@pass_operator
def add_domain(
    operator: Operator,
    *,
    email: str,
    name: str,
    tracking: str | None,
    bounces: str | None,
    https: str | None,
    as_json: bool,
) -> None:
    """Add a domain to an account; it is approved at once."""
    chosen = _chosen(
        name,
        tracking_host_of(name) if tracking is None else tracking,
        bounce_host_of(name) if bounces is None else bounces,
        https,
    )
    now = operator.now()
    with operator.database() as database, database.begin() as connection:
        account = accounts.existing_account(connection, email)
        added = store.add_domain(connection, account.id, name, now, approved=now, **chosen)
    operator.let_it_take_effect()
    text = f"The domain {name} was added to {email}.\n\n{_lines(added)}"
    answer(_document(added, email), text, as_json=as_json)


@domain.command("set")
@domain_argument
@settings_options
@json_option
@pass_operator
def set_domain(
    operator: Operator,
    *,
    name: str,
    tracking: str | None,
    bounces: str | None,
    https: str | None,
    as_json: bool,
) -> None:
    """Change what is said of a domain, and leave the rest."""
    require_change(tracking, bounces, https)
    chosen = _chosen(name, tracking, bounces, https)
    with operator.database() as database, database.begin() as connection:
        domain = store.named_domain(connection, name)
        changed = store.change_domain(connection, domain, **chosen)
        email = emails(connection)[changed.account_id]
    operator.let_it_take_effect()
    answer(
        _document(changed, email),
        f"The domain {name} was changed.\n\n{_lines(changed)}",
        as_json=as_json,
    )


@domain.command("list")
@optional_email_argument
@json_option
@pass_operator
def list_domains(operator: Operator, *, email: str | None, as_json: bool) -> None:
    """List the domains of an account, or all."""
    with operator.database() as database, database.connect() as connection:
        named = accounts.existing_account(connection, email) if email else None
        owners = emails(connection)
        found = store.domains(connection, named.id if named else None)
    headings = ("domain", "account", "created", "state", "tracking", "bounces")
    rows = [
        (
            each.name,
            owners[each.account_id],
            moment(each.created),
            "waiting" if each.approved is None else "approved",
            _tracking(each),
            each.bounce_host,
        )
        for each in found
    ]
    documents = [_document(each, owners[each.account_id]) for each in found]
    answer(documents, table(headings, rows), as_json=as_json)


@domain.command("remove")
@domain_argument
@json_option
@pass_operator
def remove_domain(operator: Operator, *, name: str, as_json: bool) -> None:
    """Remove a domain; links that were sent lead on."""
    with operator.database() as database, database.begin() as connection:
        removed = store.named_domain(connection, name)
        store.remove_domain(connection, removed)
        email = emails(connection)[removed.account_id]
    operator.let_it_take_effect()
    answer(_document(removed, email), f"The domain {name} was removed.", as_json=as_json)


def _chosen(
    name: str, tracking: str | None, bounces: str | None, https: str | None
) -> dict[str, Any]:
    """
    The values of what was chosen, by the names of the columns.

    Raises:
        BadParameter: a host does not belong to the domain.
    """
    chosen: dict[str, Any] = {}
    for column, option, host in (
        ("tracking_host", "--tracking", tracking),
        ("bounce_host", "--bounces", bounces),
    ):
        if host is not None:
            try:
                chosen[column] = host_for(name, host)
            except DomainError as error:
                raise click.BadParameter(str(error), param_hint=option) from None
    if https is not None:
        chosen["https"] = https == "on"
    return chosen


def _tracking(domain: SenderDomain) -> str:
    return f"{'https' if domain.https else 'http'}://{domain.tracking_host}"


def _lines(domain: SenderDomain) -> str:
    return f"    tracking  {_tracking(domain)}\n    bounces   {domain.bounce_host}"


def _document(domain: SenderDomain, email: str) -> dict[str, Any]:
    return {
        "name": domain.name,
        "account": email,
        "approved": moment_or_none(domain.approved),
        "tracking": domain.tracking_host,
        "https": domain.https,
        "bounces": domain.bounce_host,
        "created": moment(domain.created),
    }
