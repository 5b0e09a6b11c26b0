"""One session: interleavings, clients that vanish or do not read, and the end of the service."""

from __future__ import annotations

import base64
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.interfaces import IHandshakeListener, IPushProducer
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from smtpeter.smtp.server import HIGH_WATER_OCTETS, REPLIES_TOGETHER
from tests.cutting import pieces
from tests.dialogue import (
    BUFFER_OCTETS,
    ENVELOPE,
    MESSAGE,
    PLAIN,
    Dialogue,
    logged_in,
    receiving,
    secured,
)

LOGIN = PLAIN.encode() + b"\r\n"
WRONG = b"AUTH PLAIN " + base64.b64encode(b"\0noor\0password") + b"\r\n"
SHUTTING_DOWN = "421 4.3.2 Service shutting down, try again later"

SCRIPTS = st.lists(
    st.sampled_from(
        [
            LOGIN, LOGIN, LOGIN, WRONG, b"AUTH LOGIN\r\n", b"bm9vcg==\r\n", b"cGFzcyB3b3Jk\r\n",
            ENVELOPE + MESSAGE + b".\r\n", ENVELOPE + b"a\nb\r\n.\r\n", ENVELOPE, MESSAGE, b".\r\n",
            b"MAIL FROM:<>\r\n", b"RCPT TO:<a@b>\r\n", b"DATA\r\n", b"RSET\r\n", b"NOOP\r\n",
            b"EHLO desk\r\n", b"FOO\r\n", b"x" * 600 + b"\r\n", b"QUIT\r\n",
        ]
    ),
    max_size=12,
).map(b"".join)  # fmt: skip
COMMANDS = st.lists(
    st.sampled_from(
        [b"NOOP", b"FOO", b"RSET", b"EHLO x", b"MAIL FROM:<>", b"RCPT TO:<a@b>", b"DATA x", LOGIN]
    ).map(bytes.strip),
    max_size=9,
)
CUTS = st.lists(st.integers(1, 1200), max_size=12)
ANSWERS = st.lists(st.integers(0, 2), min_size=14, max_size=14)


def run(script: bytes, cuts: list[int], answers: Iterable[int]) -> Dialogue:
    """A dialogue in which logins and the store answer so many at a time between the pieces."""
    dialogue = secured()
    gates = (dialogue.checker.gate, dialogue.sender.gate)
    for gate in gates:
        gate.closed = True
    for piece, count in zip(pieces(script, cuts), answers, strict=False):
        dialogue.send(piece)
        for _ in range(count):
            for gate in gates:
                if gate.waiting:
                    gate.let_one()
    return dialogue


def let_all(dialogue: Dialogue) -> None:
    while dialogue.checker.gate.waiting or dialogue.sender.gate.waiting:
        dialogue.checker.gate.let_all()
        dialogue.sender.gate.let_all()


