"""Asking DNS servers whether they have validated."""

from __future__ import annotations

import socket
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import capturedLogs
from twisted.names import dns
from twisted.names.error import DNSNameError
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.dnsclient import UDP_PAYLOAD_OCTETS, AskingResolver, QuietResolver

NAME = "mx.mailbox.example"


class Server:
    """A DNS server, as far as its socket."""

    def __init__(self, test: SynchronousTestCase, family: int = socket.AF_INET) -> None:
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        test.addCleanup(self._socket.close)
        self._socket.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        self._socket.settimeout(10)
        self.address = self._socket.getsockname()[:2]
        self.asked_by: Any = None

    def question(self) -> dns.Message:
        """The next that was asked."""
        datagram, self.asked_by = self._socket.recvfrom(4096)
        message = dns.Message()
        message.fromStr(datagram)
        return message

    def say(self, octets: bytes, to: Any = None) -> None:
        """Answer to whoever asked last, or to somebody else."""
        self._socket.sendto(octets, to or self.asked_by)

    def close(self) -> None:
        self._socket.close()


def read(reactor: MemoryReactorClock) -> None:
    """What has come to the sockets is read."""
    for each in list(reactor.readers):
        each.doRead()


def answer(question: dns.Message, **flags: int) -> bytes:
    """An answer with one address."""
    message = dns.Message(question.id, answer=1, **cast("Any", flags))
    message.queries = question.queries
    message.answers = [dns.RRHeader(NAME, dns.A, payload=dns.Record_A("192.0.2.1", 300))]
    return message.toStr()


class QuietTests(SynchronousTestCase):
    """Questions, of which there may be three for each receiver."""

    def test_silence(self) -> None:
        """Nothing is logged of a question and its answer, and nothing is left over."""
        for kind in (QuietResolver, AskingResolver):
            for family in (socket.AF_INET, socket.AF_INET6):
                reactor, server = MemoryReactorClock(), Server(self, family)
                with capturedLogs() as logged:
                    resolver = kind(servers=[server.address], reactor=reactor)
                    asked = resolver.lookupAddress(NAME)
                    server.say(answer(server.question()))
                    read(reactor)
                    answers, _, _ = self.successResultOf(asked)
                self.assertEqual(["192.0.2.1"], [each.payload.dottedQuad() for each in answers])
                self.assertEqual(set(), reactor.readers)
                self.assertEqual([], logged)

    def test_next_server(self) -> None:
        """Where a server cannot be asked at all, the next one is."""
        reactor, server = MemoryReactorClock(), Server(self)
        servers = [("192.0.2.999", 53), server.address]
        asked = QuietResolver(servers=servers, reactor=reactor).lookupAddress(NAME)
        reactor.advance(2)
        server.say(answer(server.question()))
        read(reactor)
        self.successResultOf(asked)
        self.assertEqual(set(), reactor.readers)

    def test_nobody_there(self) -> None:
        """Where nobody listens, the question is asked again, by the same server or another."""
        reactor, server, away = MemoryReactorClock(), Server(self), Server(self)
        away.close()
        servers = [away.address, server.address]
        asked = QuietResolver(servers=servers, reactor=reactor).lookupAddress(NAME)
        read(reactor)
        for each in list(reactor.readers):  # as the reactor does when there is an error
            each.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(set(), reactor.readers)
        reactor.advance(2)
        server.say(answer(server.question()))
        read(reactor)
        self.successResultOf(asked)

    def test_others(self) -> None:
        """What comes from anywhere but the server is no answer."""
        reactor, server, other = MemoryReactorClock(), Server(self), Server(self)
        asked = QuietResolver(servers=[server.address], reactor=reactor).lookupAddress(NAME)
        question = server.question()
        other.say(answer(question), server.asked_by)
        read(reactor)
        self.assertNoResult(asked)
        server.say(answer(question))
        read(reactor)
        self.successResultOf(asked)


class AskingTests(SynchronousTestCase):
    """Questions and answers over the wire."""

    def setUp(self) -> None:
        self.reactor, self.server = MemoryReactorClock(), Server(self)
        self.resolver = AskingResolver(servers=[self.server.address], reactor=self.reactor)
        self.asked: Deferred[Any] = self.resolver.lookupAddress(NAME, (2, 4))

    def say(self, octets: bytes) -> None:
        """The server answers."""
        self.server.say(octets)
        read(self.reactor)

    def test_question(self) -> None:
        """The question has the AD bit, and says how much an answer may hold."""
        question = self.server.question()
        self.assertEqual((1, 1), (question.authenticData, question.recDes))
        (options,) = question.additional
        self.assertEqual((dns.OPT, UDP_PAYLOAD_OCTETS), (options.type, options.cls))

    def test_validated(self) -> None:
        """The AD bit of an answer is handed on, and so is its absence."""
        for bit in (1, 0):
            self.setUp()
            octets = answer(self.server.question(), authenticData=bit)
            self.say(octets)
            sections = self.successResultOf(self.asked)
            self.assertEqual(bool(bit), sections.authenticated)
            answers, _, _ = sections
            self.assertEqual(["192.0.2.1"], [each.payload.dottedQuad() for each in answers])
            self.assertEqual(set(), self.reactor.readers)

    def test_no_such_name(self) -> None:
        """An error is one as ever."""
        octets = answer(self.server.question(), rCode=dns.ENAME)
        self.say(octets)
        self.failureResultOf(self.asked, DNSNameError)

    def test_truncated(self) -> None:
        """An answer too large for UDP comes by TCP, with its AD bit."""
        octets = answer(self.server.question(), trunc=1, authenticData=0)
        self.say(octets)
        host, port, factory, *_ = self.reactor.tcpClients[-1]
        self.assertEqual(self.server.address, (host, port))
        stream, transport = cast("Any", factory).buildProtocol(None), StringTransport()
        stream.makeConnection(transport)
        question = dns.Message()
        question.fromStr(transport.value()[2:])
        self.assertEqual(1, question.authenticData)
        octets = answer(question, authenticData=1)
        stream.dataReceived(len(octets).to_bytes(2, "big") + octets)
        self.assertTrue(self.successResultOf(self.asked).authenticated)

    def test_silence(self) -> None:
        """A server that is silent is asked again, and given up in the end."""
        self.reactor.advance(2)
        for _ in range(2):
            self.assertEqual(1, self.server.question().authenticData)
        self.reactor.advance(4)
        self.failureResultOf(self.asked)
        self.assertEqual(set(), self.reactor.readers)
