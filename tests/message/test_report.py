import email
import email.message
import email.policy

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.content import Content, has_lone_newline
from smtpeter.message.deliverystatus import Action
from smtpeter.message.report import FULL_OCTETS, StatusReport, compose
from tests.message.reports import ACCEPTED, ORIGINAL, TRY_LATER, outcome, report, status

ANY_TEXT = st.text(max_size=200)


def parsed(made: StatusReport) -> email.message.Message:
    """The report as the standard library reads it."""
    return email.message_from_bytes(bytes(compose(made)))


def parts_of(made: StatusReport) -> list[email.message.Message]:
    """Its parts."""
    parts = parsed(made).get_payload()
    assert isinstance(parts, list)
    return [part for part in parts if isinstance(part, email.message.Message)]


def types_of(made: StatusReport) -> list[str]:
    """The media types of its parts."""
    return [part.get_content_type() for part in parts_of(made)]


class HeaderTests(SynchronousTestCase):
    """The header of a report."""

    def test_fields(self) -> None:
        """It says who reports to whom and about which message, and that a machine did."""
        message = parsed(report())
        self.assertEqual("Mail Delivery System <postmaster@mail.relay.example>", message["From"])
        self.assertEqual("noor@shop.example", message["To"])
        self.assertEqual("Your message could not be delivered", message["Subject"])
        self.assertEqual("Tue, 14 Nov 2023 22:13:20 +0000", message["Date"])
        self.assertEqual("<7hQx2LmPzR9aTc04@mail.relay.example>", message["Message-ID"])
        self.assertEqual("<1@shop.example>", message["In-Reply-To"])
        self.assertEqual("<1@shop.example>", message["References"])
        self.assertEqual("auto-replied", message["Auto-Submitted"])
        self.assertEqual("1.0", message["MIME-Version"])
        self.assertEqual("multipart/report", message.get_content_type())
        self.assertEqual("delivery-status", message.get_param("report-type"))

    def test_no_message_id(self) -> None:
        """A Message-ID that is missing or none is not referred to."""
        for header in (b"", b"Message-ID: <a b@c>\r\n", b"Message-ID: 1@shop.example\r\n"):
            message = parsed(report(original=Content.from_octets(header + b"\r\nHello\r\n")))
            self.assertNotIn("References", message)
            self.assertNotIn("In-Reply-To", message)

    def test_address_for_a_hostname(self) -> None:
        """A host known by its IP address only writes as an address literal."""
        message = parsed(report(hostname="192.0.2.1"))
        self.assertIn("<postmaster@[192.0.2.1]>", message["From"])

    def test_international_sender(self) -> None:
        """An international domain is written in A-labels, so that any server takes the report."""
        self.assertEqual(
            "noor@xn--bcher-kva.example", parsed(report(sender="noor@bücher.example"))["To"]
        )


