from __future__ import annotations

import contextlib
import datetime as dt
import gc
import ssl
import tempfile
import weakref
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL
from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHandshakeListener, IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from smtpeter.selfsigned import ensure_self_signed
from smtpeter.smtp.prompt import write_promptly
from smtpeter.smtp.tlslayer import BLOCK_OCTETS, TlsFactory, TlsLayer, start_tls
from smtpeter.tls import KeyPair
from tests.smtp.test_prompt import FakeReactor, Socket

ALLOW_CLIENT_RENEGOTIATION = 1 << 8  # SSL_OP_ALLOW_CLIENT_RENEGOTIATION of OpenSSL 3
BUFFER_OCTETS = FileDescriptor.bufferSize


@lru_cache
def key_pair() -> KeyPair:
    """A self-signed pair for localhost."""
    with tempfile.TemporaryDirectory() as directory:
        files = ensure_self_signed(Path(directory), "localhost", dt.datetime.now(dt.UTC))
        return KeyPair.read(*files)


@implementer(IOpenSSLServerConnectionCreator)
class Creator:
    """Makes connections of the kind that the service makes."""

    def __init__(self) -> None:
        self.context = key_pair().context()

    def serverConnectionForTLS(self, tlsProtocol: object) -> SSL.Connection:  # noqa: ARG002
        return SSL.Connection(self.context, None)


class Tcp:
    """What the layer uses of a TCP transport; its connection ends when a test says so."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.sent = b""
        self.closing = False
        self.protocol: Any = None
        self.producer: Any = None
        self.writes = 0

    def write(self, data: bytes) -> None:
        assert not self.closing, "nothing is written to a connection that was closed"
        self.writes += 1
        self.sent += data

    def taken(self) -> bytes:
        sent, self.sent = self.sent, b""
        return sent

    def loseConnection(self) -> None:
        self.calls.append("lose")
        self.closing = True

    def loseWriteConnection(self) -> None:
        self.calls.append("lose write")
        self.closing = True

    def abortConnection(self) -> None:
        self.calls.append("abort")
        self.closing = True

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")

    def registerProducer(self, producer: Any, streaming: bool) -> None:  # noqa: FBT001
        assert streaming
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def setTcpNoDelay(self, enabled: bool) -> None:  # noqa: FBT001
        self.calls.append(f"no delay {enabled}")

    def getPeer(self) -> Any:
        return "peer"

    def getHost(self) -> Any:
        return "host"


@implementer(IHandshakeListener)
class Server(Protocol):
    """Answers what it hears with `answer`."""

    def __init__(self, answer: Callable[[Any, bytes], None] | None = None) -> None:
        self.answer = answer or (lambda transport, data: transport.write(data))
        self.events: list[str] = []
        self.heard = b""
        self.lost: list[Failure] = []
        self.greeting = b""

    def connectionMade(self) -> None:
        self.events.append("made")
        if self.greeting:
            self.transport.write(self.greeting)  # type: ignore[union-attr]

    def handshakeCompleted(self) -> None:
        self.events.append("handshake")

    def dataReceived(self, data: bytes) -> None:
        self.events.append("data")
        self.heard += data
        self.answer(self.transport, data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost.append(reason)


class PythonClient:
    """A client with the `ssl` of Python."""

    def __init__(self, version: str) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        one = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[version]
        context.minimum_version = context.maximum_version = one
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out)
        self.heard = b""
        self.secure = self.dismissed = False

    def feed(self, octets: bytes) -> None:
        self._in.write(octets)
        with contextlib.suppress(ssl.SSLWantReadError):
            if not self.secure:
                self._tls.do_handshake()
                self.secure = True
            while octets := self._read():
                self.heard += octets

    def _read(self) -> bytes:
        try:
            octets = self._tls.read(65536)
        except ssl.SSLZeroReturnError:
            octets = b""
        self.dismissed = not octets
        return octets

    def say(self, octets: bytes) -> None:
        self._tls.write(octets)

    def farewell(self) -> None:
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.unwrap()

    def taken(self) -> bytes:
        return self._out.read()


class OpenSslClient:
    """A client with pyOpenSSL."""

    def __init__(self, version: str) -> None:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        one = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}[version]
        context.set_min_proto_version(one)
        context.set_max_proto_version(one)
        self.tls = SSL.Connection(context, None)
        self.tls.set_connect_state()
        self.heard = b""
        self.secure = self.dismissed = False

    def feed(self, octets: bytes) -> None:
        if octets:
            self.tls.bio_write(octets)
        try:
            if not self.secure:
                self.tls.do_handshake()
                self.secure = True
            while True:
                self.heard += self.tls.recv(65536)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.dismissed = True

    def say(self, octets: bytes) -> None:
        self.tls.sendall(octets)

    def farewell(self) -> None:
        self.tls.shutdown()

    def taken(self) -> bytes:
        taken = b""
        with contextlib.suppress(SSL.WantReadError):
            while True:
                taken += self.tls.bio_read(65536)
        return taken


class Pair:
    """
    A client and a server with the layer between them.

    Args:
        step: the octets of the client come to the server so many at a time; 0 for all.
    """

    def __init__(
        self, server: Server, client: Any = None, *, step: int = 0, creator: Any = None
    ) -> None:
        self.server = server
        self.client = client or PythonClient("1.3")
        self.step = step
        self.tcp = Tcp()
        self.layer: Any = TlsLayer(creator or Creator(), server)
        self.tcp.protocol = self.layer
        self.layer.makeConnection(self.tcp)

    def deliver(self, octets: bytes) -> None:
        """The client's octets arrive."""
        step = self.step or len(octets)
        for start in range(0, len(octets), step or 1):
            self.tcp.protocol.dataReceived(octets[start : start + step])

    def exchange(self) -> None:
        """Carry octets both ways until nobody has more."""
        self.client.feed(b"")
        while to_server := self.client.taken():
            self.deliver(to_server)
            self.client.feed(self.tcp.taken())
        self.client.feed(self.tcp.taken())

    def say(self, octets: bytes) -> None:
        self.client.say(octets)
        self.exchange()

    def lose(self, reason: type[Exception] = ConnectionDone) -> list[type[Exception]]:
        """The TCP connection is gone; why, as the server hears it."""
        self.tcp.protocol.connectionLost(Failure(reason()))
        return [failure.type for failure in self.server.lost]  # type: ignore[misc]


