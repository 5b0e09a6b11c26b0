"""What follows from what came: every row of what is logged, and of what is sent on."""

from __future__ import annotations

from itertools import product
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.arrivals.consequences import (
    DESCRIPTION_CHARACTERS,
    LOOP_HOPS,
    Consequence,
    consequence,
    set_aside,
)
from smtpeter.arrivals.reading import Reading
from smtpeter.message.address import Mailbox
from smtpeter.message.incoming.findings import (
    AggregateReport,
    AutomaticKind,
    AutomaticResponse,
    Complaint,
    DeliveryReport,
    OtherMessage,
    PrivateError,
    RecipientReport,
    Recognised,
    ReportedAction,
)
from smtpeter.store.arrivals import Purpose
from smtpeter.store.events import Event
from smtpeter.store.messages import Message
from smtpeter.store.suppressions import Lifetimes
from tests.arrivals.house import BOUNCE, CAME, RECIPIENT, SENDER, arrival, original

POSTMASTER = Mailbox.parse("root@house.example")
AGGREGATE = AggregateReport(
    "P", "e@p.example", "r-1", 1, 2, "shop.example", "p.example", 3, 2, 1, b""
)
COUNTED = Reading(AGGREGATE, 0, document=b"document")
AWAY = AutomaticResponse(AutomaticKind.REPLY, "subject")
LETTER = OtherMessage()
ERROR = PrivateError("qmail", ())
ABUSE = Complaint("abuse", ("kees@mailbox.example",), source="192.0.2.1", user_agent="Gen/1")


def report(
    *actions: str, code: int = 550, status: str = "5.1.1", gone: bool = False, hops: int = 0
) -> Reading:
    """A report, first on our recipient."""
    reported = [ReportedAction(each) for each in actions]
    about = RecipientReport(
        reported[0], RECIPIENT, "", status, status, code, "user unknown", "mx.mailbox.example"
    )
    return Reading(DeliveryReport("", "mx", ()), hops, frozenset(reported), about, "mailbox", gone)


class Case(SynchronousTestCase):
    """One message with bounces tracked."""

    def follows(
        self,
        reading: Reading | Recognised,
        about: Message | None = None,
        *,
        purpose: Purpose = Purpose.BOUNCE,
        sender: str = "",
        lifetimes: Lifetimes | None = None,
    ) -> Consequence:
        read = reading if isinstance(reading, Reading) else Reading(reading, 0)
        came = arrival(about, purpose=purpose, sender=sender)
        given: dict[str, Any] = {} if lifetimes is None else {"lifetimes": lifetimes}
        return consequence(came, read, about, postmaster=POSTMASTER, **given)

    def kinds(self, found: Consequence) -> list[str]:
        return [each.kind for each in found.conclusion.happened]

    def event(self, found: Consequence, kind: str) -> Event:
        [event] = [each for each in found.conclusion.happened if each.kind == kind]
        return event


