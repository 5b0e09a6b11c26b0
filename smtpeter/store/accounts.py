"""
Accounts, and the logins and tokens with which they send.

Functions that write run inside a transaction that the caller has opened. They may run
twice, so they touch nothing but their connection.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

import attrs
from attrs import field
from sqlalchemy import Connection, RowMapping, Select, Table, insert, select, update
from sqlalchemy.exc import IntegrityError

from smtpeter.errors import OperatorError
from smtpeter.message.features import Features
from smtpeter.store import tables
from smtpeter.store.settings import NO_SETTINGS, LoginSettings, token_name
from smtpeter.values import frozen

_ACCOUNTS = select(tables.accounts)
_LOGINS = select(tables.logins)
_TOKENS = select(tables.tokens)


@frozen
class Account:
    """
    Somebody who may send, once permitted.

    Attributes:
        email: in lower case; no two accounts share it.
        smtp_account_login: the e-mail address and the account's password open an SMTP session.
        created: seconds since the epoch.
        pool: of the addresses of ours that its mail is sent from, "" for the usual ones.
    """

    id: int
    email: str
    name: str
    password_hash: str = field(repr=False)
    may_send: bool
    smtp_account_login: bool
    created: float
    pool: str = ""


@frozen
class Login:
    """
    A user name and password for SMTP, with features of its own.

    Attributes:
        created: seconds since the epoch.
        revoked: the same, or None while it is good. A revoked login stays, so that its user
            name is never given out again.
    """

    id: int
    account_id: int
    username: str
    password_hash: str = field(repr=False)
    label: str
    features: Features
    created: float
    revoked: float | None
    settings: LoginSettings = NO_SETTINGS


@frozen
class Token:
    """
    What a REST client shows; only its digest is known.

    Attributes:
        digest: SHA-256 of the token, hexadecimal.
        created: seconds since the epoch.
        revoked: the same, or None while it is good.
        former_labels: what it was labelled before; mail is still known by these.
    """

    id: int
    account_id: int
    digest: str = field(repr=False)
    label: str
    created: float
    revoked: float | None
    settings: LoginSettings = NO_SETTINGS
    former_labels: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What submissions name it by."""
        return token_name(self.id, self.label)


_Revocable = TypeVar("_Revocable", Login, Token)


class AccountsError(OperatorError):
    """What was asked of the accounts cannot be done; the text is one line for the operator."""


class UnknownAccount(AccountsError):
    """No account has that e-mail address or number."""


class AccountExists(AccountsError):
    """The e-mail address belongs to an account already."""


class UnknownLogin(AccountsError):
    """No login has that user name."""


class LoginExists(AccountsError):
    """The user name is or was in use."""


class UnknownToken(AccountsError):
    """No token has that number."""


def account_by_email(connection: Connection, email: str) -> Account | None:
    """The account with that address, in whatever case it is written."""
    row = _row(connection, _ACCOUNTS.where(tables.accounts.c.email == email.lower()))
    return Account(**row) if row else None


def account_by_id(connection: Connection, account_id: int) -> Account | None:
    row = _row(connection, _ACCOUNTS.where(tables.accounts.c.id == account_id))
    return Account(**row) if row else None


def existing_account(connection: Connection, email: str) -> Account:
    """
    The account with that address.

    Raises:
        UnknownAccount: there is none.
    """
    account = account_by_email(connection, email)
    if account is None:
        raise UnknownAccount(f"there is no account {email!r}")
    return account


def accounts(connection: Connection) -> list[Account]:
    """All accounts, by e-mail address."""
    rows = connection.execute(_ACCOUNTS.order_by(tables.accounts.c.email)).mappings()
    return [Account(**row) for row in rows]


def add_account(
    connection: Connection,
    email: str,
    password_hash: str,
    created: float,
    *,
    name: str = "",
    may_send: bool = True,
) -> Account:
    """
    A new account.

    Raises:
        AccountExists: the address belongs to one.
    """
    taken = AccountExists(f"the account {email.lower()!r} exists already")
    if account_by_email(connection, email) is not None:
        raise taken
    values: dict[str, Any] = {
        "email": email.lower(),
        "name": name,
        "password_hash": password_hash,
        "may_send": may_send,
        "smtp_account_login": True,
        "created": created,
    }
    try:
        return Account(id=_insert(connection, tables.accounts, values), **values)
    except IntegrityError:  # another process was quicker
        raise taken from None


def set_may_send(connection: Connection, email: str, *, may_send: bool) -> Account:
    """Permit or forbid an account to send. Raises `UnknownAccount`."""
    return _changed(connection, email, may_send=may_send)


def set_smtp_account_login(connection: Connection, email: str, *, allowed: bool) -> Account:
    """Let the account's own password open SMTP sessions, or not. Raises `UnknownAccount`."""
    return _changed(connection, email, smtp_account_login=allowed)


def set_password_hash(connection: Connection, email: str, password_hash: str) -> Account:
    """Replace the account's password. Raises `UnknownAccount`."""
    return _changed(connection, email, password_hash=password_hash)


def change_account(connection: Connection, email: str, **values: str) -> Account:
    """Change the `name` or the `pool` of an account. Raises `UnknownAccount`."""
    return _changed(connection, email, **values)


def login_by_username(connection: Connection, username: str) -> Login | None:
    """The login of that name, revoked or not."""
    row = _row(connection, _LOGINS.where(tables.logins.c.username == username))
    return _login(row) if row else None


