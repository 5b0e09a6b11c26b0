"""`smtpeter account`: who may send."""

from __future__ import annotations

import sys
from typing import Any

import click

from smtpeter.accounts.passwords import hash_password, new_password
from smtpeter.cli.command import Commands, Operator, pass_operator
from smtpeter.cli.credentials import require_change, shown
from smtpeter.cli.output import answer, json_option, moment, table
from smtpeter.cli.values import (
    MAX_PASSWORD_OCTETS,
    known_pool,
    parse_email,
    parse_line,
    parse_password,
)
from smtpeter.store import accounts as store
from smtpeter.store.accounts import Account


@click.group(cls=Commands)
def account() -> None:
    """Accounts: who may send."""


email_argument = click.argument("email", metavar="EMAIL", type=parse_email)
password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input."
)


@account.command()
@email_argument
@click.option("--name", metavar="TEXT", type=parse_line, default="", help="Whose account it is.")
@password_option
@click.option("--no-send", is_flag=True, help="Without permission to send.")
@json_option
@pass_operator
def add(
    operator: Operator, *, email: str, name: str, password_stdin: bool, no_send: bool, as_json: bool
) -> None:
    """Add an account."""
    password, password_hash = _password(operator, given=password_stdin)
    with operator.database(create=True) as database, database.begin() as connection:
        store.add_account(
            connection, email, password_hash, operator.now(), name=name, may_send=not no_send
        )
    shown = None if password_stdin else password
    text = f"The account {email} was added" + (", without permission to send." if no_send else ".")
    answer({"account": email, "password": shown}, text + _shown_once(shown), as_json=as_json)


@account.command("list")
@json_option
@pass_operator
def list_accounts(operator: Operator, *, as_json: bool) -> None:
    """List the accounts."""
    with operator.database() as database, database.connect() as connection:
        found = store.accounts(connection)
    headings = ("account", "may send", "smtp login", "created", "pool", "name")
    rows = [
        (
            each.email,
            _yes_or_no(each.may_send),
            _yes_or_no(each.smtp_account_login),
            moment(each.created),
            each.pool,
            each.name,
        )
        for each in found
    ]
    answer([_document(each) for each in found], table(headings, rows), as_json=as_json)


@account.command("set")
@email_argument
@click.option("--name", metavar="TEXT", type=parse_line, help="Whose account it is.")
@click.option("--pool", metavar="NAME", help="Of source addresses; '' for the usual ones.")
@json_option
@pass_operator
def set_account(
    operator: Operator, *, email: str, name: str | None, pool: str | None, as_json: bool
) -> None:
    """Change the name of an account, or the addresses that its mail is sent from."""
    require_change(name, pool)
    known_pool(pool, operator.config())
    wanted = {key: value for key, value in (("name", name), ("pool", pool)) if value is not None}
    with operator.database() as database, database.begin() as connection:
        changed = store.change_account(connection, email, **wanted)
    operator.let_it_take_effect()
    text = f"The account {email} is changed:\n\n" + shown(name=changed.name, pool=changed.pool)
    answer(_document(changed), text, as_json=as_json)


@account.command("allow-sending")
@email_argument
@json_option
@pass_operator
def allow_sending(operator: Operator, *, email: str, as_json: bool) -> None:
    """Give an account permission to send."""
    with operator.database() as database, database.begin() as connection:
        changed = store.set_may_send(connection, email, may_send=True)
    operator.let_it_take_effect()
    answer(_document(changed), f"The account {email} may send.", as_json=as_json)


@account.command("forbid-sending")
@email_argument
@json_option
@pass_operator
def forbid_sending(operator: Operator, *, email: str, as_json: bool) -> None:
    """Take an account's permission to send; mail it has submitted is still delivered."""
    with operator.database() as database, database.begin() as connection:
        changed = store.set_may_send(connection, email, may_send=False)
    operator.let_it_take_effect()
    answer(_document(changed), f"The account {email} may not send.", as_json=as_json)


@account.command("smtp-login")
@email_argument
@click.argument("state", type=click.Choice(["on", "off"]))
@json_option
@pass_operator
def smtp_login(operator: Operator, *, email: str, state: str, as_json: bool) -> None:
    """Let the account's own address and password log in to SMTP, or not."""
    with operator.database() as database, database.begin() as connection:
        changed = store.set_smtp_account_login(connection, email, allowed=state == "on")
    operator.let_it_take_effect()
    text = f"SMTP by the password of the account {email} is {state}."
    answer(_document(changed), text, as_json=as_json)


@account.command("password")
@email_argument
@password_option
@json_option
@pass_operator
def change_password(operator: Operator, *, email: str, password_stdin: bool, as_json: bool) -> None:
    """Replace an account's password."""
    password, password_hash = _password(operator, given=password_stdin)
    with operator.database() as database, database.begin() as connection:
        store.set_password_hash(connection, email, password_hash)
    operator.let_it_take_effect()
    shown = None if password_stdin else password
    text = f"The account {email} has a new password." + _shown_once(shown)
    answer({"account": email, "password": shown}, text, as_json=as_json)


def _password(operator: Operator, *, given: bool) -> tuple[str, str]:
    """The password and its hash, which is made before the database has to wait for it."""
    if given:
        octets = sys.stdin.buffer.read(MAX_PASSWORD_OCTETS + len("\r\n") + 1)
        password = parse_password(octets)
    else:
        password = new_password()
    return password, hash_password(password, operator.config().accounts.bcrypt_cost)


def _shown_once(password: str | None) -> str:
    if password is None:
        return ""
    return f"\nIts password, shown only now; the spaces belong to it:\n\n    {password}"


def _document(account: Account) -> dict[str, Any]:
    return {
        "account": account.email,
        "name": account.name,
        "may_send": account.may_send,
        "smtp_account_login": account.smtp_account_login,
        "created": moment(account.created),
        "pool": account.pool,
    }


def _yes_or_no(condition: object) -> str:
    return "yes" if condition else "no"
