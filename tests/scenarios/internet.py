"""
A small internet on loopback: a name server and mail exchangers, each with its own behaviour.

It runs as a process of its own: `python -m tests.scenarios.internet DIRECTORY PORT DNS_PORT`.
Each exchanger has an address of its own in 127.1.0.0/16; all of them listen on the same port.
What happened is written to `DIRECTORY/NAME.json` when the process is told to end.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, cast

from OpenSSL import SSL, crypto
from twisted.internet import reactor as installed_reactor
from twisted.internet import ssl
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Factory, connectionDone
from twisted.internet.ssl import DN, CertificateOptions, KeyPair
from twisted.names import authority, dns, server
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

reactor = cast("Any", installed_reactor)

Reply = str | None


class Exchanger(Factory):
    """
    A mail exchanger that takes everything.

    Attributes:
        latency_seconds: before the reply after the final dot, as a disk or a filter would take.
        step_seconds: before each other reply.
        starttls: what happens at STARTTLS; None where it is not offered.
        taken: the time and recipient of each message that was taken.
        connections_over_time: how many there were from each moment on.
        attempts: the time of each MAIL, and of each connection that was refused, and whether it
            was refused.
    """

    noisy = False
    latency_seconds = 0.0
    step_seconds = 0.0
    starttls: Callable[[Session], None] | None = None

    def __init__(self, name: str) -> None:
        self.name = name
        self.taken: list[tuple[float, str]] = []
        self.attempts: list[tuple[float, bool]] = []
        self.sessions = 0
        self.open = 0
        self.most_open = 0
        self.connections_over_time: list[tuple[float, int]] = []
        self.in_tls = 0
        self.tries: dict[str, int] = {}

    def buildProtocol(self, addr: object) -> Session:  # noqa: ARG002
        return Session(self)

    # What a kind of exchanger does otherwise. A reply refuses; None goes on.

    def at_connection(self) -> Reply:
        return None

    def at_mail(self, session: Session) -> Reply:  # noqa: ARG002
        return None

    def at_recipient(self, recipient: str) -> Reply:  # noqa: ARG002
        return None

    def at_end(self, recipient: str) -> Reply:  # noqa: ARG002
        return None

    # What it counts.

    def noted(self, *, refused: bool) -> None:
        self.attempts.append((reactor.seconds(), refused))

    def opened(self, more: int) -> None:
        """There is a connection more, or one less."""
        self.open += more
        self.most_open = max(self.most_open, self.open)
        self.connections_over_time.append((reactor.seconds(), self.open))

    def tried(self, recipient: str) -> int:
        """How many times mail for a recipient was offered, this time included."""
        self.tries[recipient] = self.tries.get(recipient, 0) + 1
        return self.tries[recipient]

    def account(self) -> dict[str, Any]:
        """What happened, for a JSON document."""
        return {
            "taken": self.taken,
            "attempts": self.attempts,
            "sessions": self.sessions,
            "most_open": self.most_open,
            "connections": self.connections_over_time,
            "in_tls": self.in_tls,
        }


@implementer(IHandshakeListener)
class Session(LineReceiver):
    """One connection to an exchanger."""

    delimiter = b"\r\n"
    MAX_LENGTH = 100_000

    def __init__(self, exchanger: Exchanger) -> None:
        self.exchanger = exchanger
        self.messages = 0
        self._recipient = ""
        self._waiting: list[bytes] = []
        self._busy = False
        self._content = False
        self._tls = False
        self._dead = False

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)  # type: ignore[union-attr]
        self.exchanger.sessions += 1
        self.exchanger.opened(1)
        refusal = self.exchanger.at_connection()
        if refusal is not None:
            self.exchanger.noted(refused=True)
            self._say(refusal)
            self.hang_up()
        else:
            self._say(f"220 {self.exchanger.name} ESMTP")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        assert reason.check(Exception, ConnectionDone)
        self.exchanger.opened(-1)
        self._dead = True

    def lineReceived(self, line: bytes) -> None:
        if self._dead:
            return
        if self._busy:
            self._waiting.append(line)
        elif self._content:
            if line == b".":
                self._content = False
                self._later(self.exchanger.latency_seconds, self._end_of_content)
        else:
            self._later(self.exchanger.step_seconds, lambda: self._obey(line))

    def hang_up(self) -> None:
        self._dead = True
        self.transport.loseConnection()  # type: ignore[union-attr]

    def start_tls(self, context: Any) -> None:
        self._say("220 go ahead")
        self._tls = True
        self.transport.startTLS(context)  # type: ignore[union-attr]

    def handshakeCompleted(self) -> None:
        self.exchanger.in_tls += 1

    def write(self, octets: bytes) -> None:
        self.transport.write(octets)  # type: ignore[union-attr]

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        if not seconds:
            act()
            return
        self._busy = True
        reactor.callLater(seconds, self._resume, act)

    def _resume(self, act: Callable[[], None]) -> None:
        self._busy = False
        if self._dead:
            return
        act()
        while self._waiting and not self._busy and not self._dead:
            self.lineReceived(self._waiting.pop(0))

    def _obey(self, line: bytes) -> None:
        verb = line[:4].upper()
        if verb == b"EHLO":
            offered = [self.exchanger.name, "PIPELINING", "8BITMIME"]
            if self.exchanger.starttls is not None and not self._tls:
                offered.append("STARTTLS")
            self._say("\r\n".join([f"250-{each}" for each in offered] + ["250 DSN"]))
        elif verb == b"STAR" and self.exchanger.starttls is not None:
            self.exchanger.starttls(self)
        elif verb == b"MAIL":
            refusal = self.exchanger.at_mail(self)
            self.exchanger.noted(refused=refusal is not None)
            self._recipient = ""
            self._answer(refusal, "250 sender ok")
        elif verb == b"RCPT":
            recipient = line[line.index(b"<") + 1 : line.index(b">")].decode()
            refusal = self.exchanger.at_recipient(recipient)
            if refusal is None:
                self._recipient = recipient
            self._answer(refusal, "250 recipient ok")
        elif verb == b"DATA":
            self._content = bool(self._recipient)
            self._say("354 go on" if self._recipient else "503 no recipient")
            if self._content and self.exchanger.at_end(f"data {self._recipient}") == "drop":
                self.hang_up()
        elif verb == b"QUIT":
            self._say("221 bye")
            self.hang_up()
        else:
            self._say("250 ok")

    def _answer(self, refusal: Reply, consent: str) -> None:
        self._say(refusal or consent)
        if refusal is not None and refusal.startswith("421"):
            self.hang_up()

    def _end_of_content(self) -> None:
        self.messages += 1
        refusal = self.exchanger.at_end(self._recipient)
        if refusal == "drop":
            self.hang_up()
            return
        if refusal is None:
            self.exchanger.taken.append((reactor.seconds(), self._recipient))
        self._answer(refusal, "250 taken")

    def _say(self, text: str) -> None:
        self.write(f"{text}\r\n".encode())


class Healthy(Exchanger):
    """Takes a fifth of a second for each message."""

    latency_seconds = 0.2


class Greylisting(Exchanger):
    """Takes a recipient's mail when it comes again after a second."""

    latency_seconds = 0.3

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._first: dict[str, float] = {}

    def at_recipient(self, recipient: str) -> Reply:
        now = reactor.seconds()
        first = self._first.setdefault(recipient, now)
        return None if now - first >= 1 else "451 4.7.1 Greylisted, come back later"


