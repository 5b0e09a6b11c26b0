"""
One client that hands mail over: the thin part between a transport and the rules.

From taking a command to writing its reply, nothing else is taken. That one rule keeps
replies in order, transactions apart, and makes PIPELINING (RFC 2920) safe to offer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IHandshakeListener, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from smtpeter.accounts.interfaces import ISender
from smtpeter.message.envelope import Accepted, Submission, Trace
from smtpeter.message.reply import (
    Refused,
    Reply,
    content_too_big,
    storage_unavailable,
    too_much_in_flight,
)
from smtpeter.smtp import answers, command
from smtpeter.smtp.login import Login
from smtpeter.smtp.patience import Patience
from smtpeter.smtp.prompt import write_promptly
from smtpeter.smtp.reception import received
from smtpeter.smtp.session import Session
from smtpeter.smtp.surroundings import Home, ServerSettings, Surroundings, Transport
from smtpeter.smtp.tlslayer import start_tls
from smtpeter.smtp.wire import BareNewline, ContentReader, Flood, LineReader, LineTooLong

__all__ = ["ServerSettings", "SmtpServer", "Surroundings"]

# How much is kept of what a client sends ahead while we owe it a reply.
HIGH_WATER_OCTETS = 64 * 1024
# Replies that leave together; the transport is asked between them whether it has room.
REPLIES_TOGETHER = 64
# How far a client may go on beyond the greatest size before it is cut off.
OVERSIZE_FACTOR = 4


@implementer(IHandshakeListener, IPushProducer)
class SmtpServer(Protocol):
    """
    Serves one connection.

    Args:
        implicit_tls: the connection is encrypted from its first octet.
        accept_local: who has not logged in may write to addresses of our own.
        ended: called once when the connection is gone.
    """

    _log = Logger()

    def __init__(
        self,
        around: Surroundings,
        ended: Callable[[SmtpServer], None],
        *,
        implicit_tls: bool,
        accept_local: bool = False,
    ) -> None:
        self._around = around
        self._settings = around.settings
        self._ended = ended
        self._session = Session(
            around.settings.limits,
            tls=implicit_tls,
            tls_offered=around.tls is not None and not implicit_tls,
            accept_local=accept_local and around.home is not None,
        )
        self._lines = LineReader()
        self._content: ContentReader | None = None
        # Who has not logged in brings mail to our own addresses, or none.
        self._sender: ISender | Home | None = around.home if accept_local else None
        self._outbox: list[bytes] = []
        self._errors = 0
        self._handshaking = implicit_tls
        self._owes_reply = False
        self._taking = False
        self._transport_full = False
        self._paused = False
        self._closing = False
        self._transactions = 0
        self._parting: Reply | None = None

    # The connection.

    def connectionMade(self) -> None:
        self._wire = cast("Transport", self.transport)
        self._wire.setTcpNoDelay(True)
        write_promptly(self.transport)
        self._wire.registerProducer(self, True)
        self._address = getattr(self._wire.getPeer(), "host", "")
        self._login = Login(self._around, self._address, self._welcome)
        self._patience = Patience(
            self._around.clock,
            self._settings,
            self._part,
            self._dismiss,
            self._wire.abortConnection,
        )
        greeting = f"{self._settings.hostname} {self._settings.product} ESMTP"
        self._wire.write(Reply(220, "", greeting).octets())

    def handshakeCompleted(self) -> None:
        self._handshaking = False

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._closing = True
        self._patience.stop()
        if self._handshaking:
            self._log.info(
                "TLS handshake with {address} failed: {reason}",
                address=self._address,
                reason=reason.getErrorMessage(),
            )
        if self._content is not None and not self._owes_reply:
            self._content.discard()
        self._ended(self)
        self._login.end()

    def drain(self) -> None:
        """The service stops: answer what has begun, then hang up."""
        self._part(answers.SHUTTING_DOWN)

    def dataReceived(self, data: bytes) -> None:
        if self._closing:
            return
        if self._content is not None and not self._owes_reply and not self._lines.pending_octets:
            self._receive_content(data)
        else:
            self._lines.feed(data)
        if not self._taking:
            self._take_next()

    # The transport calls these when its buffer is full, because the client does not read,
    # and when it has room again. Reading goes on: a TLS handshake would wait for it.

    def pauseProducing(self) -> None:
        self._transport_full = True

    def resumeProducing(self) -> None:
        self._transport_full = False
        if not self._taking:
            self._take_next()

    def stopProducing(self) -> None:
        """Nothing is to be done: `connectionLost` follows."""

    # Commands, one at a time.

    def _take_next(self) -> None:
        """Start commands until one has to wait. Never runs inside itself."""
        self._taking = True
        try:
            while self._may_take() and self._take_one():
                if len(self._outbox) >= REPLIES_TOGETHER:
                    self._flush()
        finally:
            self._taking = False
            self._flush()
            self._throttle()

    def _may_take(self) -> bool:
        return not (self._owes_reply or self._closing or self._transport_full)

    def _throttle(self) -> None:
        """Read on only when what came before has been taken."""
        full = self._lines.pending_octets > HIGH_WATER_OCTETS
        if full is not self._paused and not self._closing:
            self._paused = full
            if full:
                self._wire.pauseProducing()
            else:
                self._wire.resumeProducing()

    def _take_one(self) -> bool:
        """Take what comes next from the buffer; False when it is not all there yet."""
        if self._content is not None:
            rest = self._lines.take_rest()
            if rest:
                self._receive_content(rest)
            return bool(rest)
        try:
            line = self._lines.next_line(response=self._login.exchanging)
        except BareNewline:
            self._refuse_line(answers.BARE_NEWLINE, answers.BARE_NEWLINE)
            return True
        except LineTooLong:
            self._refuse_line(answers.LINE_TOO_LONG, answers.RESPONSE_TOO_LONG)
            return True
        except Flood:
            self._hang_up(answers.LINE_TOO_LONG)
            return False
        if line is None:
            return False
        self._owes_reply = True
        try:
            self._obey(line)
        except Exception:
            self._log.failure("a command failed in an unforeseen way")
            self._refuse(answers.INTERNAL)
        return True

    def _refuse_line(self, as_command: Reply, as_response: Reply) -> None:
        exchanging = self._login.exchanging
        self._login.abandon_exchange()
        self._refuse(as_response if exchanging else as_command)

    def _obey(self, line: bytes) -> None:
        if self._login.exchanging:
            self._answer(self._login.respond(line))
            return
        try:
            said = command.parse(line)
        except command.CommandError as error:
            self._refuse(error.reply)
            return
        objection = self._session.objection(said)
        if objection is not None:
            self._refuse(objection)
        else:
            self._perform(said)

    def _perform(self, said: command.Command) -> None:
        match said:
            case command.Rcpt() if self._session.stranger:
                self._ask_at_home(said)
            case command.Rcpt():
                self._session.add(said)
                self._reply(answers.RECIPIENT_OK)
            case command.Mail():
                self._begin(said)
            case command.Simple("DATA"):
                self._start_content()
            case command.Hello():
                self._greet(said)
            case command.Auth():
                self._answer(self._login.begin(said))
            case command.Simple("STARTTLS"):
                self._starttls()
            case command.Simple("RSET"):
                self._session.forget()
                self._reply(answers.OK)
            case command.Simple("QUIT"):
                self._dismiss(answers.BYE)
            case command.Simple(verb):
                self._reply(answers.BY_VERB[verb])
            case command.Foreign():
                self._hang_up(answers.FOREIGN)

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
        self._reply(answers.SENDER_OK)

    def _ask_at_home(self, rcpt: command.Rcpt) -> None:
        """A stranger's recipient is to be one of us."""
        assert self._around.home is not None
        asked = self._around.home.knows(rcpt.mailbox)
        told = asked.addCallbacks(self._known, self._refused, callbackArgs=(rcpt,))
        self._answer(told.addCallback(self._no_guessing))

    def _no_guessing(self, reply: Reply) -> Reply:
        """A stranger who tries one address after the other brings no bounces."""
        return self._counted(reply) if reply.code // 100 == 5 else reply

    def _known(self, known: bool, rcpt: command.Rcpt) -> Reply:  # noqa: FBT001
        if not known:
            return self._session.objection_to_relaying()
        self._session.add(rcpt)
        return answers.RECIPIENT_OK

    def _starttls(self) -> None:
        if self._lines.pending_octets:
            # Whoever put it there wants it obeyed as if it had been encrypted (RFC 3207, 4.2).
            self._hang_up(answers.INJECTED)
            return
        self._reply(answers.READY_FOR_TLS)
        self._flush()
        self._session.secured()
        self._handshaking = True
        assert self._around.tls is not None
        try:
            start_tls(self.transport, self._around.tls, self)
            self._wire = cast("Transport", self.transport)
        except Exception:
            self._log.failure("TLS could not be started")
            self._close()

    def _welcome(self, sender: ISender) -> None:
        self._sender = sender
        self._session.authenticated(may_send=sender.may_send)

    # Content.

    def _start_content(self) -> None:
        self._content = ContentReader(
            self._settings.limits.message_octets,
            self._settings.line_octets,
            self._around.budget,
            normalise=self._settings.normalise,
        )
        self._reply(answers.START_CONTENT)

    def _receive_content(self, octets: bytes) -> None:
        reader = self._content
        assert reader is not None
        rest = reader.feed(octets)
        if reader.octets > OVERSIZE_FACTOR * self._settings.limits.message_octets:
            self._hang_up(content_too_big(self._settings.limits.message_octets).reply)
        elif rest is None:
            self._patience.wait_for_content()
        else:
            self._lines.feed(rest)
            self._accept(reader)

    def _accept(self, reader: ContentReader) -> None:
        """The content is complete: refuse it, or hand it over and wait for the verdict."""
        self._owes_reply = True
        self._patience.our_turn()
        verdict: Deferred[Any] = maybeDeferred(self._submit, reader)
        verdict.addCallbacks(self._accepted, self._refused)
        verdict.addCallback(self._end_transaction, reader)
        verdict.addErrback(self._broken)

    def _submit(self, reader: ContentReader) -> Deferred[Accepted]:
        transaction = self._session.transaction
        assert transaction is not None
        assert self._sender is not None
        content = received(reader)
        envelope = transaction.envelope(eightbit=content.eightbit)
        trace = Trace(self._session.helo, self._address, self._session.protocol)
        return self._sender.submit(Submission(envelope, content, trace))

    def _accepted(self, accepted: Accepted) -> Reply:
        self._errors = 0
        lines = [
            f"Ok, suppressed as {each}" if each in accepted.suppressed else f"Ok, queued as {each}"
            for each in accepted.ids
        ]
        return Reply(250, "2.0.0", "\n".join(lines))

    def _refused(self, failure: Failure) -> Reply:
        if isinstance(failure.value, Refused):
            return failure.value.reply
        self._log.failure("a message could not be accepted", failure)
        return storage_unavailable().reply

    def _end_transaction(self, reply: Reply, reader: ContentReader) -> None:
        reader.discard()
        self._content = None
        self._session.forget()
        self._transactions += 1
        if self._transactions >= self._settings.max_transactions:
            self._parting = answers.TOO_MANY_TRANSACTIONS
        self._reply(reply)

    # Replies.

    def _answer(self, reply: Reply | Deferred[Reply]) -> None:
        """Refuse or confirm, now or later."""
        if isinstance(reply, Reply):
            self._refuse(reply)
        else:
            self._patience.our_turn()
            reply.addCallbacks(self._reply, self._broken).addErrback(self._broken)

    def _refuse(self, reply: Reply) -> None:
        """The same as `_reply`, but errors of protocol (RFC 3463, X.5.z) are counted."""
        counts = reply.enhanced.startswith("5.5.") or reply is answers.INTERNAL
        self._reply(self._counted(reply) if counts else reply)

    def _counted(self, reply: Reply) -> Reply:
        """One error more; too many are the end."""
        self._errors += 1
        return answers.TOO_MANY_ERRORS if self._errors > self._settings.max_errors else reply

    def _reply(self, reply: Reply) -> None:
        """The one reply to the command at hand; the next command may be taken."""
        if self._closing:
            return
        if reply.code == answers.CLOSING:
            self._hang_up(reply)
            return
        self._say(reply)
        self._owes_reply = False
        if self._content is not None:
            self._patience.wait_for_content()
        else:
            self._patience.wait_for_command()
            if self._parting is not None:
                self._dismiss(self._parting)
        if not self._taking:
            self._take_next()

    def _broken(self, failure: Failure) -> None:
        """Nobody can tell what the client was told: it has to begin anew."""
        self._log.failure("a session failed in an unforeseen way", failure)
        if not self._closing:
            self._close()

    def _say(self, reply: Reply) -> None:
        self._outbox.append(reply.octets(enhanced_codes=self._settings.enhanced_codes))

    def _flush(self) -> None:
        """Replies to commands that came together leave together (RFC 2920 section 3.2)."""
        if self._outbox:
            octets = b"".join(self._outbox)
            self._outbox.clear()
            self._wire.write(octets)

    def _part(self, reply: Reply) -> None:
        """Say a last word as soon as what has begun is answered, and close."""
        self._parting = reply
        if not self._owes_reply and self._content is None:
            self._dismiss(reply)

    def _dismiss(self, reply: Reply) -> None:
        """Say a last word to a client that waits for it, and close."""
        if not self._closing:
            self._say(reply)
            self._close()

    def _hang_up(self, reply: Reply) -> None:
        """
        Say a last word to a client that may be sending, and hear it out before we close.

        Were the connection closed over octets that nobody has read, TCP would reset it, and
        the client might never see the word (RFC 1122 section 4.2.2.13).
        """
        if not self._closing:
            self._say(reply)
            self._end()
            if self._paused:
                self._wire.resumeProducing()
            self._wire.loseWriteConnection()

    def _close(self) -> None:
        self._end()
        self._wire.loseConnection()

    def _end(self) -> None:
        """From now on nothing is taken, and nothing said."""
        self._closing = True
        self._flush()
        self._wire.unregisterProducer()
        self._patience.closing()
