from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.judgement import Judgement
from smtpeter.delivery.reports import LARGE_OCTETS, LIFETIME_SECONDS, MANY, ReportWriter
from smtpeter.message.content import Content
from smtpeter.store.keys import KeySource
from smtpeter.store.messages import Message, State
from tests.delivery.house import DEFERRED, FAILED, HOSTNAME
from tests.store.cases import CONTENT, NOW, message, parcel

FAILURE = Judgement(State.FAILED, FAILED, NOW, "failed")


class ReportWriterTests(SynchronousTestCase):
    """Reports as messages."""

    def setUp(self) -> None:
        self.in_threads: list[tuple[Deferred[Any], Callable[..., Any], Any]] = []
        self.writer = ReportWriter(
            HOSTNAME, KeySource(lambda: NOW), lambda domain: f"mx.{domain}", self.in_thread
        )

    def in_thread(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()
        self.in_threads.append((done, function, args))
        return done

    def report(
        self,
        one: Message,
        judged: Judgement = FAILURE,
        content: Content | None = CONTENT,
    ) -> tuple[Message, Content]:
        """The report on a message."""
        made = self.successResultOf(self.writer.report(one, judged, content, NOW + 5))
        assert made is not None
        return made

    def test_addressed(self) -> None:
        """A report goes from nobody to the sender, belongs to no account, and wants no report."""
        made, content = self.report(message(of=parcel(account_id=3)))
        self.assertIsNone(made.parcel.sender)
        self.assertIsNone(made.parcel.account_id)
        self.assertEqual("report", made.parcel.origin)
        self.assertEqual("noor@shop.example", str(made.recipient.mailbox))
        self.assertEqual(frozenset({"NEVER"}), made.recipient.notify)
        self.assertEqual("mx.shop.example", made.destination)
        self.assertEqual(content.octets, made.parcel.octets)

    def test_times(self) -> None:
        """It is due at once and given up after five days."""
        made, _ = self.report(message())
        self.assertEqual((NOW + 5, NOW + 5), (made.due, made.parcel.received))
        self.assertEqual(NOW + 5 + LIFETIME_SECONDS, made.parcel.deliver_by)

    def test_no_trace(self) -> None:
        """Nobody handed it to us: it gets no Received field."""
        made, _ = self.report(message())
        self.assertEqual("", made.parcel.trace.protocol)

    def test_wishes(self) -> None:
        """RET, ENVID and ORCPT of the message come back."""
        of = parcel(ret="FULL", envid="order-5512")
        one = message(of=of, orcpt="rfc822;k@mailbox.example")
        text = bytes(self.report(one)[1])
        self.assertIn(b"Original-Envelope-Id: order-5512", text)
        self.assertIn(b"Original-Recipient: rfc822; k@mailbox.example", text)
        self.assertIn(b"It is on its way.", text)
        self.assertNotIn(b"It is on its way.", bytes(self.report(message())[1]))

    def test_delay(self) -> None:
        """A report on a delay says until when it is tried; one on a failure does not."""
        delayed = Judgement(State.WAITING, DEFERRED, NOW + 60, "delayed")
        self.assertIn(b"Will-Retry-Until", bytes(self.report(message(), delayed)[1]))
        self.assertNotIn(b"Will-Retry-Until", bytes(self.report(message())[1]))

    def test_several(self) -> None:
        """A report may be on several messages of a submission."""
        of = parcel()
        both = [(message(each, of=of), FAILURE) for each in ("a@x.example", "b@x.example")]
        made = self.successResultOf(self.writer.report_on(both, CONTENT, NOW))
        assert made is not None
        for address in (b"a@x.example", b"b@x.example"):
            self.assertIn(b"Final-Recipient: rfc822; " + address, bytes(made[1]))

    def test_many(self) -> None:
        """One on many is written in a thread."""
        of = parcel()
        many = [(message(f"r{n}@x.example", of=of), FAILURE) for n in range(MANY + 1)]
        self.assertNoResult(self.writer.report_on(many, CONTENT, NOW))
        self.assertEqual(1, len(self.in_threads))

    def test_content_gone(self) -> None:
        """Without the content of the message there is a report all the same."""
        text = bytes(self.report(message(of=parcel(ret="FULL")), content=None)[1])
        self.assertIn(b"Action: failed", text)

    def test_null_sender(self) -> None:
        """There is no report to the null reverse-path (RFC 5321 section 6.1)."""
        writing = self.writer.report(message(of=parcel(sender="")), FAILURE, CONTENT, NOW)
        self.assertIsNone(self.successResultOf(writing))

    def test_large(self) -> None:
        """A report on a large message is written in a thread."""
        large = Content.from_octets(b"From: a@b.example\r\n\r\n" + b"x\r\n" * LARGE_OCTETS)
        writing = self.writer.report(message(), FAILURE, large, NOW)
        self.assertNoResult(writing)
        [(done, function, args)] = self.in_threads
        done.callback(function(*args))
        self.assertIsNotNone(self.successResultOf(writing))
