"""What the queue takes out of the store: the messages of one stream whose time has come."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, update

from smtpeter.store import events
from smtpeter.store.changes import Change
from smtpeter.store.database import StoreError
from smtpeter.store.messages import (
    IS_WAITING,
    PARCEL_COLUMNS,
    STREAM_COLUMNS,
    Message,
    Parcel,
    Stream,
    message_of,
    parcel_of,
)
from smtpeter.store.tables import messages, submissions
from smtpeter.values import frozen

REASON_CHARACTERS = 200

PUT_OFF = (
    update(messages)
    .where(messages.c.id == bindparam("message"), IS_WAITING)
    .values(
        due=bindparam("new_due"),
        attempted=bindparam("new_attempted"),
        last_reply=bindparam("new_reply"),
    )
)


# What the messages of a stream that wait have in common. These two are asked for again and again,
# and making them takes twice as long as running them: so each is made once.
_OF_STREAM = (*(column == bindparam(column.name) for column in STREAM_COLUMNS), IS_WAITING)
_DUE = (
    select(messages, *PARCEL_COLUMNS)
    .join(submissions, submissions.c.key == messages.c.submission)
    .where(*_OF_STREAM, messages.c.due <= bindparam("now"))
    .order_by(messages.c.due)
    .limit(bindparam("most"))
)
_NEXT_DUE = select(func.min(messages.c.due)).where(*_OF_STREAM, messages.c.due > bindparam("now"))


class Unreadable(StoreError):
    """
    Something is stored of which this program can make no message; the text says why.

    Attributes:
        row: the columns of the message and of its submission.
    """

    def __init__(self, row: Row[Any], fault: Exception) -> None:
        self.row = row
        super().__init__(f"message {row.id} cannot be read: {fault!r:.{REASON_CHARACTERS}}")


@frozen
class Due:
    """
    What was found in a stream.

    Attributes:
        found: messages that are due, oldest first.
        unreadable: what stands among them; it counts against the number asked for.
        later: when the first of the others will be due, seconds since the epoch.
    """

    found: Sequence[Message]
    later: float | None
    unreadable: Sequence[Unreadable] = ()


def due_messages(connection: Connection, stream: Stream, now: float, limit: int) -> Due:
    """The messages of one stream whose time has come, and the time of the next."""
    at = {**stream._asdict(), "now": now}
    parcels: dict[int, Parcel] = {}
    found = []
    unreadable = []
    for row in connection.execute(_DUE, {**at, "most": limit}):
        try:
            found.append(read_message(row, parcels))
        except Unreadable as fault:
            unreadable.append(fault)
    later: float | None = connection.execute(_NEXT_DUE, at).scalar_one()
    return Due(found, later, unreadable)


def without_notice(
    connection: Connection, now: float, delay_notice_seconds: float, limit: int
) -> list[Message]:
    """
    Waiting messages whose senders want to know of a delay, and have not been told by an attempt
    since so many seconds after they handed them in. One that cannot be read is passed over.
    """
    told_since = submissions.c.received + delay_notice_seconds
    query = (
        select(messages, *PARCEL_COLUMNS)
        .join(submissions, submissions.c.key == messages.c.submission)
        .where(
            IS_WAITING,
            messages.c.notify.is_not(None),
            messages.c.notify.like("%DELAY%"),
            submissions.c.sender != "",
            told_since <= now,
            func.coalesce(messages.c.attempted, submissions.c.received) < told_since,
        )
        .limit(limit)
    )
    parcels: dict[int, Parcel] = {}
    found = []
    for row in connection.execute(query):
        with suppress(Unreadable):
            found.append(read_message(row, parcels))
    return found


def read_message(row: Row[Any], parcels: dict[int, Parcel]) -> Message:
    """
    Make a message of a row.

    Args:
        row: has the columns of messages, and the `PARCEL_COLUMNS`.
        parcels: by their keys, those that were read before; a new one is added.

    Raises:
        Unreadable: something in the row is not as this program would have written it.
    """
    try:
        if row.key not in parcels:
            parcels[row.key] = parcel_of(row)
        return message_of(row, parcels[row.key])
    except Exception as fault:  # whatever it is, other messages have nothing to do with it
        raise Unreadable(row, fault) from fault


def noticed(message: Message, reply: str, now: float) -> Change:
    """The change that records that a sender was told of a delay; the message waits on as it did."""
    row = {
        "message": message.id,
        "new_due": message.due,
        "new_attempted": now,
        "new_reply": reply,
    }
    return Change(PUT_OFF, [row])


def put_off(unreadable: Unreadable, due: float, now: float) -> list[Change]:
    """The changes that let a message wait until somebody has seen to it, or a time is over."""
    row = {
        "message": unreadable.row.id,
        "new_due": due,
        "new_attempted": now,
        "new_reply": str(unreadable),
    }
    details = {"type": "error", "state": "process", "description": str(unreadable)}
    return [
        Change(PUT_OFF, [row]),
        events.append([events.event_of_row(unreadable.row, "deferral", now, details)]),
    ]
