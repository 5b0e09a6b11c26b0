"""
Traps in which other SMTP servers were caught: order, buffering, TLS, lines.

Each test is one trap. Most come from `twisted.mail.smtp`, which this server does not use.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.smtp.server import HIGH_WATER_OCTETS
from smtpeter.smtp.wire import OVERLONG_OCTETS
from tests.dialogue import ENVELOPE, MESSAGE, PLAIN, Dialogue, logged_in, receiving, secured
from tests.fakes import Gate

QUEUED = "250 Ok, queued as id1"


class OrderTests(SynchronousTestCase):
    """Replies come in the order of the commands, whatever takes its time."""

    def test_replies_overtake_each_other(self) -> None:
        """What is pipelined behind a slow login is answered after it."""
        dialogue = secured()
        dialogue.checker.gate.closed = True
        dialogue.send(PLAIN.encode() + b"\r\n" + ENVELOPE)
        self.assertEqual([], dialogue.replies())
        dialogue.checker.gate.let_one()
        self.assertEqual([235, 250, 250, 354], dialogue.codes())

    def test_recipient_of_a_transaction_given_up(self) -> None:
        """A recipient named before RSET is in no later message."""
        dialogue = logged_in()
        dialogue.send(ENVELOPE.replace(b"DATA", b"RSET"))
        dialogue.send(ENVELOPE.replace(b"kees", b"anna") + MESSAGE + b".\r\n")
        self.assertEqual([250, 250, 250, 250, 250, 354, 250], dialogue.codes())
        self.assertEqual([["anna@mailbox.example"]], dialogue.sender.recipients)

    def test_next_command_before_the_message_is_stored(self) -> None:
        """MAIL and QUIT behind the final dot wait until the message is safe."""
        dialogue = receiving()
        dialogue.sender.gate.closed = True
        dialogue.send(MESSAGE + b".\r\nMAIL FROM:<>\r\nQUIT\r\n")
        self.assertEqual([], dialogue.replies())
        self.assertFalse(dialogue.closed)
        dialogue.sender.gate.let_one()
        self.assertEqual([QUEUED, "250 Sender OK", "221 Bye"], dialogue.replies())
        self.assertTrue(dialogue.closed)

    def test_login_while_a_login_is_pending(self) -> None:
        """A second AUTH behind a slow one is judged after it: already authenticated."""
        dialogue = secured()
        dialogue.checker.gate.closed = True
        dialogue.send(f"{PLAIN}\r\n{PLAIN}\r\n".encode())
        dialogue.checker.gate.let_one()
        self.assertEqual(
            ["235 Welcome back", "503 5.5.1 Already authenticated"], dialogue.replies()
        )
        self.assertEqual(1, len(dialogue.checker.asked))

    def test_server_cannot_pause(self) -> None:
        """A client that sends ahead of a slow store is held back by the transport."""
        dialogue = receiving()
        dialogue.sender.gate.closed = True
        dialogue.send(MESSAGE + b".\r\n")
        sent = ENVELOPE + MESSAGE * 2000 + b".\r\n"
        pieces = [sent[start : start + 1000] for start in range(0, len(sent), 1000)]
        while dialogue.transport.producerState == "producing":
            dialogue.send(pieces.pop(0))
        self.assertLessEqual(dialogue.server._lines.pending_octets, HIGH_WATER_OCTETS + 1000)
        dialogue.sender.gate.let_one()
        self.assertEqual("producing", dialogue.transport.producerState)
        dialogue.send(b"".join(pieces))
        dialogue.sender.gate.let_one()
        self.assertEqual([250, 250, 250, 354, 250], dialogue.codes())
        self.assertEqual([MESSAGE, MESSAGE * 2000], dialogue.sender.contents)


class TlsTests(SynchronousTestCase):
    """STARTTLS."""

    def test_commands_behind_starttls(self) -> None:
        """What came in the clear behind STARTTLS is obeyed neither in the clear nor inside TLS."""
        for behind in (b"MAIL FROM:<>\r\n", b"EHLO x\r\n", b"N"):
            dialogue = secured(implicit_tls=False)
            dialogue.send(b"STARTTLS\r\n" + behind)
            self.assertEqual([554], dialogue.codes())
            self.assertTrue(dialogue.closed)
            self.assertFalse(dialogue.tls_started)
            dialogue.send(b"QUIT\r\n")
            self.assertEqual([], dialogue.replies())

    def test_state_of_the_clear_part(self) -> None:
        """EHLO is said again inside TLS, and STARTTLS is offered no more."""
        dialogue = secured(implicit_tls=False)
        self.assertEqual(["220 Ready to start TLS"], dialogue.say("STARTTLS"))
        self.assertTrue(dialogue.tls_started)
        self.assertEqual(["503 5.5.1 Send EHLO first"] * 2, dialogue.say("MAIL FROM:<>", PLAIN))
        (hello,) = dialogue.say("EHLO desk")
        self.assertNotIn("STARTTLS", hello)
        self.assertIn("AUTH PLAIN LOGIN", hello)
        self.assertEqual(["503 5.5.1 Already in a secure connection"], dialogue.say("STARTTLS"))

    def test_starttls_with_argument(self) -> None:
        """STARTTLS takes no argument, and is not offered where TLS came first."""
        dialogue = secured(implicit_tls=False)
        self.assertEqual([501], [int(each[:3]) for each in dialogue.say("STARTTLS now")])
        self.assertFalse(dialogue.tls_started)
        (hello,) = Dialogue().say("EHLO desk")
        self.assertNotIn("STARTTLS", hello)


class LineTests(SynchronousTestCase):
    """Lines, and what is no line."""

    def test_line_without_end(self) -> None:
        """A line without end is answered once, kept nowhere, and hung up on."""
        dialogue = secured()
        for _ in range(1024):
            dialogue.send(b"x" * 1024)
            self.assertLessEqual(dialogue.server._lines.pending_octets, 1024)
        self.assertEqual(["500 5.5.2 Line too long"], dialogue.replies())
        self.assertTrue(dialogue.closed)

    def test_long_line(self) -> None:
        """A command that is too long is answered once, and the next one is obeyed."""
        dialogue = secured()
        self.assertEqual(
            ["500 5.5.2 Line too long", "250 Ok"], dialogue.say("NOOP " + "x" * 506, "NOOP")
        )
        self.assertEqual(["250 Ok", "250 Ok"], dialogue.say("NOOP " + "x" * 505, "NOOP"))
        self.assertEqual(["500 5.5.2 Line too long"], dialogue.say("x" * (OVERLONG_OCTETS - 10)))
        self.assertFalse(dialogue.closed)

    def test_long_line_of_content(self) -> None:
        """Behind a content line that is too long the rest of the content is no command."""
        dialogue = receiving()
        dialogue.send(b"Subject: x\r\n\r\n" + b"y" * 20_000 + b"\r\n" + ENVELOPE + b"evil\r\n.\r\n")
        self.assertEqual(
            ["500 5.6.0 Message has a line that is too long (the limit is 16384 octets)"],
            dialogue.replies(),
        )
        self.assertEqual([], dialogue.sender.submissions)
        self.assertEqual(["503 5.5.1 Need RCPT command first"], dialogue.say("DATA"))

    def test_lone_newlines(self) -> None:
        """A lone CR or LF is no blank in a command, and no line end in content."""
        dialogue = logged_in()
        for bad in ("NOOP\nNOOP", "NO\rOP", 'MAIL FROM:<"a\nb"@c>'):
            self.assertEqual(
                ["500 5.5.2 Syntax error, lines must end with CRLF"], dialogue.say(bad)
            )
        for lines in (b"\n.\r\n", b"\r.\r\n", b"\n.\n", b"\r\n.\n", b"a\nb", b"a\rb"):
            dialogue.send(ENVELOPE + MESSAGE + lines)
            self.assertEqual([250, 250, 354], dialogue.codes(), lines)
            dialogue.send(b"MAIL FROM:<evil@shop.example>\r\n.\r\n")
            self.assertEqual(
                ["550 5.6.0 Message has a CR or LF that stands alone"], dialogue.replies(), lines
            )
        self.assertEqual([], dialogue.sender.submissions)

    def test_lone_newlines_normalised(self) -> None:
        """Where the operator wants it, they become CRLF before anything else sees them."""
        dialogue = receiving(normalise=True)
        dialogue.send(b"Subject: x\n\na\r.\n..\r\n..\r\n.\r\n")
        self.assertEqual([QUEUED], dialogue.replies())
        self.assertEqual([b"Subject: x\r\n\r\na\r\n.\r\n..\r\n.\r\n"], dialogue.sender.contents)

    def test_odd_input(self) -> None:
        """No octet makes us drop the connection without a reply, or log a traceback."""
        for octet in range(256):
            dialogue = secured()
            dialogue.send(bytes([octet]) + b"\r\nEHLO\r\nAUTH\r\nAUTH \xff\r\n")
            self.assertEqual([500, 501, 501, 500], dialogue.codes(), octet)
            self.assertFalse(dialogue.closed)

    def test_fault_of_ours(self) -> None:
        """A fault of ours while a command is obeyed is answered, counted and logged once."""
        dialogue = logged_in(max_errors=1)
        dialogue.sender.gate = Gate()
        dialogue.server._session.begin = None  # type: ignore[assignment, method-assign]
        for reply in ("451 4.3.0 Internal error, try again later", "421 4.7.0 Too many errors"):
            self.assertEqual([reply], dialogue.say("MAIL FROM:<>"))
            self.assertEqual(1, len(self.flushLoggedErrors(TypeError)))
        self.assertTrue(dialogue.closed)
