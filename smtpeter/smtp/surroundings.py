"""What every session of the server uses: the operator's settings, and the parts around it."""

from __future__ import annotations

from typing import Protocol as Shape

from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IOpenSSLServerConnectionCreator, IReactorTime

from smtpeter.message.address import Mailbox
from smtpeter.message.envelope import Accepted, Submission
from smtpeter.smtp.session import Limits
from smtpeter.smtp.wire import Room
from smtpeter.values import frozen


@frozen
class ServerSettings:
    """
    What the operator decided for all sessions.

    Attributes:
        product: the word behind the host name in the greeting.
        line_octets: the longest line of content, CRLF included.
        normalise: lone CR and LF in content become CRLF instead of a refusal.
        max_errors: protocol errors of a client before it is hung up on.
        max_transactions: with content, in one session. A client that comes again is counted
            anew among the connections, and meets the certificate and the service of that time.
        command_seconds: the wait for a command (RFC 5321 section 4.5.3.2.7).
        content_seconds: the wait for each block of content.
        session_seconds: the length of a whole session; content that has begun may go on.
    """

    hostname: str
    limits: Limits
    product: str = "smtpeter"
    enhanced_codes: bool = False
    line_octets: int = 16384
    normalise: bool = False
    max_errors: int = 10
    max_transactions: int = 10_000
    command_seconds: float = 300.0
    content_seconds: float = 180.0
    session_seconds: float = 3600.0


class Budget(Room, Shape):
    """Room for content in memory, shared by all sessions."""

    @property
    def free_octets(self) -> int: ...


class LoginLimit(Shape):
    """Remembers failed logins."""

    def blocked(self, address: str, username: str) -> bool: ...

    def delay_seconds(self, address: str, username: str) -> float: ...

    def failed(self, address: str, username: str) -> None: ...

    def succeeded(self, address: str, username: str) -> None: ...


class Home(Shape):
    """Takes mail for addresses of our own, whoever brings it."""

    def knows(self, mailbox: Mailbox) -> Deferred[bool]:
        """Whether an address is ours and takes mail; fails with `Refused` where it cannot."""

    def submit(self, submission: Submission) -> Deferred[Accepted]:
        """Store mail for addresses that it knows; fails with `Refused` when it cannot."""


@frozen
class Surroundings:
    """
    The parts that every session uses.

    Attributes:
        home: where strangers bring mail for us, on the listeners that take such mail.
    """

    settings: ServerSettings
    portal: Portal
    budget: Budget
    login_limit: LoginLimit
    clock: IReactorTime
    tls: IOpenSSLServerConnectionCreator | None
    home: Home | None = None


class Transport(Shape):
    """What a session asks of its connection, over TCP and over TLS."""

    def write(self, data: bytes) -> None: ...
    def loseConnection(self) -> None: ...
    def loseWriteConnection(self) -> None: ...
    def abortConnection(self) -> None: ...
    def pauseProducing(self) -> None: ...
    def resumeProducing(self) -> None: ...
    def registerProducer(self, producer: object, streaming: bool) -> None: ...  # noqa: FBT001
    def unregisterProducer(self) -> None: ...
    def setTcpNoDelay(self, enabled: bool) -> None: ...  # noqa: FBT001
    def getPeer(self) -> IAddress: ...
