"""Replies as octets."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.reply import (
    Reply,
    content_too_big,
    storage_full,
    storage_unavailable,
    too_much_in_flight,
)


class ReplyTests(SynchronousTestCase):
    """What goes over the wire."""

    def test_one_line(self) -> None:
        """Code, blank, text, CRLF."""
        self.assertEqual(b"250 Ok\r\n", Reply(250, "", "Ok").octets())

    def test_empty_text(self) -> None:
        """The blank stays when there is no text: an empty challenge has it (RFC 4954)."""
        self.assertEqual(b"334 \r\n", Reply(334, "", "").octets())

    def test_several_lines(self) -> None:
        """Each line but the last has a hyphen behind its code."""
        self.assertEqual(b"250-a\r\n250-b\r\n250 c\r\n", Reply(250, "", "a\nb\nc").octets())

    def test_enhanced_code_of_success(self) -> None:
        """A positive reply names its enhanced code, on each line, only where that was offered."""
        reply = Reply(250, "2.0.0", "a\nb")
        self.assertEqual(b"250-a\r\n250 b\r\n", reply.octets())
        self.assertEqual(b"250-2.0.0 a\r\n250 2.0.0 b\r\n", reply.octets(enhanced_codes=True))

    def test_enhanced_code_of_refusal(self) -> None:
        """A refusal always names its enhanced code."""
        self.assertEqual(b"550 5.7.1 No\r\n", Reply(550, "5.7.1", "No").octets())
        self.assertEqual(b"451 4.3.0 No\r\n", Reply(451, "4.3.0", "No").octets())

    def test_outside_ascii(self) -> None:
        """What is not ASCII becomes a question mark."""
        self.assertEqual(b"250 ?\r\n", Reply(250, "", "ü").octets())

    def test_temporary(self) -> None:
        """Only a reply of the 400s says that trying again may help."""
        self.assertEqual(
            [False, False, True, False],
            [Reply(code, "", "").temporary for code in (250, 354, 452, 552)],
        )

    def test_refusals(self) -> None:
        """The refusals that both front doors give have the codes of both."""
        for refused, code, status in (
            (storage_full(), 452, 507),
            (storage_unavailable(), 451, 503),
            (content_too_big(5), 552, 413),
            (too_much_in_flight(), 452, 503),
        ):
            self.assertEqual((code, status), (refused.reply.code, refused.status))
        self.assertIn("5 octets", content_too_big(5).reply.text)
