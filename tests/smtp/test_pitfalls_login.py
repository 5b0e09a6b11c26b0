"""Traps in which other SMTP servers were caught: logins, time, construction."""

from __future__ import annotations

import base64
import subprocess
import sys

from twisted.cred.error import LoginDenied
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.accounts.interfaces import CheckUnavailable
from smtpeter.smtp.wire import AUTH_OCTETS
from tests.dialogue import ENVELOPE, MESSAGE, PLAIN, Dialogue, logged_in, receiving, secured
from tests.fakes import PASSWORD, AvatarId

INVALID = "535 5.7.8 Authentication credentials invalid"
CANCELLED = "501 5.7.0 Authentication cancelled"
NOT_BASE64 = "501 5.5.2 Cannot decode base64"
WRONG = "AUTH PLAIN " + base64.b64encode(b"\0noor\0password").decode()


class LoginTests(SynchronousTestCase):
    """AUTH."""

    def test_malformed(self) -> None:
        """Malformed AUTH is answered, and the session goes on."""
        for lines, replies in (
            (["AUTH"], ["501 5.5.4 Syntax: AUTH mechanism [initial-response]"]),
            (["AUTH PLAIN ="], [INVALID]),
            (["AUTH PLAIN *"], [CANCELLED]),
            (["AUTH PLAIN", "*"], ["334 ", CANCELLED]),
            (["AUTH PLAIN", ""], ["334 ", INVALID]),
            (["AUTH PLAIN", "NOOP"], ["334 ", INVALID]),
            (["AUTH LOGIN", "*"], ["334 VXNlcm5hbWU6", CANCELLED]),
            (["AUTH LOGIN bm9vcg==", "!"], ["334 UGFzc3dvcmQ6", NOT_BASE64]),
            (["AUTH PLAIN AG5vb3I="], [INVALID]),
            (["AUTH CRAM-MD5"], ["504 5.5.4 Unrecognized authentication type"]),
            (["AUTH PLAIN", "x" * AUTH_OCTETS],
             ["334 ", "500 5.5.6 Authentication exchange line is too long"]),
            (["AUTH PLAIN", "a\nb"],
             ["334 ", "500 5.5.2 Syntax error, lines must end with CRLF"]),
        ):  # fmt: skip
            dialogue = secured()
            self.assertEqual([*replies, "250 Ok"], dialogue.say(*lines, "NOOP"), lines)
            self.assertEqual(["235 Welcome back"], dialogue.say(PLAIN))

    def test_lenient_base64(self) -> None:
        """Responses with other characters between, or words behind, are refused."""
        response = PLAIN.split()[-1]
        dialogue = secured()
        self.assertEqual([NOT_BASE64], dialogue.say(f"AUTH PLAIN !?{response}"))
        self.assertEqual(
            ["501 5.5.4 Syntax error, too many arguments"], dialogue.say(f"{PLAIN} more")
        )
        self.assertEqual(["334 ", NOT_BASE64], dialogue.say("AUTH PLAIN", f"{response} more"))
        self.assertEqual([], dialogue.checker.asked)

    def test_identity(self) -> None:
        """Who wants to be somebody else is refused."""
        for identity, reply in (("noor", "235 Welcome back"), ("kees", INVALID)):
            response = base64.b64encode(f"{identity}\0noor\0{PASSWORD}".encode()).decode()
            self.assertEqual([reply], secured().say(f"AUTH PLAIN {response}"))

    def test_where_it_must_not_be(self) -> None:
        """AUTH is neither offered nor accepted in the clear, twice, or in a transaction."""
        clear = Dialogue(implicit_tls=False)
        self.assertNotIn("AUTH", clear.say("EHLO desk")[0])
        self.assertEqual(
            ["538 5.7.11 Encryption required for requested authentication mechanism"] * 2,
            clear.say(PLAIN, "AUTH LOGIN"),
        )
        self.assertEqual(
            ["250 Sender OK", "503 5.5.1 AUTH not permitted during a mail transaction"],
            logged_in().say("MAIL FROM:<>", PLAIN),
        )

    def test_lost_while_pending(self) -> None:
        """A check for a connection that is gone is cancelled, and nobody is logged in."""
        dialogue = secured()
        cancelled: list[object] = []
        pending: Deferred[AvatarId] = Deferred(cancelled.append)
        dialogue.checker.instead = pending
        dialogue.send(PLAIN.encode() + b"\r\nMAIL FROM:<>\r\n")
        dialogue.lose()
        self.assertEqual([pending], cancelled)
        self.assertEqual((0, []), (dialogue.realm.logouts, dialogue.login_limit.failures))
        self.assertEqual([], dialogue.clock.getDelayedCalls())

    def test_login_of_nobody(self) -> None:
        """A check that cannot be cancelled and succeeds too late is logged out at once."""
        dialogue = secured()
        dialogue.checker.instead = Deferred(lambda deferred: deferred.callback(b"login:1"))
        dialogue.send(PLAIN.encode() + b"\r\n")
        dialogue.lose()
        self.assertEqual(1, dialogue.realm.logouts)

    def test_logout(self) -> None:
        """Who logged in is logged out when the connection ends, once."""
        dialogue = logged_in()
        dialogue.lose()
        self.assertEqual((1, 1), (dialogue.realm.logouts, dialogue.ended))

    def test_wrong_codes(self) -> None:
        """A wrong password is 535, a check that failed 454, mail without login 530."""
        dialogue = secured()
        self.assertEqual(["530 5.7.0 Authentication required"], dialogue.say("MAIL FROM:<>"))
        self.assertEqual([INVALID], dialogue.say(WRONG))
        dialogue.checker.trouble = LoginDenied()
        self.assertEqual([INVALID], dialogue.say(PLAIN))
        dialogue.checker.trouble = CheckUnavailable()
        self.assertEqual(["454 4.7.0 Temporary authentication failure"], dialogue.say(PLAIN))
        self.assertEqual(1, len(self.flushLoggedErrors(CheckUnavailable)))
        dialogue.checker.trouble = None
        self.assertEqual(["235 Welcome back"], dialogue.say(PLAIN))
        self.assertEqual([("192.0.2.7", "noor")] * 2, dialogue.login_limit.failures)
        self.assertEqual([("192.0.2.7", "noor")], dialogue.login_limit.successes)

    def test_guessing(self) -> None:
        """The third failure on a connection is the last."""
        dialogue = secured()
        self.assertEqual(
            [INVALID, INVALID, "421 4.7.0 Too many authentication failures"],
            dialogue.say(WRONG, "AUTH PLAIN =", WRONG, PLAIN),
        )
        self.assertTrue(dialogue.closed)

    def test_delay(self) -> None:
        """The answer to a failure is held back, and what follows waits for it."""
        dialogue = secured()
        dialogue.login_limit.delay = 4.0
        self.assertEqual([], dialogue.say(WRONG, "NOOP"))
        dialogue.clock.advance(3.9)
        self.assertEqual([], dialogue.replies())
        dialogue.clock.advance(0.1)
        self.assertEqual([INVALID, "250 Ok"], dialogue.replies())

    def test_delay_of_nobody(self) -> None:
        """No answer is held back for a connection that is gone."""
        for line in (WRONG, "AUTH PLAIN ="):
            dialogue = secured()
            dialogue.login_limit.delay = 4.0
            dialogue.say(line)
            dialogue.lose()
            self.assertEqual([], dialogue.clock.getDelayedCalls())

    def test_blocked(self) -> None:
        """Who has guessed too often is answered without a look at the password."""
        dialogue = secured()
        dialogue.login_limit.blocking = True
        self.assertEqual(["454 4.7.0 Temporary authentication failure"], dialogue.say(PLAIN))
        self.assertEqual([], dialogue.checker.asked)

    def test_text(self) -> None:
        """Names and passwords are text, and every octet of them counts."""
        dialogue = secured()
        response = base64.b64encode("\0jürgen \0 a b ".encode()).decode()
        self.assertEqual([INVALID], dialogue.say(f"AUTH PLAIN {response}"))
        self.assertEqual([("jürgen ".encode(), b" a b ")], dialogue.checker.asked)

    def test_no_permission(self) -> None:
        """Who may not send logs in all the same, and is told at MAIL."""
        dialogue = secured()
        dialogue.sender.may_send = False
        self.assertEqual(
            ["235 Welcome back", "550 5.7.1 You do not have permission to send email"],
            dialogue.say(PLAIN, "MAIL FROM:<a@b>"),
        )


