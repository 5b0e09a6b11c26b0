"""The house without its doors: the real queue and courier among stand-ins that a test leads."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

from attrs import define, evolve, field, frozen
from sqlalchemy.exc import IntegrityError
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.task import Clock
from zope.interface import implementer

from smtpeter.budget import ContentBudget
from smtpeter.delivery.book import ReceiverBook
from smtpeter.delivery.carrier import Allowance, Carried, ICarrier
from smtpeter.delivery.contents import ContentSource
from smtpeter.delivery.courier import Courier
from smtpeter.delivery.envelopes import as_handed_in
from smtpeter.delivery.queue import DeliveryQueue
from smtpeter.delivery.receivers import QueueSettings
from smtpeter.delivery.reports import ReportWriter
from smtpeter.delivery.route import Way
from smtpeter.delivery.schedule import Schedule
from smtpeter.message.content import Content
from smtpeter.message.envelope import Envelope
from smtpeter.message.outcome import Outcome, Verdict
from smtpeter.store import events, messages, receivers, suppressions
from smtpeter.store.changes import Change
from smtpeter.store.database import StoreUnavailable
from smtpeter.store.due import PUT_OFF, Due, Unreadable, due_messages, without_notice
from smtpeter.store.keys import KeySource
from smtpeter.store.messages import Message, State, Stream
from smtpeter.store.queue import Nudge
from smtpeter.transform.pipeline import Pipeline, Stage
from tests.store.cases import CONTENT, NOW

HOSTNAME = "mail.relay.example"
RETRY = (60.0, 300.0)
NOTICE_SECONDS = 4 * 3600.0
DELIVERED = Outcome(Verdict.DELIVERED, "", "message", 250, "2.0.0", "taken", "mx.example")
DEFERRED = Outcome(Verdict.DEFERRED, "error", "rcptto", 451, "4.7.1", "later", "mx.example")
FAILED = Outcome(Verdict.FAILED, "error", "rcptto", 550, "5.1.1", "unknown", "mx.example")
LOST = Outcome(Verdict.DEFERRED, "lost", "message", 0, "4.4.2", "the attempt was given up")


@define
class Row:
    """A message as it is stored."""

    message: Message
    state: State = State.WAITING
    reply: str = ""


@define(eq=False)
class Asked:
    """Something the store was asked for: it is done at one moment and answered at another."""

    act: Callable[[], Any]
    answer: Deferred[Any] = field(factory=Deferred)
    done: bool = False
    result: Any = None

    def do(self) -> None:
        """Let it happen, once; nobody hears of it yet."""
        if not self.done:
            self.done = True
            try:
                self.result = self.act()
            except Exception as error:
                self.result = error


class FakeStore:
    """
    Keeps rows as the real store does, and answers when a test wants.

    What is read is what was there at the moment of the read, however late the answer
    comes. Changes happen in the order they were asked for, and are answered in it.

    Attributes:
        prompt: whether everything is done and answered at once.
        asked: how often, to read or to write.
        spoilt: ids of messages that cannot be read.
        receivers: what was learnt of receivers, by their names.
        destinations: where mail goes, by the names of destinations.
    """

    def __init__(self) -> None:
        self.prompt = True
        self.asked = 0
        self.spoilt: set[str] = set()
        self.rows: dict[str, Row] = {}
        self.contents: dict[int, Content] = {}
        self.events: list[dict[str, Any]] = []
        self.suppressions: list[dict[str, Any]] = []
        self.reads: list[Asked] = []
        self.writes: list[Asked] = []
        self.receivers: dict[str, Any] = {}
        self.destinations: dict[str, receivers.Destination] = {}
        self._parcels: dict[int, messages.Parcel] = {}

    # What the queue and the courier ask.

    def read(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        known: dict[Callable[..., Any], Callable[..., Any]] = {
            messages.waiting_streams: self._waiting_streams,
            receivers.load: lambda: dict(self.receivers),
            without_notice: self._without_notice,
            messages.load_content: self.contents.get,
            due_messages: self._due_messages,
        }
        return self._asked(self.reads, partial(known[function], *args))

    def transact(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        known: dict[Callable[..., Any], Callable[..., Any]] = {
            messages.reroute: lambda _: None,
            receivers.save: self._save_news,
        }
        return self._asked(self.writes, partial(known[function], *args))

    def commit(self, *changes: Change) -> Deferred[None]:
        return self._asked(self.writes, lambda: self._write(changes))

    def _asked(self, where: list[Asked], act: Callable[[], Any]) -> Deferred[Any]:
        self.asked += 1
        asked = Asked(act)
        where.append(asked)
        if self.prompt:
            self.answer(asked)
        return asked.answer

    # What a test decides.

    def answer(self, asked: Asked) -> None:
        """Answer, after doing what has not been done."""
        (self.reads if asked in self.reads else self.writes).remove(asked)
        asked.do()
        if isinstance(asked.result, Exception):
            asked.answer.errback(asked.result)
        else:
            asked.answer.callback(asked.result)

    def fail(self, asked: Asked, error: Exception | None = None) -> None:
        """Answer with an error, whether or not it was done."""
        (self.reads if asked in self.reads else self.writes).remove(asked)
        asked.answer.errback(error or StoreUnavailable("the disk is gone"))

    def catch_up(self) -> None:
        """Answer everything, also what is asked for because of that."""
        while self.writes or self.reads:
            self.answer((self.writes or self.reads)[0])

    def state(self, message: Message) -> State:
        return self.rows[message.id].state

    def kinds(self, message: Message) -> list[str]:
        """The events of a message."""
        return [each["kind"] for each in self.events if each["message"] == message.id]

    def put(self, *stored: Message, content: Content = CONTENT) -> None:
        """Have messages in the store of which the queue is not told."""
        for each in stored:
            self.rows[each.id] = Row(each)
            self.contents[each.parcel.key] = content

    # The semantics.

    def _waiting(self) -> list[Message]:
        return [row.message for row in self.rows.values() if row.state is State.WAITING]

    def _waiting_streams(
        self, destinations: Sequence[str] | None = None
    ) -> list[tuple[Stream, float]]:
        first: dict[Stream, float] = {}
        for each in self._waiting():
            if destinations is None or each.destination in destinations:
                first[each.stream] = min(each.due, first.get(each.stream, each.due))
        return list(first.items())

    def _save_news(self, news: receivers.ReceiverNews, now: float) -> None:  # noqa: ARG002
        for name in news.unremarkable:
            self.receivers.pop(name, None)
        self.receivers |= json.loads(json.dumps(news.states))
        self.destinations |= {each.name: each for each in news.found}

    def _without_notice(self, now: float, seconds: float, limit: int) -> list[Message]:
        return [
            each
            for each in self._waiting()
            if "DELAY" in (each.recipient.notify or ())
            if (each.attempted or each.parcel.received) < each.parcel.received + seconds <= now
        ][:limit]

    def _due_messages(self, stream: Stream, now: float, limit: int) -> Due:
        waiting = [each for each in self._waiting() if each.stream == stream]
        due = sorted((each for each in waiting if each.due <= now), key=lambda each: each.due)
        later = min((each.due for each in waiting if each.due > now), default=None)
        rows = [_as_stored(each) for each in due[:limit] if each.id in self.spoilt]
        return Due(
            [each for each in due[:limit] if each.id not in self.spoilt],
            later,
            [Unreadable(row, ValueError("spoilt")) for row in rows],
        )

    def _write(self, changes: Sequence[Change]) -> None:
        for change in changes:
            for row in change.rows:
                if change.statement is messages.ADD_MESSAGE and row["id"] in self.rows:
                    raise IntegrityError("INSERT", {}, Exception("it is there"))
        for change in changes:
            for row in change.rows:
                self._write_row(change.statement, row)

    def _write_row(self, statement: Any, row: Any) -> None:
        if statement is messages.SET_OUTCOME:
            self._set_outcome(self.rows[row["message"]], row)
        elif statement is messages.ADD_SUBMISSION:
            parcel = messages.parcel_of(SimpleNamespace(**row))  # type: ignore[arg-type]
            self._parcels[parcel.key] = parcel
            self.contents[parcel.key] = Content((row["content"],), row["header_octets"])
        elif statement is messages.ADD_BLOCK:
            content = self.contents[row["submission"]]
            blocks = (*content.blocks, row["octets"])
            self.contents[row["submission"]] = evolve(content, blocks=blocks)
        elif statement is messages.ADD_MESSAGE:
            parcel = self._parcels[row["submission"]]
            added = messages.message_of(SimpleNamespace(**row), parcel)  # type: ignore[arg-type]
            self.rows[added.id] = Row(added)
        elif statement is events.APPEND:
            self.events.append(row)
        elif statement is suppressions.ADD:
            self.suppressions.append(row)
        elif statement is PUT_OFF:
            stored = self.rows[row["message"]]
            stored.message = evolve(
                stored.message, due=row["new_due"], attempted=row["new_attempted"]
            )
        else:
            raise AssertionError(statement)

    def _set_outcome(self, stored: Row, row: Any) -> None:
        if stored.state is State.WAITING:
            stored.state = State(row["new_state"])
            stored.reply = row["new_reply"]
            stored.message = evolve(
                stored.message,
                attempts=row["new_attempts"],
                due=row["new_due"],
                attempted=row["new_attempted"],
            )


def _as_stored(each: Message) -> Any:
    """The columns of a message and its submission."""
    [submission], [row] = (
        change.rows for change in messages.additions(each.parcel, CONTENT, [each])
    )
    return SimpleNamespace(**submission, **row)


@define(eq=False)
class Trip:
    """One message under way."""

    way: Way
    allowance: Allowance
    id: str
    envelope: Envelope
    content: Content = field(repr=False)
    done: Deferred[Carried] = field(factory=Deferred, repr=False)
    releases: int = 0

    @property
    def receiver(self) -> str:
        """Where it goes to."""
        return self.way.receiver


@implementer(ICarrier)
class FakeCarrier:
    """
    Carries messages until a test says what became of them.

    Attributes:
        trips: all that ever began.
        under_way: those without an outcome.
        looks: is called with each trip as it begins.
        ways: to destinations that are not receivers of their own.
        asked: the destinations to which ways were looked for.
        prompt: whether they are found at once; otherwise a test has to fire `finds`.
    """

    def __init__(self) -> None:
        self.trips: list[Trip] = []
        self.under_way: list[Trip] = []
        self.looks: Callable[[Trip], None] = lambda _: None
        self.releases: Callable[[Trip], None] = lambda _: None
        self.stopping = False
        self.ways: dict[str, Callable[[], Way]] = {}
        self.asked: list[str] = []
        self.prompt = True
        self.finds: list[tuple[str, Deferred[Way]]] = []

    def destination_of(self, domain_key: str) -> str:
        return domain_key

    def way_to(self, destination: str) -> Deferred[Way]:
        self.asked.append(destination)
        if self.prompt:
            return succeed(self.way_of(destination))
        self.finds.append((destination, Deferred()))
        return self.finds[-1][1]

    def way_of(self, destination: str) -> Way:
        """Where the mail for a destination goes now."""
        return self.ways.get(destination, lambda: Way(destination, destination, ()))()

    def carry(
        self,
        way: Way,
        allowance: Allowance,
        envelope: Envelope,
        content: Content,
        message_id: str,
    ) -> Deferred[Carried]:
        trip = Trip(way, allowance, message_id, envelope, content)
        self.trips.append(trip)
        self.under_way.append(trip)
        self.looks(trip)
        return trip.done

    def idle_close(self) -> None:
        pass

    def shutdown(self) -> Deferred[None]:
        self.stopping = True
        for trip in list(self.under_way):
            self.answer(trip, LOST)
        return succeed(None)

    def answer(self, trip: Trip, outcome: Outcome) -> None:
        """End a trip."""
        self.under_way.remove(trip)
        trip.done.callback(Carried((outcome,), partial(self._release, trip)))

    def _release(self, trip: Trip) -> None:
        trip.releases += 1
        self.releases(trip)

    @property
    def ids(self) -> list[str]:
        """The messages that were ever under way, in order."""
        return [trip.id for trip in self.trips]


@frozen
class FakeLimits:
    """The limits of one receiver."""

    connections: int = 10
    messages_per_second: float | None = None
    messages_per_connection: int = 1000


class Busy(Exception):
    """What a stage needs is not there now; it is no fault of the message."""


class House:
    """
    A queue that has started, with nothing in it.

    Attributes:
        limits: of receivers that have their own.
    """

    def __init__(
        self,
        *,
        max_connections: int = 500,
        octets_per_receiver: int = 1 << 20,
        budget_octets: int = 1 << 24,
        retry: tuple[float, ...] = RETRY,
        stages: Sequence[Stage] = (),
        envelope_for: Callable[[Message, Content], Awaitable[Envelope]] = as_handed_in,
        start: bool = True,
    ) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.limits: dict[str, FakeLimits] = {}
        self.store = FakeStore()
        self.carrier = FakeCarrier()
        self.budget = ContentBudget(budget_octets)
        store: Any = self.store
        self.contents = ContentSource(store)
        self.reports = ReportWriter(
            HOSTNAME, KeySource(self.clock.seconds), lambda domain: domain, maybeDeferred
        )
        self.courier = Courier(
            store,
            self.carrier,
            Pipeline(stages, postponing=(Busy,)),
            self.contents,
            self.budget,
            self.reports,
            Schedule(retry),
            NOTICE_SECONDS,
            self.clock,
            jitter=lambda: 0.5,
            envelope_for=envelope_for,
        )
        settings = QueueSettings(
            max_connections,
            octets_per_receiver,
            lambda domain: domain,
        )
        book = ReceiverBook(lambda way: (way.receiver, self.limits.get(way.receiver, FakeLimits())))
        self.queue = DeliveryQueue(
            store, self.courier, self.carrier, self.contents, book, settings, self.clock
        )
        if start:
            self.queue.startService()

    def submit(self, *new: Message, content: Content = CONTENT) -> None:
        """Hand messages in as the intake does: the queue is told when they are stored."""
        changes = [
            change for each in new for change in messages.additions(each.parcel, content, [each])
        ]
        stored = self.store.commit(*changes)
        stored.addCallback(self._stored, new, content)
        stored.addErrback(lambda failure: failure.trap(StoreUnavailable))

    def _stored(self, _: None, new: Sequence[Message], content: Content) -> None:
        for each in new:
            self.queue.added([each], content)

    def nudge(self, destination: str, *, again: bool = False) -> None:
        """The operator changed something for a destination."""
        self.queue.nudged(Nudge(destination, again))

    def end(self, outcome: Outcome = DELIVERED) -> None:
        """End the trip that began first."""
        self.carrier.answer(self.carrier.under_way[0], outcome)

    @property
    def under_way(self) -> list[str]:
        """The messages under way, in the order they left."""
        return [trip.id for trip in self.carrier.under_way]