def connected(server: Server | None = None, client: Any = None, **options: Any) -> Pair:
    """A pair whose handshake is done."""
    pair = Pair(server or Server(), client, **options)
    pair.exchange()
    assert pair.client.secure
    return pair


KINDS = [(kind, version) for kind in (PythonClient, OpenSslClient) for version in ("1.2", "1.3")]


class HandshakeTests(SynchronousTestCase):
    """How TLS begins."""

    def test_every_client(self) -> None:
        """Clients of both versions are understood, however their octets are cut."""
        for kind, version in KINDS:
            for step in (0, 1, 7):
                server = Server()
                server.greeting = b"220 hello"
                pair = connected(server, kind(version), step=step)
                self.assertEqual(b"220 hello", pair.client.heard)
                pair.say(b"EHLO desk")
                self.assertEqual(b"220 helloEHLO desk", pair.client.heard)
                self.assertEqual(["made", "handshake", "data"], server.events)

    def test_data_behind_the_handshake(self) -> None:
        """What comes in one piece with the end of the handshake is heard at once."""
        pair = Pair(Server())
        pair.client.feed(b"")
        pair.deliver(pair.client.taken())
        pair.client.feed(pair.tcp.taken())
        pair.client.say(b"EHLO desk")
        pair.deliver(pair.client.taken())
        self.assertEqual(["made", "handshake", "data"], pair.server.events)
        self.assertEqual(b"EHLO desk", pair.server.heard)

    def test_starttls(self) -> None:
        """On a connection in use the layer takes both places, and nobody is connected anew."""
        for version in ("1.2", "1.3"):
            server = Server()
            pair = Pair(server, PythonClient(version))
            tcp = Tcp()
            tcp.protocol, tcp.producer = server, server
            server.makeConnection(tcp)
            server.events.clear()
            start_tls(tcp, Creator(), server)
            self.assertIs(tcp.protocol, server.transport)
            self.assertIs(server, tcp.producer)
            self.assertEqual(b"", tcp.sent)
            pair.tcp = tcp
            pair.exchange()
            pair.say(b"EHLO desk")
            self.assertEqual(b"EHLO desk", pair.client.heard)
            self.assertEqual(["handshake", "data"], server.events)

    def test_not_a_listener(self) -> None:
        """A protocol that does not care for the handshake is not told."""

        class Deaf(Protocol):
            def dataReceived(self, data: bytes) -> None:
                self.transport.write(data)  # type: ignore[union-attr]

        pair = Pair(Deaf())  # type: ignore[arg-type]
        pair.exchange()
        pair.say(b"heard")
        self.assertEqual(b"heard", pair.client.heard)

    def test_not_tls(self) -> None:
        """Garbage, HTTP and SMTP in the clear end the connection with the reason of OpenSSL."""
        for noise in (b"GET / HTTP/1.1\r\n\r\n", b"EHLO desk\r\n", bytes(64), b"\xff" * 64):
            for step in (0, 1):
                pair = Pair(Server(), step=step)
                pair.server.transport.write(b"secret")  # type: ignore[union-attr]
                pair.deliver(noise)
                self.assertEqual(["lose"], pair.tcp.calls)
                self.assertEqual([SSL.Error], pair.lose())
                self.assertEqual(["made"], pair.server.events)
                self.assertNotIn(b"secret", pair.tcp.sent)

    def test_alert(self) -> None:
        """A client without a common version is told by an alert (RFC 8446 section 6.2)."""
        creator = Creator()
        creator.context.set_min_proto_version(SSL.TLS1_3_VERSION)
        pair = Pair(Server(), OpenSslClient("1.2"), creator=creator)
        error = self.assertRaises(SSL.Error, pair.exchange)
        self.assertIn("alert protocol version", str(error))
        self.assertEqual([SSL.Error], pair.lose())

    def test_lost_in_the_handshake(self) -> None:
        """A client that leaves before the end of the handshake has not left well."""
        for octets in (b"", b"\x16\x03\x01"):
            pair = Pair(Server())
            pair.deliver(octets)
            self.assertEqual([ConnectionLost], pair.lose())

    def test_abort_in_the_handshake(self) -> None:
        """A connection that is cut off sends nothing more and hears nothing more."""
        pair = Pair(Server())
        pair.client.feed(b"")
        hello = pair.client.taken()
        pair.deliver(hello[:20])
        pair.layer.write(b"never sent")
        pair.layer.abortConnection()
        pair.deliver(hello[20:])
        self.assertEqual(["abort"], pair.tcp.calls)
        self.assertEqual(b"", pair.tcp.sent)
        self.assertEqual([ConnectionAborted], pair.lose(ConnectionAborted))

    def test_close_in_the_handshake(self) -> None:
        """Last words wait for the handshake; without any the connection is cut off."""
        pair = Pair(Server())
        pair.layer.write(b"421 too many")
        pair.layer.loseConnection()
        pair.layer.write(b"too late")
        self.assertEqual([], pair.tcp.calls)
        pair.exchange()
        self.assertEqual(b"421 too many", pair.client.heard)
        self.assertTrue(pair.client.dismissed)
        self.assertEqual(["lose"], pair.tcp.calls)

        pair = Pair(Server())
        pair.layer.loseConnection()
        self.assertEqual(["abort"], pair.tcp.calls)

    def test_turned_away(self) -> None:
        """Who was hung up on is not heard, though he speaks as soon as he may."""
        pair = Pair(Server())
        pair.layer.write(b"421 too many")
        pair.layer.loseConnection()
        pair.client.feed(b"")
        pair.deliver(pair.client.taken())
        pair.client.feed(pair.tcp.taken())
        pair.client.say(b"EHLO desk")
        pair.exchange()
        self.assertEqual(b"421 too many", pair.client.heard)
        self.assertEqual(b"", pair.server.heard)


