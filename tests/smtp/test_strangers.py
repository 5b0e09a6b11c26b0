"""Mail for addresses of our own, from clients without a login, on listeners that take it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.reply import Refused, Reply, storage_full
from smtpeter.smtp.session import RECIPIENTS_OF_STRANGERS
from tests.dialogue import ENVELOPE, MESSAGE, PLAIN, Dialogue
from tests.fakes import FakeHome

BOUNCE = "cmq4h6z2hitt2boepmkflzuwyfwzurnt@bounces.shop.example"
FORGED = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@bounces.shop.example"
UNSURE = "postmaster@new.example"
RCPT = f"RCPT TO:<{BOUNCE}>"
OTHER = "RCPT TO:<kees@mailbox.example>"
HELLO = "EHLO mx.mailbox.example"
CONTENT = b"From: MAILER-DAEMON@mailbox.example\r\n\r\nNo such user.\r\n"
TLS_FIRST = "530 5.7.0 Must issue a STARTTLS command first"
LOGIN_FIRST = "530 5.7.0 Authentication required"
RECIPIENT_OK = "250 Recipient OK"


class StrangersCase(SynchronousTestCase):
    """A listener that takes mail for one bounce address and for postmaster."""

    def setUp(self) -> None:
        self.home = FakeHome(
            {
                BOUNCE: True,
                "postmaster@": True,
                FORGED: Refused(Reply(550, "5.1.1", "No such address"), 404),
                UNSURE: Refused(Reply(451, "4.3.0", "Cannot check the address now"), 503),
            }
        )

    def meet(self, *, implicit_tls: bool = False, hello: str = HELLO) -> Dialogue:
        """A client that has said who it is."""
        dialogue = Dialogue(implicit_tls=implicit_tls, home=self.home)
        dialogue.say(hello)
        return dialogue

    def bring(self, dialogue: Dialogue, content: bytes = CONTENT) -> list[str]:
        """The replies to a whole bounce."""
        said = dialogue.say("MAIL FROM:<>", RCPT, "DATA")
        dialogue.send(content + b".\r\n")
        return said + dialogue.replies()


class WelcomeTests(StrangersCase):
    """What is taken."""

    def test_bounce(self) -> None:
        """A bounce is taken in clear, inside TLS, and by HELO; it is told by what it is kept."""
        for implicit_tls in (False, True):
            for hello in (HELLO, "HELO mx.mailbox.example"):
                dialogue = self.meet(implicit_tls=implicit_tls, hello=hello)
                self.assertEqual(
                    [
                        "250 Sender OK",
                        RECIPIENT_OK,
                        "354 End data with <CR><LF>.<CR><LF>",
                        f"250 Ok, queued as id{len(self.home.submissions) + 1}",
                    ],
                    self.bring(dialogue),
                )
                self.assertEqual([], dialogue.sender.submissions)
        protocols = [each.trace.protocol for each in self.home.submissions]
        self.assertEqual(["ESMTP", "SMTP", "ESMTPS", "SMTPS"], protocols)
        self.assertEqual({CONTENT}, set(self.home.contents))
        first = self.home.submissions[0]
        self.assertIsNone(first.envelope.sender)
        self.assertEqual("mx.mailbox.example", first.trace.helo)

    def test_behind_starttls(self) -> None:
        """Who begins TLS is a stranger still, and welcome."""
        dialogue = self.meet()
        dialogue.say("STARTTLS")
        dialogue.say(HELLO)
        self.assertEqual("250 Ok, queued as id1", self.bring(dialogue)[-1])
        self.assertEqual("ESMTPS", self.home.submissions[0].trace.protocol)

    def test_any_sender(self) -> None:
        """Answers have a sender."""
        dialogue = self.meet()
        said = dialogue.say("MAIL FROM:<kees@mailbox.example> BODY=8BITMIME", RCPT, "DATA")
        self.assertEqual([250, 250, 354], [int(each[:3]) for each in said])
        dialogue.send(CONTENT + b".\r\n")
        [submission] = self.home.submissions
        self.assertEqual("kees@mailbox.example", str(submission.envelope.sender))

    def test_bare_postmaster(self) -> None:
        """Postmaster takes mail without a domain (RFC 5321 section 4.5.1)."""
        for written in ("postmaster", "POSTMASTER"):
            said = self.meet().say("MAIL FROM:<>", f"RCPT TO:<{written}>")
            self.assertEqual(RECIPIENT_OK, said[-1])

    def test_several(self) -> None:
        """One transaction may go to a few of us, and one session have many transactions."""
        dialogue = self.meet()
        said = dialogue.say("MAIL FROM:<>", *[RCPT] * RECIPIENTS_OF_STRANGERS, RCPT)
        self.assertEqual([RECIPIENT_OK] * RECIPIENTS_OF_STRANGERS, said[1:-1])
        self.assertEqual("452 4.5.3 Too many recipients", said[-1])
        dialogue.say("RSET")
        for _ in range(3):
            self.assertTrue(self.bring(dialogue)[-1].startswith("250 Ok, queued"))

    def test_asked_later(self) -> None:
        """While an address is looked up nothing else is done, and replies keep their order."""
        self.home.asking.closed = True
        dialogue = self.meet()
        self.assertEqual(["250 Sender OK"], dialogue.say("MAIL FROM:<>", RCPT, OTHER, "NOOP"))
        self.home.asking.let_one()
        self.assertEqual([RECIPIENT_OK], dialogue.replies())
        self.home.asking.let_one()
        self.assertEqual([TLS_FIRST, "250 Ok"], dialogue.replies())

    def test_lost_meanwhile(self) -> None:
        """A client that is gone when its answer comes harms nobody."""
        self.home.asking.closed = True
        dialogue = self.meet()
        dialogue.say("MAIL FROM:<>", RCPT)
        dialogue.lose()
        self.home.asking.let_one()
        self.assertEqual(1, dialogue.ended)


class RefusalTests(StrangersCase):
    """What is not."""

    def test_others(self) -> None:
        """To anybody else they need TLS and a login; what was accepted before stays so."""
        for implicit_tls, said in ((False, TLS_FIRST), (True, LOGIN_FIRST)):
            dialogue = self.meet(implicit_tls=implicit_tls)
            replies = dialogue.say("MAIL FROM:<kees@mailbox.example>", OTHER, "DATA")
            self.assertEqual(["250 Sender OK", said, "503 5.5.1 Need RCPT command first"], replies)
            self.assertEqual([RECIPIENT_OK, said], dialogue.say(RCPT, OTHER))
            dialogue.say("DATA")
            dialogue.send(CONTENT + b".\r\n")
            self.assertEqual([BOUNCE], self.home.recipients[-1])

    def test_forged(self) -> None:
        """An address that we have not made does not exist."""
        said = self.meet().say("MAIL FROM:<>", f"RCPT TO:<{FORGED}>")
        self.assertEqual("550 5.1.1 No such address", said[-1])

    def test_guessing(self) -> None:
        """Who tries one address after the other is hung up on; who comes in vain once is not."""
        for address, code in ((OTHER, "530"), (f"RCPT TO:<{FORGED}>", "550")):
            dialogue = self.meet()
            said = dialogue.say("MAIL FROM:<>", *[address] * 10)
            self.assertEqual({code}, {each[:3] for each in said[1:]})
            self.assertEqual(["421 4.7.0 Too many errors"], dialogue.say(address))
            self.assertTrue(dialogue.transport.disconnecting)

    def test_cannot_tell(self) -> None:
        """While nobody can tell, they come again."""
        said = self.meet().say("MAIL FROM:<>", f"RCPT TO:<{UNSURE}>")
        self.assertEqual("451 4.3.0 Cannot check the address now", said[-1])

    def test_fault(self) -> None:
        """A fault of ours is no reason to lose a bounce."""
        self.home.answers = {BOUNCE: ZeroDivisionError()}
        said = self.meet().say("MAIL FROM:<>", RCPT, "NOOP")
        self.assertEqual(["451", "250"], [each[:3] for each in said[1:]])
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_not_stored(self) -> None:
        """What cannot be stored is refused for now."""
        self.home.trouble = storage_full()
        self.assertEqual(
            "452 4.3.1 Insufficient system storage, try again later",
            self.bring(self.meet())[-1],
        )

    def test_too_big(self) -> None:
        """The greatest size holds for them."""
        dialogue = self.meet()
        [said] = dialogue.say("MAIL FROM:<> SIZE=99999999")
        self.assertEqual("552 5.3.4", said[:9])

    def test_auth_in_clear(self) -> None:
        """In clear there is no login here either."""
        self.assertEqual("538", self.meet().say(PLAIN)[0][:3])


class LoggedInTests(StrangersCase):
    """Who has logged in is a client like any other."""

    def test_submission(self) -> None:
        """Its mail is a submission, whoever it is for, and nobody is looked up."""
        dialogue = self.meet(implicit_tls=True)
        dialogue.say(PLAIN)
        dialogue.send(ENVELOPE + MESSAGE + b".\r\n")
        self.assertEqual([250, 250, 354, 250], dialogue.codes())
        said = dialogue.say("MAIL FROM:<noor@shop.example>", RCPT, "RCPT TO:<postmaster>")
        self.assertEqual([RECIPIENT_OK, "550 5.1.1 No such address"], said[1:])
        self.assertEqual(1, len(dialogue.sender.submissions))
        self.assertEqual([], self.home.submissions)
        self.assertEqual([], self.home.asking.waiting)

    def test_after_a_bounce(self) -> None:
        """Who has brought a bounce may log in afterwards, but not within."""
        dialogue = self.meet(implicit_tls=True)
        self.bring(dialogue)
        dialogue.say("MAIL FROM:<>")
        self.assertEqual("503", dialogue.say(PLAIN)[0][:3])
        self.assertEqual(["250 Ok", "235 Welcome back"], dialogue.say("RSET", PLAIN))
        self.assertEqual("250 Sender OK", dialogue.say("MAIL FROM:<>")[0])


class ElsewhereTests(SynchronousTestCase):
    """Listeners that take no such mail."""

    def test_refused_at_mail(self) -> None:
        """There they are refused at MAIL, whoever they write to."""
        for implicit_tls, said in ((False, TLS_FIRST), (True, LOGIN_FIRST)):
            dialogue = Dialogue(implicit_tls=implicit_tls)
            dialogue.say(HELLO)
            self.assertEqual([said] * 3, dialogue.say("MAIL FROM:<>", RCPT, "DATA"))
