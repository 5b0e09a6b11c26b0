"""One outbound connection."""

from __future__ import annotations

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.content import BLOCK_OCTETS, Content
from smtpeter.message.outcome import Verdict
from smtpeter.smtp.opening import Credentials
from tests.smtp.outbound import ON_THE_WIRE, ONE, SETTINGS, TWO, Remote, Sending

LARGE = Content.from_octets(b"Subject: x\r\n\r\n" + b".dots\r\n" * (3 * BLOCK_OCTETS // 7))
LOGIN = evolve(SETTINGS, credentials=Credentials("ria", "secret"), auth_in_clear=True)

# What a server says after the client has said nothing, EHLO, MAIL and so on, and where the
# client then stands.
OPENING = [("220 hi", "ehlo"), ("250-x\r\n250 AUTH PLAIN", "authplain"), ("235 ok", "")]
MESSAGE = [("250 ok", "rcptto"), ("250 ok", "rcptto"), ("250 ok", "data"), ("354 go", "message")]


def opened(steps: int) -> Remote:
    """A connection whose opening has come so many steps far."""
    remote = Remote(LOGIN)
    for line, _ in OPENING[:steps]:
        remote.says(line)
    return remote


def under_way(steps: int, *extensions: str) -> tuple[Remote, Sending]:
    """A message to two that has come so many steps far."""
    remote = Remote.greeted(*extensions)
    sending = Sending(remote, TWO)
    for line, _ in MESSAGE[:steps]:
        remote.says(line)
    return remote, sending


OPENING_STATES = ["intro", *(state for _, state in OPENING[:-1])]
MESSAGE_STATES = ["mailfrom", *(state for _, state in MESSAGE)]


class LostTests(SynchronousTestCase):
    """The server hangs up."""

    def test_while_opening(self) -> None:
        """Wherever the connection is lost, `ready` fails and names the point."""
        for steps, state in enumerate(OPENING_STATES):
            remote = opened(steps)
            remote.hangs_up()
            outcome = remote.failure.outcome
            self.assertEqual(
                (Verdict.DEFERRED, "lost", state), (outcome.verdict, outcome.type, outcome.state)
            )

    def test_during_a_message(self) -> None:
        """Wherever the connection is lost, each recipient has an outcome that names the point."""
        for extensions in ((), ("PIPELINING",)):
            for steps, state in enumerate(MESSAGE_STATES):
                remote, sending = under_way(steps, *extensions)
                remote.hangs_up()
                self.assertEqual([("deferred", "lost", state, 0)] * 2, sending.told)
                self.assertEqual(steps > 0, remote.client.mail_answered)
                self.assertEqual([], remote.clock.getDelayedCalls())

    def test_refusals_stay(self) -> None:
        """A recipient who had been refused stays so when the connection is lost."""
        remote = Remote.greeted()
        sending = Sending(remote, TWO)
        remote.says("250 ok")
        remote.says("550 no")
        remote.hangs_up()
        self.assertEqual(
            [("failed", "error", "rcptto", 550), ("deferred", "lost", "rcptto", 0)], sending.told
        )

    def test_during_large_content(self) -> None:
        """A connection that is lost in the middle of the content ends the attempt."""
        remote = Remote.greeted("PIPELINING")
        sending = Sending(remote, ONE, LARGE)
        remote.transport.full = True
        remote.says("250 ok", "250 ok", "354 go")
        remote.transport.producers[0].stopProducing()
        remote.hangs_up()
        self.assertEqual([("deferred", "lost", "message", 0)], sending.told)

    def test_not_connected(self) -> None:
        """What is sent over a closed connection comes back at once."""
        remote = Remote.greeted()
        remote.hangs_up()
        self.assertFalse(remote.client.usable)
        sending = Sending(remote, TWO)
        self.assertEqual([("deferred", "lost", "mailfrom", 0)] * 2, sending.told)
        self.assertFalse(remote.client.mail_answered)


class TimeoutTests(SynchronousTestCase):
    """The server says nothing."""

    def test_while_opening(self) -> None:
        """Each step of the opening ends after its time, and the connection is closed."""
        for steps, state in enumerate(OPENING_STATES):
            remote = opened(steps)
            remote.clock.advance(299)
            self.assertEqual([], remote.ready)
            remote.clock.advance(1)
            outcome = remote.failure.outcome
            self.assertEqual(("timeout", state), (outcome.type, outcome.state))
            self.assertTrue(remote.transport.disconnected)

    def test_during_a_message(self) -> None:
        """Each step of a message has the time that RFC 5321 asks for."""
        seconds = {"mailfrom": 300, "rcptto": 300, "data": 120, "message": 600}
        for steps, state in enumerate(MESSAGE_STATES):
            remote, sending = under_way(steps)
            remote.clock.advance(seconds[state] - 1)
            self.assertEqual([], sending.outcomes)
            remote.clock.advance(1)
            self.assertEqual([("deferred", "timeout", state, 0)] * 2, sending.told)
            self.assertTrue(remote.transport.disconnected)

    def test_block_of_content(self) -> None:
        """Large content that the server does not take in ends after the time for a block."""
        remote = Remote.greeted("PIPELINING")
        sending = Sending(remote, ONE, LARGE)
        remote.transport.full = True
        remote.says("250 ok", "250 ok", "354 go")
        remote.clock.advance(179)
        remote.transport.producers[0].resumeProducing()
        remote.clock.advance(179)
        self.assertEqual([], sending.outcomes)
        remote.clock.advance(1)
        self.assertEqual([("deferred", "timeout", "message", 0)], sending.told)

    def test_limit_of_the_opening(self) -> None:
        """A server that is just in time at each step is left after ten minutes."""
        remote = Remote(LOGIN)
        remote.clock.advance(290)
        remote.says("220 hi")
        remote.clock.advance(290)
        remote.says(OPENING[1][0])
        remote.clock.advance(20)
        self.assertEqual("timeout", remote.failure.outcome.type)

    def test_limit_of_a_message(self) -> None:
        """A message that takes more than an hour is given up."""
        remote = Remote.greeted()
        recipients = tuple(TWO.recipients[0] for _ in range(20))
        sending = Sending(remote, evolve(TWO, recipients=recipients))
        for _ in range(12):
            self.assertEqual([], sending.outcomes)
            remote.clock.advance(280)
            remote.says("250 ok")
        self.assertEqual([], sending.outcomes)
        remote.clock.advance(240)
        self.assertEqual({("deferred", "timeout", "rcptto", 0)}, set(sending.told))

    def test_idle(self) -> None:
        """An idle connection has no deadline of its own, and the next message a new one."""
        remote = Remote.greeted()
        remote.clock.advance(100_000)
        self.assertTrue(remote.client.usable)
        sending = Sending(remote)
        remote.clock.advance(299)
        self.assertEqual([], sending.outcomes)


class ServiceClosingTests(SynchronousTestCase):
    """421, at whatever point."""

    def test_while_opening(self) -> None:
        """A 421 ends the opening for now."""
        for steps, state in enumerate(OPENING_STATES):
            remote = opened(steps)
            remote.says("421 4.3.2 closing")
            outcome = remote.failure.outcome
            expected = (Verdict.DEFERRED, "error", state, 421)
            told = (outcome.verdict, outcome.type, outcome.state, outcome.code)
            self.assertEqual(expected, told)
            self.assertTrue(remote.transport.disconnected)

    def test_during_a_message(self) -> None:
        """A 421 defers all who have no outcome yet, and the connection is closed."""
        for extensions in ((), ("PIPELINING",)):
            for steps, state in enumerate(MESSAGE_STATES):
                remote, sending = under_way(steps, *extensions)
                remote.says("421 closing")
                self.assertEqual([("deferred", "error", state, 421)] * 2, sending.told)
                self.assertEqual(steps > 0, remote.client.mail_answered)
                self.assertTrue(remote.transport.disconnected)

    def test_refusals_stay(self) -> None:
        """A recipient who had been refused stays so."""
        remote = Remote.greeted("PIPELINING")
        sending = Sending(remote, TWO)
        remote.says("250 ok", "550 no", "421 closing")
        self.assertEqual(
            [("failed", "error", "rcptto", 550), ("deferred", "error", "rcptto", 421)],
            sending.told,
        )

    def test_while_idle(self) -> None:
        """A server that speaks while nothing is asked of it is about to close: so do we."""
        for words in ("421 idle too long", "2"):
            remote = Remote.greeted()
            remote.says(words)
            self.assertFalse(remote.client.usable)
            self.assertTrue(remote.transport.disconnected)

    def test_behind_the_last_reply(self) -> None:
        """A 421 in the packet of the last reply ends the connection, not the message."""
        remote, sending = under_way(4)
        remote.says("250 ok", "421 closing")
        self.assertEqual([("delivered", "", "message", 250)] * 2, sending.told)
        self.assertFalse(remote.client.usable)


class EarlyReplyTests(SynchronousTestCase):
    """A verdict before the end of the content."""

    def test_refused_while_sending(self) -> None:
        """The rest is not sent, the refusal counts, and the connection is closed."""
        remote = Remote.greeted("PIPELINING")
        sending = Sending(remote, ONE, LARGE)
        remote.transport.full = True
        remote.says("250 ok", "250 ok", "354 go")
        remote.heard()
        remote.says("552 5.3.4 too big")
        self.assertEqual([("failed", "error", "message", 552)], sending.told)
        self.assertTrue(remote.transport.disconnected)
        self.assertIsNone(remote.transport.producer)
        remote.transport.producers[0].resumeProducing()
        self.assertEqual(b"", remote.heard())

    def test_accepted_while_sending(self) -> None:
        """Nothing is delivered that was accepted before its end."""
        remote = Remote.greeted("PIPELINING")
        sending = Sending(remote, ONE, LARGE)
        remote.transport.full = True
        remote.says("250 ok", "250 ok", "354 go")
        remote.says("250 fine")
        self.assertEqual([("deferred", "invalid", "message", 0)], sending.told)

    def test_refused_before_sending(self) -> None:
        """A refusal in the packet of the 354 counts, and no content is sent."""
        remote = Remote.greeted("PIPELINING")
        sending = Sending(remote)
        remote.heard()
        remote.says("250 ok", "250 ok", "354 go", "451 4.7.1 on second thought")
        self.assertEqual(b"", remote.heard())
        self.assertEqual([("deferred", "error", "message", 451)], sending.told)
        self.assertTrue(remote.transport.disconnected)

    def test_answer_before_the_question(self) -> None:
        """A reply to a command that was not sent yet is no SMTP."""
        remote = Remote.greeted()
        sending = Sending(remote)
        remote.says("250 ok", "250 ok")
        self.assertEqual("invalid", sending.outcomes[0].type)
        self.assertTrue(remote.transport.disconnected)

    def test_more_than_a_greeting(self) -> None:
        """So is one behind the last reply of the opening."""
        remote = Remote()
        remote.says("220 hi")
        remote.says("250 hello", "250 ok")
        self.assertEqual("invalid", remote.failure.outcome.type)


class ReuseTests(SynchronousTestCase):
    """Several messages on one connection."""

    def deliver(self, remote: Remote) -> Sending:
        """One message that is accepted."""
        sending = Sending(remote)
        for reply in ("250 ok", "250 ok", "354 go", "250 ok"):
            remote.says(reply)
        return sending

    def test_no_reset_between(self) -> None:
        """After a delivered message the next begins with MAIL."""
        remote = Remote.greeted()
        for number in range(3):
            self.assertEqual([("delivered", "", "message", 250)], self.deliver(remote).told)
            self.assertEqual(number + 1, remote.client.transactions)
        self.assertNotIn(b"RSET", remote.heard())

    def test_reset_after_failure(self) -> None:
        """After a message that was not accepted the next begins with RSET."""
        for replies in (["550 no"], ["250 ok", "550 no"], ["250 ok", "250 ok", "451 no"],
                        ["250 ok", "250 ok", "354 go", "554 no"]):  # fmt: skip
            remote = Remote.greeted()
            Sending(remote)
            for reply in replies:
                remote.says(reply)
            remote.heard()
            sending = Sending(remote)
            self.assertEqual(b"RSET\r\n", remote.heard())
            remote.says("250 ok")
            self.assertEqual(b"MAIL FROM:<ria@shop.example>\r\n", remote.heard())
            for reply in ("250 ok", "250 ok", "354 go", "250 ok"):
                remote.says(reply)
            self.assertEqual([("delivered", "", "message", 250)], sending.told)

    def test_reset_is_not_forgotten(self) -> None:
        """A message that was not even offered does not do away with the RSET that is due."""
        remote = Remote.greeted("SIZE 100")
        Sending(remote)
        remote.says("550 no")
        Sending(remote, ONE, LARGE)
        remote.heard()
        Sending(remote)
        self.assertEqual(b"RSET\r\n", remote.heard())

    def test_reset_refused(self) -> None:
        """A server that refuses RSET is left; the message may go over another connection."""
        remote = Remote.greeted()
        Sending(remote)
        remote.says("550 no")
        sending = Sending(remote)
        remote.says("502 what?")
        self.assertEqual(Verdict.DEFERRED, sending.outcomes[0].verdict)
        self.assertFalse(remote.client.mail_answered)
        self.assertTrue(remote.transport.disconnected)

    def test_next_message_from_the_callback(self) -> None:
        """The next message may be sent at the moment when the last is through."""
        remote = Remote.greeted("PIPELINING")
        first = Sending(remote)
        following: list[Sending] = []
        first.sent.addCallback(lambda _: following.append(Sending(remote)))
        remote.says("250 ok", "250 ok", "354 go")
        remote.heard()
        remote.says("250 ok")
        self.assertTrue(remote.heard().startswith(b"MAIL FROM"))
        remote.says("250 ok", "550 no", "503 no")
        self.assertEqual([("failed", "error", "rcptto", 550)], following[0].told)

    def test_busy(self) -> None:
        """While a message is under way the connection is not usable for another."""
        remote = Remote.greeted()
        Sending(remote)
        self.assertFalse(remote.client.usable)
        remote.says("550 no")
        self.assertTrue(remote.client.usable)


class ContentTests(SynchronousTestCase):
    """How content leaves."""

    def test_small_in_one_write(self) -> None:
        """Small content and its end leave in one write."""
        remote = Remote.greeted("PIPELINING")
        Sending(remote)
        remote.says("250 ok", "250 ok", "354 go")
        self.assertEqual(ON_THE_WIRE, remote.transport.writes[-1])

    def test_at_the_pace_of_the_transport(self) -> None:
        """No block of large content is written while the transport is full."""
        remote = Remote.greeted("PIPELINING")
        sending = Sending(remote, ONE, LARGE)
        remote.transport.full = True
        remote.heard()
        remote.says("250 ok", "250 ok", "354 go")
        heard = [remote.heard()]
        while remote.transport.producer is not None:
            remote.transport.producers[0].resumeProducing()
            heard.append(remote.heard())
        blocks = len(LARGE.blocks)
        self.assertEqual(4, blocks)
        self.assertIn(len(heard), (blocks, blocks + 1))
        self.assertTrue(all(len(each) < 2 * BLOCK_OCTETS for each in heard))
        self.assertEqual(bytes(LARGE).replace(b"\r\n.", b"\r\n..") + b".\r\n", b"".join(heard))
        remote.says("250 ok")
        self.assertEqual([("delivered", "", "message", 250)], sending.told)

    def test_large_blocks_cut_anywhere(self) -> None:
        """However the content is held in blocks, the octets on the wire are the same."""
        octets = b"Subject: x\r\n\r\n.\r\n..\r\nMAIL FROM:<a@b.example>\r\n.\r\n.a\r\n"
        filling = b"x" * 70_000 + b"\r\n"
        seen = set()
        for cut in range(14, len(octets) + 1):
            for tail in (filling, b""):
                remote = Remote.greeted("PIPELINING")
                Sending(remote, ONE, Content.from_blocks([octets[:cut], octets[cut:] + tail]))
                remote.says("250 ok", "250 ok", "354 go")
                seen.add(remote.heard().removesuffix(b".\r\n").removesuffix(tail))
        self.assertEqual(1, len(seen))


class EndTests(SynchronousTestCase):
    """Leaving."""

    def test_quit(self) -> None:
        """An idle connection says QUIT, waits for the reply, and closes."""
        remote = Remote.greeted()
        gone = remote.client.quit()
        self.assertFalse(remote.client.usable)
        self.assertEqual(b"QUIT\r\n", remote.heard())
        remote.says("221 bye")
        self.assertTrue(remote.transport.disconnecting)
        self.assertFalse(remote.transport.disconnected)
        self.assertNoResult(gone)
        remote.hangs_up()
        self.assertIsNone(self.successResultOf(gone))
        self.assertEqual([], remote.clock.getDelayedCalls())

    def test_quit_from_the_callback(self) -> None:
        """A connection may be left at the moment when its message is through."""
        remote, sending = under_way(4)
        leaving = sending.sent.addCallback(lambda _: [remote.client.quit()])
        remote.says("250 ok")
        (gone,) = self.successResultOf(leaving)
        self.assertNoResult(gone)
        self.assertTrue(remote.heard().endswith(b"QUIT\r\n"))
        remote.hangs_up()
        self.successResultOf(gone)

    def test_quit_unanswered(self) -> None:
        """A server that does not answer QUIT, or does not close, is left after seconds."""
        for answers in ([], ["221 bye"]):
            remote = Remote.greeted()
            gone = remote.client.quit()
            remote.says(*answers)
            remote.clock.advance(5)
            self.assertTrue(remote.transport.disconnected)
            self.successResultOf(gone)

    def test_quit_while_busy(self) -> None:
        """QUIT cannot wait for a message: it is given up."""
        remote, sending = under_way(1)
        self.successResultOf(remote.client.quit())
        self.assertEqual([("deferred", "lost", "rcptto", 0)] * 2, sending.told)
        self.assertTrue(remote.transport.disconnected)

    def test_abort(self) -> None:
        """A message that is given up has its outcomes at once, and only once."""
        remote, sending = under_way(2)
        remote.client.abort()
        remote.client.abort()
        remote.hangs_up()
        remote.client.abort()
        self.assertEqual([("deferred", "lost", "rcptto", 0)] * 2, sending.told)

    def test_cancel(self) -> None:
        """Cancelling a message gives it up, and is no failure."""
        remote, sending = under_way(2)
        sending.sent.cancel()
        self.assertEqual([("deferred", "lost", "rcptto", 0)] * 2, sending.told)
        self.assertTrue(remote.transport.disconnected)

    def test_cancel_opening(self) -> None:
        """Cancelling `ready` closes the connection."""
        remote = Remote()
        remote.client.ready.cancel()
        self.assertEqual("lost", remote.failure.outcome.type)
        self.assertTrue(remote.transport.disconnected)


def conversation(octet_by_octet: bool, extensions: str, replies: list[str]) -> object:  # noqa: FBT001
    """All that comes of a server that says these things, however it says them."""
    remote = Remote(octet_by_octet=octet_by_octet)
    remote.says("220-hi", "220 there")
    remote.says("250-mx", f"250 {extensions}")
    told = []
    for _ in range(2):
        sending = Sending(remote, TWO)
        for reply in replies:
            remote.says(reply)
        told.append(sending.told)
    return remote.heard(), told, remote.client.usable, remote.transport.disconnected


GOOD = ["250 2.0.0 ok", "250-a\r\n250 b", "354 go"]
BAD = ["421 bye", "450 later", "550-5.1.1 no\r\n550 5.1.1 no", "552 big", "503 what?"]
WRONG = ["xyz", "250-a\r\n550 b"]
REPLIES = st.sampled_from([*GOOD, *BAD, *WRONG])


class SplitTests(SynchronousTestCase):
    """Replies in pieces."""

    @given(st.sampled_from(["PIPELINING", "SIZE 1000", "DSN"]), st.lists(REPLIES, max_size=6))
    def test_pieces_make_no_difference(self, extensions: str, replies: list[str]) -> None:
        """Whatever a server says, whole or octet by octet, it gets and causes the same."""
        self.assertEqual(
            conversation(False, extensions, replies),
            conversation(True, extensions, replies),
        )

    @given(st.lists(REPLIES | st.text(max_size=5), max_size=8))
    def test_every_recipient_has_one_outcome(self, replies: list[str]) -> None:
        """Whatever a server says before it hangs up, each recipient has one outcome."""
        remote = Remote.greeted("PIPELINING")
        sending = Sending(remote, TWO)
        for reply in replies:
            remote.says(reply)
        remote.hangs_up()
        self.assertEqual(2, len(sending.outcomes))
        self.assertTrue(all(each.status or each.code == 250 for each in sending.outcomes))