class DataTests(SynchronousTestCase):
    """What is carried."""

    @settings(max_examples=30, deadline=None)
    @given(
        st.sampled_from(KINDS),
        st.lists(st.integers(1, 100_000), max_size=4),
        st.lists(st.integers(0, 100_000), max_size=4),
        st.sampled_from([0, 1000, 16_384, 65_536]),
    )
    def test_payloads(
        self, kind: tuple[Any, str], there: list[int], back: list[int], step: int
    ) -> None:
        """Whatever the sizes, what was written on one side is heard on the other."""
        pair = connected(Server(lambda transport, data: None), kind[0](kind[1]), step=step)  # noqa: ARG005
        said = [bytes([number]) * octets for number, octets in enumerate(there)]
        for each in said:
            pair.client.say(each)
        pair.exchange()
        self.assertEqual(b"".join(said), pair.server.heard)
        written = [bytes([number]) * octets for number, octets in enumerate(back)]
        for each in written:
            pair.layer.write(each)
        pair.exchange()
        self.assertEqual(b"".join(written), pair.client.heard)

    def test_together(self) -> None:
        """What came together is heard in one go, and what is answered leaves in one."""

        def answer(transport: Any, data: bytes) -> None:
            for line in data.splitlines():
                transport.write(line)

        pair = connected(Server(answer))
        pair.server.events.clear()
        for line in (b"MAIL\r\n", b"RCPT\r\n", b"DATA\r\n"):
            pair.client.say(line)
        pair.tcp.writes = 0
        pair.exchange()
        self.assertEqual(["data"], pair.server.events)
        self.assertEqual(1, pair.tcp.writes)
        self.assertEqual(b"MAILRCPTDATA", pair.client.heard)

    def test_long_answer(self) -> None:
        """Little is held back of a long answer, so that a full buffer is noticed in time."""
        held = []

        def answer(transport: Any, data: bytes) -> None:
            for number in range(100):
                transport.write(data * 1000)
                held.append((number + 1) * 1000 - len(pair.tcp.sent))

        pair = connected(Server(answer))
        pair.say(b"x")
        self.assertLess(max(held), 2 * BLOCK_OCTETS)
        self.assertEqual(b"x" * 100_000, pair.client.heard)

    def test_unasked(self) -> None:
        """What is written while nothing comes is sent at once."""
        pair = connected()
        pair.layer.writeSequence([b"250 ", b"Ok"])
        pair.client.feed(pair.tcp.taken())
        self.assertEqual(b"250 Ok", pair.client.heard)

    def test_renegotiation(self) -> None:
        """What is written while a client negotiates anew is not lost, where it may do so."""
        creator = Creator()
        creator.context = SSL.Context(SSL.TLS_SERVER_METHOD)
        creator.context.use_certificate(key_pair().chain[0])
        creator.context.use_privatekey(key_pair().private_key)
        creator.context.set_options(ALLOW_CLIENT_RENEGOTIATION)
        client = OpenSslClient("1.2")
        pair = connected(client=client, creator=creator)
        client.tls.renegotiate()
        client.secure = False
        client.feed(b"")
        pair.deliver(client.taken())
        pair.layer.write(b"250 Ok")
        client.feed(pair.tcp.taken())
        pair.exchange()
        self.assertEqual(b"250 Ok", client.heard)
        pair.layer.loseConnection()
        pair.exchange()
        self.assertTrue(client.dismissed)

    def test_no_renegotiation(self) -> None:
        """With the service's settings the wish to negotiate anew is refused, and we go on."""
        client = OpenSslClient("1.2")
        pair = connected(client=client)
        client.tls.renegotiate()
        client.secure = False
        error = self.assertRaises(SSL.Error, pair.exchange)
        self.assertIn("no renegotiation", str(error))
        self.assertEqual([], pair.tcp.calls)
        pair.layer.write(b"250 Ok")
        self.assertNotEqual(b"", pair.tcp.sent)


