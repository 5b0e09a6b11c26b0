"""The site: its connections, their limits, and how they end."""

# twisted.web has few type hints.
# mypy: allow-untyped-calls
from __future__ import annotations

import json

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime, ITCPTransport
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http, server
from twisted.web.http_headers import Headers
from twisted.web.resource import IResource

from smtpeter.web.body import Budget
from smtpeter.web.problem import Problem
from smtpeter.web.request import Request

IDLE_SECONDS = 60
# Of readers many come, and few come back.
READER_IDLE_SECONDS = 10
# The longest a client may take to send a whole request, or to fetch an answer and go.
REQUEST_SECONDS = 600
SHUTDOWN_SECONDS = 20


class Channel(http.HTTPChannel):
    """One connection. A limit on the time of each request stands behind the idle limit."""

    site: Site
    transport: ITCPTransport
    _deadline: IDelayedCall | None = None
    _host: IAddress | None = None

    def connectionMade(self) -> None:
        super().connectionMade()
        self._set_deadline()

    def getHost(self) -> IAddress:
        """Twisted asks for each request anew, and so would the system be."""
        if self._host is None:
            self._host = super().getHost()
        return self._host

    def allContentReceived(self) -> None:
        self._cancel_deadline()
        super().allContentReceived()

    def requestDone(self, request: Request) -> None:
        self._set_deadline()
        super().requestDone(request)
        if request.from_reader:
            self.setTimeout(READER_IDLE_SECONDS)

    def checkPersistence(self, request: Request, version: bytes) -> bool:
        return not self.site.closing and bool(super().checkPersistence(request, version))

    def timeoutConnection(self) -> None:
        """Close what is idle; the way of Twisted logs an address, which may be a reader's."""
        if self.abortTimeout is not None:
            self._abortingCall = self.callLater(self.abortTimeout, self.forceAbortClient)
        self.loseConnection()

    def forceAbortClient(self) -> None:
        """Cut off who does not let go; the same as above is true of this."""
        self._abortingCall = None
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._cancel_deadline()
        super().connectionLost(reason)
        self.site.connection_closed(self)

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Headers) -> None:
        """Write the head of an answer in one piece; Twisted has four pieces for each field."""
        fields = [
            b"%b: %b\r\n" % (name, value)
            for name, values in headers.getAllRawHeaders()
            for value in values
        ]
        fixed = self.requests[0].fixed_fields
        head = b"%b %b %b\r\n%b%b\r\n" % (version, code, reason, b"".join(fields), fixed)
        self.transport.write(head)

    def refuse(self, problem: Problem) -> None:
        """Answer what is no request that can be processed, and close."""
        page = json.dumps(problem.document)
        reason = http.RESPONSES[problem.status].decode()
        self.transport.write(
            f"HTTP/1.1 {problem.status} {reason}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(page)}\r\nConnection: close\r\n\r\n{page}".encode()
        )
        self.loseConnection()

    def close_when_idle(self) -> None:
        """Close now, or behind the answer to the request that is being received or processed."""
        if self.requests:
            self.persistent = False
        else:
            self.loseConnection()

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.refuse(Problem(400, "This is no request of HTTP/1.0 or HTTP/1.1"))

    def _set_deadline(self) -> None:
        self._cancel_deadline()
        abort = self.transport.abortConnection
        self._deadline = self.site.reactor.callLater(REQUEST_SECONDS, abort)

    def _cancel_deadline(self) -> None:
        deadline, self._deadline = self._deadline, None
        if deadline is not None and deadline.active():
            deadline.cancel()


class Site(server.Site):
    """
    A tree of resources, and the connections on which it is asked.

    Args:
        budget: the memory for the bodies of all requests together.
        max_body_octets: the most that is kept of one body.
    """

    protocol = Channel  # type: ignore[assignment]  # it needs no choice of protocols
    reactor: IReactorTime
    _log = Logger()

    def __init__(
        self,
        resource: IResource,
        reactor: IReactorTime,
        budget: Budget,
        max_body_octets: int,
        max_connections: int = 1000,
    ) -> None:
        super().__init__(
            resource,
            requestFactory=Request,
            parsePOSTFormSubmission=False,
            timeout=IDLE_SECONDS,
            reactor=reactor,
        )
        self.budget = budget
        self.max_body_octets = max_body_octets
        self.max_connections = max_connections
        self.closing = False
        self._channels: set[Channel] = set()
        self._all_closed: Deferred[None] | None = None

    def buildProtocol(self, addr: IAddress | None) -> Channel | None:  # type: ignore[override]
        if self.closing or len(self._channels) >= self.max_connections:
            return None
        channel: Channel = super().buildProtocol(addr)
        self._channels.add(channel)
        return channel

    def acceptableProtocols(self) -> list[bytes]:
        return [b"http/1.1"]  # the limits above are those of `Channel`

    def startFactory(self) -> None:
        """There is no log file to open."""

    def stopFactory(self) -> None:
        """There is no log file to close."""

    def log(self, request: Request) -> None:  # type: ignore[override]
        """Write the access log; never with a query, where clients put their tokens."""
        if request.from_reader:  # the events tell of them, as far as they may
            return
        self._log.info(
            "{client} {method} {path} {status} {octets} octets in {seconds:.3f} s, request {id}",
            client=request.client_shown,
            method=request.method.decode("ascii", "backslashreplace"),
            path=request.path.decode("ascii", "backslashreplace"),
            status=request.code,
            octets=request.sentLength,
            seconds=request.seconds,
            id=request.id,
        )

    def close(self) -> Deferred[None]:
        """
        Answer the requests that have come in, take no more, and close every connection.

        Fires when all are closed; what takes over `SHUTDOWN_SECONDS` is cut off.
        """
        self.closing = True
        if self._all_closed is None:
            self._all_closed = Deferred()
            for channel in list(self._channels):
                channel.close_when_idle()
            if not self._channels:
                return succeed(None)
            limit = self.reactor.callLater(SHUTDOWN_SECONDS, self._abort_all)
            self._all_closed.addBoth(lambda _: limit.cancel() if limit.active() else None)
        return self._all_closed

    def connection_closed(self, channel: Channel) -> None:
        self._channels.discard(channel)
        if self._all_closed is not None and not self._channels and not self._all_closed.called:
            self._all_closed.callback(None)

    def _abort_all(self) -> None:
        for channel in list(self._channels):
            channel.transport.abortConnection()


class SiteService(Service):
    """Closes the connections of a site well when the service stops, after its ports."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def stopService(self) -> Deferred[None]:
        Service.stopService(self)
        return self._site.close()
