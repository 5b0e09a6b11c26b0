"""One message on a connection."""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.address import Mailbox
from smtpeter.message.content import Content
from smtpeter.message.envelope import Envelope, Recipient
from smtpeter.message.outcome import Verdict
from smtpeter.smtp.transaction import WITH_ENVELOPE_OCTETS
from tests.smtp.outbound import (
    CONTENT,
    ON_THE_WIRE,
    ONE,
    PIPELINING,
    TWO,
    Remote,
    Sending,
    envelope,
)

MAIL = b"MAIL FROM:<ria@shop.example>\r\n"
KEES = b"RCPT TO:<kees@mailbox.example>\r\n"
JAN = b"RCPT TO:<jan@mailbox.example>\r\n"
DATA = b"DATA\r\n"


def chunk(content: bytes) -> bytes:
    """Content as the one and last chunk."""
    return b"BDAT %d LAST\r\n" % len(content) + content


class StepwiseTests(SynchronousTestCase):
    """Without PIPELINING."""

    def setUp(self) -> None:
        self.remote = Remote.greeted("8BITMIME")

    def test_one_command_at_a_time(self) -> None:
        """Each command waits for the reply to the one before."""
        sending = Sending(self.remote, TWO)
        heard = []
        for reply in ("250 ok", "250 ok", "251 will forward", "354 go", "250 2.0.0 queued as 1"):
            heard.append(self.remote.heard())
            self.remote.says(reply)
        self.assertEqual([MAIL, KEES, JAN, DATA, ON_THE_WIRE], heard)
        self.assertEqual([("delivered", "", "message", 250)] * 2, sending.told)
        self.assertEqual("queued as 1", sending.outcomes[0].text)

    def test_sender_refused(self) -> None:
        """After a refused MAIL nothing more is said."""
        sending = Sending(self.remote, TWO)
        self.remote.heard()
        self.remote.says("451 4.7.1 greylisted")
        self.assertEqual([("deferred", "error", "mailfrom", 451)] * 2, sending.told)
        self.assertEqual("4.7.1", sending.outcomes[0].status)
        self.assertEqual(b"", self.remote.heard())

    def test_everybody_refused(self) -> None:
        """Without an accepted recipient there is no DATA, and each keeps its own refusal."""
        sending = Sending(self.remote, TWO)
        self.remote.says("250 ok")
        self.remote.says("450 busy")
        self.remote.says("550 5.1.1 unknown")
        self.assertEqual(
            [("deferred", "error", "rcptto", 450), ("failed", "error", "rcptto", 550)],
            sending.told,
        )
        self.assertEqual(["4.0.0", "5.1.1"], [each.status for each in sending.outcomes])
        self.assertNotIn(b"DATA", self.remote.heard())

    def test_intermediate_reply_out_of_place(self) -> None:
        """A 3yz reply to MAIL or RCPT is no SMTP: the connection ends."""
        sending = Sending(self.remote)
        self.remote.says("354 go")
        self.assertEqual([("deferred", "invalid", "mailfrom", 0)], sending.told)
        self.assertTrue(self.remote.transport.disconnected)

    def test_positive_reply_to_data(self) -> None:
        """DATA is answered with 354 or refused; with anything else the connection ends."""
        sending = Sending(self.remote)
        for reply in ("250 ok", "250 ok", "250 ok"):
            self.remote.says(reply)
        self.assertEqual([("deferred", "invalid", "data", 0)], sending.told)
        self.assertTrue(self.remote.transport.disconnected)


