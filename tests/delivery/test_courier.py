from __future__ import annotations

from typing import Any

from attrs import evolve
from sqlalchemy.exc import IntegrityError
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.courier import STORE_RETRY_SECONDS, Concluded, Interrupted
from smtpeter.delivery.receivers import Receiver
from smtpeter.delivery.route import Way
from smtpeter.message.address import Mailbox
from smtpeter.message.content import Content
from smtpeter.message.envelope import Envelope
from smtpeter.message.outcome import Outcome, Verdict
from smtpeter.store.database import StorageFull, StoreUnavailable, ValueRefused
from smtpeter.store.messages import Message, State
from smtpeter.store.writer import WriterBusy
from smtpeter.transform.draft import Draft
from smtpeter.transform.pipeline import Stage, always
from tests.delivery.house import DEFERRED, DELIVERED, FAILED, LOST, Busy, FakeLimits, House
from tests.store.cases import CONTENT, NOW, message, parcel

RECEIVER = "mailbox.example"
SENDER = "noor@shop.example"


def reports(house: House) -> list[Message]:
    """The reports in the store, in the order they were written."""
    stored = [row.message for row in house.store.rows.values()]
    return [each for each in stored if each.parcel.origin == "report"]


class CourierCase(SynchronousTestCase):
    """One message, not in the queue."""

    def setUp(self) -> None:
        self.house = House(start=False)
        self.store, self.carrier = self.house.store, self.house.carrier

    def deliver(self, one: Message) -> Deferred[Concluded]:
        """Store a message and have an attempt made."""
        if one.id not in self.store.rows:
            self.store.put(one)
        way = Way(one.destination, one.destination, ())
        receiver = Receiver(way.receiver, "", FakeLimits(), self.house.clock.seconds())
        return Deferred.fromCoroutine(self.house.courier.deliver(way, receiver, one))

    def attempt(self, one: Message, outcome: Outcome) -> Concluded:
        """Make an attempt with this outcome."""
        delivering = self.deliver(one)
        self.house.end(outcome)
        concluded = self.successResultOf(delivering)
        assert isinstance(concluded, Concluded)
        return concluded

    def tearDown(self) -> None:
        """Whatever happened, the memory came back and each connection was released once."""
        self.assertEqual(0, self.house.budget.used_octets)
        self.assertEqual(
            [1] * len(self.carrier.trips), [trip.releases for trip in self.carrier.trips]
        )


