"""Submissions, their contents, and the messages that wait to be delivered."""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, NamedTuple

from attrs import field
from sqlalchemy import (
    Connection,
    Row,
    bindparam,
    exists,
    func,
    insert,
    literal_column,
    select,
    update,
)

from smtpeter.message.address import AddressError, Mailbox
from smtpeter.message.content import Content
from smtpeter.message.envelope import Envelope, Recipient, Trace
from smtpeter.message.features import Features
from smtpeter.store.changes import Change
from smtpeter.store.tables import content_blocks, messages, submissions
from smtpeter.values import frozen

# NUL is in no text of PostgreSQL, half a surrogate pair in none of UTF-8.
_NO_TEXT = re.compile("[\0\ud800-\udfff]")


class State(enum.IntEnum):
    """Where a message is in its life; the numbers are stored."""

    WAITING = 0
    DELIVERED = 1
    FAILED = 2
    CANCELLED = 3


HIGH, NORMAL, BULK = 0, 1, 2
NONE: Mapping[str, str] = {}


class Stream(NamedTuple):
    """
    What messages have in common that wait in one row, the oldest first.

    Attributes:
        account: its id; 0 for reports of our own.
    """

    destination: str
    account: int
    priority: int
    pool: str


@frozen
class Parcel:
    """
    One submission as it is stored: all that its messages have in common.

    Attributes:
        origin: "smtp", "rest", or "report" for what we say ourselves.
        sender: the reverse-path, None for the null path.
        received: seconds since the epoch.
        deliver_by: seconds since the epoch; no attempt begins after it.
    """

    key: int
    account_id: int | None
    origin: str
    login: str
    sender: Mailbox | None
    ret: str | None
    envid: str | None
    eightbit: bool
    smtputf8: bool
    features: Features
    trace: Trace
    template_id: int
    received: float
    deliver_by: float
    octets: int

    @property
    def reverse_path(self) -> str:
        """The reverse-path as text, "" for the null path."""
        return str(self.sender) if self.sender else ""

    @property
    def tags(self) -> str:
        """The tags as log files write them."""
        return ";".join(self.features.tags)


@frozen
class Message:
    """
    One message to one recipient, waiting to be delivered.

    Attributes:
        destination: what `ICarrier.destination_of` made of the recipient's domain.
        attempts: how many were made; the next has this number.
        due: seconds since the epoch of the next attempt.
        attempted: seconds since the epoch of the last attempt, None before the first.
        priority: `HIGH`, `NORMAL` or `BULK`.
        pool: of the addresses of ours that it is sent from, "" for the usual ones.
    """

    id: str
    parcel: Parcel = field(repr=False)
    recipient: Recipient
    destination: str
    attempts: int
    due: float
    attempted: float | None = None
    priority: int = NORMAL
    pool: str = ""

    @property
    def stream(self) -> Stream:
        """Which messages it waits among."""
        return Stream(self.destination, self.parcel.account_id or 0, self.priority, self.pool)

    def envelope(self) -> Envelope:
        """The envelope for this recipient alone."""
        return Envelope(
            sender=self.parcel.sender,
            recipients=(self.recipient,),
            ret=self.parcel.ret,
            envid=self.parcel.envid,
            eightbit=self.parcel.eightbit,
            smtputf8=self.parcel.smtputf8,
        )


ADD_SUBMISSION = insert(submissions)
ADD_BLOCK = insert(content_blocks)
ADD_MESSAGE = insert(messages)

# Written out, so that the planner of any database sees that the index of those that wait fits.
IS_WAITING = messages.c.state == literal_column(str(int(State.WAITING)))

# Only a message that still waits can end or be put off: an operator may have cancelled it.
SET_OUTCOME = (
    update(messages)
    .where(messages.c.id == bindparam("message"), IS_WAITING)
    .values(
        state=bindparam("new_state"),
        attempts=bindparam("new_attempts"),
        due=bindparam("new_due"),
        attempted=bindparam("new_attempted"),
        last_reply=bindparam("new_reply"),
        finished=bindparam("new_finished"),
    )
)