class PipeliningTests(SynchronousTestCase):
    """With PIPELINING (RFC 2920)."""

    def setUp(self) -> None:
        self.remote = Remote.greeted("PIPELINING")

    def test_one_write(self) -> None:
        """MAIL, every RCPT and DATA leave together."""
        sending = Sending(self.remote, TWO)
        self.assertEqual(MAIL + KEES + JAN + DATA, self.remote.heard())
        self.remote.says("250 ok", "250 ok", "250 ok", "354 go")
        self.assertEqual(ON_THE_WIRE, self.remote.heard())
        self.remote.says("250 ok")
        self.assertEqual([("delivered", "", "message", 250)] * 2, sending.told)

    def test_some_refused(self) -> None:
        """A refused recipient keeps its refusal when the message is accepted for another."""
        sending = Sending(self.remote, TWO)
        self.remote.says("250 ok", "550 no", "250 ok", "354 go")
        self.remote.says("250 ok")
        self.assertEqual(
            [("failed", "error", "rcptto", 550), ("delivered", "", "message", 250)], sending.told
        )

    def test_everybody_refused_and_data_too(self) -> None:
        """The refusal of DATA does not hide those of the recipients."""
        sending = Sending(self.remote, TWO)
        self.remote.says("250 ok", "550 no", "450 busy", "554 no valid recipients")
        self.assertEqual(
            [("failed", "error", "rcptto", 550), ("deferred", "error", "rcptto", 450)],
            sending.told,
        )
        self.assertTrue(self.remote.client.usable)

    def test_content_wanted_though_nobody_was_accepted(self) -> None:
        """The server gets a lone dot, and what it says to that changes nothing."""
        sending = Sending(self.remote)
        self.remote.heard()
        self.remote.says("250 ok", "550 no", "354 go")
        self.assertEqual(b".\r\n", self.remote.heard())
        self.remote.says("250 ok")
        self.assertEqual([("failed", "error", "rcptto", 550)], sending.told)
        self.assertTrue(self.remote.client.usable)

    def test_sender_refused(self) -> None:
        """The refusal of MAIL counts for all, whatever follows from it."""
        sending = Sending(self.remote, TWO)
        self.remote.says("550 5.7.1 no", "503 no MAIL", "503 no MAIL")
        self.assertEqual([], sending.outcomes)
        self.remote.says("503 no RCPT")
        self.assertEqual([("failed", "error", "mailfrom", 550)] * 2, sending.told)
        self.assertTrue(self.remote.client.usable)

    def test_sender_refused_but_content_wanted(self) -> None:
        """No content goes to a server that accepts recipients without a sender."""
        sending = Sending(self.remote)
        self.remote.heard()
        self.remote.says("550 no", "250 ok", "354 go")
        self.assertEqual([("failed", "error", "mailfrom", 550)], sending.told)
        self.assertEqual(b"", self.remote.heard())
        self.assertTrue(self.remote.transport.disconnected)

    def test_data_refused(self) -> None:
        """A refused DATA overrides the acceptance of recipients, not their refusal."""
        sending = Sending(self.remote, TWO)
        self.remote.says("250 ok", "250 ok", "550 no", "451 4.3.0 later")
        self.assertEqual(
            [("deferred", "error", "data", 451), ("failed", "error", "rcptto", 550)], sending.told
        )

    def test_content_refused(self) -> None:
        """A refusal after the final dot overrides the acceptance of recipients."""
        sending = Sending(self.remote, TWO)
        self.remote.says("250 ok", "250 ok", "550 no", "354 go")
        self.remote.says("554 5.7.1 spam")
        self.assertEqual(
            [("failed", "error", "message", 554), ("failed", "error", "rcptto", 550)],
            sending.told,
        )

    def test_second_message_starts_afresh(self) -> None:
        """Nothing of the first message counts for the second."""
        Sending(self.remote, TWO)
        self.remote.says("250 ok", "250 ok", "250 ok", "354 go")
        self.remote.says("250 ok")
        sending = Sending(self.remote)
        self.remote.says("250 ok", "550 no", "503 no")
        self.assertEqual([("failed", "error", "rcptto", 550)], sending.told)


