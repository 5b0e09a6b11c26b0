"""What comes back is told apart, whatever it is and whatever became of it on the way."""

from __future__ import annotations

import random
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.address import Mailbox
from smtpeter.message.content import Content, HeaderTooLarge
from smtpeter.message.incoming.findings import (
    AutomaticResponse,
    DeliveryReport,
    OtherMessage,
    PrivateError,
    RecipientReport,
    Recognised,
    ReportedAction,
)
from smtpeter.message.incoming.recognition import recognise
from tests.corpus.bounces import Shape, shapes
from tests.message.incoming.letters import multipart

LEAST_PERCENT = 95.0
KNOWN = set[str]()  # shapes that are not read right
SHAPES = shapes()
KEES = Mailbox.parse("kees@mailbox.example")
STATUS = (
    b"Reporting-MTA: dns; mx.mailbox.example\n\n"
    b"Final-Recipient: rfc822; kees@mailbox.example\nAction: failed\nStatus: 5.1.1\n"
)
FRAGMENTS = st.lists(
    st.sampled_from(
        [
            b"From: MAILER-DAEMON@x\r\n", b"Subject: failure notice\r\n", b"Precedence: bulk\r\n",
            b"Content-Type: multipart/report; boundary=a\r\n", b"\r\n", b"\r\n--a\r\n", b"--a--",
            b"Content-Type: message/delivery-status\r\n", b"Content-Type: message/rfc822\r\n",
            b"Content-Transfer-Encoding: base64\r\n", b"Content-Type: message/feedback-report\r\n",
            b"Content-Type: application/gzip\r\n", b"Feedback-Type: abuse\r\n", b"\x1f\x8b\x08\0",
            b"Final-Recipient: rfc822; a@b\r\n", b"Action: failed\r\n", b"Status: 5.\r\n",
            b"Diagnostic-Code: smtp; 550-5.1.1 a\r\n 550 5.1.1 b\r\n", b"<a@b>: 550 x\r\n", b"@",
            b"could not be delivered", b"<feedback>", b"PK\x03\x04", b"\xff", b"(", b"<", b" ",
            b"Content-Type: text/html; charset=utf-7\r\n", b"=?utf-8?b?a?=", b"\n", b"\r", b"-- ",
        ]
    ),
    max_size=25,
).map(b"".join)  # fmt: skip


def recognised(octets: bytes, sender: Mailbox | None = None) -> Recognised:
    """What becomes of octets as they come from a client."""
    try:
        content = Content.from_octets(octets)
    except HeaderTooLarge:  # refused before
        return OtherMessage()
    return recognise(content, sender)


def mutated(octets: bytes, seed: int) -> bytes:
    """Some pieces of a mail taken out, doubled, or put elsewhere; some octets turned."""
    chance = random.Random(seed)  # noqa: S311 - what it makes can be made again
    pieces = octets.split(b"\n")
    for _ in range(chance.randrange(1, 8)):
        at, other = (chance.randrange(len(pieces) + 1) for _ in range(2))
        match chance.randrange(4):
            case 0:
                del pieces[at : at + 3]
            case 1:
                pieces[other:other] = pieces[at : at + 5]
            case 2:
                pieces[at:at] = [bytes(chance.randrange(256) for _ in range(20))]
            case _:
                pieces = b"\n".join(pieces)[: chance.randrange(len(octets) + 1)].split(b"\n")
    return b"\n".join(pieces)


class CorpusTests(SynchronousTestCase):
    """Mails modelled on those of real servers."""

    def test_corpus(self) -> None:
        """All are read as a person reads them, but for those that are known; 95 % at least."""
        faults = [fault for shape in SHAPES for fault in shape.faults()]
        wrong = {fault.split(" ", 1)[0].rstrip(":") for fault in faults}
        self.assertEqual(KNOWN, wrong, "\n".join(faults))
        self.assertGreaterEqual(len(SHAPES), 80)
        self.assertLessEqual(len(wrong), (100 - LEAST_PERCENT) / 100 * len(SHAPES))

    def test_none_lost(self) -> None:
        """No report and no error is taken for something that says nothing of a delivery."""
        for shape in SHAPES:
            if shape.expected["kind"] in {"report", "error"}:
                self.assertIsInstance(shape.recognised(), DeliveryReport | PrivateError, shape.name)

    def test_answers_are_no_errors(self) -> None:
        """Nothing that a person or a program answers can have an address suppressed."""
        for shape in SHAPES:
            if shape.expected["kind"] in {"automatic", "other"}:
                self.assertNotIsInstance(shape.recognised(), DeliveryReport | PrivateError)


