from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.content import Content
from smtpeter.message.examination import Examination, examine, valid_key
from smtpeter.message.features import Overrides

PREFIXES = ("x-smtpeter-", "x-acme-")
FROM = "From: Noor <noor@shop.example>\r\n"
BODY = "\r\nX-SMTPeter-TrackOpens: true\r\nReceived: in the body\r\n"


def examined(header: str, body: str = BODY) -> Examination:
    """What is found in a message."""
    return examine(Content.from_octets((header + body).encode()), PREFIXES)


def author(header: str) -> str | None:
    """The address of the author."""
    found = examined(header).author
    return str(found.mailbox) if found else None


class AuthorTests(SynchronousTestCase):
    """Who wrote a message."""

    def test_first_address(self) -> None:
        """The author is the first address of From, however it is written."""
        for header in (
            FROM,
            "from: noor@shop.example, kees@mailbox.example\r\n",
            'FROM : "Noor, of the shop"\r\n <noor@shop.example>\r\n',
            "From: =?utf-8?q?N=C3=B6r?= <noor@shop.example> (by hand)\r\n",
        ):
            self.assertEqual("noor@shop.example", author(header), header)

    def test_none(self) -> None:
        """Without a From field that holds an address there is no author."""
        for header in (
            "To: kees@mailbox.example\r\n",
            "From:\r\n",
            "From: Noor\r\n",
            "From: <>\r\n",
            "From: undisclosed-recipients:;\r\n",
            "Resent-From: noor@shop.example\r\n",
            "\r\nFrom: in@the.body\r\n",
        ):
            self.assertIsNone(author(header), header)

    def test_second_field(self) -> None:
        """Of several From fields the first that holds an address counts."""
        self.assertEqual("noor@shop.example", author("From: nobody\r\n" + FROM))


class FactsTests(SynchronousTestCase):
    """What else is found."""

    def test_present(self) -> None:
        """The names of all fields of the top level, in lower case, and of no others."""
        found = examined(FROM + "DATE: x\r\nMessage-Id:\r\n <a@b>\r\n")
        self.assertEqual({"from", "date", "message-id"}, found.present)

    def test_hops(self) -> None:
        """Each Received field of the top level is a hop."""
        self.assertEqual(0, examined(FROM).hops)
        self.assertEqual(3, examined("received: a\r\n" * 2 + "RECEIVED: b\r\n\tc\r\n" + FROM).hops)

    def test_eightbit(self) -> None:
        """An octet above 127 is found wherever it is."""
        self.assertFalse(examined(FROM).eightbit)
        self.assertTrue(examined(FROM + "Subject: gr\u00fc\u00dfe\r\n").eightbit)
        self.assertTrue(examined(FROM, "\r\ngr\u00fc\u00dfe\r\n").eightbit)


class InstructionTests(SynchronousTestCase):
    """What the instruction headers say."""

    def test_each_prefix(self) -> None:
        """An option counts with each prefix, and the last that is valid wins."""
        header = FROM + "X-Acme-TrackClicks: yes\r\nx-smtpeter-clicktracking: off\r\n"
        self.assertEqual(Overrides(trackclicks=False), examined(header).overrides)
        header += "X-ACME-ClickTracking: maybe\r\n"
        found = examined(header)
        self.assertEqual(Overrides(trackclicks=False), found.overrides)
        self.assertEqual(1, len(found.warnings))

    def test_folded(self) -> None:
        """A folded value is read as if it were in one line."""
        found = examined(FROM + "x-smtpeter-tags: spring,\r\n\tnl\r\n")
        self.assertEqual(("spring", "nl"), found.overrides.tags)

    def test_not_in_the_body(self) -> None:
        """What stands in the body or an attached message is no instruction."""
        self.assertEqual(Overrides(), examined(FROM).overrides)

    def test_idempotency_key(self) -> None:
        """The last valid key counts, with any prefix; what is no key is passed over."""
        header = FROM + "x-smtpeter-idempotency-key: order-5512\r\n"
        self.assertIsNone(examined(FROM).idempotency_key)
        self.assertEqual("order-5512", examined(header).idempotency_key)
        header += "X-Acme-Idempotency-Key: order-5513\r\nX-Acme-Idempotency-Key: a b\r\n"
        self.assertEqual("order-5513", examined(header).idempotency_key)

    def test_valid_keys(self) -> None:
        """A key is 1 to 255 visible ASCII characters."""
        for key in ("a", "!~", "k" * 255):
            self.assertTrue(valid_key(key), key)
        for key in ("", "k" * 256, "a b", "\u00fc", "a\x7f", "a\0"):
            self.assertFalse(valid_key(key), key)

    @given(st.binary(max_size=300), st.sampled_from([b"From", b"X-SMTPeter-Tags", b"x-acme-a"]))
    def test_any_octets(self, octets: bytes, name: bytes) -> None:
        """No header makes it fail."""
        content = Content.from_octets(name + b": " + octets + b"\r\n\r\n")
        self.assertEqual(not content.__bytes__().isascii(), examine(content, PREFIXES).eightbit)
