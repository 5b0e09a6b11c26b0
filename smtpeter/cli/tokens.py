"""`smtpeter token`: what programs send with by REST."""

from __future__ import annotations

from typing import Any

import click

from smtpeter.accounts.passwords import new_token, token_digest
from smtpeter.cli.command import Commands, Operator, pass_operator
from smtpeter.cli.credentials import (
    Settings,
    email_argument,
    emails,
    label_option,
    new_label_option,
    optional_email_argument,
    require_change,
    setting_option,
    settings_names,
    shown,
    state,
)
from smtpeter.cli.output import answer, json_option, moment, moment_or_none, table
from smtpeter.cli.values import parse_number
from smtpeter.store import accounts as store
from smtpeter.store.accounts import Token
from smtpeter.store.settings import LoginSettings
from smtpeter.store.switching import change_token

id_argument = click.argument("token_id", metavar="ID", type=parse_number)


@click.group(cls=Commands)
def token() -> None:
    """Tokens: for REST."""


@token.command("add")
@email_argument
@label_option
@setting_option("Those not named are off, or as usual.")
@json_option
@pass_operator
def add_token(
    operator: Operator, *, email: str, label: str, settings: Settings, as_json: bool
) -> None:
    """Add a token to an account; those it has stay good."""
    made = new_token()
    with operator.database() as database, database.begin() as connection:
        account = store.existing_account(connection, email)
        added = store.add_token(
            connection,
            account.id,
            token_digest(made),
            operator.now(),
            label=label,
            settings=LoginSettings(**dict(settings)),
        )
    text = f"Token {added.id} for {email} was added. It is shown only now:\n\n    {made}"
    answer({"token": made}, text, as_json=as_json)


@token.command("set")
@id_argument
@new_label_option
@setting_option("Those not named stay as they are.")
@json_option
@pass_operator
def set_token(
    operator: Operator, *, token_id: int, label: str | None, settings: Settings, as_json: bool
) -> None:
    """Change the label and settings of a token."""
    require_change(label, settings)
    with operator.database() as database, database.begin() as connection:
        changed = change_token(connection, token_id, label=label, settings=dict(settings))
        owners = emails(connection)
    operator.let_it_take_effect()
    text = f"Token {token_id} is changed:\n\n" + shown(
        label=changed.label, settings=settings_names(changed.settings)
    )
    answer(_document(changed, owners[changed.account_id]), text, as_json=as_json)


@token.command("list")
@optional_email_argument
@json_option
@pass_operator
def list_tokens(operator: Operator, *, email: str | None, as_json: bool) -> None:
    """List the tokens of an account, or all."""
    with operator.database() as database, database.connect() as connection:
        owners = emails(connection, email)
        found = store.tokens(connection, next(iter(owners)) if email else None)
    headings = ("id", "account", "created", "state", "settings", "label")
    rows = [
        (
            str(each.id),
            owners[each.account_id],
            moment(each.created),
            state(each),
            settings_names(each.settings),
            each.label,
        )
        for each in found
    ]
    documents = [_document(each, owners[each.account_id]) for each in found]
    answer(documents, table(headings, rows), as_json=as_json)


@token.command("revoke")
@id_argument
@json_option
@pass_operator
def revoke_token(operator: Operator, *, token_id: int, as_json: bool) -> None:
    """End a token for good."""
    with operator.database() as database, database.begin() as connection:
        revoked = store.revoke_token(connection, token_id, operator.now())
        owners = emails(connection)
    operator.let_it_take_effect()
    document = _document(revoked, owners[revoked.account_id])
    answer(document, f"Token {token_id} is revoked.", as_json=as_json)


def _document(token: Token, email: str) -> dict[str, Any]:
    return {
        "id": token.id,
        "account": email,
        "label": token.label,
        "settings": token.settings.as_dict(),
        "created": moment(token.created),
        "revoked": moment_or_none(token.revoked),
    }
