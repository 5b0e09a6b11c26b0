"""
One client that hands mail over: the thin part between a transport and the rules.

From taking a command to writing its reply, nothing else is taken. That one rule keeps
replies in order, transactions apart, and makes PIPELINING (RFC 2920) safe to offer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from typing import Protocol as Shape

from attrs import evolve, frozen
from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import LoginFailed
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IHandshakeListener,
    IOpenSSLServerConnectionCreator,
    IReactorTime,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from smtpeter.accounts.interfaces import ISender
from smtpeter.message.content import Content, HeaderTooLarge
from smtpeter.message.envelope import Accepted, Submission, Trace
from smtpeter.message.reply import (
    Refused,
    Reply,
    content_too_big,
    storage_unavailable,
    too_much_in_flight,
)
from smtpeter.smtp import command, sasl
from smtpeter.smtp.session import Limits, Session
from smtpeter.smtp.wire import BareNewline, ContentReader, Fault, Flood, LineReader, LineTooLong

OK = Reply(250, "2.0.0", "Ok")
SENDER_OK = Reply(250, "2.1.0", "Sender OK")
RECIPIENT_OK = Reply(250, "2.1.5", "Recipient OK")
START_CONTENT = Reply(354, "", "End data with <CR><LF>.<CR><LF>")
WELCOME_BACK = Reply(235, "2.7.0", "Welcome back")
READY_FOR_TLS = Reply(220, "2.0.0", "Ready to start TLS")
BYE = Reply(221, "2.0.0", "Bye")
NO_VERIFICATION = Reply(252, "2.5.2", "Cannot verify a user, but will take mail for delivery")
NO_EXPANSION = Reply(502, "5.5.1", "Command not implemented")
HELP = Reply(214, "2.0.0", "EHLO HELO STARTTLS AUTH MAIL RCPT DATA RSET NOOP VRFY QUIT")

BARE_NEWLINE = Reply(500, "5.5.2", "Syntax error, lines must end with CRLF")
LINE_TOO_LONG = Reply(500, "5.5.2", "Line too long")
CONTENT_BARE_NEWLINE = Reply(550, "5.6.0", "Message has a CR or LF that stands alone")
HEADER_TOO_LARGE = Reply(552, "5.3.4", "Message header too large")
INJECTED = Reply(554, "5.5.0", "Commands behind STARTTLS are not accepted")
INTERNAL = Reply(451, "4.3.0", "Internal error, try again later")
NOT_CHECKED = Reply(454, "4.7.0", "Temporary authentication failure")
TOO_MANY_FAILURES = Reply(421, "4.7.0", "Too many authentication failures")
TOO_MANY_ERRORS = Reply(421, "4.7.0", "Too many errors")
FOREIGN = Reply(421, "4.7.0", "This is a mail server")
TIMEOUT = Reply(421, "4.4.2", "Timeout, closing connection")
SESSION_OVER = Reply(421, "4.4.2", "Session lasted too long, closing connection")
SHUTTING_DOWN = Reply(421, "4.3.2", "Service shutting down, try again later")

_ANSWERS = {"NOOP": OK, "VRFY": NO_VERIFICATION, "EXPN": NO_EXPANSION, "HELP": HELP}

LOGIN_FAILURES = 3
HIGH_WATER_OCTETS = 64 * 1024
CLOSE_SECONDS = 10.0
# How far a client may go on beyond the greatest size before it is cut off.
OVERSIZE_FACTOR = 4


@frozen
class ServerSettings:
    """
    What the operator decided for all sessions.

    Attributes:
        product: the word behind the host name in the greeting.
        line_octets: the longest line of content, CRLF included.
        normalise: lone CR and LF in content become CRLF instead of a refusal.
        max_errors: refused commands of a broken kind before the client is hung up on.
        command_seconds: the wait for a command (RFC 5321 section 4.5.3.2.7).
        content_seconds: the wait for each block of content.
        session_seconds: the length of a whole session.
    """

    hostname: str
    limits: Limits
    product: str = "smtpeter"
    enhanced_codes: bool = False
    line_octets: int = 16384
    normalise: bool = False
    max_errors: int = 10
    command_seconds: float = 300.0
    content_seconds: float = 180.0
    session_seconds: float = 3600.0


class Budget(Shape):
    """Room for content in memory, shared by all sessions."""

    @property
    def free_octets(self) -> int: ...

    def reserve(self, octets: int) -> bool: ...

    def release(self, octets: int) -> None: ...


class LoginLimit(Shape):
    """Remembers failed logins."""

    def blocked(self, address: str, username: str) -> bool: ...

    def delay_seconds(self, address: str, username: str) -> float: ...

    def failed(self, address: str, username: str) -> None: ...

    def succeeded(self, address: str, username: str) -> None: ...


@frozen
class Surroundings:
    """The parts that every session uses."""

    settings: ServerSettings
    portal: Portal
    budget: Budget
    login_limit: LoginLimit
    clock: IReactorTime
    tls: IOpenSSLServerConnectionCreator | None


@implementer(IHandshakeListener)
class SmtpServer(Protocol):
    """
    Serves one connection.

    Args:
        implicit_tls: the connection is encrypted from its first octet.
        ended: called once when the connection is gone.
    """

    _log = Logger()

    def __init__(
        self,
        around: Surroundings,
        ended: Callable[[SmtpServer], None],
        *,
        implicit_tls: bool,
    ) -> None:
        self._around = around
        self._settings = around.settings
        self._ended = ended
        self._session = Session(
            around.settings.limits,
            tls=implicit_tls,
            tls_offered=around.tls is not None and not implicit_tls,
        )
        self._lines = LineReader()
        self._content: ContentReader | None = None
        self._exchange: sasl.Exchange | None = None
        self._sender: ISender | None = None
        self._logout: Callable[[], None] = _nothing
        self._pending: Deferred[Any] | None = None
        self._outbox: list[bytes] = []
        self._owes_reply = False
        self._taking = False
        self._paused = False
        self._closing = False
        self._draining = False
        self._errors = 0
        self._login_failures = 0
        self._address = ""

    # The connection.

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.setTcpNoDelay(True)  # type: ignore[attr-defined]
        self._address = getattr(self.transport.getPeer(), "host", "")
        now = self._around.clock.seconds()
        self._waiting_since = now
        self._session_end = now + self._settings.session_seconds
        self._watch = self._around.clock.callLater(self._settings.command_seconds, self._look)
        greeting = f"{self._settings.hostname} {self._settings.product} ESMTP"
        self.transport.write(Reply(220, "", greeting).octets())

    def handshakeCompleted(self) -> None:
        """TLS stands; what is said from here on is private."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002
        self._closing = True
        if self._watch.active():
            self._watch.cancel()
        if self._pending is not None and self._exchange is not None:
            self._pending.cancel()
        if self._content is not None:
            self._give_back(self._content)
            self._content = None
        self._logout()
        self._logout = _nothing
        self._ended(self)

    def drain(self) -> None:
        """The service stops: answer what has begun, then hang up."""
        self._draining = True
        if not self._owes_reply and self._content is None and not self._closing:
            self._hang_up(SHUTTING_DOWN)

    def dataReceived(self, data: bytes) -> None:
        if self._closing:
            return
        if self._content is not None and not self._owes_reply:
            self._receive_content(data)
        else:
            self._lines.feed(data)
        if not self._taking:
            self._take_next()
        if self._owes_reply and self._lines.pending_octets > HIGH_WATER_OCTETS:
            self._pause()

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            self.transport.pauseProducing()  # type: ignore[union-attr]

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            self.transport.resumeProducing()  # type: ignore[union-attr]

    # Commands, one at a time.

    def _take_next(self) -> None:
        """Start commands until one has to wait. Never runs inside itself."""
        self._taking = True
        try:
            while not (self._owes_reply or self._closing) and self._take_one():
                pass
        finally:
            self._taking = False
            self._flush()

    def _take_one(self) -> bool:
        """Take what comes next from the buffer; False when it is not all there yet."""
        if self._content is not None:
            rest = self._lines.take_rest()
            if rest:
                self._receive_content(rest)
            return bool(rest)
        try:
            line = self._lines.next_line(response=self._exchange is not None)
        except BareNewline:
            self._wrong(BARE_NEWLINE)
            return True
        except LineTooLong:
            self._exchange = None
            self._wrong(LINE_TOO_LONG)
            return True
        except Flood:
            self._say(LINE_TOO_LONG)
            self._close()
            return False
        if line is None:
            return False
        self._owes_reply = True
        try:
            self._obey(line)
        except Exception:
            self._log.failure("a command failed in an unforeseen way")
            self._reply(INTERNAL)
        return True

    def _obey(self, line: bytes) -> None:
        if self._exchange is not None:
            self._respond(line)
            return
        try:
            said = command.parse(line)
        except command.CommandError as error:
            self._wrong(error.reply)
            return
        objection = self._session.objection(said)
        if objection is not None:
            if objection.code == 503:
                self._wrong(objection)
            else:
                self._reply(objection)
            return
        self._perform(said)

    def _perform(self, said: command.Command) -> None:
        match said:
            case command.Rcpt():
                self._session.add(said)
                self._reply(RECIPIENT_OK)
            case command.Mail():
                self._begin(said)
            case command.Simple("DATA"):
                self._start_content()
            case command.Hello():
                self._greet(said)
            case command.Auth():
                self._begin_login(said)
            case command.Simple("STARTTLS"):
                self._starttls()
            case command.Simple("RSET"):
                self._session.forget()
                self._reply(OK)
            case command.Simple("QUIT"):
                self._hang_up(BYE)
            case command.Simple(verb):
                self._reply(_ANSWERS[verb])
            case command.Foreign():
                self._hang_up(FOREIGN)

    def _greet(self, hello: command.Hello) -> None:
        self._session.greeted(hello)
        if not hello.extended:
            self._reply(Reply(250, "", self._settings.hostname))
            return
        keywords = self._session.extensions(enhanced_codes=self._settings.enhanced_codes)
        first = f"{self._settings.hostname} Pleased to meet you"
        self._reply(Reply(250, "", "\n".join([first, *keywords])))

    def _begin(self, mail: command.Mail) -> None:
        if mail.size is not None and mail.size > self._around.budget.free_octets:
            self._reply(too_much_in_flight().reply)
            return
        self._session.begin(mail)
        self._reply(SENDER_OK)

    # TLS.

    def _starttls(self) -> None:
        if self._lines.pending_octets:
            # Whoever put it there wants it obeyed as if it had been encrypted (RFC 3207, 4.2).
            self._hang_up(INJECTED)
            return
        self._reply(READY_FOR_TLS)
        self._flush()
        self._session.secured()
        try:
            self.transport.startTLS(self._around.tls)  # type: ignore[union-attr]
        except Exception:
            self._log.failure("TLS could not be started")
            self._close()

    # Logging in.

    def _begin_login(self, auth: command.Auth) -> None:
        try:
            self._exchange = sasl.exchange(auth.mechanism, auth.initial)
            challenge = next(self._exchange)
        except StopIteration as end:
            self._login(end.value)
        except sasl.SaslError as error:
            self._end_exchange(error.reply)
        else:
            self._reply(Reply(334, "", challenge))

    def _respond(self, line: bytes) -> None:
        assert self._exchange is not None
        try:
            challenge = self._exchange.send(line.decode("ascii", "replace"))
        except StopIteration as end:
            self._login(end.value)
        except sasl.SaslError as error:
            self._end_exchange(error.reply)
        else:
            self._reply(Reply(334, "", challenge))

    def _end_exchange(self, reply: Reply) -> None:
        if reply == sasl.INVALID:
            self._refuse_login("")
        else:
            self._exchange = None
            self._wrong(reply)

    def _login(self, credentials: sasl.Credentials) -> None:
        username = credentials.username
        if self._around.login_limit.blocked(self._address, username):
            self._log.info(
                "login refused unchecked after many failures: {username} from {address}",
                username=username,
                address=self._address,
            )
            self._exchange = None
            self._reply(NOT_CHECKED)
            return
        presented = UsernamePassword(username.encode(), credentials.password.encode())
        self._pending = self._around.portal.login(presented, None, ISender)
        self._pending.addCallbacks(
            self._logged_in,
            self._not_logged_in,
            callbackArgs=(username,),
            errbackArgs=(username,),
        )
        self._pending.addErrback(self._broken)

    def _logged_in(self, avatar: tuple[Any, ISender, Callable[[], None]], username: str) -> None:
        self._pending = self._exchange = None
        _, sender, logout = avatar
        if self._closing:
            logout()
            return
        self._sender, self._logout = sender, logout
        self._session.authenticated(may_send=sender.may_send)
        self._around.login_limit.succeeded(self._address, username)
        self._reply(WELCOME_BACK)

    def _not_logged_in(self, failure: Failure, username: str) -> None:
        self._pending = None
        if failure.check(LoginFailed):
            self._refuse_login(username)
            return
        self._exchange = None
        if not self._closing:
            self._log.failure("a login could not be checked", failure)
            self._reply(NOT_CHECKED)

    def _refuse_login(self, username: str) -> None:
        self._exchange = None
        self._login_failures += 1
        limit = self._around.login_limit
        limit.failed(self._address, username)
        self._log.info(
            "login failed: {username} from {address}", username=username, address=self._address
        )
        delay = limit.delay_seconds(self._address, username)
        if delay > 0:
            self._around.clock.callLater(delay, self._answer_failed_login)
        else:
            self._answer_failed_login()

    def _answer_failed_login(self) -> None:
        if self._login_failures >= LOGIN_FAILURES:
            self._hang_up(TOO_MANY_FAILURES)
        else:
            self._reply(sasl.INVALID)

    # Content.

    def _start_content(self) -> None:
        self._content = ContentReader(
            self._settings.limits.message_octets,
            self._settings.line_octets,
            self._around.budget.reserve,
            normalise=self._settings.normalise,
        )
        self._reply(START_CONTENT)

    def _receive_content(self, octets: bytes) -> None:
        assert self._content is not None
        self._waiting_since = self._around.clock.seconds()
        rest = self._content.feed(octets)
        if rest is not None:
            self._owes_reply = True
            self._lines.feed(rest)
            self._accept(self._content)
        elif self._content.octets > OVERSIZE_FACTOR * self._settings.limits.message_octets:
            self._hang_up(content_too_big(self._settings.limits.message_octets).reply)

    def _accept(self, reader: ContentReader) -> None:
        """The content is complete: refuse it, or hand it over and wait for the verdict."""
        transaction = self._session.transaction
        assert transaction is not None
        assert self._sender is not None
        try:
            if reader.fault is not None:
                raise self._refusal(reader.fault)
            content = Content.from_blocks(reader.blocks())
        except HeaderTooLarge:
            self._end_transaction(reader, HEADER_TOO_LARGE)
            return
        except Refused as refused:
            self._end_transaction(reader, refused.reply)
            return
        envelope = transaction.envelope()
        if transaction.mail.body == "8BITMIME":
            envelope = evolve(envelope, eightbit=True)
        trace = Trace(self._session.helo, self._address, self._session.protocol)
        self._pending = self._sender.submit(Submission(envelope, content, trace))
        self._pending.addCallbacks(
            self._accepted, self._refused, callbackArgs=(reader,), errbackArgs=(reader,)
        )
        self._pending.addErrback(self._broken)

    def _refusal(self, fault: Fault) -> Refused:
        if fault is Fault.TOO_BIG:
            return content_too_big(self._settings.limits.message_octets)
        if fault is Fault.NO_ROOM:
            return too_much_in_flight()
        if fault is Fault.BARE_NEWLINE:
            return Refused(CONTENT_BARE_NEWLINE, 400)
        limit = self._settings.line_octets
        text = f"Message has a line that is too long (the limit is {limit} octets)"
        return Refused(Reply(500, "5.6.0", text), 400)

    def _accepted(self, accepted: Accepted, reader: ContentReader) -> None:
        queued = "\n".join(f"Ok, queued as {each}" for each in accepted.ids)
        self._end_transaction(reader, Reply(250, "2.0.0", queued))

    def _refused(self, failure: Failure, reader: ContentReader) -> None:
        if isinstance(failure.value, Refused):
            reply = failure.value.reply
        else:
            self._log.failure("a message could not be accepted", failure)
            reply = storage_unavailable().reply
        self._end_transaction(reader, reply)

    def _end_transaction(self, reader: ContentReader, reply: Reply) -> None:
        self._pending = None
        self._give_back(reader)
        self._content = None
        self._session.forget()
        self._reply(reply)

    def _give_back(self, reader: ContentReader) -> None:
        self._around.budget.release(reader.reserved_octets)
        reader.reserved_octets = 0

    # Replies.

    def _broken(self, failure: Failure) -> None:
        self._log.failure("a session failed in an unforeseen way", failure)
        self._pending = self._exchange = None
        self._reply(INTERNAL)

    def _wrong(self, reply: Reply) -> None:
        """Refuse what a sane client would not have sent, and count it."""
        self._errors += 1
        if self._errors > self._settings.max_errors:
            self._hang_up(TOO_MANY_ERRORS)
        else:
            self._reply(reply)

    def _reply(self, reply: Reply) -> None:
        """The one reply to the command at hand; the next command may be taken."""
        if self._closing:
            return
        self._say(reply)
        self._owes_reply = False
        self._waiting_since = self._around.clock.seconds()
        if self._draining and self._content is None:
            self._hang_up(SHUTTING_DOWN)
        if not self._taking:
            self._resume()
            self._take_next()

    def _say(self, reply: Reply) -> None:
        self._outbox.append(reply.octets(enhanced_codes=self._settings.enhanced_codes))

    def _flush(self) -> None:
        """Replies to commands that came together leave together (RFC 2920 section 3.2)."""
        if self._outbox:
            octets = b"".join(self._outbox)
            self._outbox.clear()
            self.transport.write(octets)  # type: ignore[union-attr]

    def _hang_up(self, reply: Reply) -> None:
        if not self._closing:
            self._say(reply)
            self._close()

    def _close(self) -> None:
        self._closing = True
        self._flush()
        self.transport.loseConnection()  # type: ignore[union-attr]
        self._watch.reset(CLOSE_SECONDS)  # a client that reads nothing is not waited for

    # Time.

    def _look(self) -> None:
        """Hang up when the client has let us wait too long; our own work is never cut short."""
        if self._closing:
            self.transport.abortConnection()  # type: ignore[union-attr]
            return
        now = self._around.clock.seconds()
        content = self._content is not None
        patience = self._settings.content_seconds if content else self._settings.command_seconds
        deadline = min(self._waiting_since + patience, self._session_end)
        if self._owes_reply:
            deadline = now + self._settings.content_seconds
        if deadline <= now:
            self._watch = self._around.clock.callLater(CLOSE_SECONDS, self._look)
            self._hang_up(SESSION_OVER if now >= self._session_end else TIMEOUT)
        else:
            self._watch = self._around.clock.callLater(deadline - now, self._look)


def _nothing() -> None:
    """The logout of somebody who is not logged in."""