class StructureTests(SynchronousTestCase):
    """The parts of a report."""

    def test_header_returned(self) -> None:
        """By default the header of the original comes back, all of it and nothing more."""
        text, fields, returned = parts_of(report())
        self.assertEqual("text/plain", text.get_content_type())
        self.assertEqual("message/delivery-status", fields.get_content_type())
        self.assertEqual("text/rfc822-headers", returned.get_content_type())
        payload = returned.get_payload(decode=True)
        self.assertEqual(ORIGINAL.header, bytes(payload) + b"\r\n")

    def test_full_returned(self) -> None:
        """RET=FULL brings the whole original back, octet for octet."""
        made = report(ret="FULL")
        self.assertEqual("message/rfc822", types_of(made)[2])
        self.assertIn(b"\r\n\r\n" + bytes(ORIGINAL) + b"\r\n--", bytes(compose(made)))

    def test_full_without_failure(self) -> None:
        """Good news and delays bring the header only, even with RET=FULL."""
        for each in (status(ACCEPTED, Action.DELIVERED), status(TRY_LATER, Action.DELAYED)):
            self.assertEqual("text/rfc822-headers", types_of(report(each, ret="FULL"))[2])

    def test_large_original(self) -> None:
        """Of a large original only the header comes back."""
        large = Content.from_octets(b"Subject: a\r\n\r\n" + b"x\r\n" * (FULL_OCTETS // 3))
        self.assertEqual("text/rfc822-headers", types_of(report(ret="FULL", original=large))[2])

    def test_original_gone(self) -> None:
        """Without an original the report has two parts."""
        self.assertEqual(["text/plain", "message/delivery-status"], types_of(report(original=None)))

    def test_empty_header(self) -> None:
        """An original without a header makes a report of three parts all the same."""
        made = report(original=Content.from_octets(b"\r\nHello\r\n"))
        self.assertEqual(3, len(types_of(made)))
        self.assertNotIn(b"", compose(made).blocks)

    def test_blocks_not_copied(self) -> None:
        """The blocks of the original are those of the report."""
        original = Content((bytes(ORIGINAL), b"x" * 1000 + b"\r\n"), ORIGINAL.header_octets)
        blocks = compose(report(ret="FULL", original=original)).blocks
        self.assertTrue(all(any(each is block for block in blocks) for each in original.blocks))

    def test_several_recipients(self) -> None:
        """The machine's part has a group for the message and one for each recipient."""
        made = report(status(), status(ACCEPTED, Action.DELIVERED, "noor@mailbox.example"))
        groups = parts_of(made)[1].get_payload()
        assert isinstance(groups, list)
        self.assertEqual(
            [None, "failed", "delivered"],
            [group["Action"] for group in groups if isinstance(group, email.message.Message)],
        )


class EncodingTests(SynchronousTestCase):
    """Octets above 127, and what is said about them."""

    def test_seven_bits(self) -> None:
        """A report about a 7-bit message is 7-bit, whatever the server said."""
        made = report(status(outcome(550, "5.1.1", "Benutzer gibt es nicht: ü \U0001f600")))
        content = compose(made)
        self.assertFalse(content.eightbit)
        self.assertEqual("7bit", parsed(made)["Content-Transfer-Encoding"])
        text = parts_of(made)[0].get_payload(decode=True)
        self.assertIn("ü \U0001f600", bytes(text).decode())

    def test_eight_bit_body(self) -> None:
        """A full original of 8 bits makes the report declare 8 bits."""
        original = Content.from_octets("Subject: a\r\n\r\nGrüße\r\n".encode())
        made = report(ret="FULL", original=original)
        self.assertEqual("8bit", parsed(made)["Content-Transfer-Encoding"])
        self.assertEqual("8bit", parts_of(made)[2]["Content-Transfer-Encoding"])
        self.assertEqual("message/rfc822", types_of(made)[2])

    def test_eight_bit_body_header_only(self) -> None:
        """When only an ASCII header comes back, the report stays 7-bit."""
        original = Content.from_octets("Subject: a\r\n\r\nGrüße\r\n".encode())
        self.assertFalse(compose(report(original=original)).eightbit)

    def test_international_header(self) -> None:
        """A header in UTF-8 comes back under the types of RFC 6533."""
        original = Content.from_octets("Subject: Grüße\r\n\r\nHello\r\n".encode())
        self.assertEqual("message/global", types_of(report(ret="FULL", original=original))[2])
        made = report(original=original)
        self.assertEqual("message/global-headers", types_of(made)[2])
        self.assertEqual("8bit", parsed(made)["Content-Transfer-Encoding"])

    def test_broken_header(self) -> None:
        """A header in some other charset comes back readable and in 7 bits."""
        original = Content.from_octets("Subject: Grüße\r\n\r\nHello\r\n".encode("latin-1"))
        made = report(original=original)
        self.assertEqual("text/rfc822-headers", types_of(made)[2])
        self.assertFalse(compose(made).eightbit)
        payload = parts_of(made)[2].get_payload(decode=True)
        self.assertEqual("Subject: Grüße".encode("latin-1"), bytes(payload).strip())


class AnyReplyTests(SynchronousTestCase):
    """What others say stays where it belongs."""

    @given(ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT, st.sampled_from([None, "HDRS", "FULL"]))
    def test_structure_stands(
        self, text: str, host: str, envid: str, orcpt: str, ret: str | None
    ) -> None:
        """No reply, host name or parameter adds a field, a part or a line end of its own."""
        each = status(outcome(550, "5.1.1", text, host=host), orcpt=f"rfc822;{orcpt}")
        made = report(each, envid=envid, ret=ret)
        content = compose(made)
        self.assertFalse(has_lone_newline(bytes(content)))
        self.assertEqual(compose(report()).header, content.header)
        _, fields, _ = parts_of(made)
        groups = fields.get_payload()
        assert isinstance(groups, list)
        self.assertEqual(2, len(groups))
        self.assertEqual([], [defect for part in parsed(made).walk() for defect in part.defects])

    @given(st.binary(max_size=300))
    def test_any_original(self, octets: bytes) -> None:
        """A report about any message whatever has its three parts."""
        original = Content.from_octets(octets)
        for ret in ("HDRS", "FULL"):
            made = report(original=original, ret=ret)
            self.assertEqual(3, len(types_of(made)))
            self.assertEqual(
                compose(made).eightbit, parsed(made)["Content-Transfer-Encoding"] == "8bit"
            )