def additions(
    parcel: Parcel, content: Content, added: Iterable[Message], failed: Mapping[str, str] = NONE
) -> list[Change]:
    """
    The changes that store a submission: its content once, and its messages.

    Args:
        failed: why messages, by their ids, have failed already.
    """
    first, *others = content.blocks
    changes = [
        Change(
            ADD_SUBMISSION,
            [
                {
                    "key": parcel.key,
                    "account_id": parcel.account_id,
                    "origin": parcel.origin,
                    "login": parcel.login,
                    "sender": parcel.reverse_path,
                    "ret": parcel.ret,
                    "envid": parcel.envid,
                    "eightbit": parcel.eightbit,
                    "smtputf8": parcel.smtputf8,
                    "features": _as_json(parcel.features),
                    "tags": parcel.tags,
                    "template_id": parcel.template_id,
                    "helo": parcel.trace.helo,
                    "client_address": parcel.trace.address,
                    "protocol": parcel.trace.protocol,
                    "received": parcel.received,
                    "deliver_by": parcel.deliver_by,
                    "octets": parcel.octets,
                    "header_octets": content.header_octets,
                    "content": first,
                }
            ],
        ),
        further(added, failed),
    ]
    if others:
        rows = [
            {"submission": parcel.key, "number": number, "octets": block}
            for number, block in enumerate(others, start=1)
        ]
        changes.append(Change(ADD_BLOCK, rows))
    return changes


def further(added: Iterable[Message], failed: Mapping[str, str] = NONE) -> Change:
    """The change that stores messages of a submission that is there."""
    return Change(ADD_MESSAGE, [_message_row(each, failed.get(each.id)) for each in added])


@lru_cache(maxsize=1024)
def _as_json(features: Features) -> str:
    return json.dumps(features.as_dict())


def _message_row(each: Message, failure: str | None) -> dict[str, Any]:
    notify = each.recipient.notify
    waits = failure is None
    return {
        "id": each.id,
        "submission": each.parcel.key,
        "recipient": str(each.recipient.mailbox),
        "written": each.recipient.written,
        "notify": ",".join(sorted(notify)) if notify is not None else None,
        "orcpt": each.recipient.orcpt,
        "destination": each.destination,
        "account": each.parcel.account_id or 0,
        "priority": each.priority,
        "pool": each.pool,
        "state": int(State.WAITING if waits else State.FAILED),
        "attempts": each.attempts,
        "due": each.due,
        "attempted": None,
        "last_reply": failure or "",
        "finished": None if waits else each.parcel.received,
    }


def outcome(message: Message, state: State, *, due: float, reply: str, now: float) -> Change:
    """The change that records what an attempt led to."""
    row = {
        "message": message.id,
        "new_state": int(state),
        "new_attempts": message.attempts + 1,
        "new_due": due,
        "new_attempted": now,
        # What a stranger said may not keep the outcome from being recorded.
        "new_reply": storable(reply),
        "new_finished": None if state is State.WAITING else now,
    }
    return Change(SET_OUTCOME, [row])


def storable(text: str) -> str:
    """A text that a column takes: without what no database has in one."""
    return _NO_TEXT.sub("\ufffd", text)


PARCEL_COLUMNS = tuple(
    column for column in submissions.c if column.name not in ("content", "header_octets")
)


STREAM_COLUMNS = (
    messages.c.destination,
    messages.c.account,
    messages.c.priority,
    messages.c.pool,
)


def waiting_streams(
    connection: Connection, destinations: Sequence[str] | None = None
) -> list[tuple[Stream, float]]:
    """
    Each stream in which messages wait, with the time its first is due.

    Args:
        destinations: only those to these.
    """
    query = (
        select(*STREAM_COLUMNS, func.min(messages.c.due))
        .where(IS_WAITING)
        .group_by(*STREAM_COLUMNS)
    )
    if destinations is not None:
        query = query.where(messages.c.destination.in_(destinations))
    return [(Stream(*stream), due) for *stream, due in connection.execute(query)]


