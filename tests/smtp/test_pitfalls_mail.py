"""Traps in which other SMTP servers were caught: commands and content."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.budget import ContentBudget
from smtpeter.message.reply import Refused, Reply
from smtpeter.smtp.session import Limits
from tests.dialogue import ENVELOPE, MESSAGE, PLAIN, Dialogue, logged_in, receiving, secured

GREETING = "250-mail.relay.example Pleased to meet you"
STORED_LATER = "451 4.3.0 Cannot store the message now, try again later"


class CommandTests(SynchronousTestCase):
    """Commands and their order."""

    def test_commands_of_every_server(self) -> None:
        """NOOP, VRFY, HELP and EXPN are answered; none of them counts as an error."""
        dialogue = secured(max_errors=0)
        replies = dialogue.say("NOOP", "VRFY kees", "HELP", "EXPN all")
        self.assertEqual(["250", "252", "214", "502"], [reply[:3] for reply in replies])

    def test_errors_without_end(self) -> None:
        """Who only says nonsense is hung up on."""
        dialogue = secured(max_errors=10)
        replies = dialogue.say(*["FOO"] * 1000)
        self.assertEqual(["500 5.5.2 Command not recognized"] * 10, replies[:-1])
        self.assertEqual("421 4.7.0 Too many errors", replies[-1])
        self.assertTrue(dialogue.closed)

    def test_other_protocols(self) -> None:
        """A web browser is hung up on at its first line."""
        dialogue = Dialogue(implicit_tls=False)
        self.assertEqual(
            ["421 4.7.0 This is a mail server"],
            dialogue.say("POST / HTTP/1.1", "Host: mail.relay.example", "", "EHLO x"),
        )
        self.assertTrue(dialogue.closed)

    def test_order_of_commands(self) -> None:
        """The state decides what is allowed, and arguments are checked."""
        dialogue = Dialogue()
        dialogue.say(PLAIN)
        for line, code in (
            ("MAIL FROM:<>", 503), ("EHLO", 501), ("EHLO desk", 250), (PLAIN, 235),
            ("RCPT TO:<a@b>", 503), ("DATA", 503), ("MAIL FROM:<>", 250), ("DATA", 503),
            ("MAIL FROM:<>", 503), ("RCPT TO:<a@b>", 250), ("DATA foo", 501),
        ):  # fmt: skip
            self.assertEqual([code], [int(reply[:3]) for reply in dialogue.say(line)], line)

    def test_recipients_without_end(self) -> None:
        """Recipients beyond the limit are refused for now, and the others get their mail."""
        dialogue = logged_in(limits=Limits(message_octets=10_000, recipients=100))
        replies = dialogue.say("MAIL FROM:<>", *["RCPT TO:<a@b>"] * 102)
        self.assertEqual(["452 4.5.3 Too many recipients"] * 2, replies[101:])
        dialogue.send(b"DATA\r\n" + MESSAGE + b".\r\n")
        self.assertEqual(["354", "250"], [reply[:3] for reply in dialogue.replies()])
        self.assertEqual([["a@b"] * 100], dialogue.sender.recipients)

    def test_parameters_thrown_away(self) -> None:
        """Parameters are heard, and unknown, repeated and impossible ones refused."""
        dialogue = logged_in()
        for line, code in (
            ("MAIL FROM:<a@b> SIZE=99999999999", 552),
            ("MAIL FROM:<a@b> FOO=BAR", 555),
            ("MAIL FROM:<a@b> SIZE=1 SIZE=1", 501),
            ("MAIL FROM:<a@b> SIZE=1 BODY=8BITMIME RET=FULL ENVID=q+2B1", 250),
            ("RCPT TO:<a@b> NOTIFY=NEVER,SUCCESS", 501),
            ("RCPT TO:<a@b> NOTIFY=FAILURE,DELAY ORCPT=rfc822;c@d", 250),
        ):
            self.assertEqual([code], [int(reply[:3]) for reply in dialogue.say(line)], line)
        dialogue.send(b"DATA\r\n" + MESSAGE + b".\r\n")
        envelope = dialogue.sender.submissions[0].envelope
        self.assertEqual(("FULL", "q+1"), (envelope.ret, envelope.envid))
        self.assertEqual({"FAILURE", "DELAY"}, envelope.recipients[0].notify)
        self.assertEqual("rfc822;c@d", envelope.recipients[0].orcpt)

    def test_addresses(self) -> None:
        """Addresses are taken by their grammar; nothing is completed or guessed."""
        dialogue = logged_in(max_errors=99)
        for path, code in (
            ("<a@[192.0.2.1]>", 250), ("<a@[IPv6:2001:db8::1]>", 250), ('<"a\\"b"@c>', 250),
            ("<a@b..c>", 501), ("<.a@b>", 501), ("<a@b_c>", 501), ("a@b", 501), ("<a>", 501),
            ("<a@>", 501), ("<@b>", 501), ("<>", 250), (f"<{'x' * 65}@b>", 501),
        ):  # fmt: skip
            replies = dialogue.say(f"MAIL FROM:{path}", "RSET")
            self.assertEqual(code, int(replies[0][:3]), path)

    def test_slow_expression(self) -> None:
        """The line that once took seconds is a long line like others."""
        dialogue = logged_in()
        replies = dialogue.say("MAIL FROM:a" + " " * 16_000 + "\x01\nb", "NOOP")
        self.assertEqual(["500 5.5.2 Line too long", "250 Ok"], replies)

    def test_promises(self) -> None:
        """What EHLO offers depends on the session, and HELO offers nothing."""
        clear = Dialogue(implicit_tls=False)
        (hello,) = clear.say("EHLO desk")
        self.assertEqual(
            [GREETING, "250-STARTTLS", "250-PIPELINING", "250 8BITMIME"], hello.split("\n")
        )
        self.assertEqual(["250 mail.relay.example"], clear.say("HELO desk"))
        self.assertEqual(["503 5.5.1 Send EHLO first"], clear.say("STARTTLS"))
        (hello,) = Dialogue().say("EHLO desk")
        self.assertEqual(
            [
                GREETING,
                "250-PIPELINING",
                "250-8BITMIME",
                "250-SMTPUTF8",
                "250-SIZE 52428800",
                "250-DSN",
                "250 AUTH PLAIN LOGIN",
            ],
            hello.split("\n"),
        )

    def test_eight_bits(self) -> None:
        """Octets above 127 are noted with the envelope, declared or not; so is SMTPUTF8."""
        dialogue = logged_in()
        for parameters, body, eightbit in (
            ("", b"caf\xc3\xa9", True), ("BODY=8BITMIME", b"caf\xc3\xa9", True),
            ("BODY=7BIT", b"caf\xc3\xa9", True), ("BODY=8BITMIME", b"coffee", False),
        ):  # fmt: skip
            dialogue.say(f"MAIL FROM:<> {parameters}", "RCPT TO:<a@b>", "DATA")
            dialogue.send(MESSAGE + body + b"\r\n.\r\n")
            self.assertIs(eightbit, dialogue.sender.submissions[-1].envelope.eightbit)
        dialogue.replies()
        self.assertEqual(["553"], [each[:3] for each in dialogue.say("MAIL FROM:<ü@shop.example>")])
        dialogue.say("MAIL FROM:<ü@shop.example> SMTPUTF8", "RCPT TO:<é@b>", "DATA")
        dialogue.send(MESSAGE + b".\r\n")
        submission = dialogue.sender.submissions[-1]
        self.assertTrue(submission.envelope.smtputf8)
        self.assertEqual("ü@shop.example", str(submission.envelope.sender))
        self.assertEqual("UTF8SMTPSA", submission.trace.protocol)


class ContentTests(SynchronousTestCase):
    """Content."""

    def test_copy_for_each_recipient(self) -> None:
        """Several recipients are one submission with one content, and have an id each."""
        dialogue = logged_in()
        dialogue.say("MAIL FROM:<>", "RCPT TO:<a@b>", "RCPT TO:<c@d>", "DATA")
        dialogue.send(MESSAGE + b".\r\n")
        self.assertEqual(["250-Ok, queued as id1\n250 Ok, queued as id2"], dialogue.replies())
        self.assertEqual([MESSAGE], dialogue.sender.contents)

    def test_suppressed(self) -> None:
        """Recipients to whom nothing is sent are told apart in the reply, which is positive."""
        for suppressed, lines in (
            ({"id1"}, "250-Ok, suppressed as id1\n250 Ok, queued as id2"),
            ({"id1", "id2"}, "250-Ok, suppressed as id1\n250 Ok, suppressed as id2"),
        ):
            dialogue = logged_in()
            dialogue.sender.suppressed = frozenset(suppressed)
            dialogue.say("MAIL FROM:<>", "RCPT TO:<a@b>", "RCPT TO:<c@d>", "DATA")
            dialogue.send(MESSAGE + b".\r\n")
            self.assertEqual([lines], dialogue.replies())

    def test_guessed_header(self) -> None:
        """Content is handed on as it came, whatever its first lines look like."""
        for content in (b"no header\r\n", b"From x Mon Jan 1\r\nA: 1\r\n", b" folded\r\n\r\nb\r\n"):
            dialogue = receiving()
            dialogue.send(content + b".\r\n")
            self.assertEqual([content], dialogue.sender.contents)

    def test_size(self) -> None:
        """A message of exactly the limit passes, one octet more is refused; room is given back."""
        dialogue = receiving(limits=Limits(message_octets=len(MESSAGE), recipients=1))
        dialogue.send(MESSAGE + b".\r\n" + ENVELOPE)
        self.assertEqual([250, 250, 250, 354], dialogue.codes())
        dialogue.send(b"x" + MESSAGE + b"MAIL FROM:<>\r\n")
        self.assertEqual(0, dialogue.budget.used_octets)
        dialogue.send(b".\r\n")
        self.assertEqual(
            [f"552 5.3.4 Message too big (the limit is {len(MESSAGE)} octets)"], dialogue.replies()
        )

    def test_size_without_end(self) -> None:
        """A client that goes on far beyond the limit is cut off."""
        dialogue = receiving(limits=Limits(message_octets=1000, recipients=1))
        dialogue.send(b"x" * 998 + b"\r\n")
        for _ in range(4):
            self.assertFalse(dialogue.closed)
            dialogue.send(b"x" * 998 + b"\r\n")
        self.assertEqual([552], dialogue.codes())
        self.assertTrue(dialogue.closed)

    def test_no_room(self) -> None:
        """Content for which there is no memory now is refused for now, declared or not."""
        dialogue = logged_in(budget=ContentBudget(50))
        busy = "452 4.3.1 Too much mail in transit at this moment, try again later"
        self.assertEqual([busy], dialogue.say("MAIL FROM:<> SIZE=51"))
        dialogue.send(ENVELOPE + MESSAGE + b".\r\n")
        self.assertEqual(busy, dialogue.replies()[-1])
        self.assertEqual(0, dialogue.budget.used_octets)
        self.assertEqual([], dialogue.sender.submissions)

    def test_every_failure_is_permanent(self) -> None:
        """The reply to content is the store's own; what nobody foresaw is temporary."""
        for trouble, reply in (
            (Refused(Reply(452, "4.3.1", "Full"), 507), "452 4.3.1 Full"),
            (Refused(Reply(554, "5.7.1", "No"), 400), "554 5.7.1 No"),
            (ValueError("disk"), STORED_LATER),
        ):
            dialogue = receiving()
            dialogue.sender.trouble = trouble
            dialogue.send(MESSAGE + b".\r\nNOOP\r\n")
            self.assertEqual([reply, "250 Ok"], dialogue.replies())
            self.assertEqual(0, dialogue.budget.used_octets)
        self.assertEqual(1, len(self.flushLoggedErrors(ValueError)))

    def test_exception_instead_of_failure(self) -> None:
        """A sender that raises instead of failing makes the same reply."""
        dialogue = receiving()
        dialogue.sender.gate = None  # type: ignore[assignment]
        dialogue.send(MESSAGE + b".\r\nNOOP\r\n")
        self.assertEqual([STORED_LATER, "250 Ok"], dialogue.replies())
        self.assertEqual(1, len(self.flushLoggedErrors(AttributeError)))

    def test_trace(self) -> None:
        """What a Received field needs goes with the submission."""
        dialogue = receiving()
        dialogue.send(MESSAGE + b".\r\n")
        trace = dialogue.sender.submissions[0].trace
        self.assertEqual(
            ("desk.shop.example", "192.0.2.7", "ESMTPSA"),
            (trace.helo, trace.address, trace.protocol),
        )

    def test_great_header(self) -> None:
        """A header without end is refused."""
        dialogue = receiving()
        dialogue.send(b"A: 1\r\n" * 50_000 + b"\r\n.\r\n")
        self.assertEqual(["552 5.3.4 Message header too large"], dialogue.replies())
        self.assertEqual(0, dialogue.budget.used_octets)
