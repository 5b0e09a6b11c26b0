"""Servers that bring bounces: connections that stay, in clear, without a login."""

import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

_PATIENCE_SECONDS = 30.0
_RECEIVE_OCTETS = 4096
_FAULTS_TOLD = 5

_REPORT = b"""\
From: Mail Delivery System <MAILER-DAEMON@mx.example.net>\r
To: <%(address)b>\r
Subject: Undelivered Mail Returned to Sender\r
Auto-Submitted: auto-replied\r
MIME-Version: 1.0\r
Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r
\r
--b\r
Content-Type: text/plain; charset=us-ascii\r
\r
This is the mail system at host mx.example.net.\r
\r
Your message could not be delivered to one or more recipients.\r
\r
--b\r
Content-Type: message/delivery-status\r
\r
Reporting-MTA: dns; mx.example.net\r
\r
Final-Recipient: rfc822; reader@example.net\r
Action: failed\r
Status: 5.2.2\r
Diagnostic-Code: smtp; 552 5.2.2 <reader@example.net>: mailbox is full\r
\r
--b\r
Content-Type: text/rfc822-headers\r
\r
%(header)b\r
--b--\r
"""
_HEADER = b"X-Filler: " + b"x" * 68 + b"\r\n"
_HEADER_LINES = 24  # with these, a report has about 2.5 KiB


@dataclass(frozen=True)
class Storm:
    """
    Bounces to bring.

    Args:
        port: a listener on 127.0.0.1 that takes them.
        addresses: to which they come, one after the other, and then again.
        count: how many.
        per_second: when they fall due; 0.0: each connection brings its next as soon as it can.
        connections: at the same time.
    """

    port: int
    addresses: Sequence[str]
    count: int
    per_second: float = 0.0
    connections: int = 10


@dataclass
class Brought:
    """
    What became of them.

    taken: how many were answered with 250.
    seconds: from the first connection to the last answer.
    faults: the different things that went wrong, at most a few.
    """

    taken: int = 0
    seconds: float = 0.0
    faults: dict[str, None] = field(default_factory=dict)


class Servers:
    """Brings bounces, one thread for each connection; they wait most of the time."""

    def __init__(self, storm: Storm) -> None:
        self._storm = storm
        self._brought = Brought()
        self._next = 0
        self._lock = threading.Lock()

    def run(self) -> Brought:
        began_at = time.monotonic()
        threads = [
            threading.Thread(target=self._serve, args=(began_at,))
            for _ in range(self._storm.connections)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._brought.seconds = time.monotonic() - began_at
        return self._brought

    def _serve(self, began_at: float) -> None:
        try:
            with socket.create_connection(
                ("127.0.0.1", self._storm.port), _PATIENCE_SECONDS
            ) as connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                _expect(connection, b"220")
                connection.sendall(b"EHLO mx.example.net\r\n")
                _expect(connection, b"250")
                while (number := self._take_number()) is not None:
                    if self._storm.per_second:
                        due_at = began_at + number / self._storm.per_second
                        time.sleep(max(due_at - time.monotonic(), 0.0))
                    self._bring(connection, number)
        except (OSError, _Refused) as error:
            with self._lock:
                if len(self._brought.faults) < _FAULTS_TOLD:
                    self._brought.faults[str(error)] = None

    def _take_number(self) -> int | None:
        with self._lock:
            number = self._next
            self._next += 1
        return number if number < self._storm.count else None

    def _bring(self, connection: socket.socket, number: int) -> None:
        address = self._storm.addresses[number % len(self._storm.addresses)].encode()
        connection.sendall(b"MAIL FROM:<>\r\nRCPT TO:<%b>\r\nDATA\r\n" % address)
        _expect(connection, b"250", b"250", b"354")
        content = _REPORT % {b"address": address, b"header": _HEADER * _HEADER_LINES}
        connection.sendall(content + b".\r\n")
        _expect(connection, b"250")
        with self._lock:
            self._brought.taken += 1


class _Refused(Exception):
    """A server answered otherwise than expected."""


def _expect(connection: socket.socket, *codes: bytes) -> None:
    """Read so many replies; each may have several lines."""
    received = b""
    while len(last := _last_lines(received)) < len(codes):
        octets = connection.recv(_RECEIVE_OCTETS)
        if not octets:
            raise _Refused("a connection was closed")
        received += octets
    if tuple(line[:3] for line in last) != codes:
        raise _Refused(received.decode("latin-1").strip())


def _last_lines(received: bytes) -> list[bytes]:
    """The last line of each reply that is complete."""
    lines = received.split(b"\r\n")[:-1]
    return [line for line in lines if line[3:4] != b"-"]
