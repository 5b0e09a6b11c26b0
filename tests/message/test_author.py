from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.author import LONGEST_FIELD_OCTETS, author_domain
from smtpeter.message.content import Content


def domain(header: bytes) -> str | None:
    return author_domain(Content.from_octets(header + b"\r\nFrom: body@body.example\r\n"))


class AuthorTests(SynchronousTestCase):
    """The domain of whoever wrote a message."""

    def test_domain(self) -> None:
        """The domain of the first address counts, in lower case and A-labels."""
        for header in (
            b"From: noor@Shop.example\r\n",
            b"To: kees@mailbox.example\r\nFROM : Noor <noor@shop.example>\r\n",
            b"X-From: kees@mailbox.example\r\nFrom:\r\n\tnoor@shop.example\r\n",
            b"Fromage: brie@mailbox.example\r\nfrom:noor@shop.example,kees@mailbox.example\r\n",
            b"Subject: a\r\n From: kees@mailbox.example\r\nFrom: noor@shop.example\r\n",
            b'From: "Kees <kees@mailbox.example>," <noor@shop.example>\r\n',
        ):
            self.assertEqual("shop.example", domain(header), header)
        self.assertEqual("xn--bcher-kva.example", domain("From: a@bücher.example\r\n".encode()))

    def test_no_domain(self) -> None:
        """Where nothing can be read, or no name stands behind the @, there is none."""
        for header in (
            b"",
            b"To: kees@mailbox.example\r\n",
            b"From:\r\n",
            b"From: Noor\r\n",
            b"From: noor@shop..example\r\n",
            b"From: noor@[192.0.2.7]\r\n",
            b"From: \xff@\xff.example\r\n",
            b"From: Noor\r\nFrom: kees@mailbox.example\r\n",
        ):
            self.assertIsNone(domain(header), header)
        self.assertIsNone(author_domain(Content.from_octets(b"")))

    def test_long_field(self) -> None:
        """A field that is longer than anybody's is not read."""
        name = b"a\r\n " * (LONGEST_FIELD_OCTETS // 4)
        self.assertIsNone(domain(b"From: " + name + b" <noor@shop.example>\r\n"))

    @given(st.binary(max_size=200))
    def test_any_octets(self, octets: bytes) -> None:
        """Whatever stands there, a name comes out or nothing."""
        found = author_domain(Content.from_octets(b"From: a@b.example" + octets))
        self.assertTrue(found is None or found.isascii())
