"""
The receiver: takes any message, remembers its id and when it arrived, and forgets the rest.

It must never be what limits a server. One process, one epoll loop, no work per line of content;
one search for the id and one for the final dot per message. It can be told to keep a few.
"""

import ctypes
import os
import re
import select
import socket
import time
from array import array
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from bench.content import ID_DIGITS, ID_HEADER

NO_ID = 0xFFFFFFFFFFFFFFFF  # a message without our header

_RECEIVE_OCTETS = 65536
_MAX_HEADER_OCTETS = 65536  # where the search for the id ends
_END_OF_CONTENT = b"\r\n.\r\n"
# The d= tag of each DKIM-Signature field; folds are blanks like others.
_SIGNER = re.compile(
    rb"^DKIM-Signature:(?:[^\r\n]|\r\n[ \t])*?[;\s]d=([^;\s]+)", re.IGNORECASE | re.MULTILINE
)
_GREETING = b"220 sink.example.net ESMTP\r\n"
_EHLO = (
    b"250-sink.example.net\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-CHUNKING\r\n"
    b"250 SIZE 104857600\r\n"
)
_OK = b"250 Ok\r\n"
_ACCEPTED = b"250 Ok, taken\r\n"
_START_CONTENT = b"354 Go on\r\n"
_BYE = b"221 Bye\r\n"
_UNKNOWN = b"500 What?\r\n"
_REPLIES = {
    b"EHLO": _EHLO,
    b"HELO": _OK,
    b"MAIL": _OK,
    b"RCPT": _OK,
    b"RSET": _OK,
    b"NOOP": _OK,
    b"DATA": _START_CONTENT,
    b"QUIT": _BYE,
}


@dataclass(frozen=True)
class Keep:
    """
    Which messages are kept whole.

    Args:
        first: how many of those that come first after each report.
        apart_from: messages with this id or a higher one are all kept, and counted nowhere else.
    """

    first: int
    apart_from: int


NOTHING = Keep(0, NO_ID)


@dataclass(frozen=True)
class Kept:
    """
    A message that was kept.

    arrived_at: time.monotonic(), in seconds.
    octets: as it was meant: without the closing dot, and without dots that transport added.
    """

    message_id: int
    arrived_at: float
    octets: bytes


@dataclass(frozen=True)
class Arrivals:
    """
    What has arrived since the last report.

    ids: one entry per message; NO_ID where the header was missing.
    arrived_at: time.monotonic() at the final dot, in seconds.
    cpu_seconds: CPU time of the sink's process since it began.
    kept: those that it was told to keep.
    signers: how many messages were signed for which domains; () for those without a signature.
        Empty where the sink was not told to look.
    connections: that were made.
    """

    ids: "array[int]"
    arrived_at: "array[float]"
    cpu_seconds: float
    kept: list[Kept]
    signers: Counter[tuple[bytes, ...]]
    connections: int


class _Session:
    """One connection from a server."""

    __slots__ = ("chunk_octets", "connection", "in_content", "kept", "message_id", "pending")

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.in_content = False
        self.chunk_octets = 0  # that are still to come; the chunk is the whole content
        self.message_id: int | None = None
        self.kept: list[bytes] | None = None
        self.pending = b""


