"""`smtpeter quota`: how much accounts and their logins may send."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click
from sqlalchemy import Connection

from smtpeter.cli.command import Commands, Failed, Operator, pass_operator
from smtpeter.cli.credentials import email_argument, emails, optional_email_argument, require_change
from smtpeter.cli.output import answer, counted, json_option, moment, table
from smtpeter.quotas import EVERYBODY, PERIODS, Quota, Slot, end_of, start_of
from smtpeter.store import accounts, replanning
from smtpeter.store import quotas as store
from smtpeter.store.accounts import Account
from smtpeter.values import frozen

MOST_MESSAGES = 1_000_000_000


@click.group(cls=Commands)
def quota() -> None:
    """Quotas: how many messages may go in an hour, a day, a month."""


def payer_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say whose quota it is, if not that of the whole account."""
    login = click.option("--login", metavar="USERNAME", help="Of this login alone.")
    token = click.option("--token", metavar="LABEL", help="Of this token alone; or its number.")
    return login(token(command))


def period_options(command: Callable[..., None]) -> Callable[..., None]:
    """An option for each period that says how many."""
    for period in reversed(PERIODS):
        command = click.option(
            f"--{period}",
            type=click.IntRange(1, MOST_MESSAGES),
            metavar="N",
            help=f"Messages in a {period}." if period != "hour" else "Messages in an hour.",
        )(command)
    return command


def period_flags(command: Callable[..., None]) -> Callable[..., None]:
    """A flag for each period."""
    for period in reversed(PERIODS):
        option = click.option(f"--{period}", is_flag=True, help=f"That of the {period}.")
        command = option(command)
    return command


@quota.command("set")
@email_argument
@payer_options
@period_options
@json_option
@pass_operator
def set_quota(
    operator: Operator,
    /,
    *,
    email: str,
    login: str | None,
    token: str | None,
    as_json: bool,
    **limits: int | None,
) -> None:
    """Set quotas; what waits goes by them from now on."""
    wanted = {period: limits[period] for period in PERIODS if limits[period] is not None}
    require_change(*wanted.values())
    _change(operator, email, login, token, wanted, as_json=as_json)


@quota.command("remove")
@email_argument
@payer_options
@period_flags
@json_option
@pass_operator
def remove_quota(
    operator: Operator,
    /,
    *,
    email: str,
    login: str | None,
    token: str | None,
    as_json: bool,
    **flags: bool,
) -> None:
    """Remove quotas, all where none is named; what waited for them goes."""
    gone = [period for period in PERIODS if flags[period]] or PERIODS
    _change(operator, email, login, token, dict.fromkeys(gone), as_json=as_json)


@quota.command("list")
@optional_email_argument
@json_option
@pass_operator
def list_quotas(operator: Operator, *, email: str | None, as_json: bool) -> None:
    """List the quotas of an account, or all, and what is used of them."""
    with operator.database() as database, database.connect() as connection:
        owners = emails(connection, email)
        found = [
            each
            for account_id in owners
            for each in _standings(connection, account_id, operator.now())
        ]
    _show(found, "", as_json=as_json)


@frozen
class _Standing:
    """A quota, and how far it is used."""

    account: str
    quota: Quota
    kind: str
    name: str
    used: int
    waiting: int
    resets: float

    def row(self) -> tuple[str, ...]:
        return (
            self.account,
            f"{self.kind} {self.name}".rstrip(),
            self.quota.period,
            str(self.quota.messages),
            str(self.used),
            str(self.waiting),
            moment(self.resets),
        )

    def document(self) -> dict[str, Any]:
        return {
            "account": self.account,
            "login": self.name if self.kind == "login" else None,
            "token": self.name if self.kind == "token" else None,
            "period": self.quota.period,
            "messages": self.quota.messages,
            "used": self.used,
            "waiting": self.waiting,
            "resets": moment(self.resets),
        }