class TimeTests(SynchronousTestCase):
    """Time."""

    def test_silence(self) -> None:
        """A client that says nothing is hung up on after 300 seconds, not before."""
        dialogue = logged_in()
        dialogue.clock.advance(299.9)
        self.assertFalse(dialogue.closed)
        dialogue.clock.advance(0.1)
        self.assertEqual(["421 4.4.2 Timeout, closing connection"], dialogue.replies())
        self.assertTrue(dialogue.closed)

    def test_slow_client(self) -> None:
        """A command now and then holds a connection for an hour, not for ever."""
        dialogue = logged_in()
        for _ in range(59):
            dialogue.clock.pump([30] * 2)
            self.assertEqual(["250 Ok"], dialogue.say("NOOP"))
        dialogue.clock.pump([30] * 2)
        self.assertEqual(
            ["421 4.4.2 Session lasted too long, closing connection"], dialogue.replies()
        )
        self.assertTrue(dialogue.closed)

    def test_content_at_the_end_of_the_session(self) -> None:
        """Content that has begun may end; its reply is followed by the farewell."""
        dialogue = logged_in(session_seconds=100)
        dialogue.send(ENVELOPE + MESSAGE)
        dialogue.clock.pump([30] * 5)
        self.assertFalse(dialogue.closed)
        dialogue.send(b".\r\n")
        self.assertEqual(
            [
                "250 Ok, queued as id1",
                "421 4.4.2 Session lasted too long, closing connection",
            ],
            dialogue.replies()[-2:],
        )
        self.assertTrue(dialogue.closed)
        self.assertEqual([MESSAGE], dialogue.sender.contents)

    def test_content_without_end(self) -> None:
        """Content that comes drop by drop does not hold a session for ever."""
        dialogue = logged_in(session_seconds=100)
        dialogue.send(ENVELOPE)
        for _ in range(199):
            dialogue.send(b"a")
            dialogue.clock.advance(1)
        self.assertFalse(dialogue.closed)
        dialogue.clock.advance(1)
        self.assertTrue(dialogue.closed)

    def test_reply_owed_at_the_end_of_the_session(self) -> None:
        """What is being stored is answered, however long that takes."""
        dialogue = receiving(session_seconds=100)
        dialogue.sender.gate.closed = True
        dialogue.send(MESSAGE + b".\r\n")
        dialogue.clock.pump([50] * 20)
        self.assertFalse(dialogue.closed)
        dialogue.sender.gate.let_one()
        self.assertEqual([250, 421], dialogue.codes())

    def test_slow_content(self) -> None:
        """Each block of content has 180 seconds, also the first."""
        dialogue = logged_in()
        dialogue.clock.advance(50)
        dialogue.send(ENVELOPE)
        for _ in range(3):
            dialogue.clock.pump([1] * 179)
            self.assertFalse(dialogue.closed)
            dialogue.send(MESSAGE)
        dialogue.clock.advance(179.9)
        self.assertFalse(dialogue.closed)
        dialogue.clock.advance(0.1)
        self.assertEqual(421, dialogue.codes()[-1])
        self.assertTrue(dialogue.closed)

    def test_slow_first_block(self) -> None:
        """The wait for content is exact wherever the timer stood when it began."""
        for before in ([1], [179], [170, 11], [100, 100], [250]):
            dialogue = logged_in()
            for seconds in before:
                dialogue.clock.advance(seconds)
                dialogue.say("NOOP")
            dialogue.send(ENVELOPE)
            dialogue.clock.pump([1] * 179)
            self.assertFalse(dialogue.closed, before)
            dialogue.clock.advance(1)
            self.assertTrue(dialogue.closed, before)

    def test_slow_store(self) -> None:
        """However long our own work takes, no timer of ours ends the session meanwhile."""
        dialogue = receiving()
        dialogue.sender.gate.closed = True
        dialogue.send(MESSAGE + b".\r\n")
        dialogue.clock.pump([10] * 350)
        self.assertFalse(dialogue.closed)
        dialogue.sender.gate.let_one()
        self.assertEqual(["250 Ok, queued as id1"], dialogue.replies())

    def test_slow_check(self) -> None:
        """The same for a login; the client's time begins with our answer."""
        dialogue = secured()
        dialogue.checker.gate.closed = True
        dialogue.say(PLAIN)
        dialogue.clock.pump([10] * 70)
        dialogue.checker.gate.let_one()
        self.assertEqual(["235 Welcome back"], dialogue.replies())
        dialogue.clock.pump([1] * 299)
        self.assertFalse(dialogue.closed)
        dialogue.clock.advance(1)
        self.assertTrue(dialogue.closed)