class FewMessages(Exchanger):
    """Ends each connection after some messages."""

    latency_seconds = 0.3
    messages = 10

    def at_mail(self, session: Session) -> Reply:
        if session.messages < self.messages:
            return None
        return "421 4.7.0 Too many messages on this connection"


class FewConnections(Healthy):
    """Refuses connections beyond a few."""

    connections = 3

    def at_connection(self) -> Reply:
        if self.open <= self.connections:
            return None
        return "421 4.7.0 Too many concurrent connections from your address"


class Limited(Exchanger):
    """Takes so many messages a second, with a burst of three seconds'."""

    rate = 40.0
    reply = "421 4.7.28 Too many messages, slow down"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._tokens = 3 * self.rate
        self._at = reactor.seconds()

    def at_mail(self, session: Session) -> Reply:  # noqa: ARG002
        now = reactor.seconds()
        self._tokens = min(3 * self.rate, self._tokens + (now - self._at) * self.rate)
        self._at = now
        if self._tokens < 1:
            return self.reply
        self._tokens -= 1
        return None


class LimitedByWindow(Limited):
    """Counts in windows of three seconds; the refusal does not end the connection."""

    rate = 20.0
    reply = "450 4.7.1 Error: too much mail from your address"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._window, self._count = 0, 0

    def at_mail(self, session: Session) -> Reply:  # noqa: ARG002
        window = int(reactor.seconds() / 3)
        if window != self._window:
            self._window, self._count = window, 0
        self._count += 1
        return None if self._count <= 3 * self.rate else self.reply


