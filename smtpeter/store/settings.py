"""What a login asks for besides its features."""

from __future__ import annotations

import json
from typing import Any

import attrs
from sqlalchemy import Connection, select, update

from smtpeter.store.tables import logins
from smtpeter.values import frozen


@frozen
class LoginSettings:
    """
    What is done with all mail of one login.

    Attributes:
        presentational: inlined styles are written as attributes too, for Outlook.
        honeypot: messages get a link that no person can see.
        privacy: of readers' visits neither the address nor the user agent is kept.
    """

    presentational: bool = False
    honeypot: bool = False
    privacy: bool = False

    def as_json(self) -> str:
        """For the column of a login; `from_json` reads it back."""
        return json.dumps(attrs.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> LoginSettings:
        """Read a column; what it does not say is off."""
        said: dict[str, Any] = json.loads(text)
        return cls(**{each.name: bool(said.get(each.name)) for each in attrs.fields(cls)})


NO_SETTINGS = LoginSettings()


def settings_of(connection: Connection, username: str) -> LoginSettings:
    """The settings of a login, revoked or not; of one that is not known, none."""
    query = select(logins.c.settings).where(logins.c.username == username)
    text = connection.execute(query).scalar_one_or_none()
    return NO_SETTINGS if text is None else LoginSettings.from_json(text)


def set_settings(connection: Connection, username: str, settings: LoginSettings) -> bool:
    """Change the settings of a login; False when there is none of that user name."""
    changed = connection.execute(
        update(logins).where(logins.c.username == username).values(settings=settings.as_json())
    )
    return changed.rowcount == 1
