"""Tests for `smtpeter.message.compose`."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email import message_from_bytes, message_from_string, policy
from email.message import EmailMessage

import attrs
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.address import Mailbox
from smtpeter.message.addresslist import parse_address_list
from smtpeter.message.compose import (
    Attachment,
    ComposeError,
    Draft,
    Unsubscribe,
    compose,
    unsubscribe_fields,
)
from smtpeter.message.content import HEADER_OCTETS, Content, HeaderTooLarge
from smtpeter.message.headers import HeaderError

DATE = datetime(2031, 4, 1, 18, 0, 5, tzinfo=UTC)
NOOR = parse_address_list("Noor <noor@shop.example>")[0]
MINIMAL = Draft(NOOR, text="Hello\n")
BODIES = st.text(st.characters(exclude_categories=["Cs"]), max_size=2000) | st.text(
    "a é\n\r\t.=", max_size=300
)
# The standard library takes away quotes around a name once too often.
FILE_NAMES = st.text(st.sampled_from("abc.é'\\;= "), max_size=80).map(str.strip)


def composed(draft: Draft) -> Content:
    return compose(draft, "u1", DATE)


def parsed(draft: Draft) -> EmailMessage:
    message = message_from_bytes(bytes(composed(draft)), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def structure(message: EmailMessage) -> object:
    if not message.is_multipart():
        return message.get_content_type()
    parts = [part for part in message.iter_parts() if isinstance(part, EmailMessage)]
    return (message.get_content_type(), *map(structure, parts))


def with_lf(text: str) -> str:
    """The text as a message can carry it: LF line ends, the last line ended."""
    text = re.sub(r"\r\n|\r|\n", "\n", text)
    return text if not text or text.endswith("\n") else f"{text}\n"


class HeaderTests(SynchronousTestCase):
    """The header fields."""

    def test_fields(self) -> None:
        """Each part of the draft gives its field, in the usual order."""
        draft = attrs.evolve(
            MINIMAL,
            to=parse_address_list("kees@mailbox.example, Ria <ria@mailbox.example>"),
            cc=parse_address_list("cc@mailbox.example"),
            reply_to=parse_address_list("help@shop.example"),
            subject="Spring",
            extra=(("X-Campaign", "44"),),
        )
        expected = (
            "Date: Tue, 01 Apr 2031 18:00:05 +0000\r\n"
            "From: Noor <noor@shop.example>\r\n"
            "To: kees@mailbox.example, Ria <ria@mailbox.example>\r\n"
            "Cc: cc@mailbox.example\r\n"
            "Reply-To: help@shop.example\r\n"
            "Subject: Spring\r\n"
            "Message-ID: <u1@shop.example>\r\n"
            "MIME-Version: 1.0\r\n"
            "X-Campaign: 44\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            "Content-Transfer-Encoding: 7bit\r\n\r\nHello\r\n"
        )
        self.assertEqual(expected, bytes(composed(draft)).decode())

    def test_missing_fields(self) -> None:
        """Without recipients there is no To, without a subject there is an empty one."""
        names = [field.name for field in composed(MINIMAL).fields()]
        self.assertNotIn("to", names)
        self.assertIn("subject", names)

    def test_no_date(self) -> None:
        """The date can be left to somebody else."""
        self.assertNotIn(b"Date:", bytes(compose(MINIMAL, "u1", None)))

    def test_same_draft_same_octets(self) -> None:
        """The octets depend on nothing but the arguments."""
        draft = attrs.evolve(MINIMAL, html="x", attachments=(Attachment("a", "", b"b"),))
        self.assertEqual(bytes(composed(draft)), bytes(composed(draft)))

    def test_message_id_of_international_sender(self) -> None:
        """The Message-ID takes the domain in its ASCII form."""
        draft = attrs.evolve(MINIMAL, sender=parse_address_list("a@bücher.example")[0])
        self.assertIn(b"Message-ID: <u1@xn--bcher-kva.example>\r\n", bytes(composed(draft)))

    def test_smtputf8(self) -> None:
        """A local part outside ASCII is written as UTF-8, and the draft says so."""
        draft = attrs.evolve(MINIMAL, to=parse_address_list("kées@mailbox.example"))
        self.assertTrue(draft.needs_smtputf8)
        self.assertFalse(MINIMAL.needs_smtputf8)
        self.assertFalse(
            attrs.evolve(MINIMAL, to=parse_address_list("Zoë <z@bücher.example>")).needs_smtputf8
        )
        content = composed(draft)
        self.assertTrue(content.eightbit)
        message = message_from_string(bytes(content).decode(), policy=policy.default)
        self.assertEqual("kées", message["to"].addresses[0].username)

    def test_injection(self) -> None:
        """No value can start another field."""
        evil = "a\r\nBcc: victim@mailbox.example"
        named = attrs.evolve(NOOR, name=evil)
        for change in (
            {"subject": evil},
            {"sender": named},
            {"to": (named,)},
            {"cc": (named,)},
            {"reply_to": (named,)},
            {"extra": (("X-A", evil),)},
            {"extra": ((evil, "a"),)},
            {"attachments": (Attachment(evil, "", b""),)},
            {"attachments": (Attachment("a", f"text/plain\r\n{evil}", b""),)},
            {"unsubscribe": Unsubscribe(url=f"https://shop.example/{evil}")},
        ):
            self.assertRaises(HeaderError, composed, attrs.evolve(MINIMAL, **change))

    def test_too_much_header(self) -> None:
        """A header block that no content may have is refused."""
        count = HEADER_OCTETS // len(NOOR.mailbox.local)
        draft = attrs.evolve(MINIMAL, to=(NOOR,) * count)
        self.assertRaises(HeaderTooLarge, composed, draft)


class BodyTests(SynchronousTestCase):
    """Texts, attachments, and how they are put together."""

    def test_structures(self) -> None:
        """The structure has no level that is not needed."""
        file = Attachment("a.pdf", "", b"x")
        self.assertEqual("text/plain", structure(parsed(MINIMAL)))
        self.assertEqual("text/html", structure(parsed(Draft(NOOR, html="x"))))
        both = attrs.evolve(MINIMAL, html="x")
        alternative = ("multipart/alternative", "text/plain", "text/html")
        self.assertEqual(alternative, structure(parsed(both)))
        self.assertEqual(
            ("multipart/mixed", alternative, "application/pdf"),
            structure(parsed(attrs.evolve(both, attachments=(file,)))),
        )
        self.assertEqual(
            ("multipart/mixed", "text/plain", "application/pdf", "application/pdf"),
            structure(parsed(attrs.evolve(MINIMAL, attachments=(file, file)))),
        )

    @given(BODIES, BODIES)
    @example("x" * 999, "é" * 1000)
    @example("a \n\t\n.\nFrom me\n", "\0")
    def test_texts_round_trip(self, text: str, html: str) -> None:
        """Another implementation reads both texts as they were given."""
        content = composed(Draft(NOOR, text=text, html=html))
        self.assertFalse(content.eightbit)
        self.assertLessEqual(max(map(len, bytes(content).split(b"\r\n"))), 998)
        message = message_from_bytes(bytes(content), policy=policy.default)
        assert isinstance(message, EmailMessage)
        for subtype, given_text in (("plain", text), ("html", html)):
            part = message.get_body((subtype,))
            assert part is not None
            self.assertEqual(with_lf(given_text), part.get_content().replace("\r\n", "\n"))

    @given(BODIES)
    def test_single_text_round_trip(self, text: str) -> None:
        """A message of one text is read back too."""
        read = parsed(Draft(NOOR, text=text)).get_content().replace("\r\n", "\n")
        self.assertEqual(with_lf(text) or "\n", read or "\n")

    def test_encodings(self) -> None:
        """ASCII travels as it is; else the shorter of two encodings is taken."""
        for text, encoding in (
            ("Hello", "7bit"),
            ("Zoë is here, and so is everybody else", "quoted-printable"),
            ("Καλημέρα κόσμε", "base64"),
            ("x" * 1000, "quoted-printable"),
            ("nul \0", "quoted-printable"),
            ("\0\n" + "a" * 70 + "=bb \n", "quoted-printable"),
        ):
            message = parsed(Draft(NOOR, text=text))
            self.assertEqual(encoding, message["Content-Transfer-Encoding"])
            if encoding != "7bit":
                lines = bytes(composed(Draft(NOOR, text=text))).split(b"\r\n")
                self.assertLessEqual(max(map(len, lines)), 76)

    @given(st.lists(st.tuples(FILE_NAMES, st.binary(max_size=300)), min_size=1, max_size=4))
    def test_attachments_round_trip(self, files: list[tuple[str, bytes]]) -> None:
        """Another implementation reads names and octets of the attachments."""
        attachments = tuple(Attachment(name, "application/x-thing", data) for name, data in files)
        message = parsed(attrs.evolve(MINIMAL, attachments=attachments))
        read = [
            (part.get_filename() or "", part.get_content()) for part in message.iter_attachments()
        ]
        self.assertEqual(files, read)

    def test_attachment_types(self) -> None:
        """A type that is not given is told by the name."""
        for name, given_type, expected in (
            ("a.pdf", "", "application/pdf"),
            ("a.unheard-of", "", "application/octet-stream"),
            ("", "", "application/octet-stream"),
            ("a.pdf", "image/png", "image/png"),
            ("a", 'text/csv; charset="utf-8"', "text/csv"),
        ):
            draft = attrs.evolve(MINIMAL, attachments=(Attachment(name, given_type, b"x"),))
            part = next(iter(parsed(draft).iter_attachments()))
            self.assertEqual(expected, part.get_content_type())

    def test_wrong_types(self) -> None:
        """What is no media type, or one that needs more than octets, is refused."""
        for media_type in ("pdf", "a/b c", "multipart/mixed", "a/b; c", "é/x"):
            draft = attrs.evolve(MINIMAL, attachments=(Attachment("a", media_type, b"x"),))
            self.assertRaises(ComposeError, composed, draft)

    def test_attached_message(self) -> None:
        """A message is attached without an encoding, octets above 127 included."""
        for octets, eightbit in (
            (b"Subject: x\n\nHi\n", False),
            ("Subject: x\r\n\r\né".encode(), True),
        ):
            attachment = Attachment("m.eml", "message/rfc822", octets)
            content = composed(attrs.evolve(MINIMAL, attachments=(attachment,)))
            self.assertEqual(eightbit, content.eightbit)
            self.assertIn(octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"), bytes(content))

    def test_attached_message_with_long_line(self) -> None:
        """An attached message that could only travel encoded is refused."""
        attachment = Attachment("m.eml", "message/rfc822", b"x" * 999)
        self.assertRaises(ComposeError, composed, attrs.evolve(MINIMAL, attachments=(attachment,)))


class UnsubscribeTests(SynchronousTestCase):
    """The fields for leaving a list."""

    def test_both(self) -> None:
        """The address comes first; one click adds the second field."""
        unsubscribe = Unsubscribe(
            Mailbox.parse("out@shop.example"), "https://shop.example/o?c=9", True
        )
        expected = (
            "List-Unsubscribe: <mailto:out@shop.example>, <https://shop.example/o?c=9>\r\n"
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
        )
        self.assertEqual(expected, unsubscribe_fields(unsubscribe))
        self.assertIn(
            expected.encode(), bytes(composed(attrs.evolve(MINIMAL, unsubscribe=unsubscribe)))
        )

    def test_one_of_them(self) -> None:
        """Either of them is enough."""
        self.assertEqual(
            "List-Unsubscribe: <http://shop.example/>\r\n",
            unsubscribe_fields(Unsubscribe(url="http://shop.example/")),
        )

    def test_refused(self) -> None:
        """One click needs https, and a URL is absolute, visible ASCII, and not endless."""
        for unsubscribe in (
            Unsubscribe(),
            Unsubscribe(url="http://shop.example/", oneclick=True),
            Unsubscribe(Mailbox.parse("out@shop.example"), oneclick=True),
            Unsubscribe(url="/out"),
            Unsubscribe(url="ftp://shop.example/"),
            Unsubscribe(url="https://shop.example/a b"),
            Unsubscribe(url="https://shop.example/>"),
            Unsubscribe(url="https://shop.example/é"),
            Unsubscribe(url="https://shop.example/" + "x" * 900),
        ):
            self.assertRaises(ComposeError, unsubscribe_fields, unsubscribe)
