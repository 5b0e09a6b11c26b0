"""
What comes by mail to addresses of our own: stored first, dealt with afterwards.

An arrival is a submission without messages. It gets one when it is sent on.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Sequence
from typing import Any

from attrs import field
from sqlalchemy import Connection, Row, Select, bindparam, exists, func, insert, select, update

from smtpeter.message.content import Content
from smtpeter.store import dmarc, events, messages, suppressions
from smtpeter.store.changes import Change
from smtpeter.store.dmarc import DmarcReport
from smtpeter.store.events import Event
from smtpeter.store.messages import PARCEL_COLUMNS, Message, Parcel, message_of, parcel_of
from smtpeter.store.suppressions import Suppression
from smtpeter.store.tables import arrivals, content_blocks, sender_domains, submissions
from smtpeter.store.tables import messages as messages_table
from smtpeter.values import frozen

ARRIVAL = "arrival"  # the origin of its submission
# What is looked at of the largest; reports stand in front of what they return.
BEGINNING_OCTETS = 16 * 1024 * 1024

# These are asked for each arrival. To put one together anew costs more than to run it.
ADD_ARRIVAL = insert(arrivals)
_UNFINISHED = arrivals.c.finished.is_(None)
_CHOSEN = arrivals.c.submission.in_(bindparam("keys", expanding=True))
_COLUMNS = (*PARCEL_COLUMNS, *(each for each in arrivals.c if each.name != "submission"))
_OF_SUBMISSION = submissions.c.key == arrivals.c.submission
_ARRIVALS = select(*_COLUMNS).join(submissions, _OF_SUBMISSION)
_OPEN: Select[Any] = (
    select(*_COLUMNS, submissions.c.content, submissions.c.header_octets)
    .join(submissions, _OF_SUBMISSION)
    .where(_CHOSEN, _UNFINISHED)
    .order_by(arrivals.c.submission)
)
_WHICH_UNFINISHED = select(arrivals.c.submission).where(_CHOSEN, _UNFINISHED)
_MESSAGES = (
    select(messages_table, *PARCEL_COLUMNS)
    .join(submissions, submissions.c.key == messages_table.c.submission)
    .where(messages_table.c.id.in_(bindparam("ids", expanding=True)))
)
_CONCLUDE = (
    update(arrivals)
    .where(arrivals.c.submission == bindparam("key"), _UNFINISHED)
    .values(
        result=bindparam("new_result"),
        message=func.coalesce(func.nullif(bindparam("new_message"), ""), arrivals.c.message),
        finished=bindparam("new_finished"),
    )
)


class Purpose(enum.Enum):
    """What an address of ours is for; the words are stored."""

    BOUNCE = "bounce"  # a message that comes back
    REPORT = "report"  # DMARC reports
    POSTMASTER = "postmaster"  # complaints, and what people write


@frozen
class Arrival:
    """
    Something that came.

    Attributes:
        recipient: the address of ours to which it came.
        message: the id of the message that it is about, "" when that is not known yet.
    """

    parcel: Parcel
    recipient: str
    purpose: Purpose
    message: str


@frozen
class Opened:
    """
    An arrival that is to be dealt with.

    Attributes:
        beginning: of its content, the whole of any but the largest; None when it is gone.
        original: the message that it is about; None when it is not known, or there no longer.
    """

    arrival: Arrival
    beginning: Content | None = field(repr=False)
    original: Message | None


@frozen
class Conclusion:
    """
    What an arrival was taken for, and what follows.

    Attributes:
        result: "report" (on a delivery), "error" (in a format of somebody's own), "response",
            "complaint", "feedback" (which blames nobody), "dmarc", "mail" (for people), "unknown"
            (about a message that is not there), or "fault".
        message: the id of the message that it is about, "" where nothing new is known of that.
        happened: events.
        suppressed: the recipient of the message, for the account that sent it.
        report: on the use of a domain.
    """

    result: str
    message: str = ""
    happened: tuple[Event, ...] = field(default=(), repr=False)
    suppressed: tuple[int, Suppression] | None = None
    report: DmarcReport | None = None


def additions(arrival: Arrival, content: Content) -> list[Change]:
    """The changes that store an arrival."""
    row = {
        "submission": arrival.parcel.key,
        "recipient": arrival.recipient,
        "purpose": arrival.purpose.value,
        "message": arrival.message,
        "result": "",
        "finished": None,
    }
    return [*messages.additions(arrival.parcel, content, []), Change(ADD_ARRIVAL, [row])]


def is_bounce_host(connection: Connection, host: str) -> bool:
    """Whether bounces of an approved sender domain come there."""
    chosen = exists().where(
        sender_domains.c.bounce_host == host, sender_domains.c.approved.is_not(None)
    )
    return bool(connection.execute(select(chosen)).scalar_one())


def unfinished(connection: Connection, limit: int) -> list[tuple[int, int]]:
    """The keys of what was not dealt with yet, the oldest first, each with its size in octets."""
    query = (
        select(arrivals.c.submission, submissions.c.octets)
        .join(submissions, _OF_SUBMISSION)
        .where(_UNFINISHED)
        .order_by(arrivals.c.submission)
        .limit(limit)
    )
    return [(key, octets) for key, octets in connection.execute(query)]


def opened(connection: Connection, keys: Sequence[int]) -> list[Opened]:
    """Those of some arrivals that were not dealt with yet, in their order."""
    rows = connection.execute(_OPEN, {"keys": list(keys)}).all()
    about = {row.message for row in rows if row.message}
    originals = _known(connection, about) if about else {}
    return [
        Opened(_arrival(row), _beginning(connection, row), originals.get(row.message))
        for row in rows
    ]


def _beginning(connection: Connection, row: Row[Any]) -> Content | None:
    """The first `BEGINNING_OCTETS` of the content of a submission; None when it is gone."""
    if row.content is None:
        return None
    blocks: list[bytes] = [row.content]
    missing = min(row.octets, BEGINNING_OCTETS) - len(row.content)
    if missing > 0:
        query = (
            select(content_blocks.c.octets)
            .where(content_blocks.c.submission == row.key)
            .order_by(content_blocks.c.number)
            .execution_options(yield_per=1)
        )
        with connection.execute(query) as found:
            for block in found.scalars():
                blocks.append(block[:missing])
                missing -= len(block)
                if missing <= 0:
                    break
    return Content(tuple(blocks), row.header_octets)


def first_known(connection: Connection, ids: Sequence[str]) -> Message | None:
    """The message of the first of these ids that there is."""
    found = _known(connection, ids)
    return next((found[each] for each in ids if each in found), None)


def _known(connection: Connection, ids: Collection[str]) -> dict[str, Message]:
    """The messages of these ids that there are."""
    rows = connection.execute(_MESSAGES, {"ids": list(ids)})
    return {row.id: message_of(row, parcel_of(row)) for row in rows}


@frozen
class Concluded:
    """
    An arrival that was dealt with.

    Attributes:
        forwarded: the message by which it is sent on.
    """

    key: int
    conclusion: Conclusion
    forwarded: Message | None = None


def conclude(connection: Connection, concluded: Sequence[Concluded], now: float) -> set[int]:
    """
    Write down what follows from arrivals, inside a transaction that the caller has opened.

    Gives the keys of those for which that was not done before; for others nothing is done.
    """
    keys = [each.key for each in concluded]
    unfinished = set(connection.execute(_WHICH_UNFINISHED, {"keys": keys}).scalars())
    new = [each for each in concluded if each.key in unfinished]
    found = [each.conclusion for each in new]
    changes = [
        Change(_CONCLUDE, [_conclusion_row(each, now) for each in new]),
        events.append(event for each in found for event in each.happened),
        messages.further(each.forwarded for each in new if each.forwarded is not None),
        *(suppressions.addition(*each.suppressed) for each in found if each.suppressed),
    ]
    for change in changes:
        if change.rows:
            connection.execute(change.statement, change.rows)
    for each in found:
        if each.report is not None:
            dmarc.keep(connection, each.report, now)
    return unfinished


def _conclusion_row(each: Concluded, now: float) -> dict[str, Any]:
    return {
        "key": each.key,
        "new_result": each.conclusion.result,
        "new_message": each.conclusion.message,
        "new_finished": now,
    }


@frozen
class Listed:
    """
    An arrival as an operator sees it.

    Attributes:
        result: what it was taken for, "" while it waits.
        finished: when it had been dealt with, seconds since the epoch; None while it waits.
    """

    arrival: Arrival
    result: str
    finished: float | None


def latest(connection: Connection, limit: int) -> list[Listed]:
    """What came last, the newest first."""
    query = _ARRIVALS.order_by(arrivals.c.submission.desc()).limit(limit)
    return [_listed(row) for row in connection.execute(query)]


def one(connection: Connection, key: int) -> Listed | None:
    """One arrival, None when there is none of that key."""
    row = connection.execute(_ARRIVALS.where(arrivals.c.submission == key)).one_or_none()
    return None if row is None else _listed(row)


def _listed(row: Row[Any]) -> Listed:
    return Listed(_arrival(row), row.result, row.finished)


def _arrival(row: Row[Any]) -> Arrival:
    return Arrival(parcel_of(row), row.recipient, Purpose(row.purpose), row.message)