class EndTests(SynchronousTestCase):
    """How TLS ends."""

    def test_hang_up(self) -> None:
        """All that was written is sent, then close_notify; TCP is closed without a wait."""
        for kind, version in KINDS:
            pair = connected(client=kind(version))
            pair.layer.write(b"x" * 200_000)
            pair.layer.loseConnection()
            pair.layer.loseConnection()
            pair.layer.write(b"too late")
            self.assertEqual(["lose"], pair.tcp.calls)
            pair.client.feed(pair.tcp.taken())
            self.assertEqual(b"x" * 200_000, pair.client.heard)
            self.assertTrue(pair.client.dismissed)
            pair.client.farewell()
            pair.deliver(pair.client.taken())
            self.assertEqual([ConnectionDone], pair.lose())

    def test_hear_out(self) -> None:
        """All that was written is sent, then close_notify; what still comes is dropped."""
        pair = connected()
        pair.layer.write(b"421 Too many errors")
        pair.layer.loseWriteConnection()
        pair.layer.loseConnection()
        self.assertEqual(["lose write"], pair.tcp.calls)
        pair.client.say(b"FOO")
        pair.deliver(pair.client.taken())
        pair.client.feed(pair.tcp.taken())
        self.assertEqual(b"421 Too many errors", pair.client.heard)
        self.assertTrue(pair.client.dismissed)
        self.assertEqual(b"", pair.server.heard)
        self.assertEqual([ConnectionDone], pair.lose())

    def test_hang_up_in_an_answer(self) -> None:
        """The last reply and close_notify leave together."""

        def answer(transport: Any, data: bytes) -> None:  # noqa: ARG001
            transport.write(b"221 Bye")
            transport.loseConnection()

        pair = connected(Server(answer))
        pair.client.say(b"QUIT")
        pair.tcp.writes = 0
        pair.exchange()
        self.assertEqual(1, pair.tcp.writes)
        self.assertEqual(b"221 Bye", pair.client.heard)
        self.assertTrue(pair.client.dismissed)
        self.assertEqual(["lose"], pair.tcp.calls)

    def test_farewell(self) -> None:
        """What came before the client's close_notify is answered, and the connection closed."""
        for kind, version in KINDS:
            pair = connected(client=kind(version))
            pair.client.say(b"NOOP")
            pair.client.farewell()
            pair.deliver(pair.client.taken())
            self.assertEqual(b"NOOP", pair.server.heard)
            self.assertEqual(["lose"], pair.tcp.calls)
            self.assertEqual([ConnectionDone], pair.lose())
            pair.layer.write(b"ignored")
            pair.layer.loseConnection()

    def test_resumed_in_the_farewell(self) -> None:
        """A producer that TCP resumes while the farewell leaves comes too late, and no more."""
        pair = connected()
        pair.client.farewell()
        sent = pair.tcp.write

        def write(data: bytes) -> None:
            sent(data)
            pair.layer.write(b"more")

        pair.tcp.write = write  # type: ignore[method-assign]
        pair.deliver(pair.client.taken())
        self.assertEqual(["lose"], pair.tcp.calls)
        self.assertEqual([ConnectionDone], pair.lose())

    def test_truncated(self) -> None:
        """A connection that is closed without close_notify counts as lost."""
        pair = connected()
        self.assertEqual([ConnectionLost], pair.lose())

    def test_reason_of_tcp(self) -> None:
        """Any other end of the TCP connection is passed on as it is."""
        pair = connected()
        self.assertEqual([ConnectionAborted], pair.lose(ConnectionAborted))

    def test_bad_record(self) -> None:
        """What cannot be decrypted ends the connection, once what came before was heard."""
        for version in ("1.2", "1.3"):
            pair = connected(client=PythonClient(version))
            pair.layer.registerProducer(pair.server, True)
            pair.client.say(b"NOOP")
            good = pair.client.taken()
            pair.client.say(b"RSET")
            bad = pair.client.taken()
            pair.deliver(good + bad[:-1] + bytes([bad[-1] ^ 1]) + good)
            self.assertEqual(b"NOOP", pair.server.heard)
            self.assertEqual(["lose"], pair.tcp.calls)
            self.assertIsNone(pair.tcp.producer)
            self.assertEqual([SSL.Error], pair.lose())

    def test_abort_in_an_answer(self) -> None:
        """Who cuts off while he hears something sends nothing more."""

        def answer(transport: Any, data: bytes) -> None:
            transport.write(data)
            transport.abortConnection()

        pair = connected(Server(answer))
        pair.say(b"NOOP")
        self.assertEqual(["abort"], pair.tcp.calls)
        self.assertEqual(b"", pair.client.heard)

    def test_late(self) -> None:
        """After the end nothing is sent, and nothing complains."""
        pair = connected()
        pair.lose()
        pair.layer.write(b"late")
        pair.layer.loseConnection()
        self.assertEqual([], pair.tcp.calls)

    def test_freed(self) -> None:
        """What OpenSSL holds for a connection is freed with it, not by the collector."""
        gc.disable()
        self.addCleanup(gc.enable)
        pair = connected()
        pair.say(b"NOOP")
        connection = weakref.ref(pair.layer._connection)
        pair.lose()
        self.assertIsNone(connection())


