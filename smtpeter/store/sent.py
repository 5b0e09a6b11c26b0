"""What is known of messages that readers have before them."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

from sqlalchemy import Connection, and_, select

from smtpeter.store.messages import State
from smtpeter.store.settings import NO_SETTINGS, LoginSettings, settings_of
from smtpeter.store.tables import logins, messages, submissions
from smtpeter.values import frozen

_QUERY = (
    select(
        messages.c.id,
        messages.c.recipient,
        messages.c.state,
        messages.c.finished,
        submissions.c.account_id,
        submissions.c.origin,
        submissions.c.login,
        submissions.c.sender,
        submissions.c.tags,
        submissions.c.template_id,
        logins.c.settings,
    )
    .join(submissions, submissions.c.key == messages.c.submission)
    .outerjoin(
        logins,
        and_(
            submissions.c.origin == "smtp",
            logins.c.account_id == submissions.c.account_id,
            logins.c.username == submissions.c.login,
        ),
    )
)


@frozen
class Sent:
    """
    A message, as far as events about its reader need it.

    Attributes:
        delivered: seconds since the epoch; None for one that is not, or not yet.
        waiting: it is still to be delivered, or its delivery is about to be written.
        settings: those of the login or token it came with, as they are now.
    """

    account_id: int | None
    envelope: str
    recipient: str
    tags: str
    template_id: int
    delivered: float | None
    waiting: bool
    settings: LoginSettings


def sent(connection: Connection, ids: Collection[str]) -> dict[str, Sent]:
    """The messages with those ids, as many as are known; some hundreds at most."""
    rows = connection.execute(_QUERY.where(messages.c.id.in_(ids))).all()
    by_rest = {(row.account_id, row.login) for row in rows if row.origin == "rest"}
    of_tokens = {each: settings_of(connection, "rest", *each) for each in by_rest}
    return {
        row.id: Sent(
            account_id=row.account_id,
            envelope=row.sender,
            recipient=row.recipient,
            tags=row.tags,
            template_id=row.template_id,
            delivered=row.finished if row.state == State.DELIVERED else None,
            waiting=row.state == State.WAITING,
            settings=(
                _settings(row.settings)
                if row.settings
                else of_tokens.get((row.account_id, row.login), NO_SETTINGS)
            ),
        )
        for row in rows
    }


_settings = lru_cache(maxsize=1024)(LoginSettings.from_json)
