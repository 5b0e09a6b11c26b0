"""A client's side of an SMTP connection, in memory."""

from __future__ import annotations

import base64
from typing import Any

from attrs import evolve
from OpenSSL import SSL
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from smtpeter.budget import ContentBudget
from smtpeter.smtp.records import HEADER_OCTETS
from smtpeter.smtp.server import ServerSettings, SmtpServer, Surroundings
from smtpeter.smtp.session import Limits
from smtpeter.smtp.surroundings import Home
from smtpeter.smtp.tlslayer import RECORD_OCTETS
from tests.fakes import PASSWORD, USERNAME, FakeChecker, FakeLoginLimit, FakeRealm, FakeSender
from tests.fakes import portal as portal_of

CLIENT = IPv4Address("TCP", "192.0.2.7", 40000)
SETTINGS = ServerSettings("mail.relay.example", Limits(message_octets=52_428_800, recipients=100))
BUFFER_OCTETS = 64 * 1024

PLAIN = "AUTH PLAIN " + base64.b64encode(f"\0{USERNAME}\0{PASSWORD}".encode()).decode()
ENVELOPE = b"MAIL FROM:<noor@shop.example>\r\nRCPT TO:<kees@mailbox.example>\r\nDATA\r\n"
MESSAGE = b"From: noor@shop.example\r\nSubject: Your order\r\n\r\nIt is on its way.\r\n"


