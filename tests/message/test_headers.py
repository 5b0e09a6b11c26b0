"""Tests for `smtpeter.message.headers`."""

from __future__ import annotations

from email import message_from_string, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import getaddresses

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message import headers
from smtpeter.message.address import Mailbox
from smtpeter.message.addresslist import NamedMailbox, parse_address_list

LINES = st.characters(exclude_categories=["Cc", "Cs"])
TEXTS = st.text(LINES, max_size=300) | st.text("a \t=?_é", max_size=300)
# The standard library trims other blanks than the ASCII one, and joins runs of those.
NAMES = (
    st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp", "Zs"]) | st.just(" "))
    .map(lambda name: " ".join(name.split()))
    .filter(lambda name: "=?" not in name)
)
SIMPLE = st.from_regex(r"[a-z0-9]{1,30}@[a-z]{1,30}\.example", fullmatch=True).map(Mailbox.parse)
ADDRESSES = st.from_regex(r"[a-z0-9!#$%&'*+/=?^_`{|}~ .-]{1,40}", fullmatch=True).map(
    lambda local: NamedMailbox("", Mailbox(local, "shop.example", "shop.example"))
)


def parsed(field: str) -> EmailMessage:
    message = message_from_string(f"{field}\r\n", policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


class FieldCase(SynchronousTestCase):
    """Checks that every field must pass."""

    def assert_well_formed(self, field: str) -> None:
        """Lines are short, begin with the name or a blank, and are never only blanks."""
        self.assertTrue(field.endswith("\r\n"))
        for number, line in enumerate(field[:-2].split("\r\n")):
            self.assertLessEqual(len(line.encode()), 998)
            self.assertNotIn("\r", line)
            self.assertNotIn("\n", line)
            self.assertTrue(line.strip(" "))
            self.assertEqual(number > 0, line.startswith(" "))
            if len(line) > headers.LINE_CHARACTERS:
                self.assertNotIn("=?utf-8?", line)


class TextFieldTests(FieldCase):
    """Unstructured fields."""

    @given(TEXTS)
    @example("a" * 1200)
    @example(" leading and trailing ")
    @example("=?utf-8?q?literal?=")
    @example("many    blanks" * 30)
    def test_round_trip(self, value: str) -> None:
        """Another implementation reads exactly the value that was written."""
        field = headers.text_field("Subject", value)
        self.assert_well_formed(field)
        self.assertEqual(value, parsed(field)["subject"])
        self.assertTrue(field.isascii())

    def test_ascii_stays_readable(self) -> None:
        """Plain ASCII is written as it is."""
        self.assertEqual("Subject: Hi there\r\n", headers.text_field("Subject", "Hi there"))

    def test_empty(self) -> None:
        """An empty value leaves the name alone, without a trailing blank."""
        self.assertEqual("Subject:\r\n", headers.text_field("Subject", ""))

    def test_fold_at_blanks_only(self) -> None:
        """A long word gets a line of its own and is not cut."""
        word = "x" * 300
        field = headers.text_field("X-Token", f"a {word} b")
        self.assertEqual(f"X-Token: a\r\n {word}\r\n b\r\n", field)

    def test_long_name(self) -> None:
        """Next to a long name the first encoded-word moves to the next line."""
        field = headers.text_field("X-" + "n" * 70, "é")
        self.assert_well_formed(field)
        self.assertEqual(2, field.count("\r\n"))

    def test_line_break(self) -> None:
        """A line break in a value is refused, with the name of the field."""
        for value in ("a\r\nBcc: x@y.example", "a\n b", "a\rb", "a\0b"):
            error = self.assertRaises(headers.HeaderError, headers.text_field, "Subject", value)
            self.assertIn("the value of Subject holds a line break", str(error))


class AddressFieldTests(FieldCase):
    """Fields of addresses."""

    @given(st.lists(st.builds(NamedMailbox, NAMES, SIMPLE), min_size=1))
    def test_round_trip(self, mailboxes: list[NamedMailbox]) -> None:
        """Another implementation reads the names and addresses that were written."""
        field = headers.address_field("Reply-To", mailboxes)
        self.assert_well_formed(field)
        value = field.replace("\r\n", "").partition(":")[2]
        # Not `policy.default`: in a phrase it keeps the blank between two encoded-words.
        self.assertEqual(
            [(each.name, str(each.mailbox)) for each in mailboxes],
            [(str(make_header(decode_header(n))), a) for n, a in getaddresses([value])],
        )

    @given(st.lists(ADDRESSES, min_size=1, max_size=20))
    def test_own_reader(self, mailboxes: list[NamedMailbox]) -> None:
        """What is written here is read back by the parser of address lists."""
        value = headers.address_field("To", mailboxes).partition(":")[2].removesuffix("\r\n")
        self.assertEqual(tuple(mailboxes), parse_address_list(value))

    def test_names(self) -> None:
        """Atoms stay bare, specials get quotes, other scripts become encoded-words."""
        for name, written in (
            ("Noor de Wit", "Noor de Wit"),
            ('J. "Jan" Doe', '"J. \\"Jan\\" Doe"'),
            ("Zoë", "=?utf-8?b?Wm/Dqw==?="),
            ("Zoë van de Winkel", "=?utf-8?q?Zo=C3=AB_van_de_Winkel?="),
            ("=?utf-8?q?Zo=C3=AB?=", "=?utf-8?q?Zo=C3=AB?="),
        ):
            mailbox = NamedMailbox(name, Mailbox.parse("a@b.example"))
            self.assertEqual(
                f"From: {written} <a@b.example>\r\n", headers.address_field("From", [mailbox])
            )

    def test_international_addresses(self) -> None:
        """A domain becomes A-labels, a local part is written as it is."""
        field = headers.address_field("To", parse_address_list("kées@bücher.example"))
        self.assertEqual("To: kées@xn--bcher-kva.example\r\n", field)

    def test_line_break_in_name(self) -> None:
        """A name cannot start another field."""
        mailbox = NamedMailbox("a\r\nBcc: b", Mailbox.parse("a@b.example"))
        self.assertRaises(headers.HeaderError, headers.address_field, "To", [mailbox])


class AttachmentFieldTests(FieldCase):
    """Names of files."""

    @given(NAMES.filter(lambda name: name and name[0] != '"'))
    @example('a"b\\c;d=e.txt')
    @example("ü" * 200)
    def test_round_trip(self, filename: str) -> None:
        """Another implementation reads the file name that was written."""
        field = headers.attachment_field(filename)
        self.assert_well_formed(field)
        self.assertEqual(filename, parsed(field).get_filename())

    def test_no_name(self) -> None:
        """An attachment may have no name."""
        self.assertEqual("Content-Disposition: attachment\r\n", headers.attachment_field(""))

    def test_line_break(self) -> None:
        """A file name cannot start another field."""
        self.assertRaises(headers.HeaderError, headers.attachment_field, "a\r\nX-Evil: 1")


class NameTests(SynchronousTestCase):
    """Names of fields."""

    def test_checked_name(self) -> None:
        """A name takes visible ASCII without a colon, and not too much of it."""
        self.assertEqual("X-A", headers.checked_name("X-A"))
        for name in ("", "X A", "X:", "X\r\nY", "Xé", "X" * 77):
            self.assertRaises(headers.HeaderError, headers.checked_name, name)


class MailtoTests(SynchronousTestCase):
    """Addresses as URIs."""

    def test_reserved_characters(self) -> None:
        """What has a meaning in a URI is escaped, a plus stays."""
        self.assertEqual(
            "mailto:a+b%3Fc%26d@x.example", headers.mailto(Mailbox.parse("a+b?c&d@x.example"))
        )
