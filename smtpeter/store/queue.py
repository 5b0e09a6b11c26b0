"""The queue as an operator sees and changes it, while the service runs and while it does not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field
from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from smtpeter.message.content import Content
from smtpeter.store import events, receivers, replanning
from smtpeter.store.due import read_message
from smtpeter.store.events import Event
from smtpeter.store.messages import (
    IS_WAITING,
    PARCEL_COLUMNS,
    Message,
    Parcel,
    State,
    load_content,
)
from smtpeter.store.tables import destinations, messages, nudges, submissions
from smtpeter.values import frozen

CANCELLED_AT_ONCE = 500


@frozen
class Nudge:
    """
    Something was changed for a destination while the service runs.

    Attributes:
        again: its mail is to be tried, whatever was learnt of those who take it.
    """

    destination: str
    again: bool


@frozen
class ReceiverQueue:
    """
    The messages that wait for one receiver. Times are seconds since the epoch.

    Attributes:
        depth: how many.
        destinations: to how many domains they go.
        oldest: when the one that waits longest was handed to us.
        next_attempt: when the first of them is due.
        last_reply: what the last attempt was told, "" when there was none.
        state: what was learnt of the receiver, as `Receiver.as_dict`; empty for nothing.
    """

    receiver: str
    depth: int
    destinations: int
    oldest: float
    next_attempt: float
    last_reply: str
    state: Mapping[str, Any] = field(factory=dict)


@frozen
class Story:
    """
    One message, and all that happened to it. Times are seconds since the epoch.

    Attributes:
        finished: when the message left the queue, None while it waits.
    """

    message: Message
    state: State
    last_reply: str
    finished: float | None
    events: Sequence[Event] = field(repr=False)

    @property
    def parcel(self) -> Parcel:
        """What the message has in common with the others of its submission."""
        return self.message.parcel


_CALLED = func.coalesce(destinations.c.receiver, messages.c.destination)
# as `smtpeter.store.receivers.receiver_name` has it
_RECEIVER = case(
    (messages.c.pool == "", _CALLED), else_=_CALLED + " (" + messages.c.pool + ")"
).label("receiver")
_WITH_RECEIVER = messages.outerjoin(destinations, destinations.c.name == messages.c.destination)


def overview(connection: Connection, receiver: str | None = None) -> list[ReceiverQueue]:
    """Each receiver for which messages wait, by name; or one of them alone."""
    chosen = _chosen(receiver=receiver)
    query = (
        select(
            _RECEIVER,
            func.count(),
            func.count(messages.c.destination.distinct()),
            func.min(submissions.c.received),
            func.min(messages.c.due),
        )
        .select_from(_WITH_RECEIVER.join(submissions, submissions.c.key == messages.c.submission))
        .where(*chosen)
        .group_by(_RECEIVER)
        .order_by(_RECEIVER)
    )
    replies = _last_replies(connection, chosen)
    states = receivers.load(connection)
    return [
        ReceiverQueue(name, depth, there, oldest, due, replies.get(name, ""), states.get(name, {}))
        for name, depth, there, oldest, due in connection.execute(query)
    ]


def _last_replies(connection: Connection, chosen: Sequence[ColumnElement[bool]]) -> dict[str, str]:
    """The reply to the most recent attempt for each receiver that had one."""
    place = func.row_number().over(partition_by=_RECEIVER, order_by=messages.c.attempted.desc())
    ranked = (
        select(_RECEIVER, messages.c.last_reply, place.label("place"))
        .select_from(_WITH_RECEIVER)
        .where(*chosen, messages.c.attempted.is_not(None))
        .subquery()
    )
    query = select(ranked.c.receiver, ranked.c.last_reply).where(ranked.c.place == 1)
    return {row.receiver: row.last_reply for row in connection.execute(query)}


def retry(
    connection: Connection,
    now: float,
    *,
    message_id: str | None = None,
    receiver: str | None = None,
) -> int:
    """
    Make waiting messages due at once: one, those of a receiver, or all.

    Returns:
        How many.
    """
    chosen = _chosen(message_id, receiver)
    _nudge(connection, now, chosen, again=True)
    return connection.execute(update(messages).where(*chosen).values(due=now)).rowcount


def cancel(
    connection: Connection,
    now: float,
    *,
    message_id: str | None = None,
    receiver: str | None = None,
) -> int:
    """
    End waiting messages undelivered: one, or those of a receiver. No report is sent.

    What is on its way at this moment may arrive all the same.

    Returns:
        How many.
    """
    if message_id is None and receiver is None:
        raise ValueError("either a message or a receiver has to be named")
    chosen = _chosen(message_id, receiver)
    _nudge(connection, now, chosen, again=False)
    query = (
        select(messages, *PARCEL_COLUMNS)
        .join(submissions, submissions.c.key == messages.c.submission)
        .where(*chosen)
        .limit(CANCELLED_AT_ONCE)
    )
    details = {"description": "Cancelled by the operator"}
    cancelled = 0
    while found := connection.execute(query).all():
        _leave_places(connection, found, now)
        doomed = messages.c.id.in_([row.id for row in found])
        connection.execute(
            update(messages).where(doomed).values(state=State.CANCELLED, finished=now)
        )
        change = events.append(
            events.event_of_row(row, "cancellation", now, details) for row in found
        )
        connection.execute(change.statement, change.rows)
        cancelled += len(found)
    return cancelled


def _leave_places(connection: Connection, doomed: Sequence[Any], now: float) -> None:
    by_account: defaultdict[int, list[Any]] = defaultdict(list)
    for row in doomed:
        if row.account_id is not None:
            by_account[row.account_id].append(row)
    for account_id in sorted(by_account):
        replanning.leave_places(connection, account_id, by_account[account_id], now)


def _chosen(
    message_id: str | None = None, receiver: str | None = None
) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [IS_WAITING]
    if message_id is not None:
        conditions.append(messages.c.id == message_id)
    if receiver is not None:
        conditions.append(_goes_to(receiver))
    return conditions


def _goes_to(receiver: str) -> ColumnElement[bool]:
    """What an operator may mean: a receiver, from one pool or from all, or a domain."""
    called, _, pool = receiver.removesuffix(")").partition(" (")
    there = select(destinations.c.name).where(destinations.c.receiver == called)
    to_it = or_(messages.c.destination == called, messages.c.destination.in_(there))
    return and_(to_it, messages.c.pool == pool) if pool else to_it


def _nudge(
    connection: Connection, now: float, chosen: Sequence[ColumnElement[bool]], *, again: bool
) -> None:
    query = select(messages.c.destination).distinct().where(*chosen)
    rows = [
        {"destination": destination, "created": now, "again": int(again)}
        for destination in connection.execute(query).scalars()
    ]
    if rows:
        connection.execute(insert(nudges), rows)


def has_nudges(connection: Connection) -> bool:
    """True when an operator's command has changed something for the running service."""
    return bool(connection.execute(select(exists(select(nudges.c.id)))).scalar_one())


def take_nudges(connection: Connection) -> list[Nudge]:
    """What was changed, each destination once; it is not given again."""
    taken: dict[str, bool] = {}
    query = delete(nudges).returning(nudges.c.destination, nudges.c.again)
    for row in connection.execute(query):
        taken[row.destination] = bool(row.again) or taken.get(row.destination, False)
    return [Nudge(destination, again) for destination, again in sorted(taken.items())]


def message_story(connection: Connection, message_id: str) -> Story | None:
    """
    One message and what happened to it; None when it is not known.

    Raises:
        Unreadable: it is there, but is not as this program would have written it.
    """
    query = (
        select(messages, *PARCEL_COLUMNS)
        .join(submissions, submissions.c.key == messages.c.submission)
        .where(messages.c.id == message_id)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return Story(
        message=read_message(row, {}),
        state=State(row.state),
        last_reply=row.last_reply,
        finished=row.finished,
        events=events.events_of(connection, message_id),
    )


def message_with_content(connection: Connection, message_id: str) -> tuple[Message, Content] | None:
    """A message and what was handed in; None when one of them is not there any more."""
    story = message_story(connection, message_id)
    if story is None:
        return None
    content = load_content(connection, story.parcel.key)
    return None if content is None else (story.message, content)