class PlayedTls:
    """A connection of OpenSSL whose handshake is done at once, and which encrypts nothing."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._written = bytearray()

    def set_accept_state(self) -> None:
        pass

    def do_handshake(self) -> None:
        pass

    def bio_write(self, octets: bytes) -> None:
        self._received += octets

    def recv(self, octets: int) -> bytes:  # noqa: ARG002 -- a record fits
        length = int.from_bytes(self._received[3:HEADER_OCTETS])
        if not HEADER_OCTETS <= HEADER_OCTETS + length <= len(self._received):
            raise SSL.WantReadError
        del self._received[:HEADER_OCTETS]
        return _taken(self._received, length)

    def send(self, octets: bytes) -> int:
        self._written += octets
        return len(octets)

    def bio_read(self, octets: int) -> bytes:
        return _taken(self._written, octets)

    def shutdown(self) -> None:
        pass


def played_records(octets: bytes) -> bytes:
    """The octets as they come over a connection that `PlayedTls` encrypts."""
    pieces = [octets[at : at + RECORD_OCTETS] for at in range(0, len(octets), RECORD_OCTETS)]
    return b"".join(b"\x17\x03\x03" + len(piece).to_bytes(2) + piece for piece in pieces)


def _taken(buffer: bytearray, octets: int) -> bytes:
    if not buffer:
        raise SSL.WantReadError
    taken = bytes(buffer[:octets])
    del buffer[:octets]
    return taken


@implementer(IOpenSSLServerConnectionCreator)
class PlayedTlsCreator:
    """What is offered where nobody looks at the encryption."""

    def serverConnectionForTLS(self, tlsProtocol: Any) -> Any:  # noqa: ARG002
        return PlayedTls()


class MemoryTransport(StringTransport):
    """Has the buffer of a real transport: when it is full, the producer is told."""

    def __init__(self) -> None:
        super().__init__(peerAddress=CLIENT)
        self.protocol: Any = None
        self.hearing_out = False
        self.greatest_octets = 0
        self.writes = 0

    def setTcpNoDelay(self, enabled: bool) -> None:  # noqa: FBT001
        self.no_delay = enabled

    def loseWriteConnection(self) -> None:
        self.disconnecting = self.hearing_out = True

    def unregisterProducer(self) -> None:
        self.producer = None

    def write(self, data: bytes) -> None:
        assert not self.disconnecting, "nothing is written to a connection that was closed"
        self.writes += 1
        super().write(data)
        self.greatest_octets = max(self.greatest_octets, len(self.value()))
        if self.producer is not None and len(self.value()) > BUFFER_OCTETS:
            self.producer.pauseProducing()

    def taken(self) -> bytes:
        """What was written; the client reads it."""
        octets: bytes = self.value()
        self.clear()
        if self.producer is not None and len(octets) > BUFFER_OCTETS:
            self.producer.resumeProducing()
        return octets


class Dialogue:
    """
    One connection to a session of the server.

    Nothing listens and nothing waits: `clock` moves only when a test moves it.

    Args:
        implicit_tls: the session believes to be inside TLS from its start.
        tls: STARTTLS can be offered.
        home: takes mail of strangers for addresses of our own.
        changes: to `SETTINGS`.
    """

    def __init__(
        self,
        *,
        implicit_tls: bool = True,
        tls: bool = True,
        budget: ContentBudget | None = None,
        home: Home | None = None,
        **changes: Any,
    ) -> None:
        self.clock = Clock()
        self.checker = FakeChecker()
        self.sender = FakeSender()
        self.realm = FakeRealm(self.sender)
        self.login_limit = FakeLoginLimit()
        self.budget = budget or ContentBudget(256 * 1024 * 1024)
        self.ended = 0
        self.transport = MemoryTransport()
        around = Surroundings(
            settings=evolve(SETTINGS, **changes),
            portal=portal_of(self.realm, self.checker),
            budget=self.budget,
            login_limit=self.login_limit,
            clock=self.clock,
            tls=PlayedTlsCreator() if tls else None,
            home=home,
        )
        self.server = SmtpServer(
            around, self._note_end, implicit_tls=implicit_tls, accept_local=home is not None
        )
        self.transport.protocol = self.server
        self.server.makeConnection(self.transport)
        if implicit_tls:
            self.server.handshakeCompleted()
        self.greeting = self.replies()

    def _note_end(self, server: SmtpServer) -> None:  # noqa: ARG002
        self.ended += 1

    def send(self, octets: bytes, *, at_a_time: int = 0) -> None:
        """Let octets arrive, all in one go or so many at a time."""
        step = at_a_time or len(octets)
        for start in range(0, len(octets), step or 1):
            piece = octets[start : start + step]
            self.transport.protocol.dataReceived(
                played_records(piece) if self.tls_started else piece
            )

    def say(self, *lines: str) -> list[str]:
        """Send lines in one go, and take the replies to them."""
        self.send("".join(f"{line}\r\n" for line in lines).encode())
        return self.replies()

    def replies(self) -> list[str]:
        """The complete replies since the last call; one of several lines has newlines in it."""
        replies: list[str] = []
        lines: list[str] = []
        for line in self.transport.taken().decode("ascii").splitlines():
            lines.append(line)
            if line[3:4] != "-":
                replies.append("\n".join(lines))
                lines = []
        assert not lines, "the server stopped in the middle of a reply"
        return replies

    def codes(self) -> list[int]:
        """The codes of the replies since the last call."""
        return [int(reply[:3]) for reply in self.replies()]

    @property
    def tls_started(self) -> bool:
        """True when what comes is for the TLS layer first."""
        return self.transport.protocol is not self.server

    @property
    def closed(self) -> bool:
        """True when the server has hung up."""
        return bool(self.transport.disconnecting)

    def lose(self) -> None:
        """The connection is lost."""
        self.transport.protocol.connectionLost(Failure(ConnectionLost()))


def secured(**settings: Any) -> Dialogue:
    """A dialogue inside TLS, behind EHLO."""
    dialogue = Dialogue(**settings)
    dialogue.say("EHLO desk.shop.example")
    return dialogue


def logged_in(**settings: Any) -> Dialogue:
    """The same behind AUTH."""
    dialogue = secured(**settings)
    assert dialogue.say(PLAIN) == ["235 Welcome back"]
    return dialogue


def receiving(**settings: Any) -> Dialogue:
    """The same behind DATA: the content may come."""
    dialogue = logged_in(**settings)
    dialogue.send(ENVELOPE)
    assert dialogue.codes() == [250, 250, 354]
    return dialogue