class AttemptTests(CourierCase):
    """What is carried, and what is recorded."""

    def test_carries(self) -> None:
        """A message travels to its receiver with an envelope for its recipient alone."""
        one = message(of=parcel(ret="HDRS", envid="order-5512", eightbit=True), orcpt="rfc822;k")
        self.attempt(one, DELIVERED)
        [trip] = self.carrier.trips
        self.assertEqual((RECEIVER, one.id, CONTENT), (trip.receiver, trip.id, trip.content))
        self.assertEqual((one.recipient,), trip.envelope.recipients)
        self.assertEqual(one.envelope(), trip.envelope)

    def test_records(self) -> None:
        """State, reply and event of each verdict are recorded in one commit."""
        for outcome, state, kind, reply in (
            (DELIVERED, State.DELIVERED, "delivery", "250 taken"),
            (DEFERRED, State.WAITING, "deferral", "451 later"),
            (FAILED, State.FAILED, "failure", "550 unknown"),
            (LOST, State.WAITING, "deferral", "the attempt was given up"),
        ):
            one = message()
            self.store.put(one)
            self.store.prompt = True
            delivering = self.deliver(one)
            self.store.prompt = False
            self.house.end(outcome)
            [asked] = self.store.writes
            self.assertNoResult(delivering)
            self.store.answer(asked)
            self.successResultOf(delivering)
            row = self.store.rows[one.id]
            self.assertEqual((state, reply, 1), (row.state, row.reply, row.message.attempts))
            self.assertEqual([kind], self.store.kinds(one))

    def test_release_after_the_commit(self) -> None:
        """The connection is free only when the outcome is safe on disk."""
        delivering = self.deliver(message())
        self.store.prompt = False
        self.house.end()
        self.assertEqual(0, self.carrier.trips[0].releases)
        self.store.answer(self.store.writes[0])
        self.successResultOf(delivering)
        self.assertEqual(1, self.carrier.trips[0].releases)

    def test_next_attempt(self) -> None:
        """A deferred message is due after the wait that follows its number of attempts."""
        self.assertEqual(NOW + 60, self.attempt(message(), DEFERRED).judgement.due)
        second = evolve(message(), attempts=1)
        self.assertEqual(NOW + 300, self.attempt(second, DEFERRED).judgement.due)

    def test_expired(self) -> None:
        """A message whose time is over is not carried; it failed, with event and report."""
        one = message(of=parcel(deliver_by=NOW - 1))
        concluded = self.successResultOf(self.deliver(one))
        self.assertEqual([], self.carrier.trips)
        self.assertEqual(State.FAILED, self.store.state(one))
        self.assertEqual(["failure"], self.store.kinds(one))
        self.assertEqual("timeout", concluded.judgement.outcome.type)
        self.assertEqual("process", concluded.judgement.outcome.state)
        self.assertEqual(1, len(reports(self.house)))

    def test_content_gone(self) -> None:
        """A message whose content is no longer kept has failed, and its sender is told."""
        one = message()
        self.store.put(one)
        del self.store.contents[one.parcel.key]
        self.successResultOf(self.deliver(one))
        self.assertEqual([], self.carrier.trips)
        self.assertEqual(State.FAILED, self.store.state(one))
        self.assertEqual(1, len(reports(self.house)))

    def test_nothing_learnt(self) -> None:
        """A fault in what is learnt of a receiver does not lead to a second delivery."""
        self.patch(Receiver, "heard", lambda *_: 1 // 0)
        one = message()
        self.attempt(one, DELIVERED)
        self.assertEqual(State.DELIVERED, self.store.state(one))
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_waits_for_memory(self) -> None:
        """A message waits until the contents on their way leave room for its own."""
        self.house.budget.reserve(self.house.budget.limit_octets)
        delivering = self.deliver(message())
        self.assertEqual([], self.carrier.trips)
        self.house.budget.release(self.house.budget.limit_octets)
        self.house.end()
        self.successResultOf(delivering)


class StageTests(CourierCase):
    """What the stages do on the way out."""

    def test_transformed(self) -> None:
        """What leaves is what the stages made of the content; what is stored stays."""
        other = Content.from_octets(b"From: other@shop.example\r\n\r\n")
        self.house = House(
            start=False, stages=[Stage("other", always, lambda draft: evolve(draft, content=other))]
        )
        self.store, self.carrier = self.house.store, self.house.carrier
        one = message()
        self.attempt(one, DELIVERED)
        self.assertEqual(other, self.carrier.trips[0].content)
        self.assertEqual(CONTENT, self.store.contents[one.parcel.key])

    def test_failing_stage(self) -> None:
        """A stage that fails is skipped, and an event says so."""
        self.house = House(start=False, stages=[Stage("broken", always, lambda _: 1 / 0)])  # type: ignore[arg-type,return-value]
        self.store, self.carrier = self.house.store, self.house.carrier
        one = message()
        self.attempt(one, DELIVERED)
        self.assertEqual(CONTENT, self.carrier.trips[0].content)
        self.assertEqual(["delivery", "transform"], self.store.kinds(one))
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))