class LogTests(Case):
    """What is logged of each kind of message."""

    def test_failed(self) -> None:
        """A report of a failure is a bounce and a failure."""
        found = self.follows(report("failed"), original())
        self.assertEqual("report", found.conclusion.result)
        self.assertEqual(["bounce", "failure"], self.kinds(found))

    def test_other_actions(self) -> None:
        """A report of anything else is a bounce alone."""
        for action in ("delayed", "delivered", "relayed", "expanded"):
            found = self.follows(report(action, status="4.0.0"), original())
            self.assertEqual(("report", ["bounce"]), (found.conclusion.result, self.kinds(found)))
            self.assertEqual(action, self.event(found, "bounce").details["action"])

    def test_private(self) -> None:
        """An error in a format of somebody's own is a bounce, whatever is known of it."""
        about = RecipientReport(ReportedAction.FAILED, RECIPIENT, status="5.1.1", exact="5.1.1")
        for reading in (
            Reading(ERROR, 0),
            Reading(ERROR, 0, frozenset({ReportedAction.FAILED}), about, "mailbox"),
        ):
            found = self.follows(reading, original())
            self.assertEqual(("error", ["bounce"]), (found.conclusion.result, self.kinds(found)))

    def test_responses(self) -> None:
        """Answers, of programs and of people, are responses."""
        for reading, kind in ((AWAY, "reply"), (LETTER, "")):
            found = self.follows(reading, original(), sender=RECIPIENT)
            self.assertEqual("response", found.conclusion.result)
            self.assertEqual(["response"], self.kinds(found))
            self.assertEqual(kind, self.event(found, "response").details["kind"])

    def test_complaint(self) -> None:
        """A complaint is abuse, wherever it came."""
        for purpose in Purpose:
            found = self.follows(ABUSE, original(), purpose=purpose)
            self.assertEqual(("complaint", ["abuse"]), (found.conclusion.result, self.kinds(found)))
        details = self.event(found, "abuse").details
        self.assertEqual(
            ("abuse", "kees@mailbox.example", "192.0.2.1", "Gen/1"),
            tuple(details[name] for name in ("feedback", "emailfrom", "ip", "agent")),
        )

    def test_no_complaint(self) -> None:
        """A report that blames nobody is none."""
        found = self.follows(evolve(ABUSE, feedback_type="not-spam"), original())
        self.assertEqual(("feedback", []), (found.conclusion.result, self.kinds(found)))
        self.assertIsNone(found.conclusion.suppressed)

    def test_dmarc(self) -> None:
        """A DMARC report is kept, at any address but a message's."""
        for purpose in (Purpose.REPORT, Purpose.POSTMASTER):
            found = self.follows(COUNTED, purpose=purpose)
            assert found.conclusion.report is not None
            self.assertEqual(("dmarc", []), (found.conclusion.result, self.kinds(found)))
            self.assertEqual(
                ("shop.example", 3, 2, 1, b"document"),
                (
                    found.conclusion.report.domain,
                    found.conclusion.report.messages,
                    found.conclusion.report.failed_spf,
                    found.conclusion.report.failed_dkim,
                    found.conclusion.report.document,
                ),
            )
            self.assertIsNone(found.forward_to)
        self.assertEqual("response", self.follows(AGGREGATE, original()).conclusion.result)

    def test_unknown(self) -> None:
        """A bounce on a message that is not there any more is dropped."""
        for reading in (report("failed"), ERROR, AWAY, LETTER, ABUSE):
            found = self.follows(reading)
            self.assertEqual(("unknown", []), (found.conclusion.result, self.kinds(found)))
            self.assertIsNone(found.forward_to)

    def test_fault(self) -> None:
        """What a fault of ours kept from being read is a bounce all the same."""
        one = original()
        found = set_aside(arrival(one), one)
        self.assertEqual(("fault", one.id), (found.result, found.message))
        self.assertEqual(["bounce"], [each.kind for each in found.happened])
        self.assertEqual((), set_aside(arrival(), None).happened)


class EventTests(Case):
    """What the events tell."""

    def test_message(self) -> None:
        """Whose they are, and on what, comes from the message; the time is that of the arrival."""
        one = original()
        for event in self.follows(report("failed"), one).conclusion.happened:
            self.assertEqual(
                (CAME, 1, one.id, SENDER, RECIPIENT, "spring;nl"),
                (
                    event.time,
                    event.account_id,
                    event.message,
                    event.envelope,
                    event.recipient,
                    event.tags,
                ),
            )

    def test_failure(self) -> None:
        """A failure has all that one at once would have, from the report."""
        one = evolve(original(), attempts=3)
        came = arrival(one, sender="x@mailbox.example")
        found = consequence(came, report("failed"), one)
        self.assertEqual(
            {
                "source": "later",
                "arrival": str(came.parcel.key),
                "mailfrom": "x@mailbox.example",
                "rcptto": BOUNCE,
                "action": "failed",
                "class": "mailbox",
                "code": "550",
                "status": "5.1.1",
                "description": "user unknown",
                "host": "mx.mailbox.example",
                "attempt": "2",
                "from": "",
                "to": "",
                "type": "error",
                "state": "bounce",
            },
            self.event(found, "failure").details,
        )
        bounce = self.event(found, "bounce").details
        self.assertEqual("550", bounce["code"])
        self.assertNotIn("state", bounce)

    def test_long(self) -> None:
        """Strangers do not fill the log."""
        reading = report("failed")
        assert reading.about is not None
        reading = evolve(reading, about=evolve(reading.about, diagnostic="x" * 100_000))
        for event in self.follows(reading, original()).conclusion.happened:
            self.assertEqual(DESCRIPTION_CHARACTERS, len(event.details["description"]))


