from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import evolve
from sqlalchemy import update
from twisted.internet.defer import Deferred, execute, fail
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from smtpeter.arrivals import processing
from smtpeter.arrivals.processing import (
    HANDFUL,
    HANDFUL_OCTETS,
    HANDFULS,
    LONGEST_REST_SECONDS,
    ROUND_SECONDS,
    STOP_SECONDS,
    TROUBLE_SECONDS,
    Arrivals,
    Forwarding,
)
from smtpeter.arrivals.reading import Reading, Unread, read_all
from smtpeter.message.address import Mailbox
from smtpeter.message.bounceaddress import BounceAddresses
from smtpeter.message.content import Content
from smtpeter.store import arrivals, events
from smtpeter.store.arrivals import Arrival, Listed, Purpose
from smtpeter.store.messages import BULK, Message
from smtpeter.store.suppressions import suppressed
from smtpeter.store.tables import dmarc_reports, submissions
from smtpeter.store.tables import messages as messages_table
from smtpeter.workers.job import JobLost, WorkersBusy
from tests.arrivals.house import (
    AWAY,
    BOUNCE,
    COMPLAINT,
    DMARC,
    LETTER,
    RECIPIENT,
    REPORT,
    SENDER,
    arrival,
    content_of,
    original,
    put_account,
    put_arrival,
    put_delivered,
)
from tests.events.house import PromptStore
from tests.store.cases import NOW, DatabaseCase

BOUNCES = BounceAddresses(b"k" * 32)
POSTMASTER = Mailbox.parse("root@house.example")


class FakeWorkers:
    """
    Does what workers do, at once or when a test wants.

    Attributes:
        prompt: at once.
        trouble: what fails instead, one after the other.
        waiting: who waits.
        most: how many arrivals were ever with them at one moment.
        octets: the same of contents.
    """

    def __init__(self) -> None:
        self.prompt = True
        self.trouble: list[Exception] = []
        self.waiting: list[tuple[Deferred[Any], Callable[..., Any], tuple[Any, ...]]] = []
        self.most = 0
        self.octets = 0

    def call(self, seconds: float, function: Callable[..., Any], *args: Any) -> Deferred[Any]:  # noqa: ARG002
        done: Deferred[Any] = Deferred()
        self.waiting.append((done, function, args))
        held = [unread for _, _, (handful,) in self.waiting for unread in handful]
        self.most = max(self.most, len(held))
        self.octets = max(self.octets, sum(each.content.octets for each in held))
        if self.prompt:
            self.work()
        return done

    def work(self) -> None:
        """Do what was asked for first."""
        done, function, args = self.waiting.pop(0)
        if self.trouble:
            done.errback(self.trouble.pop(0))
        else:
            execute(function, *args).chainDeferred(done)


