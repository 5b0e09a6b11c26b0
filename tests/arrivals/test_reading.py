from __future__ import annotations

import pickle
import zlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.arrivals.reading import Reading, Unread, read, read_all
from smtpeter.message.address import Mailbox
from smtpeter.message.content import Content, HeaderTooLarge
from smtpeter.message.incoming.findings import (
    AggregateReport,
    AutomaticResponse,
    Complaint,
    DeliveryReport,
    OtherMessage,
    PrivateError,
    ReportedAction,
)
from tests.arrivals.house import (
    AWAY,
    COMPLAINT,
    DMARC,
    LETTER,
    QMAIL,
    RECIPIENT,
    REPORT,
    content_of,
)

KEES = Mailbox.parse(RECIPIENT)
RIA = "ria@mailbox.example"


def reading(text: str, sender: str = "", recipient: Mailbox | None = KEES, **facts: str) -> Reading:
    content = content_of(text, **facts)
    reverse_path = Mailbox.parse(sender) if sender else None
    return read(content, reverse_path, recipient)


class ReadingTests(SynchronousTestCase):
    """What is asked of an arrival is read from it, and can be brought back from a worker."""

    def test_report(self) -> None:
        """Of a report: what it says of the recipient, why, and whether he is gone."""
        found = reading(REPORT)
        assert found.about is not None
        self.assertIsInstance(found.found, DeliveryReport)
        self.assertEqual(
            (ReportedAction.FAILED, "5.1.1", 550, "store.mailbox.example"),
            (found.about.action, found.about.status, found.about.code, found.about.remote_mta),
        )
        self.assertEqual({ReportedAction.FAILED}, found.actions)
        self.assertEqual(("mailbox", True), (found.meaning, found.gone))

    def test_not_gone(self) -> None:
        """Nobody is gone of whom something else is said, or who is somebody else."""
        for facts, meaning in (
            ({"status": "5.2.2", "diagnostic": "552 5.2.2 over quota"}, "full"),
            ({"status": "5.7.1", "diagnostic": "550 5.7.1 message refused as spam"}, "content"),
            ({"action": "delayed", "status": "4.4.1", "diagnostic": "451 4.4.1 busy"}, None),
            ({"failed": RIA}, "mailbox"),
            ({"failed": "not an address"}, "mailbox"),
        ):
            found = reading(REPORT, "", KEES, **facts)
            self.assertFalse(found.gone, facts)
            if meaning is not None:
                self.assertEqual(meaning, found.meaning, facts)

    def test_same_recipient(self) -> None:
        """The recipient is the same in any case."""
        self.assertTrue(reading(REPORT, failed="KEES@Mailbox.Example").gone)

    def test_good_news(self) -> None:
        """Of what went well there is no reason."""
        for action in ("delivered", "relayed", "expanded"):
            found = reading(REPORT, action=action, status="2.0.0", diagnostic="250 ok")
            self.assertEqual(("", False), (found.meaning, found.gone))
            self.assertEqual({action}, {each.value for each in found.actions})

    def test_several(self) -> None:
        """Of several recipients ours counts, else a failure; all actions are told."""
        text = REPORT.replace(
            "\n--b1\nContent-Type: text/rfc822-headers",
            f"\nFinal-Recipient: rfc822; {RIA}\nAction: delayed\nStatus: 4.0.0\n"
            "\n--b1\nContent-Type: text/rfc822-headers",
        )
        both = {ReportedAction.FAILED, ReportedAction.DELAYED}
        for recipient, action in ((KEES, "failed"), (Mailbox.parse(RIA), "delayed")):
            found = reading(text, recipient=recipient)
            assert found.about is not None
            self.assertEqual((action, both), (found.about.action.value, found.actions))
        nobody = reading(text, recipient=Mailbox.parse("q@mailbox.example"))
        assert nobody.about is not None
        self.assertEqual("failed", nobody.about.action.value)

    def test_private(self) -> None:
        """A format that is known tells as much; of one that nobody knows nothing follows."""
        found = reading(QMAIL)
        self.assertIsInstance(found.found, PrivateError)
        self.assertEqual(("mailbox", True), (found.meaning, found.gone))
        unknown = reading("From: x@mailbox.example\n\n550 5.1.1 kees@mailbox.example unknown\n")
        self.assertIsInstance(unknown.found, PrivateError)
        self.assertFalse(unknown.gone)

    def test_nobody_named(self) -> None:
        """Words of a private format that name nobody are an error, and suppress nobody."""
        text = QMAIL.replace("<kees@mailbox.example>:\n", "")
        found = reading(text)
        self.assertIsInstance(found.found, PrivateError)
        self.assertFalse(found.gone)

    def test_responses(self) -> None:
        """Answers are told from errors."""
        self.assertIsInstance(reading(AWAY, RECIPIENT).found, AutomaticResponse)
        self.assertIsInstance(reading(LETTER, RECIPIENT).found, OtherMessage)

    def test_complaint(self) -> None:
        """Of the message complained about no more is kept than the fields that we know it by."""
        marks = "Return-Path: <a@b.example>\r\nX-Message-ID: 7hQx2LmPzR9aTc04\r\n"
        found = reading(COMPLAINT, "feedback@mailbox.example", None, marks=marks).found
        assert isinstance(found, Complaint)
        self.assertEqual(
            {"return-path", "x-message-id"}, {name for name, _ in found.returned.fields}
        )

    def test_dmarc(self) -> None:
        """Of a DMARC report its document comes compressed: it may have been no larger before."""
        text = DMARC.replace("</feedback>", "<a/>" * 100_000 + "</feedback>")
        read = reading(text, "noreply@provider.example", None)
        found = read.found
        assert isinstance(found, AggregateReport)
        self.assertTrue(zlib.decompress(read.document).startswith(b"<?xml"))
        self.assertLess(len(pickle.dumps(read)), 10_000)
        self.assertEqual(("shop.example", 3, 3), (found.domain, found.messages, found.failed_dkim))

    def test_hops(self) -> None:
        """Received fields are counted, those of the arrival itself alone."""
        self.assertEqual(0, reading(REPORT).hops)
        self.assertEqual(3, reading("Received: from a by b; x\n" * 3 + REPORT).hops)
        self.assertEqual(0, reading(REPORT.replace("From: <noor", "Received: x\nFrom: <noor")).hops)

    @given(st.binary(max_size=300), st.sampled_from(["", RECIPIENT]))
    def test_anything(self, octets: bytes, sender: str) -> None:
        """Whatever comes is something, and small enough to be handed back."""
        try:
            content = Content.from_octets(REPORT.encode().replace(b"5.1.1", octets))
        except HeaderTooLarge:
            return
        reverse_path = Mailbox.parse(sender) if sender else None
        unread = Unread(content, reverse_path, KEES)
        [found] = read_all([pickle.loads(pickle.dumps(unread))])  # noqa: S301
        self.assertEqual(found, pickle.loads(pickle.dumps(found)))  # noqa: S301
