from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.deliverystatus import (
    Action,
    RecipientStatus,
    mail_domain,
    message_fields,
    recipient_fields,
)
from tests.message.reports import ACCEPTED, ARRIVED, NOW, TRY_LATER, outcome, status

ANY_TEXT = st.text(max_size=300)


def fields_of(each: RecipientStatus) -> dict[str, str]:
    """Name and unfolded value of each field."""
    lines = [line.replace("\r\n", "") for line in recipient_fields(each)]
    return dict(line.split(": ", 1) for line in lines)


class MessageFieldsTests(SynchronousTestCase):
    """What is said once, about the message."""

    def test_all(self) -> None:
        """The envelope id, our name and the time of arrival are told."""
        self.assertEqual(
            [
                "Original-Envelope-Id: order-5512",
                "Reporting-MTA: dns; mail.relay.example",
                "Arrival-Date: Tue, 14 Nov 2023 21:13:20 +0000",
            ],
            list(message_fields("mail.relay.example", ARRIVED, "order-5512")),
        )

    def test_no_envelope_id(self) -> None:
        """Without ENVID there is no Original-Envelope-Id."""
        self.assertEqual(2, len(list(message_fields("mail.relay.example", ARRIVED, None))))

    def test_address_as_name(self) -> None:
        """An IP address becomes an address literal, a name stays a name."""
        self.assertEqual("[192.0.2.1]", mail_domain("192.0.2.1"))
        self.assertEqual("[IPv6:2001:db8::1]", mail_domain("2001:db8::1"))
        self.assertEqual("mail.relay.example", mail_domain("mail.relay.example"))


class RecipientFieldsTests(SynchronousTestCase):
    """What is said about each recipient."""

    def test_failed(self) -> None:
        """A refusal names the recipient, the codes, the server and its words."""
        self.assertEqual(
            {
                "Original-Recipient": "rfc822; info@shop.example",
                "Final-Recipient": "rfc822; kees@mailbox.example",
                "Action": "failed",
                "Status": "5.1.1",
                "Remote-MTA": "dns; mx.mailbox.example",
                "Diagnostic-Code": "smtp; 550 5.1.1 No such user here",
                "Last-Attempt-Date": "Tue, 14 Nov 2023 22:13:20 +0000",
            },
            fields_of(status(orcpt="rfc822;info@shop.example")),
        )

    def test_delayed(self) -> None:
        """A delay tells until when further attempts are made."""
        fields = fields_of(status(TRY_LATER, Action.DELAYED, retry_until=NOW + 60))
        self.assertEqual("delayed", fields["Action"])
        self.assertEqual("4.7.1", fields["Status"])
        self.assertEqual("Tue, 14 Nov 2023 22:14:20 +0000", fields["Will-Retry-Until"])

    def test_no_orcpt(self) -> None:
        """Without ORCPT the original recipient is the one that was given."""
        fields = fields_of(status())
        self.assertEqual("rfc822; kees@mailbox.example", fields["Original-Recipient"])

    def test_no_status(self) -> None:
        """Where no enhanced code is known, a general one of the right class stands in."""
        for action, expected in (
            (Action.DELIVERED, "2.0.0"),
            (Action.RELAYED, "2.0.0"),
            (Action.DELAYED, "4.0.0"),
            (Action.FAILED, "5.0.0"),
        ):
            self.assertEqual(expected, fields_of(status(ACCEPTED, action))["Status"])

    def test_our_own_words(self) -> None:
        """Without a reply the diagnostic is not given out as SMTP's, and no server is named."""
        fields = fields_of(status(outcome(0, "4.4.1", "Connection refused", host="")))
        self.assertEqual("x-smtpeter; Connection refused", fields["Diagnostic-Code"])
        self.assertNotIn("Remote-MTA", fields)

    def test_code_in_text(self) -> None:
        """An enhanced code that the text begins with is not written twice."""
        fields = fields_of(status(outcome(550, "5.1.1", "5.1.1 Unknown")))
        self.assertEqual("smtp; 550 5.1.1 Unknown", fields["Diagnostic-Code"])

    def test_international_domain(self) -> None:
        """A domain beyond ASCII is written in A-labels."""
        fields = fields_of(status(address="kees@bücher.example"))
        self.assertEqual("rfc822; kees@xn--bcher-kva.example", fields["Final-Recipient"])

    def test_international_local_part(self) -> None:
        """A local part beyond ASCII gives an address of the type utf-8, embedded."""
        fields = fields_of(status(address="büro+1@mailbox.example"))
        self.assertEqual(r"utf-8; b\x{FC}ro\x{2B}1@mailbox.example", fields["Final-Recipient"])

    def test_long_text(self) -> None:
        """Long texts are folded within the limit of a line, endless ones are cut."""
        lines = list(recipient_fields(status(outcome(550, "5.0.0", "spam " * 1000))))
        diagnostic = next(line for line in lines if line.startswith("Diagnostic-Code"))
        self.assertLess(len(diagnostic), 1200)
        self.assertLessEqual(max(map(len, diagnostic.split("\r\n"))), 76)

    @given(ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT)
    def test_no_injection(self, text: str, code: str, host: str, orcpt: str) -> None:
        """Whatever others say, each field stays one field of ASCII lines."""
        each = status(outcome(550, code, text, host=host), orcpt=f"rfc822;{orcpt}")
        for line in recipient_fields(each):
            self.assertTrue(line.isascii())
            self.assertRegex(line, r"\A[A-Za-z-]+: ?[ -~]*(\r\n [!-~][ -~]*)*\Z")
            self.assertLess(max(map(len, line.split("\r\n"))), 998)
        names = [name for name in fields_of(each) if name != "Original-Recipient"]
        self.assertEqual(["Final-Recipient", "Action", "Status"], names[:3])