def login_by_id(connection: Connection, login_id: int) -> Login | None:
    """The login of that number, revoked or not."""
    row = _row(connection, _LOGINS.where(tables.logins.c.id == login_id))
    return _login(row) if row else None


def logins(connection: Connection, account_id: int | None = None) -> list[Login]:
    """The logins of one account or of all, revoked ones too, oldest first."""
    chosen = _LOGINS.order_by(tables.logins.c.id)
    if account_id is not None:
        chosen = chosen.where(tables.logins.c.account_id == account_id)
    return [_login(row) for row in connection.execute(chosen).mappings()]


def add_login(
    connection: Connection,
    account_id: int,
    username: str,
    password_hash: str,
    created: float,
    *,
    label: str = "",
    features: Features | None = None,
    settings: LoginSettings = NO_SETTINGS,
) -> Login:
    """
    A new login of an account, with all features off where nothing else is said.

    Raises:
        UnknownAccount: no account has that number.
        LoginExists: the user name is taken, perhaps by a login that was revoked.
    """
    _require_account(connection, account_id)
    taken = LoginExists(f"the user name {username!r} is or was in use")
    if login_by_username(connection, username) is not None:
        raise taken
    values: dict[str, Any] = {
        "account_id": account_id,
        "username": username,
        "password_hash": password_hash,
        "label": label,
        "features": json.dumps((features or Features()).as_dict()),
        "created": created,
        "revoked": None,
        "settings": settings.as_json(),
    }
    try:
        return _login({"id": _insert(connection, tables.logins, values), **values})
    except IntegrityError:  # another process was quicker
        raise taken from None


def revoke_login(connection: Connection, username: str, now: float) -> Login:
    """
    End a login for good; one that has ended already keeps its time.

    Raises:
        UnknownLogin: there is none of that name.
    """
    login = login_by_username(connection, username)
    if login is None:
        raise UnknownLogin(f"there is no login {username!r}")
    return _revoked(connection, tables.logins, login, now)


def token_by_digest(connection: Connection, digest: str) -> Token | None:
    """The token with that digest, revoked or not."""
    row = _row(connection, _TOKENS.where(tables.tokens.c.digest == digest))
    return _token(row) if row else None


def token_by_id(connection: Connection, token_id: int) -> Token | None:
    """The token of that number, revoked or not."""
    row = _row(connection, _TOKENS.where(tables.tokens.c.id == token_id))
    return _token(row) if row else None


def tokens(connection: Connection, account_id: int | None = None) -> list[Token]:
    """The tokens of one account or of all, revoked ones too, oldest first."""
    chosen = _TOKENS.order_by(tables.tokens.c.id)
    if account_id is not None:
        chosen = chosen.where(tables.tokens.c.account_id == account_id)
    return [_token(row) for row in connection.execute(chosen).mappings()]


def add_token(
    connection: Connection,
    account_id: int,
    digest: str,
    created: float,
    *,
    label: str = "",
    settings: LoginSettings = NO_SETTINGS,
) -> Token:
    """
    A new token of an account.

    Raises:
        UnknownAccount: no account has that number.
    """
    _require_account(connection, account_id)
    values: dict[str, Any] = {
        "account_id": account_id,
        "digest": digest,
        "label": label,
        "created": created,
        "revoked": None,
        "settings": settings.as_json(),
        "former_labels": "[]",
    }
    return _token({"id": _insert(connection, tables.tokens, values), **values})


def revoke_token(connection: Connection, token_id: int, now: float) -> Token:
    """
    End a token for good; one that has ended already keeps its time.

    Raises:
        UnknownToken: there is none of that number.
    """
    token = token_by_id(connection, token_id)
    if token is None:
        raise UnknownToken(f"there is no token {token_id}")
    return _revoked(connection, tables.tokens, token, now)


def _row(connection: Connection, chosen: Select[Any]) -> RowMapping | None:
    return connection.execute(chosen).mappings().one_or_none()


def _insert(connection: Connection, table: Table, values: Mapping[str, Any]) -> int:
    """Add a row and return its number."""
    key = connection.execute(insert(table).values(values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def _login(row: Mapping[Any, Any]) -> Login:
    read = {
        "features": Features.from_dict(json.loads(row["features"])),
        "settings": LoginSettings.from_json(row["settings"]),
    }
    return Login(**{**row, **read})


def _token(row: Mapping[Any, Any]) -> Token:
    read = {
        "settings": LoginSettings.from_json(row["settings"]),
        "former_labels": tuple(json.loads(row["former_labels"])),
    }
    return Token(**{**row, **read})


def _revoked(connection: Connection, table: Table, value: _Revocable, now: float) -> _Revocable:
    if value.revoked is not None:
        return value
    connection.execute(update(table).where(table.c.id == value.id).values(revoked=now))
    return attrs.evolve(value, revoked=now)


def _require_account(connection: Connection, account_id: int) -> None:
    if account_by_id(connection, account_id) is None:
        raise UnknownAccount(f"there is no account of number {account_id}")


def _changed(connection: Connection, email: str, **values: Any) -> Account:
    account = existing_account(connection, email)
    connection.execute(
        update(tables.accounts).where(tables.accounts.c.id == account.id).values(values)
    )
    return attrs.evolve(account, **values)
