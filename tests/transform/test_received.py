from email.utils import parsedate_to_datetime

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.envelope import Trace
from smtpeter.transform.received import received_field
from tests.transform.drafts import RECEIVED, TRACE, draft

MESSAGE = b"From: a@b.example\r\n\r\nIt is on its way.\r\n"
HOSTNAME = "mail.relay.example"
LINE_OCTETS = 998  # RFC 5322 section 2.1.1


def field(trace: Trace = TRACE) -> bytes:
    """The field that a message gets."""
    return received_field(draft(MESSAGE, trace), HOSTNAME).encode("ascii")


class AddReceivedTests(SynchronousTestCase):
    """The trace field (RFC 5321 section 4.4)."""

    def test_smtp(self) -> None:
        """It tells from whom, by whom, how, under which id and when."""
        expected = (
            b"Received: from desk.shop.example ([192.0.2.7])\r\n"
            b"\tby mail.relay.example with ESMTPSA id 7hQx2LmPzR9aTc04;\r\n"
            b"\tTue, 14 Nov 2023 22:13:20 +0000\r\n"
        )
        self.assertEqual(expected, field())

    def test_rest(self) -> None:
        """Who did not say a name is known by the address alone."""
        self.assertTrue(
            field(Trace("", "192.0.2.7", "HTTPS")).startswith(b"Received: from [192.0.2.7]\r\n")
        )

    def test_ipv6(self) -> None:
        """An IPv6 address is tagged, and has no zone (RFC 5321 section 4.1.3)."""
        literal = b"([IPv6:2001:db8::7])\r\n"
        self.assertIn(literal, field(Trace("desk", "2001:db8::7", "ESMTPSA")))
        self.assertIn(literal, field(Trace("desk", "2001:db8::7%eth0", "ESMTPSA")))

    def test_address_literal(self) -> None:
        """A client may call itself by an address literal."""
        self.assertIn(b"from [IPv6:::1] (", field(Trace("[IPv6:::1]", "192.0.2.7", "ESMTPSA")))

    def test_our_own(self) -> None:
        """What nobody handed to us has no trace."""
        self.assertEqual(b"", field(Trace("", "", "")))

    @given(st.one_of(st.text(max_size=1200), st.text("a.-", min_size=900, max_size=3000)))
    def test_any_name(self, helo: str) -> None:
        """Whatever a client calls itself, there is one field of short ASCII lines."""
        octets = field(Trace(helo, "192.0.2.7", "ESMTPSA"))
        first, *folded, end = octets.split(b"\r\n")
        self.assertTrue(first.startswith(b"Received: from "))
        self.assertEqual((2, b""), (len(folded), end))
        self.assertTrue(all(line.startswith(b"\t") for line in folded))
        self.assertLessEqual(max(map(len, octets.split(b"\r\n"))), LINE_OCTETS)
        self.assertTrue(octets.isascii())
        self.assertNotIn(b"(", first.replace(b"([192.0.2.7])", b""))
        date = octets.rpartition(b";")[2].decode().strip()
        self.assertEqual(int(RECEIVED), parsedate_to_datetime(date).timestamp())