class ReportTests(CourierCase):
    """Who is told, and how."""

    def test_stored_with_the_outcome(self) -> None:
        """A report is stored in the commit of the failure, addressed to the sender, from nobody."""
        one = message(of=parcel(envid="order-5512", ret="HDRS"))
        delivering = self.deliver(one)
        self.store.prompt = False
        self.house.end(FAILED)
        self.assertEqual(1, len(self.store.writes))
        self.store.answer(self.store.writes[0])
        concluded = self.successResultOf(delivering)
        [report] = reports(self.house)
        assert concluded.report is not None
        self.assertEqual(report.id, concluded.report[0].id)
        self.assertIsNone(report.parcel.sender)
        self.assertEqual(SENDER, str(report.recipient.mailbox))
        self.assertEqual("shop.example", report.destination)
        text = bytes(self.store.contents[report.parcel.key])
        self.assertIn(b"Original-Envelope-Id: order-5512", text)
        self.assertIn(b"Action: failed", text)

    def test_actions(self) -> None:
        """Success, failure and delay are told of as they were asked for."""
        self.house.clock.advance(5 * 3600)
        for outcome, wish, action in (
            (DELIVERED, "SUCCESS", b"relayed"),
            (FAILED, "FAILURE", b"failed"),
            (DEFERRED, "DELAY", b"delayed"),
        ):
            one = message(notify=frozenset({wish}))
            concluded = self.attempt(one, outcome)
            assert concluded.report is not None
            self.assertIn(b"Action: " + action, bytes(concluded.report[1]))

    def test_nobody_to_tell(self) -> None:
        """There is no report to a null sender, none on a report, and none that is not wanted."""
        for one in (
            message(of=parcel(sender="")),
            message(notify=frozenset({"NEVER"})),
            message(notify=frozenset({"SUCCESS"})),
        ):
            self.assertIsNone(self.attempt(one, FAILED).report)
        self.attempt(message(), FAILED)
        [report] = reports(self.house)
        self.assertIsNone(self.attempt(report, FAILED).report)

    def test_fault_in_a_report(self) -> None:
        """A report that cannot be made keeps nothing else from being recorded."""

        def fails(*_: object) -> Any:
            raise ZeroDivisionError

        self.patch(self.house.reports, "report", fails)
        one = message()
        self.assertIsNone(self.attempt(one, FAILED).report)
        self.assertEqual(State.FAILED, self.store.state(one))
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_through_the_queue(self) -> None:
        """A report is delivered like any message, and its failure is the end of it."""
        house = House()
        house.submit(message())
        house.end(FAILED)
        [trip] = house.carrier.under_way
        self.assertEqual("shop.example", trip.receiver)
        self.assertIsNone(trip.envelope.sender)
        house.end(FAILED)
        self.assertEqual([], house.under_way)
        self.assertEqual(2, len(house.carrier.trips))
        self.house = house


class EnvelopeTests(CourierCase):
    """Under which envelope a message leaves."""

    def test_another_envelope(self) -> None:
        """It leaves under the envelope that is made for it, once that can be made."""
        trouble = [StoreUnavailable("no route to the database")]

        async def envelope_for(one: Message, content: Content) -> Envelope:
            self.assertEqual(CONTENT, content)
            if trouble:
                raise trouble.pop()
            return evolve(one.envelope(), sender=Mailbox.parse("b@bounces.example"))

        house = House(envelope_for=envelope_for)
        one = message()
        house.submit(one)
        self.assertEqual([], house.under_way)
        house.clock.advance(STORE_RETRY_SECONDS)
        [trip] = house.carrier.under_way
        self.assertEqual("b@bounces.example", str(trip.envelope.sender))
        house.end()
        self.assertEqual(State.DELIVERED, house.store.state(one))
        self.house = house


