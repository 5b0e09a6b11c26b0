"""A message that came in, as it reads."""

from __future__ import annotations

from base64 import b64encode

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.incoming.letter import PROSE_CHARACTERS, PROSE_LINES
from tests.message.incoming.letters import letter, multipart, read_octets

MEGABYTE = 1024 * 1024


class LetterTests(SynchronousTestCase):
    """A message as it reads."""

    def test_copy_in_text(self) -> None:
        """A message that is copied into a text ends what is said, and its header is kept."""
        found = letter(
            "Sorry.\n\n--- Below this line is a copy of the message.\n\n"
            "Return-Path: <b@x.example>\nX-Message-ID: 17\nSubject: Long\n and folded\n\nBye.\n"
        )
        self.assertEqual(["Sorry.", ""], list(found.lines))
        self.assertEqual("17", found.returned.first("x-message-id"))
        self.assertEqual("Long and folded", found.returned.first("subject"))
        self.assertEqual("", found.returned.first("bcc"))

    def test_copy_that_grows(self) -> None:
        """Of the header of a copy a beginning is read, though decoding makes it longer."""
        copy = b"Original message\r\nX-Message-ID: 17\r\n" + b"\r\n".join([b"\xe9" * 900] * 70)
        fields = "Content-Type: text/plain; charset=iso-8859-1\n"
        found = read_octets(multipart("mixed", *[(fields, copy)] * 3))
        self.assertEqual("17", found.returned.first("x-message-id"))

    def test_prose_is_no_copy(self) -> None:
        """Sentences about the original message do not end what is said."""
        for line in (
            "The original message was received at Tue, 14 Nov 2023 22:13:22 GMT",
            "Your original message could not be delivered.",
            "Original message details are below",
        ):
            self.assertIn("more", letter(f"{line}\nmore").lines, line)

    def test_html_when_there_is_nothing_else(self) -> None:
        """Plain text is read first, HTML where that is empty."""
        for plain, expected in ((b"plain", "plain"), (b" \r\n", "html")):
            octets = multipart(
                "alternative", ("", plain), ("Content-Type: text/html\n", b"<p>html</p>")
            )
            self.assertIn(expected, read_octets(octets).lines)

    def test_subject(self) -> None:
        """Decoded, without the mark of a gateway."""
        self.assertEqual("Größe", letter("", "Subject: [EXT] =?utf-8?q?Gr=C3=B6=C3=9Fe?=").subject)

    def test_headers_alone(self) -> None:
        """The header may come back alone, and in an encoding of its own."""
        for media_type, encoding, octets in (
            ("text/rfc822-headers", "7bit", b"X-Message-ID: 17"),
            ("text/rfc822-headers", "base64", b64encode(b"X-Message-ID: 17\r\nTo: a@b\r\n")),
            ("message/global-headers", "8bit", "X-Message-ID: 17\nSubject: é\n".encode()),
        ):
            fields = f"Content-Type: {media_type}\nContent-Transfer-Encoding: {encoding}\n"
            found = read_octets(multipart("report", (fields, octets))).returned
            self.assertEqual("17", found.first("x-message-id"), media_type)


class BoundTests(SynchronousTestCase):
    """A megabyte costs no more than the beginning of it."""

    def test_prose(self) -> None:
        """Still less is looked at closely."""
        many = letter("a\n" * MEGABYTE)
        self.assertEqual(PROSE_LINES, len(many.lines))
        long = letter(("a" * 999 + "\n") * 1000)
        self.assertLessEqual(sum(map(len, long.lines)), PROSE_CHARACTERS)

    def test_attached(self) -> None:
        """The header that came back is read, and not the message behind it."""
        original = b"X-Message-ID: 17\r\n\r\n" + b"X-Message-ID: 18\r\n" * 60_000
        octets = multipart("mixed", ("Content-Type: message/rfc822\n", original))
        self.assertEqual(("17",), read_octets(octets).returned.all("x-message-id"))
