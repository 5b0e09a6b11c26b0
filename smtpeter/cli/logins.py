"""`smtpeter login`: what programs send with by SMTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from smtpeter.accounts.passwords import hash_password, new_password, new_username
from smtpeter.cli.command import Commands, Operator, pass_operator
from smtpeter.cli.credentials import (
    F,
    Settings,
    Switches,
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
from smtpeter.cli.values import parse_feature
from smtpeter.message.features import Features
from smtpeter.store import accounts as store
from smtpeter.store.accounts import Login
from smtpeter.store.settings import LoginSettings
from smtpeter.store.switching import change_login


@click.group(cls=Commands)
def login() -> None:
    """Logins: user names and passwords for SMTP."""


username_argument = click.argument("username", metavar="USERNAME")


def feature_option(otherwise: str) -> Callable[[F], F]:
    """The option that switches features; `otherwise`: what becomes of those not named."""
    return click.option(
        "--feature",
        "features",
        metavar="NAME=on|off",
        type=parse_feature,
        multiple=True,
        help=f"A feature of mail sent with it; may be repeated. {otherwise}",
    )


@login.command("add")
@email_argument
@label_option
@feature_option("All are off where nothing is said.")
@setting_option("Those not named are off, or as usual.")
@json_option
@pass_operator
def add_login(
    operator: Operator,
    *,
    email: str,
    label: str,
    features: Switches,
    settings: Settings,
    as_json: bool,
) -> None:
    """Add a login to an account."""
    chosen = Features.from_dict(_features(features))
    wanted = LoginSettings(**dict(settings))
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
            features=chosen,
            settings=wanted,
        )
    document = {
        "username": username,
        "password": password,
        "features": chosen.as_dict(),
        "settings": wanted.as_dict(),
    }
    text = (
        f"A login for {email} was added.\n"
        "Its password is shown only now; the spaces belong to it:\n\n"
        f"    user name  {username}\n"
        f"    password   {password}\n"
        f"    features   {_feature_names(chosen)}\n"
        f"    settings   {settings_names(wanted)}"
    )
    answer(document, text, as_json=as_json)


@login.command("set")
@username_argument
@new_label_option
@feature_option("Those not named stay as they are.")
@setting_option("Those not named stay as they are.")
@json_option
@pass_operator
def set_login(
    operator: Operator,
    *,
    username: str,
    label: str | None,
    features: Switches,
    settings: Settings,
    as_json: bool,
) -> None:
    """Change the label, features and settings of a login."""
    require_change(label, features, settings)
    with operator.database() as database, database.begin() as connection:
        changed = change_login(
            connection,
            username,
            label=label,
            features=_features(features),
            settings=dict(settings),
        )
        owners = emails(connection)
    operator.let_it_take_effect()
    text = f"The login {username} is changed:\n\n" + shown(
        label=changed.label,
        features=_feature_names(changed.features),
        settings=settings_names(changed.settings),
    )
    answer(_document(changed, owners[changed.account_id]), text, as_json=as_json)


@login.command("list")
@optional_email_argument
@json_option
@pass_operator
def list_logins(operator: Operator, *, email: str | None, as_json: bool) -> None:
    """List the logins of an account, or all."""
    with operator.database() as database, database.connect() as connection:
        owners = emails(connection, email)
        found = store.logins(connection, next(iter(owners)) if email else None)
    headings = ("username", "account", "created", "state", "features", "settings", "label")
    rows = [
        (
            each.username,
            owners[each.account_id],
            moment(each.created),
            state(each),
            _feature_names(each.features),
            settings_names(each.settings),
            each.label,
        )
        for each in found
    ]
    documents = [_document(each, owners[each.account_id]) for each in found]
    answer(documents, table(headings, rows), as_json=as_json)


@login.command("revoke")
@username_argument
@json_option
@pass_operator
def revoke_login(operator: Operator, *, username: str, as_json: bool) -> None:
    """End a login for good."""
    with operator.database() as database, database.begin() as connection:
        revoked = store.revoke_login(connection, username, operator.now())
        owners = emails(connection)
    operator.let_it_take_effect()
    document = _document(revoked, owners[revoked.account_id])
    answer(document, f"The login {username} is revoked.", as_json=as_json)


def _features(chosen: Switches) -> Mapping[str, Any]:
    """The switches as `Features.from_dict` takes them."""
    values: dict[str, Any] = dict(chosen)
    if "images" in values:
        values["images"] = "hosted" if values["images"] else "default"
    return values


def _feature_names(features: Features) -> str:
    hosted = ("images",) if features.images == "hosted" else ()
    return ", ".join((*features.switched_on(), *hosted)) or "none"


def _document(login: Login, email: str) -> dict[str, Any]:
    return {
        "username": login.username,
        "account": email,
        "label": login.label,
        "features": login.features.as_dict(),
        "settings": login.settings.as_dict(),
        "created": moment(login.created),
        "revoked": moment_or_none(login.revoked),
    }
