"""Which command is allowed when (RFC 5321 section 4.1.4). Knows no transport."""

from __future__ import annotations

from attrs import define, field

from smtpeter.message.envelope import Envelope, Recipient
from smtpeter.message.reply import Reply
from smtpeter.smtp.command import POSTMASTER, Auth, Command, Hello, Mail, Rcpt, Simple
from smtpeter.values import frozen

HELLO_FIRST = Reply(503, "5.5.1", "Send EHLO first")
TLS_FIRST = Reply(530, "5.7.0", "Must issue a STARTTLS command first")
LOGIN_FIRST = Reply(530, "5.7.0", "Authentication required")
NO_PERMISSION = Reply(550, "5.7.1", "You do not have permission to send email")
MAIL_FIRST = Reply(503, "5.5.1", "Need MAIL command first")
RCPT_FIRST = Reply(503, "5.5.1", "Need RCPT command first")
MAIL_TWICE = Reply(503, "5.5.1", "Sender was already given")
TLS_TWICE = Reply(503, "5.5.1", "Already in a secure connection")
NO_TLS = Reply(454, "4.7.0", "TLS not available due to temporary reason")
TLS_IN_TRANSACTION = Reply(503, "5.5.1", "STARTTLS not permitted during a mail transaction")
AUTH_TWICE = Reply(503, "5.5.1", "Already authenticated")
AUTH_IN_TRANSACTION = Reply(503, "5.5.1", "AUTH not permitted during a mail transaction")
AUTH_NEEDS_TLS = Reply(538, "5.7.11", "Encryption required for requested authentication mechanism")
TOO_MANY_RECIPIENTS = Reply(452, "4.5.3", "Too many recipients")
NO_SUCH_ADDRESS = Reply(550, "5.1.1", "No such address")
NEEDS_SMTPUTF8 = Reply(553, "5.6.7", "A non-ASCII address needs SMTPUTF8")

# What comes back comes to one address; each more is stored once more.
RECIPIENTS_OF_STRANGERS = 5


@frozen
class Limits:
    """What one session may ask for."""

    message_octets: int
    recipients: int


@define
class Transaction:
    """One mail transaction; a check that ends late finds its own, never the next."""

    mail: Mail
    recipients: list[Recipient] = field(factory=list)

    def envelope(self, *, eightbit: bool) -> Envelope:
        return Envelope(
            sender=self.mail.sender,
            recipients=tuple(self.recipients),
            ret=self.mail.ret,
            envid=self.mail.envid,
            eightbit=eightbit,
            smtputf8=self.mail.smtputf8,
        )


