"""`smtpeter suppression`: recipients to whom an account sends no more."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import click

from smtpeter.cli.command import Commands, Failed, Operator, pass_operator
from smtpeter.cli.credentials import email_argument, emails, optional_email_argument
from smtpeter.cli.output import answer, json_option, moment, moment_or_none, one_line, table
from smtpeter.cli.values import parse_address, parse_lifetime, parse_line
from smtpeter.store import accounts
from smtpeter.store import suppressions as store
from smtpeter.store.database import Database
from smtpeter.store.suppressions import MANUAL, REASONS, Lifetimes, Suppression

SHOWN = 1000  # entries of a list for people
SHOWN_CHARACTERS = 60


@click.group(cls=Commands)
def suppression() -> None:
    """Suppression lists: recipients to whom an account sends no more."""


addresses_argument = click.argument(
    "addresses", metavar="ADDRESS...", type=parse_address, nargs=-1, required=True
)


def expires_option(command: Callable[..., None]) -> Callable[..., None]:
    """The option that says for how long."""
    return click.option(
        "--expires",
        "lifetime",
        metavar="DURATION",
        type=parse_lifetime,
        help="For how long, such as 90d, or never; else as the configuration says.",
    )(command)


def lifetimes(operator: Operator, lifetime: float | None) -> Lifetimes:
    """How long entries last that do not say it: as said, else as the configuration has it."""
    if lifetime is not None:
        seconds = None if lifetime == math.inf else lifetime
        return Lifetimes(**dict.fromkeys(REASONS, seconds))
    usual = operator.config().suppression
    return Lifetimes(usual.mailbox_seconds, usual.complaint_seconds, usual.manual_seconds)


@suppression.command("add")
@email_argument
@addresses_argument
@expires_option
@click.option("--description", metavar="TEXT", type=parse_line, default="", help="Why.")
@json_option
@pass_operator
def add(
    operator: Operator,
    *,
    email: str,
    addresses: tuple[str, ...],
    lifetime: float | None,
    description: str,
    as_json: bool,
) -> None:
    """Put recipients on the list of an account; an entry that lasts longer stays."""
    now = operator.now()
    end = lifetimes(operator, lifetime).end(MANUAL, now)
    wanted = [Suppression(each, MANUAL, description, "", now, end) for each in addresses]
    with operator.database() as database, database.begin() as connection:
        account = accounts.existing_account(connection, email)
        store.add(connection, account.id, wanted)
        found = store.suppressed(connection, account.id, addresses, now)
    operator.let_it_take_effect()
    entries = [(email, found[each]) for each in dict.fromkeys(addresses)]
    text = f"{email} sends no more to:\n\n{_table(entries)}"
    answer([_document(*each) for each in entries], text, as_json=as_json)


@suppression.command("remove")
@email_argument
@addresses_argument
@json_option
@pass_operator
def remove(operator: Operator, *, email: str, addresses: tuple[str, ...], as_json: bool) -> None:
    """Take recipients off the list of an account."""
    with operator.database() as database, database.begin() as connection:
        account = accounts.existing_account(connection, email)
        removed = sorted(store.remove(connection, account.id, addresses))
        if not removed:
            raise Failed(f"none of these is on the suppression list of {email}")
    operator.let_it_take_effect()
    text = f"{email} may send again to:\n\n" + "\n".join(f"    {each}" for each in removed)
    answer({"account": email, "removed": removed}, text, as_json=as_json)


@suppression.command("list")
@optional_email_argument
@click.option("--address", metavar="ADDRESS", type=parse_address, help="This recipient alone.")
@json_option
@pass_operator
def list_suppressions(
    operator: Operator, *, email: str | None, address: str | None, as_json: bool
) -> None:
    """List the suppressed recipients of an account, or of all."""
    with operator.database() as database:
        found = _found(database, operator.now(), email, address)
        if as_json:
            _print_documents(found)
            return
        shown = list(islice(found, SHOWN))
        more = next(found, None) is not None
    text = _table(shown) if shown else "Nobody is suppressed."
    if more:
        text += f"\nThese are the first {SHOWN}; `smtpeter suppression export EMAIL` has all."
    click.echo(text)


def _found(
    database: Database, now: float, email: str | None, address: str | None
) -> Iterator[tuple[str, Suppression]]:
    """Entries, each with its account, as they are asked for."""
    with database.connect() as connection:
        for account_id, account in emails(connection, email).items():
            if address is None:
                entries: Iterable[Suppression] = store.listed(connection, account_id, now)
            else:
                entries = store.suppressed(connection, account_id, [address], now).values()
            for each in entries:
                yield account, each


def _print_documents(found: Iterator[tuple[str, Suppression]]) -> None:
    """One JSON array, an entry on each line; it may be longer than memory."""
    lead = "["
    for each in found:
        click.echo(f"{lead}\n  {json.dumps(_document(*each))}", nl=False)
        lead = ","
    click.echo("[]" if lead == "[" else "\n]")


def _table(entries: Iterable[tuple[str, Suppression]]) -> str:
    headings = ("account", "address", "reason", "since", "until", "message", "description")
    return table(headings, (_row(*each) for each in entries))


def _row(account: str, each: Suppression) -> tuple[str, ...]:
    return (
        account,
        each.address,
        each.reason,
        moment(each.created),
        moment_or_none(each.expires) or "for ever",
        each.message,
        one_line(each.description, SHOWN_CHARACTERS),
    )


def _document(account: str, each: Suppression) -> dict[str, Any]:
    return {
        "account": account,
        "address": each.address,
        "reason": each.reason,
        "created": moment(each.created),
        "expires": moment_or_none(each.expires),
        "message": each.message,
        "description": each.description,
    }