class ChunkingTests(SynchronousTestCase):
    """With CHUNKING and PIPELINING (RFC 3030)."""

    def setUp(self) -> None:
        self.remote = Remote.greeted("PIPELINING", "CHUNKING")

    def test_one_flight(self) -> None:
        """The content leaves with its envelope, as it is: no dot is doubled, none ends it."""
        sending = Sending(self.remote, TWO)
        self.assertEqual(MAIL + KEES + JAN + chunk(bytes(CONTENT)), self.remote.heard())
        self.remote.says("250 ok", "250 ok", "250 ok", "250 2.0.0 queued as 1")
        self.assertEqual([("delivered", "", "message", 250)] * 2, sending.told)
        self.assertEqual("queued as 1", sending.outcomes[0].text)
        self.assertTrue(self.remote.client.usable)

    def test_last_line_is_ended(self) -> None:
        """Content whose last line has no end gets one, as the final dot would give it."""
        Sending(self.remote, ONE, Content((b"Subject: x\r\n\r\nend",), 14))
        self.assertTrue(self.remote.heard().endswith(b"BDAT 19 LAST\r\nSubject: x\r\n\r\nend\r\n"))

    def test_some_refused(self) -> None:
        """A refused recipient keeps its refusal when the message is accepted for another."""
        sending = Sending(self.remote, TWO)
        self.remote.says("250 ok", "550 no", "250 ok", "250 ok")
        self.assertEqual(
            [("failed", "error", "rcptto", 550), ("delivered", "", "message", 250)], sending.told
        )

    def test_everybody_refused(self) -> None:
        """What is said of content for nobody changes nothing; the next message starts anew."""
        sending = Sending(self.remote)
        self.remote.says("250 ok", "450 4.7.1 greylisted", "554 no valid recipients")
        self.assertEqual([("deferred", "error", "rcptto", 450)], sending.told)
        self.remote.heard()
        Sending(self.remote)
        self.assertEqual(b"RSET\r\n", self.remote.heard())

    def test_content_refused(self) -> None:
        """A refusal of the content overrides the acceptance of recipients."""
        sending = Sending(self.remote, TWO)
        self.remote.says("250 ok", "250 ok", "550 no", "452 4.3.1 full")
        self.assertEqual(
            [("deferred", "error", "message", 452), ("failed", "error", "rcptto", 550)],
            sending.told,
        )

    def test_sender_refused_but_content_taken(self) -> None:
        """A server that takes content without a sender is left, and the refusal counts."""
        sending = Sending(self.remote)
        self.remote.says("550 no", "250 ok", "250 ok")
        self.assertEqual([("failed", "error", "mailfrom", 550)], sending.told)
        self.assertTrue(self.remote.transport.disconnected)

    def test_not_understood(self) -> None:
        """Where BDAT turns out to be unknown, the message is offered again with DATA."""
        sending = Sending(self.remote)
        self.remote.heard()
        self.remote.says("250 ok", "250 ok", "500 what?")
        self.assertEqual(b"RSET\r\n", self.remote.heard())
        self.remote.says("250 ok")
        self.assertEqual(MAIL + KEES + DATA, self.remote.heard())
        self.remote.says("250 ok", "250 ok", "354 go")
        self.assertEqual(ON_THE_WIRE, self.remote.heard())
        self.remote.says("250 ok")
        self.assertEqual([("delivered", "", "message", 250)], sending.told)

    def test_large(self) -> None:
        """Large content waits until somebody is known to want it."""
        content = Content.from_octets(b"Subject: x\r\n\r\n" + b"y" * WITH_ENVELOPE_OCTETS)
        Sending(self.remote, ONE, content)
        self.assertEqual(MAIL + KEES + DATA, self.remote.heard())

    def test_without_pipelining(self) -> None:
        """Without PIPELINING there is nothing to be gained."""
        remote = Remote.greeted("CHUNKING")
        Sending(remote)
        self.assertEqual(MAIL, remote.heard())

    def test_lost(self) -> None:
        """A connection that was closed before MAIL was answered says so: another may be tried."""
        sending = Sending(self.remote)
        self.remote.hangs_up()
        self.assertEqual([("deferred", "lost", "mailfrom", 0)], sending.told)
        self.assertFalse(self.remote.client.mail_answered)


class SizeTests(SynchronousTestCase):
    """SIZE (RFC 1870)."""

    def test_declared_when_offered(self) -> None:
        """The octets of the content, without doubled dots, are declared."""
        remote = Remote.greeted("SIZE 1000")
        Sending(remote)
        size = len(bytes(CONTENT))
        self.assertEqual(MAIL.replace(b"\r\n", b" SIZE=%d\r\n" % size), remote.heard())

    def test_over_the_limit(self) -> None:
        """What is larger than the server takes fails without being offered."""
        remote = Remote.greeted("SIZE 10", "PIPELINING")
        sending = Sending(remote)
        (outcome,) = sending.outcomes
        self.assertEqual((Verdict.FAILED, "5.3.4"), (outcome.verdict, outcome.status))
        self.assertEqual(b"", remote.heard())
        self.assertTrue(remote.client.usable)
        self.assertTrue(remote.client.mail_answered)

    def test_no_limit(self) -> None:
        """SIZE 0 is no limit."""
        remote = Remote.greeted("SIZE 0")
        Sending(remote)
        self.assertIn(b"SIZE=", remote.heard())


class EightBitTests(SynchronousTestCase):
    """BODY (RFC 6152)."""

    def test_declared_when_offered(self) -> None:
        """Octets above 127 are declared to servers that know 8BITMIME."""
        remote = Remote.greeted("8BITMIME")
        Sending(remote, evolve(ONE, eightbit=True))
        self.assertIn(b"> BODY=8BITMIME\r\n", remote.heard())

    def test_not_offered(self) -> None:
        """To other servers the content goes as it is, rather than back."""
        remote = Remote.greeted(*PIPELINING)
        content = Content.from_octets("\r\nü\r\n".encode())
        sending = Sending(remote, evolve(ONE, eightbit=True), content)
        self.assertEqual(MAIL + KEES + DATA, remote.heard())
        remote.says("250 ok", "250 ok", "354 go")
        self.assertEqual("\r\nü\r\n.\r\n".encode(), remote.heard())
        remote.says("250 ok")
        self.assertEqual(Verdict.DELIVERED, sending.outcomes[0].verdict)


