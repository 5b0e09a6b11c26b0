"""Reports of abuse."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.incoming.complaints import complaint
from smtpeter.message.incoming.findings import Complaint
from tests.message.incoming.letters import letter, multipart, read_octets

ORIGINAL = b"X-Message-ID: 17\nX-HmXmrOriginalRecipient: kees@mailbox.example\n\nHello\n"


def read(fields: str, media_type: str = "message/feedback-report") -> Complaint | None:
    return complaint(
        read_octets(
            multipart(
                "report",
                ("", b"A complaint.\n"),
                (f"Content-Type: {media_type}\n", fields.encode()),
                ("Content-Type: message/rfc822\n", ORIGINAL),
            )
        )
    )


class FieldTests(SynchronousTestCase):
    """The fields of RFC 5965."""

    def test_all(self) -> None:
        found = read(
            "Feedback-Type: Abuse (spam)\nUser-Agent: X/1 (y)\nVersion: 1\n"
            "Original-Mail-From: <b@shop.example>\nOriginal-Rcpt-To: <kees@mailbox.example>\n"
            "Original-Rcpt-To: anna@mailbox.example\nOriginal-Envelope-Id: order-17\n"
            "Source-IP: 192.0.2.10 (mail)\n"
        )
        assert found is not None
        self.assertEqual(("abuse", "X/1 (y)"), (found.feedback_type, found.user_agent))
        self.assertEqual(("kees@mailbox.example", "anna@mailbox.example"), found.recipients)
        self.assertEqual(("b@shop.example", "order-17"), (found.mail_from, found.envelope_id))
        self.assertEqual("192.0.2.10", found.source)
        self.assertEqual("17", found.returned.first("x-message-id"))

    def test_objections(self) -> None:
        """Who says that it is no spam, or was forged, does not object to the sender."""
        for word, objects in (
            ("abuse", True), ("fraud", True), ("opt-out", True), ("virus", True), ("other", True),
            ("not-spam", False), ("auth-failure", False),
        ):  # fmt: skip
            found = read(f"Feedback-Type: {word}\n")
            assert found is not None
            self.assertEqual(objects, found.objects, word)

    def test_odd_type(self) -> None:
        """What is no word is of the type that the standard has for the rest."""
        found = read("Feedback-Type: ***\n")
        assert found is not None
        self.assertEqual("other", found.feedback_type)

    def test_no_type(self) -> None:
        """Without a type it is no report."""
        self.assertIsNone(read("User-Agent: X/1\nVersion: 1\n"))


class TolerantTests(SynchronousTestCase):
    """Reports that do not keep to the standard."""

    def test_other_types(self) -> None:
        """The part may have another type, if it has further fields of a report."""
        for media_type in ("text/plain", "application/octet-stream"):
            self.assertIsNotNone(read("Feedback-Type: abuse\nVersion: 1\n", media_type))
            self.assertIsNone(read("Feedback-Type: abuse\n", media_type))

    def test_mentioned(self) -> None:
        """Who writes about such reports makes none."""
        self.assertIsNone(complaint(letter("We saw no Feedback-Type: field.\nVersion: 1\n")))
        self.assertIsNone(complaint(letter("> Feedback-Type: abuse\n> Version: 1\n")))

    def test_of_providers(self) -> None:
        """A provider that only attaches the message is known by its author and its subject."""
        octets = multipart(
            "mixed",
            ("Content-Type: message/rfc822\n", ORIGINAL),
            header="From: staff@hotmail.com\nSubject: complaint about message from 192.0.2.10\n",
        )
        found = complaint(read_octets(octets))
        assert found is not None
        self.assertEqual(
            ("abuse", ("kees@mailbox.example",)), (found.feedback_type, found.recipients)
        )
        self.assertIsNone(complaint(read_octets(octets.replace(b"complaint", b"question"))))
        self.assertIsNone(complaint(read_octets(octets.replace(b"staff@", b"kees@"))))