class ForwardingTests(Case):
    """What is sent on to whoever handed the message in."""

    def forwarded(self, reading: Reading | Recognised, one: Message) -> bool:
        found = self.follows(reading, one).forward_to
        self.assertIn(found, (None, one.parcel.sender))
        return found is not None

    def test_reports(self) -> None:
        """Reports go on where the sender has asked for what they report."""
        wishes = (None, {"FAILURE"}, {"DELAY"}, {"SUCCESS"}, {"FAILURE", "DELAY"}, {"NEVER"})
        asked = {
            "failed": "FAILURE",
            "delayed": "DELAY",
            "delivered": "SUCCESS",
            "relayed": "SUCCESS",
            "expanded": "SUCCESS",
        }
        for (action, wish), notify in product(asked.items(), wishes):
            one = original(notify=notify and frozenset(notify))
            expected = wish in (notify or {"FAILURE"})
            self.assertEqual(expected, self.forwarded(report(action), one), (action, notify))

    def test_any_of_several(self) -> None:
        """A report on several recipients goes on for any of them."""
        one = original(notify=frozenset({"DELAY"}))
        self.assertTrue(self.forwarded(report("failed", "delayed"), one))
        self.assertFalse(self.forwarded(report("failed", "relayed"), one))

    def test_all_else(self) -> None:
        """What is no delivery report goes on always, even with NEVER."""
        for notify in (None, {"NEVER"}, {"FAILURE"}):
            one = original(notify=notify and frozenset(notify))
            for reading in (ERROR, AWAY, LETTER, ABUSE, evolve(ABUSE, feedback_type="not-spam")):
                self.assertTrue(self.forwarded(reading, one), (reading, notify))

    def test_no_envelope(self) -> None:
        """Where no reverse-path was given, everything is logged and nothing goes on."""
        one = original("")
        for reading in (report("failed"), ERROR, AWAY, LETTER, ABUSE):
            found = self.follows(reading, one)
            self.assertIsNone(found.forward_to)
            self.assertTrue(found.conclusion.happened)

    def test_loop(self) -> None:
        """What has come by very many hosts goes round, and is not sent on once more."""
        for hops, expected in ((LOOP_HOPS, True), (LOOP_HOPS + 1, False)):
            for reading in (report("failed", hops=hops), Reading(AWAY, hops)):
                self.assertEqual(expected, self.forwarded(reading, original()))
        people = self.follows(Reading(LETTER, LOOP_HOPS + 1), purpose=Purpose.POSTMASTER)
        self.assertIsNone(people.forward_to)

    def test_postmaster(self) -> None:
        """What is for people goes to the postmaster, and what has no other place."""
        for reading in (LETTER, AWAY, ERROR, report("failed")):
            found = self.follows(reading, purpose=Purpose.POSTMASTER)
            self.assertEqual(("mail", POSTMASTER), (found.conclusion.result, found.forward_to))
        found = self.follows(ABUSE, purpose=Purpose.POSTMASTER)
        self.assertEqual(("complaint", POSTMASTER), (found.conclusion.result, found.forward_to))
        self.assertEqual((), found.conclusion.happened)
        nobody = consequence(arrival(purpose=Purpose.POSTMASTER), Reading(LETTER, 0), None)
        self.assertIsNone(nobody.forward_to)

    def test_complaint(self) -> None:
        """A complaint whose message is known concerns neither postmaster nor sender."""
        for purpose in (Purpose.POSTMASTER, Purpose.REPORT):
            self.assertIsNone(self.follows(ABUSE, original(), purpose=purpose).forward_to)

    def test_report_address(self) -> None:
        """Programs alone write to the address for reports; what else comes there stays there."""
        found = self.follows(LETTER, purpose=Purpose.REPORT)
        self.assertEqual(("mail", None), (found.conclusion.result, found.forward_to))


class SuppressionTests(Case):
    """Who gets no more mail."""

    def test_gone(self) -> None:
        """A recipient without a mailbox, of whatever kind of report."""
        one = original()
        about = report("failed").about
        for reading in (
            report("failed", gone=True),
            Reading(ERROR, 0, frozenset({ReportedAction.FAILED}), about, "mailbox", True),
        ):
            found = self.follows(reading, one).conclusion.suppressed
            assert found is not None
            account, suppression = found
            self.assertEqual(
                (1, RECIPIENT, "mailbox", "550 5.1.1 user unknown", one.id, CAME),
                (
                    account,
                    suppression.address,
                    suppression.reason,
                    suppression.description,
                    suppression.message,
                    suppression.created,
                ),
            )

    def test_complaint(self) -> None:
        """Whoever has complained, too."""
        found = self.follows(ABUSE, original(), lifetimes=Lifetimes(complaint=60.0))
        assert found.conclusion.suppressed is not None
        _, suppression = found.conclusion.suppressed
        self.assertEqual(("complaint", CAME + 60), (suppression.reason, suppression.expires))

    def test_nobody_else(self) -> None:
        """Nobody over anything else, and nobody for a message of nobody's."""
        for reading in (report("failed"), report("delayed"), ERROR, AWAY, LETTER):
            self.assertIsNone(self.follows(reading, original()).conclusion.suppressed)
        mine = original(account_id=None)
        for other in (report("failed", gone=True), ABUSE):
            self.assertIsNone(self.follows(other, mine).conclusion.suppressed)