def _change(
    operator: Operator,
    email: str,
    login: str | None,
    token: str | None,
    wanted: Mapping[str, int | None],
    *,
    as_json: bool,
) -> None:
    now = operator.now()
    lifetime_seconds = operator.config().delivery.lifetime_seconds
    with operator.database() as database, database.begin() as connection:
        account = accounts.existing_account(connection, email)
        payer = _payer(connection, account, login, token)
        there = {
            each.period for each in store.quotas_of(connection, account.id) if each.payer == payer
        }
        if there.isdisjoint(wanted) and None in wanted.values():
            raise Failed(f"there is no such quota of {email}")
        moved = replanning.change(connection, account.id, payer, wanted, now, lifetime_seconds)
        found = _standings(connection, account.id, now)
    operator.let_it_take_effect()
    said = f"{counted(moved, 'message')} that waited will go at another time.\n\n" if moved else ""
    _show(found, said, as_json=as_json)


def _show(found: list[_Standing], said: str, *, as_json: bool) -> None:
    headings = ("account", "of", "period", "messages", "used", "waiting", "resets")
    text = table(headings, [each.row() for each in found]) if found else "There is no quota."
    answer([each.document() for each in found], said + text, as_json=as_json)


def _payer(connection: Connection, account: Account, login: str | None, token: str | None) -> str:
    """
    Whose quota is meant.

    Raises:
        UsageError, Failed: nobody's, or not one's alone.
    """
    if login is not None and token is not None:
        raise click.UsageError("either --login or --token, not both")
    if login is not None:
        return _login(connection, account, login)
    return EVERYBODY if token is None else _token(connection, account, token)


def _login(connection: Connection, account: Account, username: str) -> str:
    if username.lower() == account.email:
        return f"account:{account.id}"
    found = accounts.login_by_username(connection, username)
    if found is None or found.account_id != account.id:
        raise Failed(f"{account.email} has no login {username!r}")
    return f"login:{found.id}"


def _token(connection: Connection, account: Account, name: str) -> str:
    tokens = [each for each in accounts.tokens(connection, account.id) if each.revoked is None]
    named = [each for each in tokens if each.name == name]
    found = named or [each for each in tokens if str(each.id) == name]
    if not found:
        raise Failed(f"{account.email} has no token {name!r}")
    if len(found) > 1:
        numbers = ", ".join(str(each.id) for each in found)
        raise Failed(f"several tokens are labelled {name!r}; name one by its number: {numbers}")
    return f"token:{found[0].id}"


def _standings(connection: Connection, account_id: int, now: float) -> list[_Standing]:
    quotas = store.quotas_of(connection, account_id)
    if not quotas:
        return []
    used = store.usage(connection, account_id, now)
    names = _names(connection, account_id)
    account = accounts.account_by_id(connection, account_id)
    assert account is not None
    quotas.sort(key=lambda each: (each.payer, PERIODS.index(each.period)))
    return [_standing(account, each, names, used, now) for each in quotas]


def _standing(
    account: Account,
    quota: Quota,
    names: Mapping[str, str],
    used: Mapping[Slot, int],
    now: float,
) -> _Standing:
    start = start_of(quota.period, now)
    counts = {
        slot.start: number
        for slot, number in used.items()
        if (slot.payer, slot.period) == (quota.payer, quota.period)
    }
    kind = quota.payer.partition(":")[0]
    return _Standing(
        account=account.email,
        quota=quota,
        kind={EVERYBODY: "account", "account": "login"}.get(kind, kind),
        name=names.get(quota.payer, ""),
        used=counts.get(start, 0),
        waiting=sum(number for begun, number in counts.items() if begun > start),
        resets=end_of(quota.period, now),
    )


def _names(connection: Connection, account_id: int) -> dict[str, str]:
    """What logins and tokens of an account are called, by the payers they are."""
    account = accounts.account_by_id(connection, account_id)
    assert account is not None
    return {
        f"account:{account_id}": account.email,
        **{f"login:{e.id}": e.username for e in accounts.logins(connection, account_id)},
        **{f"token:{each.id}": each.name for each in accounts.tokens(connection, account_id)},
    }
