"""
Readers who click: one process, one epoll loop, connections that stay.

A click is one request; its answer is a redirect without a body.
"""

import contextlib
import select
import socket
import time
from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

_RECEIVE_OCTETS = 65536
_PATIENCE_SECONDS = 10.0
_FAULTS_TOLD = 5


@dataclass(frozen=True)
class Clicks:
    """
    Clicks to make.

    Args:
        port: of a web server on 127.0.0.1.
        requests: whole requests; they are made one after the other, and then again.
        location: where every answer has to lead.
        seconds: for how long.
        per_second: when clicks fall due; 0.0: each connection makes its next as soon as it can.
        connections: at the same time.
    """

    port: int
    requests: Sequence[bytes]
    location: bytes
    seconds: float
    per_second: float = 0.0
    connections: int = 20


@dataclass(frozen=True)
class Answered:
    """
    What became of them.

    answered: how many redirects came.
    seconds: from the first request to the last answer.
    waits: of each, in seconds: from when the click fell due, or was made, to its whole answer.
    faults: the different things that went wrong, at most a few.
    """

    answered: int
    seconds: float
    waits: "array[float]"
    faults: tuple[str, ...]


class _Browser:
    """One connection."""

    __slots__ = ("begun_at", "connection", "received")

    def __init__(self, port: int) -> None:
        self.connection = socket.create_connection(("127.0.0.1", port), _PATIENCE_SECONDS)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.setblocking(False)
        self.begun_at = 0.0
        self.received = b""


class Browsers:
    """Makes clicks."""

    def __init__(self, clicks: Clicks) -> None:
        self._clicks = clicks
        self._wanted = b"\r\nLocation: " + clicks.location + b"\r\n"
        self._epoll = select.epoll()
        self._browsers: dict[int, _Browser] = {}
        self._idle: deque[_Browser] = deque()
        self._made = 0
        self._waits = array("d")
        self._faults: dict[str, None] = {}

    def run(self) -> Answered:
        with contextlib.closing(self._epoll):
            for _ in range(self._clicks.connections):
                browser = _Browser(self._clicks.port)
                self._browsers[browser.connection.fileno()] = browser
                self._epoll.register(browser.connection, select.EPOLLIN)
                self._idle.append(browser)
            began_at = time.monotonic()
            ended_at = self._make_clicks(began_at, began_at + self._clicks.seconds)
            for browser in self._browsers.values():
                browser.connection.close()
        faults = tuple(self._faults)[:_FAULTS_TOLD]
        return Answered(len(self._waits), ended_at - began_at, self._waits, faults)

    def _make_clicks(self, began_at: float, stop_at: float) -> float:
        now = began_at
        while self._browsers:
            stopped = now >= stop_at
            if not stopped:
                self._click_what_is_due(began_at, now)
            if stopped and (
                len(self._idle) == len(self._browsers) or now > stop_at + _PATIENCE_SECONDS
            ):
                break
            for descriptor, _ in self._epoll.poll(self._pause_seconds(began_at, now, stop_at)):
                self._read(self._browsers[descriptor])
            now = time.monotonic()
        if len(self._idle) < len(self._browsers):
            self._faults["an answer did not come"] = None
        return now

    def _click_what_is_due(self, began_at: float, now: float) -> None:
        rate = self._clicks.per_second
        while self._idle:
            due_at = began_at + self._made / rate if rate else now
            if due_at > now:
                return
            browser = self._idle.popleft()
            browser.begun_at = due_at
            requests = self._clicks.requests
            browser.connection.send(requests[self._made % len(requests)])
            self._made += 1

    def _pause_seconds(self, began_at: float, now: float, stop_at: float) -> float:
        if now >= stop_at:
            return _PATIENCE_SECONDS
        rate = self._clicks.per_second
        next_at = began_at + self._made / rate if rate and self._idle else stop_at
        return max(min(next_at, stop_at) - now, 0.0)

    def _read(self, browser: _Browser) -> None:
        try:
            octets = browser.connection.recv(_RECEIVE_OCTETS)
        except OSError as error:
            self._lose(browser, str(error))
            return
        if not octets:
            self._lose(browser, "a connection was closed")
            return
        browser.received += octets
        if not browser.received.endswith(b"\r\n\r\n"):
            return
        if browser.received.startswith(b"HTTP/1.1 302 ") and self._wanted in browser.received:
            self._waits.append(time.monotonic() - browser.begun_at)
        else:
            self._faults[browser.received[:200].decode("latin-1")] = None
        browser.received = b""
        self._idle.append(browser)

    def _lose(self, browser: _Browser, reason: str) -> None:
        self._faults[reason] = None
        del self._browsers[browser.connection.fileno()]
        browser.connection.close()
