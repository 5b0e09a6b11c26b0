"""Dialogues that every build must pass, whole and octet by octet, with the same replies."""

from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.smtp.session import Limits
from tests.dialogue import ENVELOPE, MESSAGE, PLAIN, Dialogue, logged_in, receiving, secured

Maker = Callable[[], Dialogue]

ALL_OF_IT = ENVELOPE + MESSAGE + b".\r\n"


def small() -> Dialogue:
    return logged_in(limits=Limits(message_octets=200, recipients=100))


def clear() -> Dialogue:
    return Dialogue(implicit_tls=False)


class TranscriptTests(SynchronousTestCase):
    """What a client sends, and what must happen."""

    def heard(self, maker: Maker, octets: bytes) -> tuple[Dialogue, list[str]]:
        """The replies to octets, which do not depend on how they arrive."""
        whole, crumbs = maker(), maker()
        whole.send(octets)
        crumbs.send(octets, at_a_time=1)
        replies = whole.replies()
        self.assertEqual(replies, crumbs.replies())
        self.assertEqual(whole.closed, crumbs.closed)
        self.assertEqual(whole.sender.submissions, crumbs.sender.submissions)
        self.assertEqual(0, whole.budget.used_octets)
        self.assertEqual(0, crumbs.budget.used_octets)
        return whole, replies

    def codes(self, maker: Maker, octets: bytes) -> list[int]:
        """The codes of these replies."""
        return [int(reply[:3]) for reply in self.heard(maker, octets)[1]]

    def test_session(self) -> None:
        """The session of the manual, from EHLO to QUIT."""
        dialogue, replies = self.heard(
            Dialogue,
            b"EHLO desk.shop.example\r\nAUTH LOGIN bm9vcg==\r\ncGFzcyB3b3Jk\r\n"
            + ALL_OF_IT
            + b"QUIT\r\n",
        )
        self.assertEqual(
            [
                "334 UGFzc3dvcmQ6",
                "235 Welcome back",
                "250 Sender OK",
                "250 Recipient OK",
                "354 End data with <CR><LF>.<CR><LF>",
                "250 Ok, queued as id1",
                "221 Bye",
            ],
            replies[1:],
        )
        self.assertEqual([MESSAGE], dialogue.sender.contents)
        self.assertTrue(dialogue.closed)

    def test_enhanced_codes(self) -> None:
        """The same with enhanced status codes, which EHLO then offers."""
        _, replies = self.heard(
            lambda: Dialogue(enhanced_codes=True),
            b"EHLO desk\r\n" + PLAIN.encode() + b"\r\n" + ALL_OF_IT + b"RSET\r\nQUIT\r\n",
        )
        self.assertIn("250-ENHANCEDSTATUSCODES", replies[0])
        self.assertEqual(
            [
                "235 2.7.0 Welcome back",
                "250 2.1.0 Sender OK",
                "250 2.1.5 Recipient OK",
                "354 End data with <CR><LF>.<CR><LF>",
                "250 2.0.0 Ok, queued as id1",
                "250 2.0.0 Ok",
                "221 2.0.0 Bye",
            ],
            replies[1:],
        )

    def test_one_packet(self) -> None:
        """A whole transaction in one packet is answered in order, 354 last."""
        octets = ENVELOPE.replace(b"DATA", b"RCPT TO:<anna@mailbox.example>\r\nDATA")
        self.assertEqual([250, 250, 250, 354], self.codes(logged_in, octets))

    def test_given_up(self) -> None:
        """A recipient before RSET, EHLO or HELO is in no later message."""
        for command in (b"RSET", b"EHLO desk", b"HELO desk"):
            octets = ENVELOPE.replace(b"DATA", command) + ALL_OF_IT.replace(b"kees", b"anna")
            dialogue, _ = self.heard(logged_in, octets)
            self.assertEqual([["anna@mailbox.example"]], dialogue.sender.recipients)

    def test_behind_the_dot(self) -> None:
        """What follows the dot is answered behind the reply to the content."""
        self.assertEqual(
            [250, 250, 221], self.codes(receiving, MESSAGE + b".\r\nMAIL FROM:<>\r\nQUIT\r\n")
        )

    def test_several_messages(self) -> None:
        """A connection takes one message after another; the null sender is a sender."""
        octets = ALL_OF_IT + ALL_OF_IT.replace(b"<noor@shop.example>\r\nRCPT", b"<>\r\nRCPT")
        dialogue, replies = self.heard(logged_in, octets)
        self.assertEqual("250 Ok, queued as id2", replies[-1])
        self.assertIsNone(dialogue.sender.submissions[1].envelope.sender)

    def test_clear(self) -> None:
        """In the clear there is neither mail nor login."""
        self.assertEqual(
            [530, 250, 530, 530, 530, 538, 250, 530, 221],
            self.codes(
                clear,
                b"MAIL FROM:<a@b>\r\nEHLO desk\r\n"
                + ENVELOPE
                + PLAIN.encode()
                + b"\r\nHELO desk\r\nMAIL FROM:<>\r\nQUIT\r\n",
            ),
        )

    def test_behind_starttls(self) -> None:
        """Behind STARTTLS no command is obeyed; what comes with it closes the connection."""
        self.assertEqual(
            ["250", "454"],
            [
                reply[:3]
                for reply in self.heard(
                    lambda: Dialogue(implicit_tls=False, tls=False), b"EHLO desk\r\nSTARTTLS\r\n"
                )[1]
            ],
        )
        dialogue = clear()
        dialogue.send(b"EHLO desk\r\nSTARTTLS\r\nMAIL FROM:<>\r\n")
        self.assertEqual([250, 554], dialogue.codes())
        self.assertTrue(dialogue.closed)

    def test_logins(self) -> None:
        """AUTH in all its forms, good and bad."""
        for octets, codes in (
            (b"AUTH PLAIN AG5vb3IAcGFzcyB3b3Jk\r\n", [235]),
            (b"AUTH PLAIN\r\nAG5vb3IAcGFzcyB3b3Jk\r\n", [334, 235]),
            (b"AUTH LOGIN\r\nbm9vcg==\r\ncGFzcyB3b3Jk\r\n", [334, 334, 235]),
            (b"AUTH LOGIN bm9vcg==\r\ncGFzcyB3b3Jk\r\n", [334, 235]),
            (b"AUTH LOGIN bm9vcg==\r\ncGFzc3dvcmQ=\r\nNOOP\r\n", [334, 535, 250]),
            (b"AUTH\r\nAUTH PLAIN =\r\nAUTH PLAIN *\r\nAUTH PLAIN !\r\nNOOP\r\n",
             [501, 535, 501, 501, 250]),
            (b"AUTH PLAIN\r\n*\r\nAUTH LOGIN\r\n*\r\nNOOP\r\n", [334, 501, 334, 501, 250]),
            (b"AUTH GSSAPI\r\nNOOP\r\n", [504, 250]),
            (b"AUTH PLAIN =\r\n" * 4, [535, 535, 421]),
        ):  # fmt: skip
            self.assertEqual(codes, self.codes(secured, octets), octets)
        self.assertEqual(
            [503, 250, 503],
            self.codes(logged_in, f"{PLAIN}\r\nMAIL FROM:<>\r\n{PLAIN}\r\n".encode()),
        )

    def test_long_lines(self) -> None:
        """A command of 513 octets is refused once; a line without end closes."""
        self.assertEqual(
            [250, 500, 250],
            self.codes(secured, b"NOOP" + b" " * 506 + b"\r\nNOOP" + b" " * 507 + b"\r\nNOOP\r\n"),
        )
        dialogue, replies = self.heard(secured, b"x" * 100_000)
        self.assertEqual(["500 5.5.2 Line too long"], replies)
        self.assertTrue(dialogue.closed)

    def test_long_line_of_content(self) -> None:
        """A content line of 20,000 octets has one reply, after the dot."""
        octets = b"y" * 20_000 + b"\r\n" + ENVELOPE + b".\r\nDATA\r\n"
        self.assertEqual([500, 503], self.codes(receiving, octets))
        dialogue, replies = self.heard(receiving, b"y" * 16_382 + b"\r\n.\r\n")
        self.assertEqual(["250 Ok, queued as id1"], replies)
        self.assertEqual([b"y" * 16_382 + b"\r\n"], dialogue.sender.contents)

    def test_no_end_of_content(self) -> None:
        """Nothing but CRLF, dot, CRLF ends the content; lone newlines are refused."""
        for octets in (b"a\n.\r\n", b"a\r.\r\n", b"a\n.\n", b"a\r\n.\n", b"\n.\r\n", b"\r.\r\n"):
            self.assertEqual([550], self.codes(receiving, octets + b"QUIT\r\n.\r\n"), octets)

    def test_dots(self) -> None:
        """Dots that were added for the way are taken away."""
        for octets, content in (
            (b"", b""), (b"..\r\n", b".\r\n"), (b".x\r\n", b"x\r\n"),
            (b"a\r\n..\r\n.x\r\n...\r\n", b"a\r\n.\r\nx\r\n..\r\n"),
        ):  # fmt: skip
            dialogue, _ = self.heard(receiving, octets + b".\r\n")
            self.assertEqual([content], dialogue.sender.contents)

    def test_size(self) -> None:
        """A size over the limit is refused at MAIL where it was declared, else after the dot."""
        self.assertEqual(
            [552, 250], self.codes(small, b"MAIL FROM:<> SIZE=201\r\nMAIL FROM:<> SIZE=200\r\n")
        )
        octets = b"12345678\r\n" * 20
        self.assertEqual([250, 250, 354, 250], self.codes(small, ENVELOPE + octets + b".\r\n"))
        self.assertEqual(
            [250, 250, 354, 552, 250],
            self.codes(small, ENVELOPE + octets * 2 + b".\r\nMAIL FROM:<>\r\n"),
        )

    def test_parameters(self) -> None:
        """Unknown parameters, repeated ones, and words that exclude each other."""
        self.assertEqual(
            [555, 501, 250, 501],
            self.codes(
                logged_in,
                b"MAIL FROM:<> FOO=BAR\r\nMAIL FROM:<> SIZE=1 SIZE=1\r\n"
                b"MAIL FROM:<>\r\nRCPT TO:<a@b> NOTIFY=NEVER,SUCCESS\r\n",
            ),
        )

    def test_addresses(self) -> None:
        """Odd addresses, good and bad."""
        for path, code in (
            (b'"a\nb"@c', 500), (b"a@[192.0.2.1]", 250), (b"a", 501), (b"", 250),
            ("ü@example.org".encode(), 553), ("ü@example.org".encode("latin-1"), 500),
            (b"@a", 501),
        ):  # fmt: skip
            self.assertEqual([code], self.codes(logged_in, b"MAIL FROM:<" + path + b">\r\n"), path)

    def test_every_octet(self) -> None:
        """Each octet from 0 to 255 as a command has a reply."""
        for octet in range(256):
            self.assertEqual([500], self.codes(secured, bytes([octet]) + b"\r\n"), octet)
