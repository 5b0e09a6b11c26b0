"""`smtpeter login` and `smtpeter token`: what programs send with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from sqlalchemy import Connection

from smtpeter.accounts.passwords import (
    hash_password,
    new_password,
    new_token,
    new_username,
    token_digest,
)
from smtpeter.cli.command import Commands, Operator, pass_operator
from smtpeter.cli.output import answer, json_option, moment, moment_or_none, table
from smtpeter.cli.values import parse_email, parse_feature, parse_line, parse_number
from smtpeter.message.features import Features
from smtpeter.store import accounts as store
from smtpeter.store.accounts import Login, Token

email_argument = click.argument("email", metavar="EMAIL", type=parse_email)
optional_email_argument = click.argument("email", metavar="EMAIL", type=parse_email, required=False)
label_option = click.option(
    "--label", metavar="TEXT", type=parse_line, default="", help="What it is used for."
)


@click.group(cls=Commands)
def login() -> None:
    """Logins: user names and passwords for SMTP."""


@login.command("add")
@email_argument
@label_option
@click.option(
    "--feature",
    "chosen",
    metavar="NAME=on|off",
    type=parse_feature,
    multiple=True,
    help="A feature of mail sent with it; may be repeated. All are off where nothing is said.",
)
@json_option
@pass_operator
def add_login(
    operator: Operator, *, email: str, label: str, chosen: Sequence[tuple[str, bool]], as_json: bool
) -> None:
    """Add a login to an account."""
    features = _features(chosen)
    username, password = new_username(), new_password()
    # Made before the database has to wait for it.
    password_hash = hash_password(password, operator.config().accounts.bcrypt_cost)
    with operator.database() as database, database.begin() as connection:
        store.add_login(
            connection,
            store.existing_account(connection, email).id,
            username,
            password_hash,
            operator.now(),
            label=label,
            features=features,
        )
    document = {"username": username, "password": password, "features": features.as_dict()}
    text = (
        f"A login for {email} was added.\n"
        "Its password is shown only now; the spaces belong to it:\n\n"
        f"    user name  {username}\n"
        f"    password   {password}\n"
        f"    features   {_names(features)}"
    )
    answer(document, text, as_json=as_json)


@login.command("list")
@optional_email_argument
@json_option
@pass_operator
def list_logins(operator: Operator, *, email: str | None, as_json: bool) -> None:
    """List the logins of an account, or all."""
    with operator.database() as database, database.connect() as connection:
        emails = _emails(connection, email)
        found = store.logins(connection, next(iter(emails)) if email else None)
    headings = ("username", "account", "created", "state", "features", "label")
    rows = [
        (
            each.username,
            emails[each.account_id],
            moment(each.created),
            _state(each),
            _names(each.features),
            each.label,
        )
        for each in found
    ]
    documents = [_login_document(each, emails[each.account_id]) for each in found]
    answer(documents, table(headings, rows), as_json=as_json)


@login.command("revoke")
@click.argument("username", metavar="USERNAME")
@json_option
@pass_operator
def revoke_login(operator: Operator, *, username: str, as_json: bool) -> None:
    """End a login for good."""
    with operator.database() as database, database.begin() as connection:
        revoked = store.revoke_login(connection, username, operator.now())
        emails = _emails(connection)
    operator.let_it_take_effect()
    document = _login_document(revoked, emails[revoked.account_id])
    answer(document, f"The login {username} is revoked.", as_json=as_json)


@click.group(cls=Commands)
def token() -> None:
    """Tokens: for REST."""


@token.command("add")
@email_argument
@label_option
@json_option
@pass_operator
def add_token(operator: Operator, *, email: str, label: str, as_json: bool) -> None:
    """Add a token to an account; those it has stay good."""
    made = new_token()
    with operator.database() as database, database.begin() as connection:
        account = store.existing_account(connection, email)
        added = store.add_token(
            connection, account.id, token_digest(made), operator.now(), label=label
        )
    text = f"Token {added.id} for {email} was added. It is shown only now:\n\n    {made}"
    answer({"token": made}, text, as_json=as_json)


@token.command("list")
@optional_email_argument
@json_option
@pass_operator
def list_tokens(operator: Operator, *, email: str | None, as_json: bool) -> None:
    """List the tokens of an account, or all."""
    with operator.database() as database, database.connect() as connection:
        emails = _emails(connection, email)
        found = store.tokens(connection, next(iter(emails)) if email else None)
    headings = ("id", "account", "created", "state", "label")
    rows = [
        (
            str(each.id),
            emails[each.account_id],
            moment(each.created),
            _state(each),
            each.label,
        )
        for each in found
    ]
    documents = [_token_document(each, emails[each.account_id]) for each in found]
    answer(documents, table(headings, rows), as_json=as_json)


@token.command("revoke")
@click.argument("token_id", metavar="ID", type=parse_number)
@json_option
@pass_operator
def revoke_token(operator: Operator, *, token_id: int, as_json: bool) -> None:
    """End a token for good."""
    with operator.database() as database, database.begin() as connection:
        revoked = store.revoke_token(connection, token_id, operator.now())
        emails = _emails(connection)
    operator.let_it_take_effect()
    document = _token_document(revoked, emails[revoked.account_id])
    answer(document, f"Token {token_id} is revoked.", as_json=as_json)


def _features(chosen: Sequence[tuple[str, bool]]) -> Features:
    values: dict[str, Any] = dict(chosen)
    if "images" in values:
        values["images"] = "hosted" if values["images"] else "default"
    return Features.from_dict(values)


def _names(features: Features) -> str:
    hosted = ("images",) if features.images == "hosted" else ()
    return ", ".join((*features.switched_on(), *hosted)) or "none"


def _emails(connection: Connection, email: str | None = None) -> dict[int, str]:
    """The addresses of all accounts by their numbers, or of the one that is named."""
    if email is not None:
        named = store.existing_account(connection, email)
        return {named.id: named.email}
    return {each.id: each.email for each in store.accounts(connection)}


def _state(credential: Login | Token) -> str:
    return "revoked" if credential.revoked is not None else "good"


def _login_document(login: Login, email: str) -> dict[str, Any]:
    return {
        "username": login.username,
        "account": email,
        "label": login.label,
        "features": login.features.as_dict(),
        "created": moment(login.created),
        "revoked": moment_or_none(login.revoked),
    }


def _token_document(token: Token, email: str) -> dict[str, Any]:
    return {
        "id": token.id,
        "account": email,
        "label": token.label,
        "created": moment(token.created),
        "revoked": moment_or_none(token.revoked),
    }
