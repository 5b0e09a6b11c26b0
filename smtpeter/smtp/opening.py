"""From the greeting to the first MAIL: EHLO, STARTTLS, AUTH."""

from __future__ import annotations

from base64 import b64encode
from typing import Protocol

from attrs import field
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator

from smtpeter.message.outcome import Outcome, Verdict
from smtpeter.message.reply import Reply
from smtpeter.smtp.capabilities import Capabilities
from smtpeter.smtp.dialogue import Dialogue, Encrypt, Say, Timeouts
from smtpeter.smtp.peer import Peer
from smtpeter.smtp.replies import InvalidReply
from smtpeter.values import frozen


class ConnectFailed(Exception):
    """
    No connection that mail can be sent over came about.

    Attributes:
        outcome: what is to be told of it.
        tls_failed: everything was well until TLS began; without TLS it may go better.
    """

    def __init__(self, outcome: Outcome, *, tls_failed: bool = False) -> None:
        super().__init__(outcome.text)
        self.outcome = outcome
        self.tls_failed = tls_failed


@frozen
class Credentials:
    """How to log in at a smart host."""

    username: str
    password: str = field(repr=False)

    def plain(self) -> str:
        """The one response of SASL PLAIN, with an empty authorization identity (RFC 4616)."""
        return _base64(f"\0{self.username}\0{self.password}")

    def login(self) -> tuple[str, str]:
        """The two responses of LOGIN."""
        return _base64(self.username), _base64(self.password)

    def redact(self, text: str) -> str:
        """The text without what must not get into logs, should a server echo it."""
        for secret in (self.plain(), *self.login(), self.password):
            if secret:
                text = text.replace(secret, "[redacted]")
        return text


class Proof(Protocol):
    """
    What the server of one connection has to prove in the handshake.

    Attributes:
        proved: it has.
        objection: why it gets no mail, "" when it does.
    """

    @property
    def proved(self) -> bool: ...

    @property
    def objection(self) -> str: ...

    def examine(self, connection: SSL.Connection) -> None:
        """Look at a connection whose handshake is done."""


@frozen
class Encryption:
    """
    How TLS is used on a connection.

    Attributes:
        creator: makes the TLS layer.
        required: rather no connection than one in clear text.
        implicit: TLS comes before the greeting (RFC 8314 section 3.3).
        proof: None takes any server that speaks TLS.
    """

    creator: IOpenSSLClientConnectionCreator
    required: bool
    implicit: bool = False
    proof: Proof | None = None


@frozen
class ClientSettings:
    """
    What a connection is opened with.

    Attributes:
        hostname: our own name, for EHLO.
        host: the server's name, as outcomes tell it.
        encryption: None leaves the connection in clear text, whatever is offered.
        auth_in_clear: credentials may be sent without TLS.
    """

    hostname: str
    host: str
    encryption: Encryption | None = None
    credentials: Credentials | None = None
    auth_in_clear: bool = False
    timeouts: Timeouts = Timeouts()


class Opening:
    """
    The dialogue up to the first MAIL.

    Attributes:
        peer: whoever does the TLS handshake notes here what came of it.
        capabilities: what the server offers, when the dialogue is through.
    """

    def __init__(self, settings: ClientSettings, peer: Peer) -> None:
        self.peer = peer
        self.capabilities = Capabilities()
        self._settings = settings

    def dialogue(self) -> Dialogue:
        """
        The steps.

        Raises:
            ConnectFailed: the server refuses us, or we it.
            InvalidReply: the server does not keep to SMTP.
        """
        encryption = self._settings.encryption
        if encryption and encryption.implicit:
            yield Encrypt()
        self._check((yield Say(b"", "intro", self._settings.timeouts.greeting)), "intro")
        yield from self._hello()
        if encryption and not encryption.implicit:
            yield from self._start_tls(encryption)
        if self._settings.credentials:
            yield from self._log_in(self._settings.credentials)

    def _hello(self) -> Dialogue:
        reply = yield self._command(f"EHLO {self._settings.hostname}", "ehlo")
        if reply.code // 100 == 5 and self._helo_will_do():
            self._check((yield self._command(f"HELO {self._settings.hostname}", "helo")), "helo")
            return
        self._check(reply, "ehlo")
        self.capabilities = Capabilities.from_ehlo(reply)

    def _helo_will_do(self) -> bool:
        """A server that knows no EHLO has neither STARTTLS nor AUTH."""
        encryption = self._settings.encryption
        tls_wanted = self.peer.tls or (encryption and encryption.required)
        return not tls_wanted and self._settings.credentials is None

    def _start_tls(self, encryption: Encryption) -> Dialogue:
        if not self.capabilities.starttls:
            if encryption.required:
                raise self._unwilling("starttls", "4.7.4", "TLS is required and was not offered")
            return
        reply = yield self._command("STARTTLS", "starttls")
        if reply.code // 100 == 2:
            # RFC 3207 section 4.2: nothing that was said before TLS counts any more.
            self.capabilities = Capabilities()
            yield Encrypt()
            yield from self._hello()
        elif encryption.required:
            raise self._refused(reply, "starttls")

    def _log_in(self, credentials: Credentials) -> Dialogue:
        offered = self.capabilities.auth
        if not self.peer.tls and not self._settings.auth_in_clear:
            raise self._unwilling("authplain", "4.7.0", "no login without TLS")
        if "PLAIN" in offered:
            state = "authplain"
            reply = yield self._command(f"AUTH PLAIN {credentials.plain()}", state)
            if reply.code == 334:  # it passed over the initial response
                reply = yield self._command(credentials.plain(), state)
        elif "LOGIN" in offered:
            state = "authlogin"
            reply = yield self._command("AUTH LOGIN", state)
            for response in credentials.login():
                if reply.code == 334:
                    reply = yield self._command(response, state)
        else:
            raise self._unwilling("authplain", "4.7.0", "the server offers neither PLAIN nor LOGIN")
        if reply.code // 100 != 2:
            raise self._refused(reply, state)

    def _command(self, line: str, state: str) -> Say:
        return Say(f"{line}\r\n".encode(), state, self._settings.timeouts.command)

    def _check(self, reply: Reply, state: str) -> None:
        if reply.code // 100 == 3:
            raise InvalidReply(f"reply {reply.code} means nothing here")
        if reply.code // 100 != 2:
            raise ConnectFailed(self.peer.refused(reply, state))

    def _refused(self, reply: Reply, state: str) -> ConnectFailed:
        """
        STARTTLS or AUTH was refused.

        Temporary even with a 5yz reply: what is wrong is a password or a certificate,
        not the message, and it will be put right.
        """
        status = reply.enhanced or f"{reply.code // 100}.7.0"
        return ConnectFailed(
            self.peer.ended(Verdict.DEFERRED, "error", state, status, reply.text, code=reply.code)
        )

    def _unwilling(self, state: str, status: str, text: str) -> ConnectFailed:
        return ConnectFailed(self.peer.ended(Verdict.DEFERRED, "error", state, status, text))


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode("ascii")