class InterleavingTests(SynchronousTestCase):
    """Whatever comes when, the replies are the same."""

    @given(SCRIPTS, CUTS, ANSWERS)
    def test_same_replies(self, script: bytes, cuts: list[int], answers: list[int]) -> None:
        """Held back and cut anyhow, a script has the replies that it has at once in one piece."""
        at_once = secured()
        at_once.send(script)
        later = run(script, cuts, answers)
        let_all(later)
        self.assertEqual(at_once.replies(), later.replies())
        self.assertEqual(at_once.closed, later.closed)
        self.assertEqual(at_once.sender.submissions, later.sender.submissions)
        self.assertEqual(at_once.checker.asked, later.checker.asked)
        self.assertEqual("producing", later.transport.producerState)

    @given(COMMANDS)
    def test_one_reply_each(self, commands: list[bytes]) -> None:
        """Each command has exactly one reply."""
        dialogue = secured()
        dialogue.send(b"".join(command + b"\r\n" for command in commands))
        self.assertEqual(len(commands), len(dialogue.replies()))

    @given(SCRIPTS, CUTS, ANSWERS)
    def test_lost_at_any_point(self, script: bytes, cuts: list[int], answers: list[int]) -> None:
        """A connection that is lost leaves no room taken, nobody logged in and no timer."""
        dialogue = run(script, cuts, answers)
        dialogue.transport.write = self.fail  # type: ignore[assignment]
        dialogue.lose()
        pending = dialogue.sender.gate.waiting
        held = sum(each.content.octets for each in dialogue.sender.submissions) if pending else 0
        self.assertLessEqual(dialogue.budget.used_octets, held)
        let_all(dialogue)
        self.assertEqual(0, dialogue.budget.used_octets)
        self.assertEqual(len(dialogue.login_limit.successes), dialogue.realm.logouts)
        self.assertEqual([], dialogue.clock.getDelayedCalls())
        self.assertEqual(1, dialogue.ended)

    def test_replies_leave_together(self) -> None:
        """Replies to commands that came together are written in one piece."""
        dialogue = logged_in()
        writes = dialogue.transport.writes
        dialogue.send(ENVELOPE)
        self.assertEqual(writes + 1, dialogue.transport.writes)

    def test_lost_while_storing(self) -> None:
        """A message that is being stored is stored, and holds its room until then."""
        dialogue = receiving()
        dialogue.sender.gate.closed = True
        dialogue.send(MESSAGE + b".\r\n")
        dialogue.lose()
        self.assertEqual(len(MESSAGE), dialogue.budget.used_octets)
        dialogue.sender.gate.let_one()
        self.assertEqual(0, dialogue.budget.used_octets)

    def test_room_is_what_is_held(self) -> None:
        """Content that is refused gives its room back before its end has come."""
        dialogue = receiving()
        dialogue.send(MESSAGE)
        self.assertEqual(len(MESSAGE) - 2, dialogue.budget.used_octets)
        dialogue.send(b"a\nb")
        self.assertEqual(0, dialogue.budget.used_octets)

    def test_quit_while_storing(self) -> None:
        """QUIT behind content is obeyed after the content; what follows it is not."""
        dialogue = receiving()
        dialogue.sender.gate.closed = True
        dialogue.send(MESSAGE + b".\r\nQUIT\r\nNOOP\r\n")
        dialogue.sender.gate.let_one()
        self.assertEqual(["250 Ok, queued as id1", "221 Bye"], dialogue.replies())

    def test_many_transactions(self) -> None:
        """The reply to the last transaction of a session is followed by the farewell."""
        dialogue = logged_in(max_transactions=2)
        dialogue.say("MAIL FROM:<>", "RSET")
        dialogue.send(ENVELOPE + MESSAGE + b".\r\n")
        self.assertEqual([250, 250, 354, 250], dialogue.codes())
        dialogue.send(ENVELOPE + MESSAGE + b".\r\nNOOP\r\n")
        self.assertEqual(
            [
                "250 Ok, queued as id2",
                "421 4.7.0 Too many messages in one session, connect again",
            ],
            dialogue.replies()[3:],
        )
        self.assertTrue(dialogue.closed)

    def test_errors_are_forgiven(self) -> None:
        """A message that is accepted shows a sane client: errors are counted anew."""
        dialogue = logged_in(max_errors=2)
        for _ in range(3):
            dialogue.say("FOO", "FOO")
            dialogue.send(ENVELOPE + MESSAGE + b".\r\n")
            self.assertEqual(250, dialogue.codes()[-1])
        self.assertEqual("421", dialogue.say("FOO", "FOO", "FOO")[-1][:3])

    def test_bad_addresses_are_no_errors(self) -> None:
        """Bad addresses are the message's fault: its other recipients get their mail."""
        dialogue = logged_in(max_errors=2)
        dialogue.say("MAIL FROM:<>", *["RCPT TO:<a@b..c>"] * 20, "RCPT TO:<a@b>", "DATA")
        dialogue.send(MESSAGE + b".\r\n")
        self.assertEqual([250], dialogue.codes())

    def test_interfaces(self) -> None:
        """A session is what the transport takes it for."""
        server = Dialogue().server
        self.assertTrue(verifyObject(IPushProducer, server))
        self.assertTrue(verifyObject(IHandshakeListener, server))


