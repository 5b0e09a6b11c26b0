"""One outbound connection, for many messages."""

from __future__ import annotations

import enum
from typing import Any, cast

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import (
    IConsumer,
    IHandshakeListener,
    IReactorTime,
    ITCPTransport,
    ITLSTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from smtpeter.message.content import Content
from smtpeter.message.envelope import Envelope
from smtpeter.message.outcome import Outcome
from smtpeter.message.reply import Reply
from smtpeter.smtp.deadline import Deadline
from smtpeter.smtp.dialogue import Dialogue, Encrypt, Say, Step
from smtpeter.smtp.opening import ClientSettings, ConnectFailed, Opening
from smtpeter.smtp.peer import Peer
from smtpeter.smtp.prompt import write_promptly
from smtpeter.smtp.replies import InvalidReply, ReplyReader
from smtpeter.smtp.sending import ContentSender
from smtpeter.smtp.transaction import Transaction
from smtpeter.smtp.transparency import DotStuffer

AT_ONCE_OCTETS = 64 * 1024  # content up to this size is written in one go


class State(enum.Enum):
    """What a connection is busy with."""

    OPENING = "opening"
    IDLE = "idle"
    BUSY = "busy"
    CLOSING = "closing"
    CLOSED = "closed"


@implementer(IHandshakeListener)
class SmtpClient(Protocol):
    """
    A client's end of an SMTP connection.

    Attributes:
        ready: fires with the client when messages can be sent, or fails with
            `ConnectFailed`.
        mail_answered: False when the last message came to its end before the server
            had answered MAIL, so that another connection may do better.
        transactions: the number of messages sent so far.
        for_one_domain: whoever opened it knows that it is not for mail to others.
    """

    _log = Logger()

    def __init__(self, settings: ClientSettings, clock: IReactorTime) -> None:
        self.ready: Deferred[SmtpClient] = Deferred(lambda _: self.abort())
        self.mail_answered = True
        self.transactions = 0
        self.for_one_domain = False
        self._settings = settings
        self._state = State.OPENING
        self._stage = "connect"
        self._reader = ReplyReader()
        self._deadline = Deadline(clock, self._expired)
        self._opening = Opening(settings, Peer(settings.host))
        self._dialogue: Dialogue | None = None
        self._transaction: Transaction | None = None
        self._content: Content | None = None
        self._sender: ContentSender | None = None
        self._sent: Deferred[tuple[Outcome, ...]] | None = None
        self._gone: Deferred[None] | None = None
        self._tls_unproved = False
        self._cut_short = False
        self._reset_first = False

    # What others ask of it.

    @property
    def usable(self) -> bool:
        """True when `send` may be called."""
        return self._state is State.IDLE

    @property
    def peer(self) -> Peer:
        """Whom this connection leads to."""
        return self._opening.peer

    def send(self, envelope: Envelope, content: Content) -> Deferred[tuple[Outcome, ...]]:
        """
        Send one message.

        The Deferred never fails. It fires with an outcome for each recipient, in their
        order; when it is cancelled, at once.
        """
        transaction = Transaction(
            envelope,
            content,
            self._opening.capabilities,
            self.peer,
            self._settings.timeouts,
            reset_first=self._reset_first,
        )
        if not self.usable:
            self.mail_answered = False
            return succeed(transaction.outcomes(self.peer.lost("mailfrom", "not connected")))
        sent: Deferred[tuple[Outcome, ...]] = Deferred(lambda _: self.abort())
        self._sent = sent
        self._transaction = transaction
        self._content = content
        self._state = State.BUSY
        self._stage = "mailfrom"
        self.transactions += 1
        self._deadline.limit(self._settings.timeouts.transaction)
        self._dialogue = transaction.dialogue()
        self._advance(None)
        return sent

    def quit(self) -> Deferred[None]:
        """Say goodbye, unless a message is under way; fires when the connection is closed."""
        if self._state is not State.IDLE:
            self.abort()
            return succeed(None)
        self._state = State.CLOSING
        self._gone = Deferred()
        self._line.write(b"QUIT\r\n")
        self._deadline.within(self._settings.timeouts.quit)
        return self._gone

    def abort(self) -> None:
        """Close the connection now, whatever it is busy with."""
        self._break(self.peer.lost(self._stage, "the attempt was given up"))

    # What the transport tells it.

    @property
    def _line(self) -> ITLSTransport:
        return cast("ITLSTransport", self.transport)

    @property
    def _ending(self) -> bool:
        return self._state in (State.CLOSING, State.CLOSED)

    def connectionMade(self) -> None:
        if self._ending:  # given up before it began
            self._line.abortConnection()
            return
        if ITCPTransport.providedBy(self.transport):
            # A command must not wait until the reply before it is acknowledged.
            self._line.setTcpNoDelay(True)
            write_promptly(self.transport)
        local, remote = self._line.getHost(), self._line.getPeer()
        self._opening.peer = Peer(
            self._settings.host, getattr(local, "host", ""), getattr(remote, "host", "")
        )
        self._deadline.limit(self._settings.timeouts.opening)
        self._dialogue = self._opening.dialogue()
        self._advance(None)

    def dataReceived(self, data: bytes) -> None:
        if self._ending:
            self._line.loseConnection()
            return
        if self._dialogue is None:  # nobody asked: it is about to close the connection
            self.abort()
            return
        self._reader.feed(data)
        try:
            while not self._ending:
                reply = self._reader.next_reply()
                if reply is None:
                    break
                self._answered(reply)
        except InvalidReply as fault:
            # In its words a server may have echoed the login.
            secret = self._stage.startswith("auth")
            text = "the reply is no SMTP" if secret else str(fault)
            self._break(self.peer.invalid(self._stage, text))
        except ConnectFailed as failed:
            self._break(failed.outcome)

    def handshakeCompleted(self) -> None:
        if self._state is not State.OPENING:
            return
        handle = cast("Any", self.transport).getHandle()
        words = [handle.get_protocol_version_name(), handle.get_cipher_name()]
        proof = self._settings.encryption.proof if self._settings.encryption else None
        if proof is not None:
            proof.examine(handle)
            if proof.objection:
                self._break(self.peer.unproved(proof.objection))
                return
            if proof.proved:
                words.append("verified")
        self._opening.peer = attrs.evolve(self.peer, tls=" ".join(filter(None, words)))
        self._advance(None)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._state = State.CLOSED
        self._deadline.stop()
        self.transport = self._sender = None
        encryption = self._settings.encryption
        if encryption and encryption.proof and encryption.proof.objection:
            self._settle(self.peer.unproved(encryption.proof.objection))
        else:
            self._settle(self.peer.lost(self._stage, reason.getErrorMessage()))

    # One step after the other.

    def _answered(self, reply: Reply) -> None:
        self._tls_unproved = False
        if self._settings.credentials and self._stage.startswith("auth"):
            reply = attrs.evolve(reply, text=self._settings.credentials.redact(reply.text))
        if reply.code == 421:  # RFC 5321 section 3.8: at any point, the end of the connection
            self._break(self.peer.refused(reply, self._stage))
            return
        if self._sender is not None:
            self._sender.stop()
            self._cut_short = True
        if self._cut_short and reply.code < 400:
            raise InvalidReply("the content was accepted before its end")
        self._advance(reply)

    def _advance(self, reply: Reply | None) -> None:
        dialogue = self._dialogue
        assert dialogue is not None
        try:
            step = next(dialogue) if reply is None else dialogue.send(reply)
        except StopIteration:
            self._dialogue_ended()
        else:
            self._take(step)

    def _take(self, step: Step) -> None:
        if isinstance(step, Say):
            self._stage = step.stage
            if step.octets:
                if self._reader.pending:
                    raise InvalidReply("the server answers what it was not asked")
                self._line.write(step.octets)
            self._deadline.within(step.seconds)
        elif isinstance(step, Encrypt):
            self._encrypt()
        else:
            self._send_content()

    def _encrypt(self) -> None:
        encryption = self._settings.encryption
        assert encryption is not None
        self._stage = "starttls"
        self._tls_unproved = True
        if self._reader.pending:
            # Somebody in between wants it to be taken for what the server says inside TLS.
            self._break(self.peer.invalid("starttls", "replies in clear text after STARTTLS"))
            return
        self._deadline.within(self._settings.timeouts.handshake)
        try:
            self._line.startTLS(encryption.creator)
        except Exception as error:
            self._log.failure("TLS with {host} could not be started", host=self._settings.host)
            self._break(self.peer.lost("starttls", f"TLS could not be started: {error}"))

    def _send_content(self) -> None:
        content, timeouts = self._content, self._settings.timeouts
        assert content is not None
        self._stage = "message"
        if self._reader.pending:  # a verdict already: see `_answered`
            self._cut_short = True
            self._deadline.within(timeouts.content_end)
        elif content.octets <= AT_ONCE_OCTETS:
            stuffer = DotStuffer()
            self._line.writeSequence([*map(stuffer.encode, content.blocks), stuffer.end()])
            self._deadline.within(timeouts.content_end)
        else:
            self._sender = ContentSender(
                cast("IConsumer", self.transport),
                content,
                lambda: self._deadline.within(timeouts.block),
                self._content_sent,
            )
            self._sender.start()

    def _content_sent(self) -> None:
        self._sender = None
        self._deadline.within(self._settings.timeouts.content_end)

    # Ends.

    def _dialogue_ended(self) -> None:
        if self._transaction is None and self._reader.pending:
            raise InvalidReply("the server answers what it was not asked")
        self._dialogue = None
        self._deadline.clear()
        if self._cut_short or self._reader.pending:
            # The content cannot be ended without being accepted; or replies and
            # commands are out of step. The outcomes stand.
            self.abort()
            return
        self._state = State.IDLE
        if self._transaction is None:
            self.ready.callback(self)
        else:
            self._reset_first = not self._transaction.complete
            self._settle(None)

    def _expired(self) -> None:
        if self._ending:
            self._line.abortConnection()
            self._settle(None)
        else:
            self._break(self.peer.timed_out(self._stage))

    def _break(self, outcome: Outcome) -> None:
        """Nothing more can be done with this connection."""
        if self._state is State.CLOSED:
            return
        self._state = State.CLOSING
        self._deadline.stop()
        if self._sender is not None:
            self._sender.stop()
            self._sender = None
        if self.transport is not None:
            self._line.abortConnection()
        self._settle(outcome)

    def _settle(self, rest: Outcome | None) -> None:
        """Fire all that waits. `rest` is told of what has no outcome yet."""
        self._dialogue = self._content = None
        # All is taken away before anything fires: whoever is told may go on at once.
        transaction, self._transaction = self._transaction, None
        sent, self._sent = self._sent, None
        gone, self._gone = self._gone, None
        if rest is not None and not self.ready.called:
            self.ready.errback(ConnectFailed(rest, tls_failed=self._tls_unproved))
        if transaction is not None and sent is not None:
            self.mail_answered = transaction.mail_answered
            sent.callback(transaction.outcomes(rest))
        if gone is not None:
            gone.callback(None)