class AddressTests(SynchronousTestCase):
    """Addresses on the wire."""

    def written(self, envelope: Envelope, *extensions: str) -> list[bytes]:
        """The commands of a pipelined envelope, without DATA."""
        remote = Remote.greeted("PIPELINING", *extensions)
        Sending(remote, envelope)
        return remote.heard().split(b"\r\n")[:-2]

    def test_unusual_addresses_stay(self) -> None:
        """Local parts that need quotes, and address literals, are written as RFC 5321 asks."""
        unusual = ('"a@b,c"@d.example', '"a;b"@c.example', r'"a\"b"@c.example', "a@[192.0.2.1]",
                   "a@[IPv6:2001:db8::1]", "Mixed.Case@Example.COM", "a+b=c@d.example")  # fmt: skip
        for address in unusual:
            mail, rcpt = self.written(envelope(address, sender=address))
            self.assertEqual(f"MAIL FROM:<{address}>".encode(), mail)
            self.assertEqual(f"RCPT TO:<{address}>".encode(), rcpt)

    def test_null_path(self) -> None:
        """A report goes out with the null reverse-path."""
        mail, _ = self.written(evolve(ONE, sender=None))
        self.assertEqual(b"MAIL FROM:<>", mail)

    def test_international_domain(self) -> None:
        """A server without SMTPUTF8 sees the A-labels of a domain."""
        mail, rcpt = self.written(envelope("kees@münchen.example", sender="a@b.example"))
        self.assertEqual(b"MAIL FROM:<a@b.example>", mail)
        self.assertEqual(b"RCPT TO:<kees@xn--mnchen-3ya.example>", rcpt)

    def test_international_address(self) -> None:
        """With SMTPUTF8, addresses are written in UTF-8 and the command says so."""
        mail, rcpt = self.written(envelope("jürgen@münchen.example"), "SMTPUTF8")
        self.assertEqual(b"MAIL FROM:<ria@shop.example> SMTPUTF8", mail)
        self.assertEqual("RCPT TO:<jürgen@münchen.example>".encode(), rcpt)

    def test_international_recipient_without_smtputf8(self) -> None:
        """Only the recipient who needs SMTPUTF8 fails when it is not offered."""
        remote = Remote.greeted("PIPELINING")
        sending = Sending(remote, envelope("jürgen@m.example", "kees@mailbox.example"))
        self.assertEqual(MAIL + KEES + DATA, remote.heard())
        remote.says("250 ok", "250 ok", "354 go")
        remote.says("250 ok")
        self.assertEqual(["5.6.7", ""], [each.status for each in sending.outcomes])

    def test_international_sender_without_smtputf8(self) -> None:
        """When the sender needs SMTPUTF8 and it is not offered, all fail."""
        remote = Remote.greeted("PIPELINING")
        sending = Sending(remote, envelope("a@m.example", "b@m.example", sender="jürgen@m.example"))
        self.assertEqual(["5.6.7", "5.6.7"], [each.status for each in sending.outcomes])
        self.assertEqual(b"", remote.heard())


class NotificationTests(SynchronousTestCase):
    """DSN (RFC 3461)."""

    recipient = Recipient(
        Mailbox.parse("kees@mailbox.example"),
        "kees@mailbox.example",
        frozenset({"SUCCESS", "FAILURE"}),
        "rfc822;k+ees@mailbox.example",
    )
    wishes = evolve(ONE, recipients=(recipient,), ret="HDRS", envid="id 1+1")

    def test_passed_on(self) -> None:
        """A server with DSN gets the sender's wishes, and the outcome says so."""
        remote = Remote.greeted("PIPELINING", "DSN")
        sending = Sending(remote, self.wishes)
        self.assertEqual(
            b"MAIL FROM:<ria@shop.example> RET=HDRS ENVID=id+201+2B1\r\n"
            b"RCPT TO:<kees@mailbox.example> NOTIFY=FAILURE,SUCCESS"
            b" ORCPT=rfc822;k+2Bees@mailbox.example\r\nDATA\r\n",
            remote.heard(),
        )
        remote.says("250 ok", "250 ok", "354 go")
        remote.says("250 ok")
        self.assertTrue(sending.outcomes[0].dsn_passed_on)

    def test_kept(self) -> None:
        """A server without DSN is not told of them, and the outcome says so."""
        remote = Remote.greeted("PIPELINING")
        sending = Sending(remote, self.wishes)
        self.assertEqual(MAIL + KEES + DATA, remote.heard())
        remote.says("250 ok", "250 ok", "354 go")
        remote.says("250 ok")
        self.assertFalse(sending.outcomes[0].dsn_passed_on)

    def test_international_original_recipient(self) -> None:
        """Outside ASCII, an original recipient is written as RFC 6533 asks."""
        recipient = evolve(self.recipient, orcpt="utf-8;jürgen@m.example", notify=None)
        remote = Remote.greeted("PIPELINING", "DSN")
        Sending(remote, evolve(ONE, recipients=(recipient,)))
        self.assertIn(rb" ORCPT=utf-8;j\x{FC}rgen@m.example" + b"\r\n", remote.heard())