class RobustnessTests(SynchronousTestCase):
    """Whatever comes, something is found, and it is within bounds."""

    def assert_sound(self, found: Recognised) -> None:
        self.assertIsInstance(found, get_args(Recognised))
        if isinstance(found, DeliveryReport | PrivateError):
            self.assertLessEqual(len(found.recipients), 100)
            for each in found.recipients:
                self.assert_report(each)
        if isinstance(found, DeliveryReport):
            self.assertTrue(found.recipients)

    def assert_report(self, each: RecipientReport) -> None:
        self.assertLessEqual(len(each.diagnostic), 1000)
        self.assertLessEqual(len(each.recipient), 500)
        for text in (each.diagnostic, each.recipient, each.original, each.remote_mta):
            self.assertTrue(text.isprintable(), text)
        self.assertRegex(each.exact, r"\A[245]\.[0-9]{1,3}\.[0-9]{1,3}\Z")
        self.assertRegex(each.status, r"\A(?:[245]\.[0-9]{1,3}\.[0-9]{1,3})?\Z")
        self.assertTrue(each.code == 0 or 400 <= each.code < 600, each.code)

    @given(st.binary(max_size=300) | FRAGMENTS, st.booleans())
    def test_any_octets(self, octets: bytes, has_sender: bool) -> None:  # noqa: FBT001
        """Any octets at all."""
        self.assert_sound(recognised(octets, KEES if has_sender else None))

    @given(st.sampled_from(SHAPES), st.integers(0, 2**32))
    def test_mutated(self, shape: Shape, seed: int) -> None:
        """Mails of the corpus that somebody has spoilt."""
        self.assert_sound(recognised(mutated(shape.octets, seed), shape.sender))

    def test_any_charset(self) -> None:
        """A text is read whatever charset it claims."""
        for charset in ("utf-7", "utf-16", "iso-2022-jp", "no-such", "hz", "punycode", "idna"):
            header = f'From: MAILER-DAEMON@x.example\nContent-Type: text/plain; charset="{charset}"'
            self.assert_sound(recognised(f"{header}\n\n550 \xff+AGE-\n".encode("latin-1")))

    def test_deep(self) -> None:
        """Parts within parts, and messages within messages, come to an end."""
        nested = b"Content-Type: text/plain\n\nhello\n"
        wrapped = STATUS
        for number in range(200):
            nested = multipart("mixed", ("", nested)).replace(b"=_b", b"=_%d" % number)
            wrapped = multipart("mixed", ("Content-Type: message/rfc822\n", wrapped))
        self.assert_sound(recognised(nested))
        self.assert_sound(recognised(wrapped))


class OrderTests(SynchronousTestCase):
    """What counts where a message looks like several things."""

    def test_report_first(self) -> None:
        """A report is one even where its fields say that it is an answer."""
        octets = multipart(
            "report",
            ("", b"I am out of the office\n"),
            ("Content-Type: message/delivery-status\n", STATUS),
            header="Auto-Submitted: auto-replied\nSubject: Out of office\n",
        )
        self.assertIsInstance(recognised(octets, KEES), DeliveryReport)

    def test_forwarded(self) -> None:
        """A report that a person passes on is theirs to talk about; a gateway says nothing."""
        inner = multipart("report", ("Content-Type: message/delivery-status\n", STATUS))
        part = ("Content-Type: message/rfc822\n", inner.replace(b"=_b", b"=_i"))
        self.assertIsInstance(recognised(multipart("mixed", part), KEES), DeliveryReport)
        said = multipart("mixed", ("", b"Look at this.\n"), part)
        self.assertIsInstance(recognised(said, KEES), OtherMessage)

    def test_status_in_text(self) -> None:
        """Fields of a report in plain text count in what servers send, and not in an answer."""
        octets = b"Subject: Hello\n\n" + STATUS
        self.assertIsInstance(recognised(octets), DeliveryReport)
        self.assertIsInstance(recognised(octets, KEES), OtherMessage)

    def test_daemon_on_holiday(self) -> None:
        """An answer from postmaster's address is no error for that."""
        octets = (
            b"From: postmaster@mailbox.example\nSubject: Automatic reply: order\n"
            b"Auto-Submitted: auto-replied\n\nI am away; mail is not read.\n"
        )
        self.assertIsInstance(recognised(octets), AutomaticResponse)

    def test_nothing_known(self) -> None:
        """With the null reverse-path it is an error of which nothing is known; else it is not."""
        octets = b"Subject: Hello\n\nGood day.\n"
        self.assertEqual(PrivateError("", ()), recognised(octets))
        self.assertEqual(OtherMessage(), recognised(octets, KEES))

    def test_quoted_by_a_person(self) -> None:
        """An answer to an error is none, though it quotes one."""
        octets = (
            b"From: Kees <kees@mailbox.example>\nSubject: Re: Undelivered Mail\n\n"
            b"What is this?\n\n> <noor@shop.example>: 550 5.1.1 could not be delivered\n"
        )
        self.assertEqual(OtherMessage(), recognised(octets, KEES))


class PermanenceTests(SynchronousTestCase):
    """Which failures would be the same another time."""

    def test_permanent(self) -> None:
        """One that failed for a reason of class 5."""
        failed, delayed = ReportedAction.FAILED, ReportedAction.DELAYED
        self.assertTrue(RecipientReport(failed, exact="5.1.1").permanent)
        self.assertFalse(RecipientReport(failed, exact="4.4.7").permanent)
        self.assertFalse(RecipientReport(delayed, exact="5.1.1").permanent)

    def test_address(self) -> None:
        """The address that the sender knows is the original one."""
        report = RecipientReport(ReportedAction.FAILED, "b@x.example", "a@x.example")
        self.assertEqual("a@x.example", report.address)
        self.assertEqual("b@x.example", RecipientReport(report.action, "b@x.example").address)
