"""The fields of delivery status notifications."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.incoming.findings import DeliveryReport, RecipientReport, ReportedAction
from smtpeter.message.incoming.letter import read
from smtpeter.message.incoming.notifications import RECIPIENTS, delivery_report
from smtpeter.message.report import compose
from tests.message.incoming.letters import letter, multipart, read_octets
from tests.message.reports import report


def reported(status: str, prose: str = "Sorry.\n") -> DeliveryReport:
    """The report with this status part."""
    found = delivery_report(
        read_octets(
            multipart(
                "report",
                ("", prose.encode()),
                ("Content-Type: message/delivery-status\n", status.encode()),
            )
        )
    )
    assert found is not None
    return found


def only(fields: str, prose: str = "Sorry.\n") -> RecipientReport:
    """The one recipient, of whom these fields say more."""
    text = f"Reporting-MTA: dns; mx.example\n\nFinal-Recipient: rfc822; a@x.example\n{fields}"
    (each,) = reported(text, prose).recipients
    return each


class MessageTests(SynchronousTestCase):
    """The fields about the message as a whole."""

    def test_fields(self) -> None:
        """Who reports, and the envelope identifier of the original."""
        found = reported(
            "Original-Envelope-Id: order-17\nReporting-MTA: dns; mx.example (ours)\n\n"
            "Final-Recipient: rfc822; a@x.example\nAction: failed\nStatus: 5.1.1\n"
        )
        self.assertEqual(("order-17", "mx.example"), (found.envelope_id, found.reporting_mta))

    def test_own(self) -> None:
        """Our own reports are read as they were meant."""
        found = delivery_report(read(compose(report()), null_sender=True))
        assert found is not None
        (each,) = found.recipients
        self.assertEqual(ReportedAction.FAILED, each.action)
        self.assertTrue(each.permanent)
        self.assertIn("@", each.recipient)
        self.assertTrue(found.returned.first("message-id"))

    def test_no_recipient(self) -> None:
        """A status part that says nothing of a recipient makes no report."""
        octets = multipart(
            "report", ("Content-Type: message/delivery-status\n", b"Reporting-MTA: dns; mx\n")
        )
        self.assertIsNone(delivery_report(read_octets(octets)))
        self.assertIsNone(delivery_report(letter("Action: failed\n")))

    def test_many(self) -> None:
        """No more recipients are read than there is room for."""
        group = "\nFinal-Recipient: rfc822; a@x.example\nAction: failed\nStatus: 5.1.1\n"
        self.assertEqual(RECIPIENTS, len(reported(group * 150).recipients))


class RecipientTests(SynchronousTestCase):
    """The fields about one recipient."""

    def test_actions(self) -> None:
        """The words of the standard in any case, and what servers write in their place."""
        for word, action in (
            ("Failed", "failed"), ("failure", "failed"), ("error", "failed"),
            ("delayed (4 hours)", "delayed"), ("DELIVERED", "delivered"), ("relayed", "relayed"),
            ("expanded", "expanded"),
        ):  # fmt: skip
            self.assertEqual(action, only(f"Action: {word}\nStatus: 5.0.0\n").action.value)

    def test_no_action(self) -> None:
        """The class of the status tells it; without both there is no report."""
        self.assertEqual(ReportedAction.DELAYED, only("Status: 4.2.2\n").action)
        self.assertEqual(ReportedAction.DELIVERED, only("Status: 2.1.5\n").action)
        self.assertEqual(ReportedAction.FAILED, only("Status: 5.2.2\n").action)
        text = b"Final-Recipient: rfc822; a@x.example\nRemote-MTA: dns; mx\n"
        octets = multipart("report", ("Content-Type: message/delivery-status\n", text))
        self.assertIsNone(delivery_report(read_octets(octets)))

    def test_status(self) -> None:
        """Comments are passed over, details supplied; a reply in its place tells the class."""
        for written, status in (
            ("5.1.1", "5.1.1"), ("5.1.1 (bad mailbox)", "5.1.1"), ("5.2", "5.2.0"), ("", ""),
            ("552 too large", "5.0.0"), ("450", "4.0.0"), ("#5.7.26", "5.7.26"), ("oops", ""),
        ):  # fmt: skip
            self.assertEqual(status, only(f"Action: failed\nStatus: {written}\n").status, written)

    def test_exact(self) -> None:
        """Where the status has no more than its class, the diagnostic says the rest."""
        for status, diagnostic, exact in (
            ("5.1.1", "smtp; 550 5.7.1 no", "5.1.1"),
            ("5.0.0", "smtp; 550 5.7.1 no", "5.7.1"),
            ("5.0.0", "smtp; 550 No such user here", "5.1.1"),
            ("5.0.0", "smtp; 550 <spam@virus.example> user unknown", "5.1.1"),
            ("4.0.0", "smtp; 452 mailbox full", "4.2.2"),
            ("5.0.0", "smtp; 452 4.2.2 mailbox full", "5.2.2"),
            ("5.0.0", "smtp; 550 because", "5.0.0"),
            ("", "smtp; 450 later", "4.0.0"),
            ("", "", "5.0.0"),
        ):
            fields = f"Action: failed\nStatus: {status}\nDiagnostic-Code: {diagnostic}\n"
            self.assertEqual(exact, only(fields).exact, fields)

    def test_continued_reply(self) -> None:
        """The codes that each line of a reply repeats stand once in what was said."""
        each = only(
            "Action: failed\nStatus: 5.1.1\n"
            "Diagnostic-Code: smtp; 550-5.1.1 The address that you tried to reach\n"
            " 550-5.1.1 does not exist. Try\n 550 5.1.1  again - gsmtp\n"
        )
        said = "550 5.1.1 The address that you tried to reach does not exist. Try again - gsmtp"
        self.assertEqual((550, said), (each.code, each.diagnostic))

    def test_foreign_diagnostics(self) -> None:
        """A reply within the words of a mail server gives its code; other numbers give none."""
        said = "X-Postfix; host mx.example[203.0.113.250] said: 550 5.1.1 no (in reply to RCPT)"
        self.assertEqual(550, only(f"Action: failed\nDiagnostic-Code: {said}\n").code)
        for other in (
            "X-Postfix; connect to mx.example[203.0.113.9]:587: Connection refused",
            "x-unix; exit status 75 after 550 ms",
            "smtp; message of 512 kb is too large",
        ):
            self.assertEqual(0, only(f"Action: failed\nDiagnostic-Code: {other}\n").code, other)

    def test_addresses(self) -> None:
        """Types, brackets, comments, and encodings are taken off."""
        for written, address in (
            ("rfc822;kees@mailbox.example", "kees@mailbox.example"),
            ("RFC822; <kees@mailbox.example>", "kees@mailbox.example"),
            ("rfc822; kees@mailbox.example (Kees)", "kees@mailbox.example"),
            ("kees@mailbox.example", "kees@mailbox.example"),
            ("utf-8; k\\x{E9}es@mailbox.example", "k\xe9es@mailbox.example"),
            ("utf-8; k\\x{D800}s@mailbox.example", "k\\x{D800}s@mailbox.example"),
            ("rfc822; kees+2Bshop+40mailbox.example", "kees+shop@mailbox.example"),
            ("rfc822; kees+2Bshop@mailbox.example", "kees+2Bshop@mailbox.example"),
            ("x400; /G=Kees/S=Post/", "/G=Kees/S=Post/"),
            ("LOCAL;<kees>", "kees"),
            ("system;<>", ""),
        ):
            each = only(f"Original-Recipient: {written}\nAction: failed\nStatus: 5.0.0\n")
            self.assertEqual(address, each.original, written)

    def test_remote_mta(self) -> None:
        """The name alone."""
        for written in (
            "dns; mx.example",
            "dns;mx.example. (203.0.113.9, the server)",
            "mx.example",
        ):
            fields = f"Action: failed\nStatus: 5.0.0\nRemote-MTA: {written}\n"
            self.assertEqual("mx.example", only(fields).remote_mta)

    def test_words_for_a_person(self) -> None:
        """They tell what was said where the fields are silent, and only then."""
        prose = "Delivery failed:\n\n<a@x.example>: host mx said: 550 5.1.1 unknown\n\nBye.\n"
        each = only("Action: failed\nStatus: 5.0.0\n", prose)
        self.assertEqual((550, "5.1.1"), (each.code, each.exact))
        self.assertEqual("host mx said: 550 5.1.1 unknown", each.diagnostic)
        each = only("Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 554 no\n", prose)
        self.assertEqual((554, "554 no"), (each.code, each.diagnostic))

    def test_groups(self) -> None:
        """Each recipient has its own fields, whether or not empty lines stand between."""
        groups = [
            f"Final-Recipient: rfc822; {name}@x.example\nAction: {action}\nStatus: {status}\n"
            for name, action, status in (("a", "failed", "5.1.1"), ("b", "delayed", "4.2.2"))
        ]
        for between in ("\n", "", " \n\n"):
            found = reported("Reporting-MTA: dns; mx\n" + between + between.join(groups))
            self.assertEqual(
                [("a@x.example", "failed", "5.1.1"), ("b@x.example", "delayed", "4.2.2")],
                [(each.recipient, each.action.value, each.status) for each in found.recipients],
            )

    def test_torn_group(self) -> None:
        """Fields of one recipient with empty lines between them belong together."""
        each = only("\nAction: failed\n\nStatus: 5.2.2\n\nDiagnostic-Code: smtp; 552 full\n")
        self.assertEqual(("5.2.2", 552), (each.status, each.code))
