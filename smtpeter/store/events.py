"""The log of everything that happens to a message: appended, never changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from smtpeter.store.changes import Change
from smtpeter.store.tables import events
from smtpeter.values import frozen

APPEND = insert(events)


@frozen
class Event:
    """
    One thing that happened.

    Attributes:
        time: seconds since the epoch.
        kind: "attempt" (a message was handed to us), "delivery", "failure", "deferral",
            or "cancellation".
        account_id: whose message; None for reports of our own.
        envelope: the reverse-path as submitted, "" for the null path.
        details: what this kind alone has to tell; everything is text.
    """

    time: float
    kind: str
    account_id: int | None
    message: str
    envelope: str
    recipient: str
    tags: str
    template_id: int
    details: Mapping[str, str]


def append(happened: Iterable[Event]) -> Change:
    """The change that writes events."""
    return Change(APPEND, [_row(each) for each in happened])


def _row(each: Event) -> dict[str, Any]:
    # JSON's escapes let any character pass, even those that a column of text refuses.
    return {
        "time": each.time,
        "kind": each.kind,
        "account_id": each.account_id,
        "message": each.message,
        "envelope": each.envelope,
        "recipient": each.recipient,
        "tags": each.tags,
        "template_id": each.template_id,
        "details": json.dumps(each.details),
    }


def event_of_row(row: Row[Any], kind: str, time: float, details: Mapping[str, str]) -> Event:
    """The event of a message that need not be readable: of columns as they are stored."""
    return Event(
        time=time,
        kind=kind,
        account_id=row.account_id,
        message=row.id,
        envelope=row.sender,
        recipient=row.recipient,
        tags=row.tags,
        template_id=row.template_id,
        details=details,
    )


def events_of(connection: Connection, message: str) -> list[Event]:
    """What happened to one message, in order."""
    query = select(events).where(events.c.message == message).order_by(events.c.sequence)
    return [
        Event(
            time=row.time,
            kind=row.kind,
            account_id=row.account_id,
            message=row.message,
            envelope=row.envelope,
            recipient=row.recipient,
            tags=row.tags,
            template_id=row.template_id,
            details=json.loads(row.details),
        )
        for row in connection.execute(query)
    ]
