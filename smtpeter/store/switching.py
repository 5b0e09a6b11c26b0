"""What an operator changes of a login or a token that is in use."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from attrs import evolve
from sqlalchemy import Connection, update

from smtpeter.message.features import Features
from smtpeter.store import accounts, tables
from smtpeter.store.accounts import Login, Token, UnknownLogin, UnknownToken


def change_login(
    connection: Connection,
    username: str,
    *,
    label: str | None = None,
    features: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Login:
    """
    Change a login, revoked or not: settings hold for readers of mail that it has sent, too.

    Args:
        label: None to leave it.
        features: those to change, as `Features.from_dict` takes them; the others stay.
        settings: those to change, by name.

    Raises:
        UnknownLogin: there is none of that name.
    """
    login = accounts.login_by_username(connection, username)
    if login is None:
        raise UnknownLogin(f"there is no login {username!r}")
    changed = evolve(
        login,
        label=login.label if label is None else label,
        features=Features.from_dict({**login.features.as_dict(), **(features or {})}),
        settings=evolve(login.settings, **(settings or {})),
    )
    connection.execute(
        update(tables.logins)
        .where(tables.logins.c.id == login.id)
        .values(
            label=changed.label,
            features=json.dumps(changed.features.as_dict()),
            settings=changed.settings.as_json(),
        )
    )
    return changed


def change_token(
    connection: Connection,
    token_id: int,
    *,
    label: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Token:
    """
    Change a token, revoked or not: settings hold for readers of mail that it has sent, too.

    Mail names its token by the label that this had then; so former labels are kept.

    Args:
        label: None to leave it.
        settings: those to change, by name.

    Raises:
        UnknownToken: there is none of that number.
    """
    token = accounts.token_by_id(connection, token_id)
    if token is None:
        raise UnknownToken(f"there is no token {token_id}")
    new_label = token.label if label is None else label
    labels = dict.fromkeys((*token.former_labels, token.label))
    changed = evolve(
        token,
        label=new_label,
        former_labels=tuple(each for each in labels if each not in {"", new_label}),
        settings=evolve(token.settings, **(settings or {})),
    )
    connection.execute(
        update(tables.tokens)
        .where(tables.tokens.c.id == token.id)
        .values(
            label=changed.label,
            former_labels=json.dumps(changed.former_labels),
            settings=changed.settings.as_json(),
        )
    )
    return changed