class Sink:
    """
    The epoll loop.

    Args:
        listener: a listening socket.
        control: whatever comes over it asks for Arrivals.
        keep: which messages to keep.
        signers: look who has signed, above our header.
        arrived: shared memory in which the number of messages since the start is kept up to date.
    """

    def __init__(
        self,
        listener: socket.socket,
        control: "Connection[Any, Any]",
        keep: Keep,
        signers: bool,  # noqa: FBT001
        arrived: ctypes.c_uint64,
    ) -> None:
        self._keep = keep
        self._look_who_signed = signers
        self._signers: Counter[tuple[bytes, ...]] = Counter()
        self._to_keep = keep.first
        self._kept: list[Kept] = []
        self._listener = listener
        self._control = control
        self._arrived = arrived
        self._arrived_total = 0
        self._connections = 0
        self._epoll = select.epoll()
        self._sessions: dict[int, _Session] = {}
        self._ids = array("Q")
        self._arrived_at = array("d")

    def run(self) -> None:
        """
        Receive.

        Raises:
            EOFError, ConnectionError: the other side has closed `control`; that is the end.
        """
        self._listener.setblocking(False)
        listener_fd, control_fd = self._listener.fileno(), self._control.fileno()
        self._epoll.register(listener_fd, select.EPOLLIN)
        self._epoll.register(control_fd, select.EPOLLIN)
        poll, sessions, read = self._epoll.poll, self._sessions, self._read
        while True:
            for fd, _event in poll():
                session = sessions.get(fd)
                if session is not None:
                    read(fd, session)
                elif fd == listener_fd:
                    self._accept()
                else:
                    self._report()

    def _accept(self) -> None:
        try:
            connection, address = self._listener.accept()
        except OSError:  # the peer has already gone
            return
        if not address[0].startswith("127."):  # it may listen on all addresses
            connection.close()
            return
        self._connections += 1
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sessions[connection.fileno()] = _Session(connection)
        self._epoll.register(connection.fileno(), select.EPOLLIN)
        connection.send(_GREETING)

    def _report(self) -> None:
        self._control.recv()
        self._control.send(
            Arrivals(
                self._ids,
                self._arrived_at,
                time.process_time(),
                self._kept,
                self._signers,
                self._connections,
            )
        )
        del self._ids[:], self._arrived_at[:], self._kept[:]
        self._signers.clear()
        self._connections = 0
        self._to_keep = self._keep.first

    def _read(self, fd: int, session: _Session) -> None:
        try:
            data = session.connection.recv(_RECEIVE_OCTETS)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close(fd, session)
            return
        replies = self._digest(session, session.pending + data if session.pending else data)
        if replies:
            try:
                session.connection.send(b"".join(replies))
            except OSError:
                self._close(fd, session)
                return
            if replies[-1] is _BYE:
                self._close(fd, session)

    def _digest(self, session: _Session, data: bytes) -> list[bytes]:
        """Take in what a server sent; the octets that cannot be used yet become its `pending`."""
        replies: list[bytes] = []
        while data:
            if session.chunk_octets:
                rest = self._take_chunk(session, data, replies)
            elif session.in_content:
                rest = self._take_content(session, data, replies)
            else:
                rest = _obey(session, data, replies)
            if len(rest) == len(data):
                break
            data = rest
        session.pending = data
        return replies

    def _take_chunk(self, session: _Session, data: bytes, replies: list[bytes]) -> bytes:
        """Take in what there is of a chunk, which is a whole content; gives what is not used."""
        taken = data[: session.chunk_octets]
        if session.message_id is None:
            session.message_id = self._identify(session, taken)
            if session.message_id is None and len(taken) < session.chunk_octets:
                return data
        if session.kept is not None:
            session.kept.append(taken)
        session.chunk_octets -= len(taken)
        if not session.chunk_octets:
            self._record(session)
            replies.append(_ACCEPTED)
        return data[len(taken) :]

    def _take_content(self, session: _Session, data: bytes, replies: list[bytes]) -> bytes:
        """The same for content that a dot ends."""
        if session.message_id is None:
            session.message_id = self._identify(session, data)
        end = data.find(_END_OF_CONTENT)
        if end < 0:
            # what may hold the beginning of the id or of the end is looked at again
            if session.message_id is None:
                return data
            if session.kept is not None:
                session.kept.append(data[:-4])
            return data[-4:]
        if session.kept is not None:
            session.kept = [_without_doubled_dots(b"".join([*session.kept, data[: end + 2]]))]
        self._record(session)
        replies.append(_ACCEPTED)
        return data[end + 5 :]

    def _identify(self, session: _Session, data: bytes) -> int | None:
        """As find_id; decides whether the message is kept."""
        message_id = find_id(data)
        if message_id is not None and message_id != NO_ID:
            if message_id >= self._keep.apart_from:
                session.kept = []
            elif self._to_keep:
                self._to_keep -= 1
                session.kept = []
        if message_id is not None and self._look_who_signed:
            header, _, _rest = data.partition(ID_HEADER)
            self._signers[tuple(_SIGNER.findall(header))] += 1
        return message_id

    def _record(self, session: _Session) -> None:
        message_id = NO_ID if session.message_id is None else session.message_id
        now = time.monotonic()
        if session.kept is not None:
            self._kept.append(Kept(message_id, now, b"".join(session.kept)))
            session.kept = None
        session.in_content = False
        session.message_id = None
        if self._keep.apart_from <= message_id != NO_ID:
            return
        self._ids.append(message_id)
        self._arrived_at.append(now)
        self._arrived_total += 1
        self._arrived.value = self._arrived_total

    def _close(self, fd: int, session: _Session) -> None:
        del self._sessions[fd]
        session.connection.close()  # which also takes it out of the epoll set


def _obey(session: _Session, data: bytes, replies: list[bytes]) -> bytes:
    """Answer one command; gives what follows it, or all when it is not all there."""
    end = data.find(b"\r\n")
    if end < 0:
        return data
    verb = data[:4].upper()
    if verb == b"BDAT":  # always the last chunk: we are asked for nothing else
        session.chunk_octets = int(data[5:end].split()[0])
    else:
        reply = _REPLIES.get(verb, _UNKNOWN)
        replies.append(reply)
        session.in_content = reply is _START_CONTENT
    return data[end + 2 :]


def find_id(data: bytes) -> int | None:
    """The id in the header, NO_ID if there is none, None if more octets are needed to tell."""
    start = data.find(ID_HEADER)
    if start >= 0:
        start += len(ID_HEADER)
        digits = data[start : start + ID_DIGITS]
        return int(digits) if len(digits) == ID_DIGITS else None
    return NO_ID if len(data) > _MAX_HEADER_OCTETS else None


def _without_doubled_dots(content: bytes) -> bytes:
    """RFC 5321 section 4.5.2, for content that does not begin with a dot."""
    return content.replace(b"\r\n..", b"\r\n.")


def serve(
    control: "Connection[Any, Any]",
    host: str,
    port: int,
    cores: Collection[int],
    keep: Keep,
    signers: bool,  # noqa: FBT001
    arrived: ctypes.c_uint64,
) -> None:
    """
    The sink's process: say on which port it listens, then receive until `control` is closed.

    Args:
        control: see Sink; the first thing sent over it is the port.
        host: where it listens; what does not come from this machine is turned away.
        port: 0 for any.
        cores: where to run.
        keep, signers, arrived: see Sink.
    """
    os.sched_setaffinity(0, cores)
    with socket.create_server((host, port), backlog=1024) as listener:
        control.send(listener.getsockname()[1])
        Sink(listener, control, keep, signers, arrived).run()
