"""Asking DNS servers whether they have validated."""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import capturedLogs
from twisted.names import dns
from twisted.names.error import DNSNameError
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.dnsclient import UDP_PAYLOAD_OCTETS, AskingResolver, QuietResolver

SERVER = ("127.0.0.1", 5300)
NAME = "mx.mailbox.example"


class Datagrams:
    """A UDP transport that notes what is written."""

    def __init__(self, ports: list[Datagrams]) -> None:
        self.written: list[bytes] = []
        self.open = True
        ports.append(self)

    def write(self, octets: bytes, address: tuple[str, int]) -> None:
        assert address == SERVER
        self.written.append(octets)

    def stopListening(self) -> None:
        self.open = False


class Reactor(MemoryReactorClock):
    """Has UDP as well."""

    def __init__(self) -> None:
        super().__init__()
        self.sockets: list[Datagrams] = []
        self.listening: list[Any] = []

    def listenUDP(self, port: int, protocol: Any, interface: str = "") -> None:
        assert (port, interface) == (0, "")
        self.listening.append(protocol)
        protocol.makeConnection(Datagrams(self.sockets))


class QuietTests(SynchronousTestCase):
    """Questions, of which there may be three for each receiver."""

    def test_silence(self) -> None:
        """Nothing is logged of a question and its answer."""
        for kind in (QuietResolver, AskingResolver):
            reactor = Reactor()
            with capturedLogs() as logged:
                asked = kind(servers=[SERVER], reactor=reactor).lookupAddress(NAME)
                question = dns.Message()
                question.fromStr(reactor.sockets[-1].written[-1])
                octets = AskingTests.answer(question)
                reactor.listening[-1].datagramReceived(octets, SERVER)
                answers, _, _ = self.successResultOf(asked)
            self.assertEqual(["192.0.2.1"], [each.payload.dottedQuad() for each in answers])
            self.assertFalse(reactor.sockets[-1].open)
            self.assertEqual([], logged)


class AskingTests(SynchronousTestCase):
    """Questions and answers over the wire."""

    def setUp(self) -> None:
        self.reactor = Reactor()
        self.resolver = AskingResolver(servers=[SERVER], reactor=self.reactor)
        self.asked: Deferred[Any] = self.resolver.lookupAddress(NAME, (2, 4))

    def question(self) -> dns.Message:
        """What the server was asked by UDP."""
        message = dns.Message()
        message.fromStr(self.reactor.sockets[-1].written[-1])
        return message

    @staticmethod
    def answer(question: dns.Message, **flags: int) -> bytes:
        """An answer with one address."""
        message = dns.Message(question.id, answer=1, **cast("Any", flags))
        message.queries = question.queries
        message.answers = [dns.RRHeader(NAME, dns.A, payload=dns.Record_A("192.0.2.1", 300))]
        return message.toStr()

    def test_question(self) -> None:
        """The question has the AD bit, and says how much an answer may hold."""
        question = self.question()
        self.assertEqual((1, 1), (question.authenticData, question.recDes))
        (options,) = question.additional
        self.assertEqual((dns.OPT, UDP_PAYLOAD_OCTETS), (options.type, options.cls))

    def test_validated(self) -> None:
        """The AD bit of an answer is handed on, and so is its absence."""
        for bit in (1, 0):
            self.setUp()
            octets = self.answer(self.question(), authenticData=bit)
            self.reactor.listening[-1].datagramReceived(octets, SERVER)
            sections = self.successResultOf(self.asked)
            self.assertEqual(bool(bit), sections.authenticated)
            answers, _, _ = sections
            self.assertEqual(["192.0.2.1"], [each.payload.dottedQuad() for each in answers])
            self.assertFalse(self.reactor.sockets[-1].open)

    def test_no_such_name(self) -> None:
        """An error is one as ever."""
        octets = self.answer(self.question(), rCode=dns.ENAME)
        self.reactor.listening[-1].datagramReceived(octets, SERVER)
        self.failureResultOf(self.asked, DNSNameError)

    def test_truncated(self) -> None:
        """An answer too large for UDP comes by TCP, with its AD bit."""
        octets = self.answer(self.question(), trunc=1, authenticData=0)
        self.reactor.listening[-1].datagramReceived(octets, SERVER)
        host, port, factory, *_ = self.reactor.tcpClients[-1]
        self.assertEqual(SERVER, (host, port))
        stream, transport = cast("Any", factory).buildProtocol(None), StringTransport()
        stream.makeConnection(transport)
        question = dns.Message()
        question.fromStr(transport.value()[2:])
        self.assertEqual(1, question.authenticData)
        answer = self.answer(question, authenticData=1)
        stream.dataReceived(len(answer).to_bytes(2, "big") + answer)
        self.assertTrue(self.successResultOf(self.asked).authenticated)

    def test_silence(self) -> None:
        """A server that is silent is asked again, and given up in the end."""
        self.reactor.advance(2)
        self.assertEqual(2, len(self.reactor.sockets))
        self.assertEqual(1, self.question().authenticData)
        self.reactor.advance(4)
        self.failureResultOf(self.asked)
