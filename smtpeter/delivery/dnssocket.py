"""A UDP socket for one question to a DNS server, at a port that nobody can guess (RFC 5452)."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.protocol import DatagramProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

DATAGRAM_OCTETS = 4096  # more than we ever say that we take


@implementer(IReadDescriptor)
class QuestionSocket:
    """
    The transport of a protocol that asks one server.

    A port of Twisted's would write two lines into the log for each question. This one also is
    connected to the server, so that the kernel drops what others send.

    Whatever goes wrong is as if a datagram had been lost: the question is asked again in time,
    where there are several servers of the next one.

    Args:
        protocol: is given the answer.
        reactor: watches the socket.
    """

    def __init__(self, protocol: DatagramProtocol, reactor: Any) -> None:
        self._protocol: DatagramProtocol | None = protocol
        self._reactor = reactor
        self._socket: socket.socket | None = None
        self._server = ("", 0)

    def write(self, datagram: bytes, server: tuple[str, int]) -> None:
        """Send a question to an IP address and port; always the same ones."""
        try:
            if self._socket is None:
                self._socket = _connected(server)
                self._server = server
                self._reactor.addReader(self)
            self._socket.send(datagram)
        except OSError:
            return

    def doRead(self) -> None:
        if self._socket is None or self._protocol is None:
            return
        try:
            datagram = self._socket.recv(DATAGRAM_OCTETS)
        except OSError:
            return
        self._protocol.datagramReceived(datagram, self._server)

    def stopListening(self) -> None:
        """The question is answered, or given up."""
        if self._socket is not None:
            self._reactor.removeReader(self)
            self._socket.close()
            self._socket = None
        self._protocol = None  # which knows us: Python need not look for circles

    def connectionLost(self, reason: Failure) -> None:  # noqa: ARG002
        """The server's host says that nobody is there."""
        self.stopListening()

    def fileno(self) -> int:
        return -1 if self._socket is None else self._socket.fileno()

    def logPrefix(self) -> str:
        return type(self).__name__


def _connected(server: tuple[str, int]) -> socket.socket:
    family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
    made = socket.socket(family, socket.SOCK_DGRAM)
    try:
        made.setblocking(False)
        made.connect(server)
    except OSError:
        made.close()
        raise
    return made
