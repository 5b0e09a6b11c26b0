"""The server's side of an outbound connection, in memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from smtpeter.message.address import Mailbox
from smtpeter.message.content import Content
from smtpeter.message.envelope import Envelope, Recipient
from smtpeter.message.outcome import Outcome
from smtpeter.smtp.client import SmtpClient
from smtpeter.smtp.opening import ClientSettings, ConnectFailed

SETTINGS = ClientSettings("client.example", "mx.mailbox.example")
CONTENT = Content.from_octets(b"Subject: x\r\n\r\n.dot\r\n")
ON_THE_WIRE = b"Subject: x\r\n\r\n..dot\r\n.\r\n"
PIPELINING = ("PIPELINING",)


def envelope(*recipients: str, sender: str = "ria@shop.example", **wishes: Any) -> Envelope:
    """An envelope for some addresses."""
    paths = tuple(Recipient(Mailbox.parse(each), each) for each in recipients)
    return Envelope(Mailbox.parse(sender), paths, **wishes)


ONE = envelope("kees@mailbox.example")
TWO = envelope("kees@mailbox.example", "jan@mailbox.example")


class NotingTransport(StringTransport):
    """
    A transport that notes what is done to it.

    Attributes:
        full: a producer is paused after every write.
        writes: what was written, each write apart.
        producers: all that were ever registered.
    """

    def __init__(self) -> None:
        super().__init__()
        self.full = False
        self.writes: list[bytes] = []
        self.producers: list[Any] = []

    def write(self, data: bytes) -> None:
        super().write(data)
        self.writes.append(data)
        if self.full and self.producer is not None:
            self.producer.pauseProducing()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def registerProducer(self, producer: Any, streaming: bool) -> None:  # noqa: FBT001
        super().registerProducer(producer, streaming)
        self.producers.append(producer)


class Remote:
    """
    A server that says what a test tells it to.

    Args:
        octet_by_octet: everything is said in pieces of one octet.
    """

    def __init__(
        self, settings: ClientSettings = SETTINGS, *, octet_by_octet: bool = False
    ) -> None:
        self.clock = Clock()
        self.transport = NotingTransport()
        self.client = SmtpClient(settings, self.clock)
        self.ready: list[Any] = []
        self.client.ready.addBoth(self.ready.append)
        self._octet_by_octet = octet_by_octet
        self.client.makeConnection(self.transport)

    @classmethod
    def greeted(cls, *extensions: str, settings: ClientSettings = SETTINGS) -> Remote:
        """A server that waits for the first MAIL."""
        remote = cls(settings)
        remote.says("220 mx.mailbox.example")
        remote.offers(*extensions)
        remote.heard()
        return remote

    def says(self, *lines: str) -> None:
        data = "".join(f"{line}\r\n" for line in lines).encode()
        pieces = [bytes([octet]) for octet in data] if self._octet_by_octet else [data]
        for piece in pieces:
            self.client.dataReceived(piece)

    def offers(self, *extensions: str) -> None:
        """Answer EHLO."""
        lines = ["mx.mailbox.example", *extensions]
        self.says(*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}")

    def heard(self) -> bytes:
        """What the client has written since this was last asked."""
        octets: bytes = self.transport.value()
        self.transport.clear()
        return octets

    def hangs_up(self) -> None:
        self.client.connectionLost(Failure(ConnectionLost()))

    @property
    def failure(self) -> ConnectFailed:
        """Why the connection did not come about."""
        (failure,) = self.ready
        assert isinstance(failure, Failure)
        assert isinstance(failure.value, ConnectFailed)
        return failure.value


class Sending:
    """One message that a client was given."""

    def __init__(
        self, remote: Remote, envelope: Envelope = ONE, content: Content = CONTENT
    ) -> None:
        self.sent: Deferred[tuple[Outcome, ...]] = remote.client.send(envelope, content)
        self._outcomes: list[tuple[Outcome, ...]] = []
        self.sent.addCallback(self._outcomes.append)

    @property
    def outcomes(self) -> list[Outcome]:
        """The outcomes, when they have come; they come once."""
        return [outcome for outcomes in self._outcomes for outcome in outcomes]

    @property
    def told(self) -> list[tuple[str, str, str, int]]:
        """Verdict, type, state and code of each."""
        return [(each.verdict.value, each.type, each.state, each.code) for each in self.outcomes]