class SuppressionTests(CourierCase):
    """Recipients to whom the account shall send no more."""

    def suppressed(self, outcome: Outcome, **facts: Any) -> list[dict[str, Any]]:
        """What stands on suppression lists after an attempt."""
        of = parcel(**({"account_id": 3} | facts))
        self.attempt(message("Kees@Mailbox.example", of=of), outcome)
        return self.store.suppressions

    def test_no_such_mailbox(self) -> None:
        """Whom a server does not know for good is put on the list, in the same commit."""
        [row] = self.suppressed(FAILED)
        [event] = [each for each in self.store.events if each["kind"] == "failure"]
        self.assertEqual(
            {
                "account_id": 3,
                "address": "kees@mailbox.example",
                "reason": "mailbox",
                "description": "550 5.1.1 unknown",
                "message": event["message"],
                "created": NOW,
                "expires": NOW + 180 * 86_400.0,
            },
            row,
        )

    def test_outage(self) -> None:
        """A receiver that is away, or will not take mail from us, suppresses nobody."""
        for outcome in (
            LOST,
            DEFERRED,
            Outcome(Verdict.DEFERRED, "lost", "connect", 0, "4.4.1", "Connection refused"),
            Outcome(Verdict.FAILED, "error", "dns", 0, "5.1.2", "No such domain"),
            Outcome(Verdict.FAILED, "timeout", "process", 0, "4.4.7", "The time is over"),
            Outcome(Verdict.FAILED, "error", "intro", 554, "5.7.1", "Your IP is on a blocklist"),
            Outcome(Verdict.FAILED, "error", "mailfrom", 550, "5.7.1", "Rejected by policy"),
            Outcome(Verdict.FAILED, "error", "message", 554, "5.7.1", "Message is spam"),
            Outcome(Verdict.FAILED, "error", "rcptto", 550, "5.7.26", "Unauthenticated mail"),
            Outcome(Verdict.FAILED, "error", "rcptto", 552, "5.2.2", "Mailbox full"),
            DELIVERED,
        ):
            self.assertEqual([], self.suppressed(outcome), outcome.text)

    def test_not_theirs(self) -> None:
        """What we send ourselves, or forward, is on no list."""
        for facts in ({"account_id": None}, {"origin": "report"}, {"origin": "arrival"}):
            self.assertEqual([], self.suppressed(FAILED, **facts))


class TroubleTests(CourierCase):
    """Faults of the store, and of ours."""

    def test_recorded_in_the_end(self) -> None:
        """An outcome is recorded however often the store fails, without a second attempt."""
        one = message()
        delivering = self.deliver(one)
        self.store.prompt = False
        self.house.end()
        for error in (None, StorageFull("full"), WriterBusy("busy")):
            self.store.fail(self.store.writes[0], error)
            self.assertEqual([], self.store.writes)
            self.house.clock.advance(STORE_RETRY_SECONDS)
        self.store.answer(self.store.writes[0])
        self.successResultOf(delivering)
        self.assertEqual(State.DELIVERED, self.store.state(one))
        self.assertEqual(1, len(self.carrier.trips))

    def test_answer_was_lost(self) -> None:
        """A commit that came through without an answer is not made a second time."""
        one = message()
        delivering = self.deliver(one)
        self.store.prompt = False
        self.house.end(FAILED)
        self.store.writes[0].do()
        self.store.fail(self.store.writes[0])
        self.store.prompt = True
        self.house.clock.advance(STORE_RETRY_SECONDS)
        self.successResultOf(delivering)
        self.assertEqual(["failure"], self.store.kinds(one))
        self.assertEqual(1, len(reports(self.house)))

    def test_value_that_no_database_takes(self) -> None:
        """When the database takes no part of a record but the end, the end is recorded."""
        for error in (ValueRefused("no"), IntegrityError("INSERT", {}, Exception("clash"))):
            one = message()
            self.store.prompt = True
            delivering = self.deliver(one)
            self.store.prompt = False
            self.house.end(FAILED)
            self.store.fail(self.store.writes[0], error)
            self.store.answer(self.store.writes[0])
            self.assertIsNone(self.successResultOf(delivering).report)
            self.assertEqual(State.FAILED, self.store.state(one))

    def test_content_cannot_be_read_now(self) -> None:
        """While the store does not answer, a message waits and is not counted as tried."""
        one = message()
        self.store.put(one)
        self.store.prompt = False
        delivering = self.deliver(one)
        self.store.fail(self.store.reads[0])
        self.store.prompt = True
        self.house.clock.advance(STORE_RETRY_SECONDS)
        self.house.end()
        self.successResultOf(delivering)
        self.assertEqual(1, self.store.rows[one.id].message.attempts)

    def test_stage_is_busy(self) -> None:
        """While a stage has no room for it, a message waits, and does not go without it."""
        answers: list[Exception | None] = [Busy("many wait"), Busy("many wait"), None]

        def apply(draft: Draft) -> Draft:
            answer = answers.pop(0)
            if answer is not None:
                raise answer
            return evolve(draft, content=Content.from_blocks([b"X: done\r\n\r\n"]))

        self.house = House(stages=[Stage("slow", always, apply)], start=False)
        self.store, self.carrier = self.house.store, self.house.carrier
        one = message()
        delivering = self.deliver(one)
        for _ in range(2):
            self.assertEqual([], self.house.under_way)
            self.house.clock.advance(STORE_RETRY_SECONDS)
        self.house.end()
        self.successResultOf(delivering)
        self.assertEqual(b"X: done\r\n\r\n", bytes(self.carrier.trips[0].content))
        self.assertEqual(["delivery"], self.store.kinds(one))

    def test_content_cannot_be_read_ever(self) -> None:
        """A content that cannot be read is a fault of ours: tried again later, and told of."""
        one = message()
        self.store.put(one)
        self.store.prompt = False
        delivering = self.deliver(one)
        self.store.fail(self.store.reads[0], ValueRefused("malformed"))
        self.store.catch_up()
        self.assertIs(State.WAITING, self.successResultOf(delivering).judgement.state)
        self.assertEqual(["deferral"], self.store.kinds(one))
        self.assertEqual(1, len(self.flushLoggedErrors(ValueRefused)))

    def test_fault_before_the_attempt(self) -> None:
        """A fault of ours on the way out is a deferral, so that it ends some day."""

        def fails(*_: object) -> Any:
            raise ZeroDivisionError

        self.patch(self.carrier, "carry", fails)
        one = message(of=parcel(deliver_by=NOW + 60))
        self.successResultOf(self.deliver(one))
        self.assertEqual(["deferral"], self.store.kinds(one))
        self.house.clock.advance(56)
        self.successResultOf(self.deliver(self.store.rows[one.id].message))
        self.assertEqual(State.FAILED, self.store.state(one))
        self.assertEqual(2, len(self.flushLoggedErrors(ZeroDivisionError)))