def reroute(connection: Connection, destination_of: Callable[[str], str]) -> None:
    """
    Give waiting messages the destinations of today's configuration. One whose recipient cannot
    be read keeps its destination.

    Args:
        destination_of: what mail for a domain waits under; what it makes of a destination
            that it gave is that destination.
    """
    for destination in sorted({stream.destination for stream, _ in waiting_streams(connection)}):
        if destination_of(destination) == destination and not is_special(destination):
            continue
        query = select(messages.c.id, messages.c.recipient).where(
            messages.c.destination == destination, IS_WAITING
        )
        rows = []
        for row in connection.execute(query):
            with suppress(AddressError):
                domain = Mailbox.parse(row.recipient).domain_key
                rows.append({"message": row.id, "new_destination": destination_of(domain)})
        if any(row["new_destination"] != destination for row in rows):
            connection.execute(_SET_RECEIVER, rows)


def is_special(destination: str) -> bool:
    """True for a destination that is no domain: a smart host with its port, or the capture."""
    return destination == "capture" or re.search(r":\d+$", destination) is not None


_SET_RECEIVER = (
    update(messages)
    .where(messages.c.id == bindparam("message"))
    .values(destination=bindparam("new_destination"))
)


def greatest_key(connection: Connection) -> int:
    """The greatest key of a submission, 0 when there is none."""
    return connection.execute(select(func.max(submissions.c.key))).scalar_one() or 0


def is_stored(connection: Connection, key: int) -> bool:
    """True when there is a submission with that key."""
    return bool(connection.execute(select(exists().where(submissions.c.key == key))).scalar_one())


def dues(connection: Connection, key: int) -> dict[str, float]:
    """When the messages of a submission are due, by their ids."""
    query = select(messages.c.id, messages.c.due).where(messages.c.submission == key)
    return {row.id: row.due for row in connection.execute(query)}


_FIRST_BLOCK = select(
    submissions.c.content, submissions.c.header_octets, submissions.c.octets
).where(submissions.c.key == bindparam("key"))
_FURTHER_BLOCKS = (
    select(content_blocks.c.octets)
    .where(content_blocks.c.submission == bindparam("key"))
    .order_by(content_blocks.c.number)
)


def load_content(connection: Connection, key: int) -> Content | None:
    """The content of a submission, None when it is kept no longer."""
    head = connection.execute(_FIRST_BLOCK, {"key": key}).one_or_none()
    if head is None or head.content is None:
        return None
    blocks = [head.content]
    if len(head.content) < head.octets:
        blocks.extend(connection.execute(_FURTHER_BLOCKS, {"key": key}).scalars())
    return Content(tuple(blocks), head.header_octets)


def parcel_of(row: Row[Any]) -> Parcel:
    """Read a row that has the `PARCEL_COLUMNS`."""
    tags = row.tags.split(";") if row.tags else ()
    return Parcel(
        key=row.key,
        account_id=row.account_id,
        origin=row.origin,
        login=row.login,
        sender=Mailbox.parse(row.sender) if row.sender else None,
        ret=row.ret,
        envid=row.envid,
        eightbit=row.eightbit,
        smtputf8=row.smtputf8,
        features=Features.from_dict(json.loads(row.features), tags),
        trace=Trace(row.helo, row.client_address, row.protocol),
        template_id=row.template_id,
        received=row.received,
        deliver_by=row.deliver_by,
        octets=row.octets,
    )


def message_of(row: Row[Any], parcel: Parcel) -> Message:
    """Read a row that has the columns of messages."""
    notify = None if row.notify is None else frozenset(row.notify.split(","))
    return Message(
        id=row.id,
        parcel=parcel,
        recipient=Recipient(Mailbox.parse(row.recipient), row.written, notify, row.orcpt),
        destination=row.destination,
        attempts=row.attempts,
        due=row.due,
        attempted=row.attempted,
        priority=row.priority,
        pool=row.pool,
    )