class ProcessingCase(DatabaseCase):
    """A service that has not started, and a message that was delivered."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.clock.advance(NOW + 100)
        self.prompt = PromptStore(self.database)
        self.workers = FakeWorkers()
        self.added: list[tuple[Message, Content]] = []
        self.service = self.new_service()
        self.addCleanup(self.stop)
        with self.database.begin() as connection:
            self.account = put_account(connection)
            self.original = original(account_id=self.account)
            put_delivered(connection, self.original)

    def new_service(self) -> Arrivals:
        forwarding = Forwarding(
            lambda domain: f"mx:{domain}",
            lambda new, content: self.added.extend((each, content) for each in new),
            POSTMASTER,
        )
        return Arrivals(self.prompt, self.workers.call, BOUNCES, forwarding, self.clock)

    def stop(self) -> None:
        if self.service.running:
            self.successResultOf(self.service.stopService())

    def put(self, content: Content, came: Arrival | None = None) -> Arrival:
        """Something that was stored, of which nobody has heard yet."""
        came = came or arrival(self.original, octets=content.octets)
        with self.database.begin() as connection:
            put_arrival(connection, came, content)
        return came

    def listed(self) -> list[Listed]:
        with self.database.connect() as connection:
            return arrivals.latest(connection, 10_000)[::-1]

    def results(self) -> list[str]:
        return [each.result for each in self.listed()]

    def kinds(self, of: Message | None = None) -> list[str]:
        with self.database.connect() as connection:
            happened = events.events_of(connection, (of or self.original).id)
        return [each.kind for each in happened]


class ProcessingTests(ProcessingCase):
    """What came is dealt with."""

    def test_bounce(self) -> None:
        """A bounce becomes events, a suppression, and a message to the sender."""
        came = self.put(content_of(REPORT))
        self.service.startService()
        [listed] = self.listed()
        self.assertEqual(("report", NOW + 100), (listed.result, listed.finished))
        self.assertEqual(["bounce", "failure"], self.kinds())
        [(forwarded, content)] = self.added
        self.assertEqual(bytes(content_of(REPORT)), bytes(content))
        self.assertEqual(
            (came.parcel.key, SENDER, {"NEVER"}, "mx:shop.example", BULK, 0),
            (
                forwarded.parcel.key,
                str(forwarded.recipient.mailbox),
                forwarded.recipient.notify,
                forwarded.destination,
                forwarded.priority,
                forwarded.attempts,
            ),
        )
        with self.database.connect() as connection:
            stored = arrivals.first_known(connection, [forwarded.id])
            gone = suppressed(connection, self.account, [RECIPIENT], NOW + 100)
        self.assertEqual(forwarded, stored)
        self.assertEqual("mailbox", gone[RECIPIENT].reason)

    def test_told(self) -> None:
        """What arrives while it runs is dealt with at once, where somebody tells of it."""
        self.service.startService()
        self.put(content_of(AWAY))
        self.assertEqual([""], self.results())
        self.service.arrived()
        self.assertEqual(["response"], self.results())

    def test_not_told(self) -> None:
        """Where nobody does, it is found in a while."""
        self.service.startService()
        self.put(content_of(AWAY))
        self.clock.advance(ROUND_SECONDS)
        self.assertEqual(["response"], self.results())

    def test_unknown(self) -> None:
        """What is about a message that is not there is dropped, and noted."""
        self.put(content_of(REPORT), arrival(original()))
        with capturedLogs() as logged:
            self.service.startService()
        self.assertEqual((["unknown"], []), (self.results(), self.added))
        self.assertIn(BOUNCE, [each.get("recipient") for each in logged])

    def test_complaint(self) -> None:
        """A complaint finds its message by the fields that we have put into it."""
        marks = f"X-Message-ID: {self.original.id}\r\n"
        local = BOUNCES.make(self.original.id, NOW)
        for each in (marks, f"Return-Path: <{local}@b.example>\r\n"):
            came = arrival(purpose=Purpose.POSTMASTER, recipient="abuse@mail.relay.example")
            self.put(content_of(COMPLAINT, marks=each), came)
        self.service.startService()
        self.assertEqual(["complaint"] * 2, self.results())
        self.assertEqual([self.original.id] * 2, [each.arrival.message for each in self.listed()])
        self.assertEqual((["abuse"] * 2, []), (self.kinds(), self.added))
        with self.database.connect() as connection:
            found = suppressed(connection, self.account, [RECIPIENT], NOW)
        self.assertEqual("complaint", found[RECIPIENT].reason)

    def test_complaint_of_nothing(self) -> None:
        """One that names no message of ours goes to the postmaster."""
        for marks in ("", "X-Message-ID: 0000000000000000\r\n"):
            came = arrival(purpose=Purpose.POSTMASTER, recipient="abuse@mail.relay.example")
            self.put(content_of(COMPLAINT, marks=marks), came)
        self.service.startService()
        self.assertEqual(["complaint"] * 2, self.results())
        self.assertEqual([POSTMASTER] * 2, [each.recipient.mailbox for each, _ in self.added])

    def test_letter(self) -> None:
        """What people write to postmaster is sent on."""
        self.put(content_of(LETTER), arrival(purpose=Purpose.POSTMASTER, sender=RECIPIENT))
        self.service.startService()
        self.assertEqual(["mail"], self.results())
        self.assertEqual([POSTMASTER], [each.recipient.mailbox for each, _ in self.added])

    def test_dmarc(self) -> None:
        """A DMARC report is kept; when it comes again, once."""
        for _ in range(2):
            self.put(content_of(DMARC), arrival(purpose=Purpose.REPORT))
        self.service.startService()
        self.assertEqual(["dmarc"] * 2, self.results())
        with self.database.connect() as connection:
            self.assertEqual(1, len(connection.execute(dmarc_reports.select()).all()))


class StormTests(ProcessingCase):
    """Very many at once."""

    def test_storm(self) -> None:
        """However many come, keys alone are in memory, and the contents of a few."""
        self.patch(processing, "KEYS", 50)
        content = content_of(AWAY)
        with self.database.begin() as connection:
            for _ in range(300):
                put_arrival(connection, arrival(self.original), content)
        self.workers.prompt = False
        with capturedLogs():
            self.service.startService()
            while self.workers.waiting:
                self.assertLessEqual(len(self.service._waiting), 50 + HANDFULS * HANDFUL)
                self.workers.work()
        self.assertEqual(["response"] * 300, self.results())
        self.assertEqual(["response"] * 300, self.kinds())
        self.assertEqual(300, len({each.id for each, _ in self.added}))
        self.assertEqual(HANDFULS * HANDFUL, self.workers.most)
        self.assertEqual(HANDFULS * HANDFUL * content.octets, self.workers.octets)
        self.assertEqual(set(), self.service._in_hand | self.service._held)

    def test_rests(self) -> None:
        """Each handful is followed by a rest as long as it took: who is busy gets less to do."""
        count = (2 * HANDFULS + 1) * HANDFUL
        with self.database.begin() as connection:
            for _ in range(count):
                put_arrival(connection, arrival(self.original), content_of(AWAY))
        self.workers.prompt = False
        self.service.startService()
        self.clock.advance(0.25)
        for _ in range(HANDFULS):
            self.workers.work()
        self.assertEqual([], self.workers.waiting)
        self.clock.advance(0.2)
        self.assertEqual([], self.workers.waiting)
        self.clock.advance(0.05)
        self.assertEqual(HANDFULS, len(self.workers.waiting))
        self.clock.advance(10)
        self.workers.work()
        self.clock.advance(LONGEST_REST_SECONDS)
        self.assertEqual(HANDFULS, len(self.workers.waiting))
        self.workers.work()
        self.workers.work()
        self.assertEqual(["response"] * count, self.results())

    def test_order(self) -> None:
        """They are taken in the order in which they came."""
        texts = [f"From: a@b.example\nSubject: Re: {number}\n\nHi.\n" for number in range(10)]
        for text in texts:
            self.put(Content.from_octets(text.encode()), arrival(self.original, sender=RECIPIENT))
        self.service.startService()
        self.assertEqual(
            [Content.from_octets(text.encode()) for text in texts],
            [content for _, content in self.added],
        )

    def test_large(self) -> None:
        """A large one is a handful of its own."""
        large = Content.from_octets(b"From: a@b.example\r\n\r\n" + b"x" * HANDFUL_OCTETS)
        small = content_of(AWAY)
        for content in (small, small, large, large, small):
            self.put(content)
        self.workers.prompt = False
        self.service.startService()
        handfuls = []
        while self.workers.waiting:
            handfuls.append([each.content.octets for each in self.workers.waiting[0][2][0]])
            self.workers.work()
        self.assertEqual(
            [[small.octets] * 2, [large.octets], [large.octets], [small.octets]], handfuls
        )

    def test_come_while_busy(self) -> None:
        """What comes while others are in hand follows them."""
        self.workers.prompt = False
        self.put(content_of(AWAY))
        self.service.startService()
        self.put(content_of(AWAY))
        self.service.arrived()
        self.assertEqual(2, len(self.workers.waiting))
        self.workers.work()
        self.workers.work()
        self.assertEqual(["response"] * 2, self.results())


class TroubleTests(ProcessingCase):
    """Things go wrong."""

    def test_store_down(self) -> None:
        """While the store is down they wait, and nothing is lost."""
        self.put(content_of(REPORT))
        self.prompt.down = True
        with capturedLogs() as logged:
            self.service.startService()
            self.clock.advance(TROUBLE_SECONDS)
        self.assertEqual(2, len([each for each in logged if "error" in each]))
        self.prompt.down = False
        self.clock.advance(TROUBLE_SECONDS)
        self.assertEqual(["report"], self.results())

    def test_answer_lost(self) -> None:
        """What was written though nobody heard of it is not done again."""
        self.put(content_of(REPORT))
        self.workers.prompt = False
        self.service.startService()
        self.prompt.silent = True
        self.workers.work()
        self.prompt.silent = False
        self.clock.advance(TROUBLE_SECONDS)
        self.assertEqual([], self.workers.waiting)
        self.assertEqual((["report"], ["bounce", "failure"]), (self.results(), self.kinds()))
        with self.database.connect() as connection:
            sent_on = connection.execute(
                messages_table.select().where(messages_table.c.recipient == SENDER)
            ).all()
        self.assertEqual(1, len(sent_on))

    def test_workers_busy(self) -> None:
        """While workers are busy they wait."""
        self.put(content_of(REPORT))
        self.workers.trouble = [WorkersBusy("too many jobs")]
        self.service.startService()
        self.assertEqual([""], self.results())
        self.service.arrived()
        self.assertEqual([""], self.results())
        self.clock.advance(TROUBLE_SECONDS)
        self.assertEqual(["report"], self.results())

    def test_fault(self) -> None:
        """One that cannot be read is set aside, with an event, and stops no other."""
        self.put(content_of(REPORT))
        self.put(content_of(REPORT))
        self.workers.trouble = [JobLost("it took too long")] * 2
        self.service.startService()
        self.assertEqual(["fault", "report"], self.results())
        self.assertEqual(["bounce", "bounce", "failure"], self.kinds())
        self.assertEqual(1, len(self.flushLoggedErrors(JobLost)))

    def test_content_gone(self) -> None:
        """So is one whose content somebody has removed."""
        came = self.put(content_of(REPORT))
        with self.database.begin() as connection:
            connection.execute(
                update(submissions).where(submissions.c.key == came.parcel.key).values(content=None)
            )
        self.service.startService()
        self.assertEqual((["fault"], ["bounce"]), (self.results(), self.kinds()))
        self.flushLoggedErrors(processing.ContentGone)

    def test_spoilt_message(self) -> None:
        """So is one whose message is not stored as it should be."""
        self.put(content_of(REPORT))
        self.put(content_of(AWAY), arrival(purpose=Purpose.POSTMASTER))
        with self.database.begin() as connection:
            spoilt = update(messages_table).where(messages_table.c.id == self.original.id)
            connection.execute(spoilt.values(recipient="nobody at all"))
        self.service.startService()
        self.assertEqual(["fault", "mail"], self.results())
        self.assertEqual([self.original.id, ""], [each.arrival.message for each in self.listed()])
        self.assertEqual(1, len(self.flushLoggedErrors()))

    def test_not_to_be_written(self) -> None:
        """What the store does not take is set aside as well."""
        self.put(content_of(REPORT))

        def unwritable(unread: Sequence[Unread]) -> list[Reading]:
            nothing: Any = object()
            return [evolve(each, meaning=nothing) for each in read_all(unread)]

        self.patch(processing, "read_all", unwritable)
        self.service.startService()
        self.assertEqual((["fault"], []), (self.results(), self.kinds()))
        self.assertEqual(1, len(self.flushLoggedErrors(TypeError)))

    def test_nothing_to_be_done(self) -> None:
        """One that cannot even be set aside is left alone, and the others go on."""
        first = self.put(content_of(REPORT)).parcel.key
        self.put(content_of(AWAY))
        real = self.prompt.transact

        def broken(function: Callable[..., Any], concluded: Any, *args: Any) -> Deferred[Any]:
            if first in [each.key for each in concluded]:
                raise ZeroDivisionError
            return real(function, concluded, *args)

        self.patch(self.prompt, "transact", broken)
        self.service.startService()
        self.clock.advance(ROUND_SECONDS)
        self.assertEqual(["", "response"], self.results())
        self.assertEqual(2, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_fault_of_the_house(self) -> None:
        """Where even the keys cannot be read, it waits and tries again."""
        self.put(content_of(REPORT))
        real = self.prompt.read
        self.patch(self.prompt, "read", lambda *_: fail(ZeroDivisionError()))
        self.service.startService()
        self.patch(self.prompt, "read", real)
        self.clock.advance(TROUBLE_SECONDS)
        self.assertEqual(["report"], self.results())
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))


class LifeTests(ProcessingCase):
    """Start and stop."""

    def test_next_start(self) -> None:
        """What waits at the end is dealt with after the next start, once."""
        taken = HANDFULS * HANDFUL
        with self.database.begin() as connection:
            for _ in range(2 * taken):
                put_arrival(connection, arrival(self.original), content_of(REPORT))
        self.workers.prompt = False
        self.service.startService()
        stopped = self.service.stopService()
        self.assertNoResult(stopped)
        while self.workers.waiting:
            self.workers.work()
        self.successResultOf(stopped)
        self.assertEqual(["report"] * taken + [""] * taken, self.results())
        self.workers.prompt = True
        self.service = self.new_service()
        self.service.startService()
        self.assertEqual(["report"] * 2 * taken, self.results())
        self.assertEqual(4 * taken, len(self.kinds()))

    def test_stop_in_time(self) -> None:
        """A worker that does not come to an end does not hold up the stop."""
        self.put(content_of(REPORT))
        self.workers.prompt = False
        self.service.startService()
        stopped = self.service.stopService()
        self.clock.advance(STOP_SECONDS)
        self.successResultOf(stopped)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_stop_in_trouble(self) -> None:
        """Nothing is planned any more after the stop."""
        self.prompt.down = True
        self.service.startService()
        self.stop()
        self.assertEqual([], self.clock.getDelayedCalls())
        self.service.arrived()
        self.assertEqual([], self.clock.getDelayedCalls())