class EndTests(CourierCase):
    """When the service stops."""

    def test_begins_nothing(self) -> None:
        """After the stop began, nothing is carried that was not yet on its way."""
        self.house.courier.begin_nothing()
        one = message()
        self.failureResultOf(self.deliver(one), Interrupted)
        self.assertEqual([], self.carrier.trips)
        self.assertEqual(0, self.store.rows[one.id].message.attempts)

    def test_cut_short(self) -> None:
        """What we cut short is not recorded; what the receiver said is."""
        cut, refused = message(), message()
        deliveries = [self.deliver(cut), self.deliver(refused)]
        self.patch(self.carrier, "shutdown", lambda: None)
        self.house.courier.go_home()
        self.house.end(LOST)
        self.house.end(DEFERRED)
        self.failureResultOf(deliveries[0], Interrupted)
        self.successResultOf(deliveries[1])
        self.assertEqual(0, self.store.rows[cut.id].message.attempts)
        self.assertEqual(1, self.store.rows[refused.id].message.attempts)

    def test_last_chance_for_the_store(self) -> None:
        """A record that waits for the store is tried once more at the end, at once."""
        for answers in (True, False):
            self.house = House(start=False)
            self.store, self.carrier = self.house.store, self.house.carrier
            one = message()
            delivering = self.deliver(one)
            self.store.prompt = False
            self.house.end()
            self.store.fail(self.store.writes[0])
            self.house.courier.go_home()
            if answers:
                self.store.answer(self.store.writes[0])
                self.successResultOf(delivering)
            else:
                self.store.fail(self.store.writes[0])
                self.failureResultOf(delivering, Interrupted)
            self.assertEqual([], self.house.clock.getDelayedCalls())
            self.assertEqual([1], [trip.releases for trip in self.carrier.trips])
