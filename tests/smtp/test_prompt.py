from __future__ import annotations

from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IPullProducer
from twisted.internet.main import CONNECTION_DONE
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from smtpeter.smtp.prompt import write_promptly


class FakeReactor:
    """Notes who waits to be told that it can write."""

    def __init__(self) -> None:
        self.writers: list[Any] = []

    def addWriter(self, writer: Any) -> None:
        self.writers.append(writer)

    def removeReader(self, reader: Any) -> None:
        pass

    def removeWriter(self, writer: Any) -> None:
        if writer in self.writers:
            self.writers.remove(writer)


class Socket(FileDescriptor):
    """A transport whose socket takes so many octets at a time."""

    def __init__(self, reactor: FakeReactor, room: int) -> None:
        super().__init__(reactor)  # type: ignore[arg-type]
        self.connected = 1
        self.room = room
        self.sent = b""

    def writeSomeData(self, data: bytes) -> int:
        taken = bytes(data[: self.room])
        self.sent += taken
        return len(taken)


@implementer(IPullProducer)
class Blocks:
    """A producer of three blocks."""

    def __init__(self, transport: FileDescriptor) -> None:
        self.transport = transport
        self.left = 3

    def resumeProducing(self) -> None:
        if self.left:
            self.left -= 1
            self.transport.write(b"block")

    def stopProducing(self) -> None:
        pass


class PromptTests(SynchronousTestCase):
    """When octets leave."""

    def setUp(self) -> None:
        self.reactor = FakeReactor()

    def transport(self, room: int = 1000) -> Socket:
        transport = Socket(self.reactor, room)
        write_promptly(transport)
        return transport

    def test_at_once(self) -> None:
        """What fits into the socket is sent without waiting for the reactor."""
        transport = self.transport()
        transport.write(b"250 Ok\r\n")
        self.assertEqual(b"250 Ok\r\n", transport.sent)
        self.assertEqual([], self.reactor.writers)

    def test_rest_waits(self) -> None:
        """What does not fit waits for the reactor, and leaves in order."""
        transport = self.transport(room=4)
        transport.write(b"250 Ok\r\n")
        self.assertEqual(b"250 ", transport.sent)
        self.assertEqual([transport], self.reactor.writers)
        transport.doWrite()
        self.assertEqual(b"250 Ok\r\n", transport.sent)
        self.assertEqual([], self.reactor.writers)

    def test_trouble(self) -> None:
        """A socket that fails is left to the reactor, which ends the connection."""
        transport = self.transport()
        self.patch(transport, "writeSomeData", lambda _: -1)
        transport.write(b"250 Ok\r\n")
        self.assertEqual([transport], self.reactor.writers)

    def test_close_after_last_word(self) -> None:
        """A connection that is to be closed is left to the reactor when all is sent."""
        transport = self.transport(room=4)
        transport.write(b"221 Bye\r\n")
        transport.loseConnection()
        self.assertEqual([transport], self.reactor.writers[:1])

    def test_close_when_all_is_sent(self) -> None:
        """A connection with nothing left to send is closed as well."""
        transport = self.transport()
        transport.write(b"221 Bye\r\n")
        transport.loseConnection()
        self.assertEqual([transport], self.reactor.writers)
        self.assertEqual(CONNECTION_DONE, transport.doWrite())

    def test_closed_by_tls(self) -> None:
        """TLS of Twisted closes the connection below it by the method of the class."""
        for room in (4, 1000):
            transport = self.transport(room)
            transport.write(b"alert")
            FileDescriptor.loseConnection(transport)
            self.assertIn(transport, self.reactor.writers)
            result = None
            while result is None:
                result = transport.doWrite()
            self.assertEqual((CONNECTION_DONE, b"alert"), (result, transport.sent))

    def test_producer(self) -> None:
        """A producer is not called from within itself over and over."""
        transport = self.transport()
        producer = Blocks(transport)
        transport.registerProducer(producer, False)
        while self.reactor.writers:
            transport.doWrite()
        self.assertEqual(b"block" * 3, transport.sent)

    def test_other_transports(self) -> None:
        """A transport of another kind stays as it is."""
        transport = StringTransport()
        write_promptly(transport)
        transport.write(b"250 Ok\r\n")
        self.assertEqual(b"250 Ok\r\n", transport.value())