class UnreadTests(SynchronousTestCase):
    """Clients that write and do not read."""

    def test_replies_nobody_reads(self) -> None:
        """A client that never reads is not read either: nothing grows without limit."""
        for line in (b"NOOP\r\n", b"EHLO x\r\n", b"FOO\r\n", b"HELP\r\n"):
            dialogue = secured(max_errors=10**9)
            sent = 0
            while dialogue.transport.producerState == "producing":
                dialogue.send(line * 1000)
                sent += 1000
                self.assertLess(sent, 1_000_000)
            self.assertLess(dialogue.transport.greatest_octets, BUFFER_OCTETS * 1.5)
            self.assertLess(dialogue.server._lines.pending_octets, HIGH_WATER_OCTETS * 1.5)
            replies = 0
            while more := len(dialogue.replies()):
                replies += more
            self.assertEqual(sent, replies)
            self.assertEqual("producing", dialogue.transport.producerState)

    def test_content_behind_replies_nobody_reads(self) -> None:
        """Commands and content that wait for the client to read are taken in their order."""
        dialogue = logged_in()
        octets = b"HELP\r\n" * 1500 + ENVELOPE + MESSAGE
        dialogue.send(octets)
        dialogue.send(MESSAGE + b".\r\n")
        dialogue.send(b"QUIT\r\n")
        replies: list[str] = []
        while more := dialogue.replies():
            replies += more
        self.assertEqual([354, 250, 221], [int(reply[:3]) for reply in replies[-3:]])
        self.assertEqual([MESSAGE * 2], dialogue.sender.contents)

    def test_content_waits_in_order(self) -> None:
        """When the transport is full just behind DATA, content does not overtake content."""
        dialogue = logged_in()
        while len(dialogue.transport.value()) < BUFFER_OCTETS - 1000:
            dialogue.send(b"HELP\r\n")
        commands = b"HELP\r\n" * (REPLIES_TOGETHER - 3) + ENVELOPE
        dialogue.send(commands + b"Subject: one\r\n")
        self.assertGreater(dialogue.server._lines.pending_octets, 0)
        dialogue.send(b"\r\ntwo\r\n.\r\n")
        dialogue.replies()
        self.assertEqual([250], dialogue.codes())
        self.assertEqual([b"Subject: one\r\n\r\ntwo\r\n"], dialogue.sender.contents)

    def test_time_of_a_client_that_does_not_read(self) -> None:
        """It is hung up on like one that says nothing, and cut off when that does not help."""
        dialogue = secured()
        while dialogue.transport.producerState == "producing":
            dialogue.send(b"HELP\r\n" * 1000)
        dialogue.clock.pump([10] * 30)
        self.assertTrue(dialogue.closed)
        self.assertFalse(dialogue.transport.disconnected)
        dialogue.clock.advance(10)
        self.assertTrue(dialogue.transport.disconnected)

    def test_heard_out(self) -> None:
        """A client that is hung up on while it sends is read on, for a while, and not obeyed."""
        dialogue = secured(max_errors=1)
        dialogue.send(b"FOO\r\n" * 50_000)
        self.assertEqual(["500", "421"], [reply[:3] for reply in dialogue.replies()])
        self.assertTrue(dialogue.transport.hearing_out)
        self.assertEqual("producing", dialogue.transport.producerState)
        dialogue.send(b"NOOP\r\n")
        self.assertEqual([], dialogue.replies())
        dialogue.clock.advance(10)
        self.assertTrue(dialogue.transport.disconnected)

    def test_heard_out_after_a_pause(self) -> None:
        """Also when it was not read for a while, because we owed it a reply."""
        dialogue = receiving(max_errors=1)
        dialogue.sender.gate.closed = True
        dialogue.send(MESSAGE + b".\r\n" + b"FOO\r\n" * 50_000)
        self.assertEqual("paused", dialogue.transport.producerState)
        dialogue.sender.gate.let_one()
        self.assertEqual([250, 500, 421], dialogue.codes())
        self.assertEqual("producing", dialogue.transport.producerState)

    def test_who_waits_is_dismissed(self) -> None:
        """After QUIT and after silence there is nothing to hear."""
        for said in ([], ["QUIT"]):
            dialogue = secured()
            dialogue.say(*said)
            dialogue.clock.pump([10] * 30)
            self.assertTrue(dialogue.closed)
            self.assertFalse(dialogue.transport.hearing_out)

    def test_farewell(self) -> None:
        """Whoever was hung up on and does not go is cut off after a while."""
        dialogue = secured()
        dialogue.say("QUIT")
        dialogue.clock.advance(9.9)
        self.assertFalse(dialogue.transport.disconnected)
        dialogue.clock.advance(0.1)
        self.assertTrue(dialogue.transport.disconnected)
        dialogue.lose()
        self.assertEqual([], dialogue.clock.getDelayedCalls())


class DrainTests(SynchronousTestCase):
    """The service stops."""

    def test_idle(self) -> None:
        """A session between commands is told and closed at once."""
        for dialogue in (Dialogue(), logged_in()):
            dialogue.server.drain()
            self.assertEqual([SHUTTING_DOWN], dialogue.replies())
            self.assertTrue(dialogue.closed)

    def test_content(self) -> None:
        """Content that has begun is received and stored, then the session ends."""
        dialogue = receiving()
        dialogue.sender.gate.closed = True
        dialogue.server.drain()
        dialogue.send(MESSAGE + b".\r\n")
        dialogue.send(b"NOOP\r\n")
        dialogue.server.drain()
        self.assertFalse(dialogue.closed)
        dialogue.sender.gate.let_one()
        self.assertEqual(["250 Ok, queued as id1", SHUTTING_DOWN], dialogue.replies())
        self.assertTrue(dialogue.closed)

    def test_login(self) -> None:
        """A login that is being checked is answered first."""
        dialogue = secured()
        dialogue.checker.gate.closed = True
        dialogue.say(PLAIN)
        dialogue.server.drain()
        dialogue.checker.gate.let_one()
        self.assertEqual(["235 Welcome back", SHUTTING_DOWN], dialogue.replies())

    def test_closed_already(self) -> None:
        """A session that is closing has said its last word."""
        dialogue = secured()
        dialogue.say("QUIT")
        dialogue.server.drain()
        self.assertEqual([], dialogue.replies())