class Session:
    """
    What is known of a client, and what follows for its next command.

    Args:
        tls: the connection is encrypted from its start.
        tls_offered: STARTTLS can be offered.
        accept_local: strangers may write to addresses of our own.
    """

    def __init__(
        self, limits: Limits, *, tls: bool, tls_offered: bool, accept_local: bool = False
    ) -> None:
        self._limits = limits
        self._tls_offered = tls_offered
        self._accept_local = accept_local
        self.tls = tls
        self.helo = ""
        self.extended = False
        self.logged_in = False
        self.may_send = False
        self.transaction: Transaction | None = None

    @property
    def stranger(self) -> bool:
        """True for a client without a login who may write to addresses of our own."""
        return self._accept_local and not self.logged_in

    # What the client is told it may use.

    def extensions(self, *, enhanced_codes: bool) -> list[str]:
        """The keywords for the reply to EHLO."""
        if not self.tls:
            offered = ["STARTTLS"] if self._tls_offered else []
            return [*offered, "PIPELINING", "8BITMIME"]
        keywords = ["PIPELINING", "8BITMIME", "SMTPUTF8", f"SIZE {self._limits.message_octets}"]
        if enhanced_codes:
            keywords.append("ENHANCEDSTATUSCODES")
        return [*keywords, "DSN", "AUTH PLAIN LOGIN"]

    @property
    def protocol(self) -> str:
        """The value of "with" in a Received field (RFC 3848, RFC 6531 section 3.7.3)."""
        base = "ESMTP" if self.extended else "SMTP"
        if self.transaction and self.transaction.mail.smtputf8:
            base = "UTF8SMTP"
        return base + ("S" if self.tls else "") + ("A" if self.logged_in else "")

    # What speaks against a command; None when nothing does.

    def objection(self, command: Command) -> Reply | None:
        """The refusal of a command at this point of the session, None when it may run."""
        match command:
            case Rcpt():
                return self._objection_to_rcpt(command)
            case Mail():
                return self._objection_to_mail(command)
            case Simple("DATA"):
                return self._objection_to_data()
            case Auth():
                return self._objection_to_auth()
            case Simple("STARTTLS"):
                return self._objection_to_starttls()
        return None

    def objection_to_relaying(self) -> Reply:
        """The refusal of a stranger's mail to anybody but us."""
        return LOGIN_FIRST if self.tls else TLS_FIRST

    def _objection_to_anybody(self) -> Reply | None:
        if self.stranger:
            return None if self.helo else HELLO_FIRST
        if not self.tls:
            return TLS_FIRST
        if not self.helo:
            return HELLO_FIRST
        if not self.logged_in:
            return LOGIN_FIRST
        return None

    def _objection_to_mail(self, mail: Mail) -> Reply | None:
        if objection := self._objection_to_anybody():
            return objection
        if not self.may_send and not self.stranger:
            return NO_PERMISSION
        if self.transaction:
            return MAIL_TWICE
        if mail.size is not None and mail.size > self._limits.message_octets:
            limit = self._limits.message_octets
            return Reply(552, "5.3.4", f"Message too big (the limit is {limit} octets)")
        return None

    def _objection_to_rcpt(self, rcpt: Rcpt) -> Reply | None:
        if objection := self._objection_to_anybody():
            return objection
        if not self.transaction:
            return MAIL_FIRST
        if not self.transaction.mail.smtputf8 and not rcpt.written.isascii():
            return NEEDS_SMTPUTF8
        if rcpt.mailbox is POSTMASTER and not self.stranger:  # only our own, not for relaying
            return NO_SUCH_ADDRESS
        most = RECIPIENTS_OF_STRANGERS if self.stranger else self._limits.recipients
        if len(self.transaction.recipients) >= most:
            return TOO_MANY_RECIPIENTS
        return None

    def _objection_to_data(self) -> Reply | None:
        if objection := self._objection_to_anybody():
            return objection
        if not self.transaction or not self.transaction.recipients:
            return RCPT_FIRST
        return None

    def _objection_to_auth(self) -> Reply | None:
        if not self.tls:
            return AUTH_NEEDS_TLS
        if not self.extended:
            return HELLO_FIRST
        if self.transaction:
            return AUTH_IN_TRANSACTION
        if self.logged_in:
            return AUTH_TWICE
        return None

    def _objection_to_starttls(self) -> Reply | None:
        if self.tls:
            return TLS_TWICE
        if self.helo and not self.extended:
            return HELLO_FIRST
        if not self._tls_offered:
            return NO_TLS
        if self.transaction:
            return TLS_IN_TRANSACTION
        return None

    # What has happened.

    def greeted(self, hello: Hello) -> None:
        """The client said who it is; that also ends a transaction (RFC 5321 section 4.1.4)."""
        self.helo = hello.name
        self.extended = hello.extended
        self.transaction = None

    def secured(self) -> None:
        """TLS began: all that was said in the clear is forgotten (RFC 3207 section 4.2)."""
        self.tls = True
        self.helo = ""
        self.extended = False
        self.transaction = None

    def authenticated(self, *, may_send: bool) -> None:
        self.logged_in = True
        self.may_send = may_send

    def begin(self, mail: Mail) -> None:
        self.transaction = Transaction(mail)

    def add(self, rcpt: Rcpt) -> None:
        assert self.transaction is not None
        recipient = Recipient(rcpt.mailbox, rcpt.written, rcpt.notify, rcpt.orcpt)
        self.transaction.recipients.append(recipient)

    def forget(self) -> None:
        """The transaction is over or given up."""
        self.transaction = None