class Tarpit(Exchanger):
    """Waits before each reply."""

    step_seconds = 1.0


class Mixed(Exchanger):
    """Answers by what the recipient is called: "unknown-7", "later-7", "spam-7", "full-7"."""

    replies: ClassVar = {
        "unknown": "550 5.1.1 No such user here",
        "spam": "554 5.7.1 Message rejected as spam",
        "full": "552 5.2.2 Mailbox is over its quota",
        "closed": "550 5.2.1 This account has been disabled",
    }

    def at_recipient(self, recipient: str) -> Reply:
        kind = recipient.split("-", maxsplit=1)[0]
        if kind == "later" and self.tried(recipient) == 1:
            return "450 4.2.0 Mailbox is busy"
        return self.replies.get(kind) if kind != "spam" else None

    def at_end(self, recipient: str) -> Reply:
        return self.replies["spam"] if recipient.startswith("spam-") else None


class Dropping(Exchanger):
    """Hangs up in the middle of content, or after its end, when mail comes for the first time."""

    def at_end(self, recipient: str) -> Reply:
        inside = recipient.startswith("data ")
        if inside is not recipient.removeprefix("data ").startswith("inside-"):
            return None
        return "drop" if self.tried(recipient) == 1 else None


def refusing(session: Session) -> None:
    session.write(b"454 4.7.0 TLS not available\r\n")


def closing(session: Session) -> None:
    session.write(b"220 go ahead\r\n")
    session.hang_up()


def babbling(session: Session) -> None:
    session.write(b"220 go ahead\r\n")
    session.write(b"250 this is not TLS\r\n" * 10)


def without_ciphers(session: Session) -> None:
    session.start_tls(_Bare())


def hanging(session: Session) -> None:
    session.write(b"220 go ahead\r\n")
    session.setRawMode()
    session.rawDataReceived = _unheard  # type: ignore[method-assign]


def _unheard(data: bytes) -> None:
    """It is not read."""


def selfsigned(session: Session) -> None:
    session.start_tls(_certificate())


class _Bare(ssl.ContextFactory):
    """A server without a certificate has no cipher that a client would take."""

    def getContext(self) -> SSL.Context:
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_cipher_list(b"ECDHE-ECDSA-AES128-GCM-SHA256")
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        return context


def _certificate() -> CertificateOptions:
    if not _made:
        key = KeyPair.generate(size=2048)
        request = key.certificateRequest(_name(), digestAlgorithm="sha256")
        signed = key.signCertificateRequest(_name(), request, lambda _: True, 1)
        certificate = crypto.load_certificate(crypto.FILETYPE_ASN1, signed)
        _made.append(CertificateOptions(privateKey=key.original, certificate=certificate))
    return _made[0]


