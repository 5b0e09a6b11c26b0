"""What a login or a token asks for besides its features."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import attrs
from sqlalchemy import Connection, select

from smtpeter.message.features import NORMAL, PRIORITIES
from smtpeter.store.tables import logins, tokens
from smtpeter.values import frozen


@frozen
class LoginSettings:
    """
    What is done with all mail of one login, or of one token.

    Attributes:
        presentational: inlined styles are written as attributes too, for Outlook.
        honeypot: messages get a link that no person can see.
        privacy: of readers' visits neither the address nor the user agent is kept.
        priority: of mail that does not say its own; see `Features`.
    """

    presentational: bool = False
    honeypot: bool = False
    privacy: bool = False
    priority: str = NORMAL

    def switched_on(self) -> tuple[str, ...]:
        """The names of the settings that are on."""
        return tuple(name for name in SWITCHES if getattr(self, name))

    def as_dict(self) -> dict[str, bool | str]:
        """For a JSON document."""
        return attrs.asdict(self)

    def as_json(self) -> str:
        """For the column of a login or a token; `from_json` reads it back."""
        return json.dumps(self.as_dict())

    @classmethod
    def from_json(cls, text: str) -> LoginSettings:
        """Read a column; what it does not say is off, or as usual."""
        said: dict[str, Any] = json.loads(text)
        on = {name: bool(said.get(name)) for name in SWITCHES}
        priority = said.get("priority")
        return cls(**on, priority=priority if priority in PRIORITIES else NORMAL)


NO_SETTINGS = LoginSettings()
SWITCHES = tuple(name for name, value in NO_SETTINGS.as_dict().items() if value is False)


def settings_of(
    connection: Connection, origin: str, account_id: int | None, login: str
) -> LoginSettings:
    """
    What is on for who handed a submission in, revoked or not; for one that is not known, nothing.

    A name alone would not do: a token can be labelled like somebody's user name.

    Args:
        origin: as the row of the submission has it, like the others.
    """
    if origin == "smtp":
        of_login = select(logins.c.settings).where(
            logins.c.account_id == account_id, logins.c.username == login
        )
        return _together(connection.execute(of_login).scalars())
    if origin == "rest":
        of_account = select(
            tokens.c.id, tokens.c.label, tokens.c.former_labels, tokens.c.settings
        ).where(tokens.c.account_id == account_id)
        rows = connection.execute(of_account)
        return _together(row.settings for row in rows if login in _names(*row[:3]))
    return NO_SETTINGS


def token_name(token_id: int, label: str) -> str:
    """What submissions name a token by."""
    return label or f"token {token_id}"


def _names(token_id: int, label: str, former_labels: str) -> set[str]:
    """All that submissions name or have named a token by."""
    return {token_name(token_id, each) for each in ("", label, *json.loads(former_labels))}


def _together(texts: Iterable[str]) -> LoginSettings:
    """What is on in one of several is on: no privacy is lost by a label that two share."""
    on = {name for text in texts for name in LoginSettings.from_json(text).switched_on()}
    switches: dict[str, Any] = {name: name in on for name in SWITCHES}
    return LoginSettings(**switches)
