"""Which command is allowed when."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.address import Mailbox
from smtpeter.message.envelope import Envelope, Recipient
from smtpeter.smtp.command import POSTMASTER, Auth, Command, Foreign, Hello, Mail, Rcpt, Simple
from smtpeter.smtp.session import RECIPIENTS_OF_STRANGERS, Limits, Session

EHLO = Hello("desk", extended=True)
HELO = Hello("desk", extended=False)
MAIL = Mail(Mailbox.parse("noor@shop.example"))
RCPT = Rcpt(Mailbox.parse("kees@mailbox.example"), "kees@mailbox.example")
DATA = Simple("DATA")
STARTTLS = Simple("STARTTLS")
AUTH = Auth("PLAIN", None)

TLS_FIRST = "530 5.7.0 Must issue a STARTTLS command first"
LOGIN_FIRST = "530 5.7.0 Authentication required"
HELLO_FIRST = "503 5.5.1 Send EHLO first"


def session(*, tls: bool = True, tls_offered: bool = False, hello: Hello | None = EHLO) -> Session:
    made = Session(Limits(message_octets=1000, recipients=2), tls=tls, tls_offered=tls_offered)
    if hello:
        made.greeted(hello)
    return made


def logged_in() -> Session:
    made = session()
    made.authenticated(may_send=True)
    return made


def in_transaction(mail: Mail = MAIL) -> Session:
    made = logged_in()
    made.begin(mail)
    return made


def objection(to: Session, command: Command) -> str:
    """The reply that refuses a command, "" when it may run."""
    reply = to.objection(command)
    return reply.octets().decode().strip() if reply else ""


class StrangerTests(SynchronousTestCase):
    """Clients without a login, where they may write to addresses of our own."""

    def session(self, *, tls: bool = False, hello: Hello | None = EHLO) -> Session:
        made = Session(Limits(1000, 100), tls=tls, tls_offered=True, accept_local=True)
        if hello:
            made.greeted(hello)
        return made

    def test_welcome(self) -> None:
        """They give their envelope, in clear and by HELO too; what for is asked at RCPT."""
        for tls in (False, True):
            for hello in (EHLO, HELO):
                stranger = self.session(tls=tls, hello=hello)
                self.assertTrue(stranger.stranger)
                self.assertEqual("503 5.5.1 Need MAIL command first", objection(stranger, RCPT))
                for sender in (MAIL.sender, None):
                    self.assertEqual("", objection(stranger, Mail(sender)))
                stranger.begin(MAIL)
                self.assertEqual("", objection(stranger, RCPT))
                self.assertEqual("", objection(stranger, Rcpt(POSTMASTER, "postmaster")))
                self.assertEqual("503 5.5.1 Need RCPT command first", objection(stranger, DATA))
                stranger.add(RCPT)
                self.assertEqual("", objection(stranger, DATA))

    def test_order(self) -> None:
        """The order of commands is theirs as well, and so is the greatest size."""
        self.assertEqual(HELLO_FIRST, objection(self.session(hello=None), MAIL))
        stranger = self.session()
        self.assertIn("Message too big", objection(stranger, Mail(None, size=1001)))
        stranger.begin(MAIL)
        self.assertEqual("503 5.5.1 Sender was already given", objection(stranger, MAIL))

    def test_few_recipients(self) -> None:
        """They have few recipients; the rest is for another transaction."""
        stranger = self.session()
        stranger.begin(MAIL)
        for _ in range(RECIPIENTS_OF_STRANGERS):
            self.assertEqual("", objection(stranger, RCPT))
            stranger.add(RCPT)
        self.assertEqual("452 4.5.3 Too many recipients", objection(stranger, RCPT))

    def test_relaying(self) -> None:
        """To anybody else they write by the way of all mail: TLS first, then a login."""
        for tls, said in ((False, TLS_FIRST), (True, LOGIN_FIRST)):
            refusal = self.session(tls=tls).objection_to_relaying()
            self.assertEqual(said, refusal.octets().decode().strip())

    def test_logged_in(self) -> None:
        """Who has logged in is no stranger, and needs permission to send."""
        known = self.session(tls=True)
        known.authenticated(may_send=False)
        self.assertFalse(known.stranger)
        self.assertIn("You do not have permission", objection(known, MAIL))

    def test_elsewhere(self) -> None:
        """On other listeners there are none, and no postmaster without a domain."""
        self.assertFalse(session().stranger)
        bare = Rcpt(POSTMASTER, "postmaster")
        self.assertEqual("550 5.1.1 No such address", objection(in_transaction(), bare))
        self.assertEqual(LOGIN_FIRST, objection(session(), bare))


class OrderTests(SynchronousTestCase):
    """Objections to commands."""

    def test_clear(self) -> None:
        """In the clear there is no mail, whatever the client has said before."""
        for hello in (None, EHLO, HELO):
            for command in (MAIL, RCPT, DATA):
                clear = session(tls=False, tls_offered=True, hello=hello)
                self.assertEqual(TLS_FIRST, objection(clear, command))

    def test_not_greeted(self) -> None:
        """Inside TLS the client says who it is first."""
        for command in (MAIL, RCPT, DATA, AUTH):
            self.assertEqual(HELLO_FIRST, objection(session(hello=None), command))

    def test_anonymous(self) -> None:
        """Who has not logged in sends nothing."""
        for command in (MAIL, RCPT, DATA):
            for hello in (EHLO, HELO):
                self.assertEqual(LOGIN_FIRST, objection(session(hello=hello), command))

    def test_no_permission(self) -> None:
        """Who may not send is told so at MAIL."""
        barred = session()
        barred.authenticated(may_send=False)
        self.assertEqual(
            "550 5.7.1 You do not have permission to send email", objection(barred, MAIL)
        )

    def test_mail(self) -> None:
        """One transaction at a time."""
        self.assertEqual("", objection(logged_in(), MAIL))
        self.assertEqual("503 5.5.1 Sender was already given", objection(in_transaction(), MAIL))

    def test_order(self) -> None:
        """RCPT follows MAIL, and DATA follows RCPT."""
        self.assertEqual("503 5.5.1 Need MAIL command first", objection(logged_in(), RCPT))
        self.assertEqual("503 5.5.1 Need RCPT command first", objection(logged_in(), DATA))
        self.assertEqual("503 5.5.1 Need RCPT command first", objection(in_transaction(), DATA))
        self.assertEqual("", objection(in_transaction(), RCPT))
        ready = in_transaction()
        ready.add(RCPT)
        self.assertEqual("", objection(ready, DATA))

    def test_size(self) -> None:
        """A declared size of exactly the limit is taken, one octet more is refused."""
        mail = Mail(MAIL.sender, size=1000)
        self.assertEqual("", objection(logged_in(), mail))
        self.assertEqual(
            "552 5.3.4 Message too big (the limit is 1000 octets)",
            objection(logged_in(), Mail(MAIL.sender, size=1001)),
        )

    def test_recipients(self) -> None:
        """Recipients beyond the limit are for another transaction."""
        full = in_transaction()
        full.add(RCPT)
        self.assertEqual("", objection(full, RCPT))
        full.add(RCPT)
        self.assertEqual("452 4.5.3 Too many recipients", objection(full, RCPT))
        self.assertEqual("", objection(full, DATA))

    def test_smtputf8(self) -> None:
        """A recipient outside ASCII needs SMTPUTF8 at MAIL."""
        rcpt = Rcpt(Mailbox.parse("ü@shop.example"), "ü@shop.example")
        self.assertEqual(
            "553 5.6.7 A non-ASCII address needs SMTPUTF8", objection(in_transaction(), rcpt)
        )
        self.assertEqual("", objection(in_transaction(Mail(None, smtputf8=True)), rcpt))

    def test_auth(self) -> None:
        """AUTH is for those who said EHLO inside TLS, once, outside a transaction."""
        self.assertEqual("", objection(session(), AUTH))
        self.assertEqual(
            "538 5.7.11 Encryption required for requested authentication mechanism",
            objection(session(tls=False, tls_offered=True), AUTH),
        )
        self.assertEqual(HELLO_FIRST, objection(session(hello=HELO), AUTH))
        self.assertEqual("503 5.5.1 Already authenticated", objection(logged_in(), AUTH))
        self.assertEqual(
            "503 5.5.1 AUTH not permitted during a mail transaction",
            objection(in_transaction(), AUTH),
        )

    def test_starttls(self) -> None:
        """STARTTLS is taken once, where it was offered."""
        clear = session(tls=False, tls_offered=True)
        self.assertEqual("", objection(clear, STARTTLS))
        self.assertEqual("503 5.5.1 Already in a secure connection", objection(session(), STARTTLS))
        self.assertEqual(
            "454 4.7.0 TLS not available due to temporary reason",
            objection(session(tls=False), STARTTLS),
        )
        self.assertEqual(
            HELLO_FIRST,
            objection(session(tls=False, tls_offered=True, hello=HELO), STARTTLS),
        )

    def test_starttls_in_transaction(self) -> None:
        """STARTTLS within a transaction is refused, should there ever be one in the clear."""
        clear = session(tls=False, tls_offered=True)
        clear.begin(MAIL)
        self.assertIn("503 5.5.1", objection(clear, STARTTLS))

    def test_always(self) -> None:
        """Some commands are allowed at any point."""
        for verb in ("NOOP", "RSET", "QUIT", "VRFY", "HELP", "EXPN"):
            for at in (session(tls=False, hello=None), session(), in_transaction()):
                self.assertEqual("", objection(at, Simple(verb)))
        self.assertEqual("", objection(session(), EHLO))
        self.assertEqual("", objection(session(), Foreign("GET")))


class StateTests(SynchronousTestCase):
    """What is known, and what is forgotten."""

    def test_hello_ends_transaction(self) -> None:
        """A second EHLO ends the transaction but not the login."""
        at = in_transaction()
        at.greeted(EHLO)
        self.assertIsNone(at.transaction)
        self.assertTrue(at.logged_in)

    def test_secured(self) -> None:
        """Nothing that was said in the clear is known inside TLS."""
        at = session(tls=False, tls_offered=True)
        at.begin(MAIL)
        at.secured()
        self.assertEqual((True, "", False, None), (at.tls, at.helo, at.extended, at.transaction))

    def test_envelope(self) -> None:
        """The envelope is what MAIL and the RCPTs said, in their order."""
        sender = Mailbox.parse("noor@shop.example")
        at = in_transaction(Mail(sender, ret="FULL", envid="x", smtputf8=True))
        at.add(RCPT)
        other = Mailbox.parse("ü@b")
        at.add(Rcpt(other, "ü@b", frozenset({"NEVER"}), "rfc822;ü@b"))
        assert at.transaction is not None
        self.assertEqual(
            Envelope(
                sender,
                (
                    Recipient(RCPT.mailbox, "kees@mailbox.example"),
                    Recipient(other, "ü@b", frozenset({"NEVER"}), "rfc822;ü@b"),
                ),
                ret="FULL",
                envid="x",
                eightbit=True,
                smtputf8=True,
            ),
            at.transaction.envelope(eightbit=True),
        )

    def test_protocol(self) -> None:
        """The name of the protocol tells of EHLO, TLS and login (RFC 3848, RFC 6531)."""
        self.assertEqual("SMTP", session(tls=False, hello=HELO).protocol)
        self.assertEqual("ESMTP", session(tls=False).protocol)
        self.assertEqual("ESMTPS", session().protocol)
        self.assertEqual("ESMTPSA", logged_in().protocol)
        self.assertEqual("UTF8SMTPSA", in_transaction(Mail(None, smtputf8=True)).protocol)


class ExtensionTests(SynchronousTestCase):
    """What EHLO is answered with."""

    def test_clear(self) -> None:
        """In the clear STARTTLS is offered and AUTH is not."""
        self.assertEqual(
            ["STARTTLS", "PIPELINING", "8BITMIME"],
            session(tls=False, tls_offered=True).extensions(enhanced_codes=True),
        )
        self.assertEqual(
            ["PIPELINING", "8BITMIME"], session(tls=False).extensions(enhanced_codes=False)
        )

    def test_inside_tls(self) -> None:
        """Inside TLS it is the other way round, before and after the login."""
        for at in (session(), logged_in()):
            self.assertEqual(
                ["PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 1000", "DSN", "AUTH PLAIN LOGIN"],
                at.extensions(enhanced_codes=False),
            )

    def test_enhanced_codes(self) -> None:
        """Enhanced status codes are offered where they are used."""
        self.assertIn("ENHANCEDSTATUSCODES", session().extensions(enhanced_codes=True))