class TransportTests(SynchronousTestCase):
    """The layer as a transport."""

    def test_passed_on(self) -> None:
        """What has nothing to do with TLS is the business of TCP."""
        pair = connected()
        pair.layer.setTcpNoDelay(True)
        pair.layer.pauseProducing()
        pair.layer.resumeProducing()
        self.assertEqual(["no delay True", "pause", "resume"], pair.tcp.calls)
        self.assertEqual(("peer", "host"), (pair.layer.getPeer(), pair.layer.getHost()))
        pair.layer.registerProducer(pair.server, True)
        self.assertIs(pair.server, pair.tcp.producer)
        pair.layer.unregisterProducer()
        self.assertIsNone(pair.tcp.producer)

    def test_full(self) -> None:
        """A producer is paused while the buffer of TCP is full, and resumed afterwards."""

        class Producer(Server):
            def pauseProducing(self) -> None:
                self.events.append("pause")

            def resumeProducing(self) -> None:
                self.events.append("resume")
                self.transport.write(b"more")  # type: ignore[union-attr]

        server = Producer()
        pair = Pair(server)
        reactor = FakeReactor()
        socket = Socket(reactor, 10_000_000)
        write_promptly(socket)
        start_tls(socket, Creator(), server)
        pair.layer = server.transport

        def exchange() -> None:
            pair.client.feed(b"")
            while octets := pair.client.taken():
                pair.layer.dataReceived(octets)
                pair.client.feed(socket.sent)
                socket.sent = b""

        exchange()
        self.assertTrue(pair.client.secure)
        pair.layer.registerProducer(server, True)
        server.events.clear()
        socket.room = 0
        pair.layer.write(b"x" * 2 * BUFFER_OCTETS)
        self.assertEqual({"pause"}, set(server.events))
        socket.room = 10_000_000
        while reactor.writers:
            socket.doWrite()
        self.assertEqual("resume", server.events[-1])
        pair.client.feed(socket.sent)
        self.assertEqual(b"x" * 2 * BUFFER_OCTETS + b"more", pair.client.heard)


class FactoryTests(SynchronousTestCase):
    """Listeners with TLS from the first octet."""

    def test_built(self) -> None:
        """The protocol of the inner factory is connected at once, on top of the layer."""
        server = Server()
        server.greeting = b"220 hello"
        inner = Factory()
        inner.buildProtocol = lambda addr: server  # type: ignore[method-assign]  # noqa: ARG005
        layer: Any = TlsFactory(Creator(), inner).buildProtocol(None)
        socket = Socket(FakeReactor(), 1000)
        layer.makeConnection(socket)
        self.assertEqual(["made"], server.events)
        self.assertIs(layer, server.transport)
        client = PythonClient("1.3")
        client.feed(b"")
        while octets := client.taken():
            layer.dataReceived(octets)
            client.feed(socket.sent)
            socket.sent = b""
        self.assertEqual(b"220 hello", client.heard)

    def test_refused(self) -> None:
        """When the inner factory has no protocol, there is none."""
        inner = Factory()
        inner.buildProtocol = lambda addr: None  # type: ignore[method-assign]  # noqa: ARG005
        self.assertIsNone(TlsFactory(Creator(), inner).buildProtocol(None))