class ConstructionTests(SynchronousTestCase):
    """What it takes to make a session, and what it leaves behind."""

    def test_side_effects_of_imports(self) -> None:
        """Importing the server installs no reactor and asks no name service."""
        script = (
            "import sys, socket; socket.getfqdn = None\n"
            "import smtpeter.smtp.factory\n"
            "sys.exit('twisted.internet.reactor' in sys.modules or 'twisted.mail' in sys.modules)"
        )
        self.assertEqual(0, subprocess.run([sys.executable, "-c", script], check=False).returncode)

    def test_greeting(self) -> None:
        """The greeting has the host name and the word of the settings."""
        self.assertEqual(["220 mail.relay.example smtpeter ESMTP"], Dialogue().greeting)
        self.assertEqual(
            ["220 mx.relay.example ExampleRelay ESMTP"],
            Dialogue(hostname="mx.relay.example", product="ExampleRelay").greeting,
        )

    def test_logs(self) -> None:
        """Failed logins are logged once, with fields, and without the password."""
        with capturedLogs() as events:
            secured().say(WRONG)
        (event,) = [each for each in events if "login failed" in (each["log_format"] or "")]
        self.assertEqual(("noor", "192.0.2.7"), (event["username"], event["address"]))
        self.assertNotIn("password", repr(events))
        self.assertNotIn(WRONG.split()[-1], repr(events))
