"""One client session: the replies it waits for, and what it says when they have come."""

import select
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Callable
from typing import Protocol

from bench.content import SENDER, recipient_of
from bench.load import Load, Reuse

_RECEIVE_OCTETS = 16384  # one TLS record: then nothing is left unread inside the SSL object
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_GOODBYE = (b"221",)
_HOST = "127.0.0.1"


class Dispatcher(Protocol):
    """What a session tells the loop that owns it."""

    load: Load
    epoll: select.epoll
    context: ssl.SSLContext
    tls_session: ssl.SSLSession | None
    sessions: dict[int, "Session"]

    def content(self, message_id: int) -> bytes:
        """The message to send."""

    def logged_in(self, connection: ssl.SSLSocket) -> None:
        """A login succeeded."""

    def content_sent(self, message_id: int, at_seconds: float) -> None:
        """All of it."""

    def accepted(self, message_id: int, at_seconds: float) -> None:
        """It got its 250."""

    def failed(self, message_id: int | None, reason: str) -> None:
        """It got none, and never will."""

    def idle(self, session: "Session") -> None:
        """The session wants another message."""


class Session:
    """
    A client that connects, starts TLS, logs in, and sends the messages it is given.

    It pipelines as RFC 2920 allows: MAIL, RCPT and DATA go out together. Any reply but the one
    that is wanted ends the connection and fails the message.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._one_message = dispatcher.load.reuse is Reuse.ONE
        self._connection: socket.socket | ssl.SSLSocket | None = None
        self._message_id: int | None = None
        self._ready = False
        self._wanted: tuple[bytes, ...] = ()
        self._got = 0
        self._then: Callable[[], None] = self._say_hello
        self._partial = b""
        self._unsent: memoryview | None = None
        self._waits_to_write = False
        self._sending_content = False
        target = dispatcher.load.target
        login = f"\0{target.username}\0{target.password}".encode()
        self._auth = b"AUTH PLAIN " + b64encode(login) + b"\r\n"

    def begin(self, message_id: int) -> None:
        """Send a message, over a new connection if there is none."""
        self._message_id = message_id
        if self._ready:
            self._send_envelope()
        else:
            self.connect()

    def connect(self) -> None:
        connection = socket.socket()
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = connection
        self._await((b"220",), self._say_hello)
        # A connection that cannot be made shows when the greeting is to be read.
        connection.connect_ex((_HOST, self._dispatcher.load.target.port))
        self._dispatcher.sessions[connection.fileno()] = self
        self._dispatcher.epoll.register(connection.fileno(), select.EPOLLIN)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        self._ready = False
        self._partial = b""
        self._unsent = None
        self._waits_to_write = False
        self._sending_content = False
        if connection is not None:
            del self._dispatcher.sessions[connection.fileno()]
            connection.close()

    def goodbye(self) -> None:
        """End the session: in good manners, unless it is in the middle of something."""
        if self._message_id is not None or not self._ready:
            self.close()
        elif self._wanted != _GOODBYE:
            self._await(_GOODBYE, self.close)
            self._write(b"QUIT\r\n")

    # --- events of the loop

    def on_event(self, event: int) -> None:
        try:
            if self._unsent is not None and event & select.EPOLLOUT:
                self._flush()
            if event & ~select.EPOLLOUT:
                self._read()
        except OSError as error:  # ssl.SSLError is one
            self._lost(f"{type(error).__name__}: {error}")

    def _read(self) -> None:
        connection = self._connection
        if connection is None:
            return
        if self._then == self._handshake:
            self._handshake()
            return
        try:
            data = connection.recv(_RECEIVE_OCTETS)
        except _WOULD_BLOCK:
            return
        if not data:
            self._lost("the server closed the connection")
            return
        if self._partial:
            data = self._partial + data
            self._partial = b""
        if data.endswith(b"\n"):
            self._take_replies(data)
        else:
            self._partial = data

    def _take_replies(self, data: bytes) -> None:
        for line in data.split(b"\r\n"):
            if line[3:4] != b" ":  # a line that another one follows, or the empty end of the split
                continue
            if self._got >= len(self._wanted) or not line.startswith(self._wanted[self._got]):
                self._fail(line.decode("utf-8", "replace"))
                return
            self._got += 1
        if self._got == len(self._wanted):
            self._then()

    def _await(self, codes: tuple[bytes, ...], then: Callable[[], None]) -> None:
        self._wanted = codes
        self._got = 0
        self._then = then

    def _write(self, data: bytes) -> None:
        self._unsent = memoryview(data)
        self._flush()

    def _flush(self) -> None:
        connection, unsent = self._connection, self._unsent
        if connection is None or unsent is None:
            return
        try:
            while unsent:
                unsent = unsent[connection.send(unsent) :]
        except _WOULD_BLOCK:
            self._unsent = unsent
            self._dispatcher.epoll.modify(connection.fileno(), select.EPOLLIN | select.EPOLLOUT)
            self._waits_to_write = True
            return
        except OSError as error:  # the server has gone
            self._lost(f"{type(error).__name__}: {error}")
            return
        self._unsent = None
        if self._sending_content:
            self._sending_content = False
            assert self._message_id is not None
            self._dispatcher.content_sent(self._message_id, time.monotonic())
        if self._waits_to_write:
            self._waits_to_write = False
            self._dispatcher.epoll.modify(connection.fileno(), select.EPOLLIN)

    def _lost(self, reason: str) -> None:
        if self._wanted == _GOODBYE:  # then nobody minds
            self._then()
        else:
            self._fail(reason)

    def _fail(self, reason: str) -> None:
        message_id, self._message_id = self._message_id, None
        self.close()
        self._dispatcher.failed(message_id, reason)
        self._dispatcher.idle(self)

    # --- the conversation, in its order

    def _say_hello(self) -> None:
        self._await((b"250",), self._start_tls)
        self._write(b"EHLO client.example.org\r\n")

    def _start_tls(self) -> None:
        self._await((b"220",), self._wrap)
        self._write(b"STARTTLS\r\n")

    def _wrap(self) -> None:
        assert self._connection is not None
        self._connection = self._dispatcher.context.wrap_socket(
            self._connection,
            do_handshake_on_connect=False,
            session=self._dispatcher.tls_session,
        )
        self._then = self._handshake
        self._handshake()

    def _handshake(self) -> None:
        connection = self._connection
        assert isinstance(connection, ssl.SSLSocket)
        try:
            connection.do_handshake()
        except _WOULD_BLOCK:
            return
        self._await((b"250",), self._log_in)
        self._write(b"EHLO client.example.org\r\n")

    def _log_in(self) -> None:
        self._await((b"235",), self._welcome)
        self._write(self._auth)

    def _welcome(self) -> None:
        assert isinstance(self._connection, ssl.SSLSocket)
        self._dispatcher.logged_in(self._connection)
        self._ready = True
        if self._message_id is None:
            self._dispatcher.idle(self)
        else:
            self._send_envelope()

    def _send_envelope(self) -> None:
        assert self._message_id is not None
        self._await((b"250", b"250", b"354"), self._send_content)
        self._write(
            b"MAIL FROM:<%b>\r\nRCPT TO:<%b>\r\nDATA\r\n" % (SENDER, recipient_of(self._message_id))
        )

    def _send_content(self) -> None:
        assert self._message_id is not None
        self._await((b"250",), self._note_acceptance)
        self._sending_content = True
        self._write(self._dispatcher.content(self._message_id))

    def _note_acceptance(self) -> None:
        assert self._message_id is not None
        message_id, self._message_id = self._message_id, None
        self._dispatcher.accepted(message_id, time.monotonic())
        if self._one_message:
            self._await(_GOODBYE, self._part)
            self._write(b"QUIT\r\n")
        else:
            self._dispatcher.idle(self)

    def _part(self) -> None:
        self.close()
        self._dispatcher.idle(self)