def _name() -> Any:
    return DN(commonName="somebody.else.example")


_made: list[CertificateOptions] = []


def with_tls(name: str, starttls: Callable[[Session], None]) -> Exchanger:
    exchanger = Healthy(name)
    exchanger.starttls = starttls
    return exchanger


# Names of domains below "example", and what their mail exchangers do.
EXCHANGERS: dict[str, Callable[[str], Exchanger]] = {
    "healthy0": Healthy,
    "healthy1": Healthy,
    "healthy2": Healthy,
    "healthy3": Healthy,
    "greylisting": Greylisting,
    "fewmessages": FewMessages,
    "fewconnections": FewConnections,
    "limited": Limited,
    "window": LimitedByWindow,
    "tarpit": Tarpit,
    "mixed": Mixed,
    "dropping": Dropping,
    "secondary": Healthy,
    "selfsigned": lambda name: with_tls(name, selfsigned),
    "tls-refused": lambda name: with_tls(name, refusing),
    "tls-closed": lambda name: with_tls(name, closing),
    "tls-babble": lambda name: with_tls(name, babbling),
    "tls-ciphers": lambda name: with_tls(name, without_ciphers),
    "tls-hanging": lambda name: with_tls(name, hanging),
}
# Domains without an exchanger that is there: nobody listens, there is a null MX, or nothing.
DEAD, NULL_MX = "dead", "silent"
# Its first mail exchanger is dead, its second is that of "secondary".
FIRST_DEAD = "firstdead"


def address_of(number: int) -> str:
    return f"127.1.0.{number + 1}"


class Zone(authority.FileAuthority):
    """The records of "example", without a file."""

    def loadFile(self, filename: object) -> None:  # noqa: ARG002
        ttl = 300
        authority_record = dns.Record_SOA(
            b"ns.example", b"root.example", 1, 3600, 3600, 86_400, 60, ttl
        )
        records: dict[bytes, list[Any]] = {b"example": [authority_record]}

        def host(name: str, address: str) -> None:
            records[name.encode()] = [dns.Record_A(address, ttl)]

        def exchangers(domain: str, *names: str) -> None:
            records[f"{domain}.example".encode()] = [
                dns.Record_MX(10 * number, name.encode(), ttl)
                for number, name in enumerate(names, start=1)
            ]

        for number, name in enumerate(EXCHANGERS):
            host(f"mx.{name}.example", address_of(number))
            exchangers(name, f"mx.{name}.example")
        host(f"mx.{DEAD}.example", address_of(200))
        exchangers(DEAD, f"mx.{DEAD}.example")
        exchangers(FIRST_DEAD, f"mx.{DEAD}.example", "mx.secondary.example")
        records[f"{NULL_MX}.example".encode()] = [dns.Record_MX(0, b"", ttl)]
        attributes: Any = self  # Twisted's are without types
        attributes.soa, attributes.records = (b"example", authority_record), records


def main(directory: Path, port: int, dns_port: int) -> None:
    """Serve until the process is told to end."""
    made = {name: make(f"mx.{name}.example") for name, make in EXCHANGERS.items()}
    for number, exchanger in enumerate(made.values()):
        reactor.listenTCP(port, exchanger, backlog=500, interface=address_of(number))
    names = server.DNSServerFactory(authorities=[Zone("example")])
    reactor.listenUDP(dns_port, dns.DNSDatagramProtocol(names), "127.0.0.1")
    reactor.listenTCP(dns_port, names, interface="127.0.0.1")

    def tell() -> None:
        for name, exchanger in made.items():
            (directory / f"{name}.json").write_text(json.dumps(exchanger.account()))

    reactor.addSystemEventTrigger("before", "shutdown", tell)
    reactor.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
