"""Fetches what a URL names from a stranger's server: bounded in size, time and direction."""

# twisted.web has few type hints.
# mypy: allow-untyped-calls
from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin

from attrs import field
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.ssl import optionsForClientTLS
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, ResponseDone
from twisted.web.error import SchemeNotSupported
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory, IResponse
from zope.interface import implementer

from smtpeter.publicaddresses import PublicReactor
from smtpeter.values import frozen

MAX_REDIRECTS = 5
CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 10.0

TlsFor = Callable[[str], IOpenSSLClientConnectionCreator]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class FetchFailed(Exception):
    """The URL could not be fetched; the text says why, in one line."""


@frozen
class Fetched:
    """
    What a server answered with status 200.

    Attributes:
        headers: names in lower case; of several fields of a name the last.
    """

    headers: dict[str, str]
    octets: bytes = field(repr=False)


class Fetcher:
    """
    A client for GET requests.

    Args:
        reactor: connects, resolves names and tells the time.
        private: whether loopback and private networks may be reached.
        redirects: how many are followed.
        tls_for: makes what secures a connection to a host, and verifies its name.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        private: bool = False,
        redirects: int = MAX_REDIRECTS,
        tls_for: TlsFor = optionsForClientTLS,
    ) -> None:
        self._reactor = reactor
        self._connecting = reactor if private else PublicReactor(reactor)
        self._redirects = redirects
        self._tls_for = tls_for

    def fetch(self, url: str, max_octets: int, media_type: str) -> Deferred[Fetched]:
        """
        Get what an absolute http or https URL names, after redirects.

        Fails with `FetchFailed` for whatever reason: also when the Content-Type does not
        begin with `media_type`, and after `TOTAL_SECONDS`.
        """
        fetching = Deferred.fromCoroutine(self._fetch(url, max_octets, media_type))
        fetching.addTimeout(TOTAL_SECONDS, self._reactor)
        return fetching.addErrback(_translated)

    async def _fetch(self, url: str, max_octets: int, media_type: str) -> Fetched:
        connections = _Connections(self._connecting, self._tls_for)
        agent = Agent.usingEndpointFactory(self._reactor, connections)
        try:
            response = await self._ask(agent, connections, url, media_type)
            headers = {
                name.decode("latin-1").lower(): values[-1].decode("latin-1")
                for name, values in response.headers.getAllRawHeaders()
            }
            _examine(response, headers, max_octets, media_type)
            return Fetched(headers, await _body(response, max_octets))
        finally:
            connections.abort()

    async def _ask(
        self, agent: Agent, connections: _Connections, url: str, media_type: str
    ) -> IResponse:
        """Follow redirects; what is said beside them is not read."""
        headers = Headers({"user-agent": ["smtpeter"], "accept": [f"{media_type}*"]})
        for _ in range(1 + self._redirects):
            response: IResponse = await agent.request(b"GET", url.encode("ascii"), headers)
            if response.code not in _REDIRECTS:
                return response
            connections.abort()
            (location, *_) = response.headers.getRawHeaders("location", [""])
            url = urljoin(url, location)
        raise FetchFailed(f"it is behind more than {self._redirects} redirects")


def _examine(
    response: IResponse, headers: dict[str, str], max_octets: int, media_type: str
) -> None:
    """Look at an answer before its body is read; raises `FetchFailed`."""
    if response.code != 200:
        raise FetchFailed(f"the server answered with status {response.code}")
    if not headers.get("content-type", "").lower().startswith(media_type):
        raise FetchFailed(f"it is {headers.get('content-type') or 'of no type'}, not {media_type}*")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise FetchFailed(f"it is encoded: {headers['content-encoding']}")
    if isinstance(response.length, int) and response.length > max_octets:
        raise FetchFailed(f"it is larger than {max_octets} octets")


@implementer(IAgentEndpointFactory)
class _Connections:
    """The connections of one fetch; a stranger may not keep any of them open."""

    def __init__(self, reactor: Any, tls_for: TlsFor) -> None:
        self._reactor = reactor
        self._tls_for = tls_for
        self._opened: list[Any] = []

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        if uri.scheme not in (b"http", b"https"):
            raise SchemeNotSupported(f"it is no URL of the web: {uri.scheme.decode('latin-1')}")
        plain = HostnameEndpoint(self._reactor, uri.host, uri.port, CONNECT_SECONDS)
        if uri.scheme == b"http":
            return _Noting(plain, self._opened.append)
        creator = self._tls_for(uri.host.decode("ascii"))
        return _Noting(wrapClientTLS(creator, plain), self._opened.append)

    def abort(self) -> None:
        """Close them all, without waiting for the other side."""
        while self._opened:
            self._opened.pop().transport.abortConnection()


@implementer(IStreamClientEndpoint)
class _Noting:
    """An endpoint whose connections somebody wants to know."""

    def __init__(self, endpoint: IStreamClientEndpoint, note: Callable[[Any], None]) -> None:
        self._endpoint = endpoint
        self._note = note

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        connecting: Deferred[IProtocol] = self._endpoint.connect(protocolFactory)
        return connecting.addCallback(self._connected)

    def _connected(self, protocol: IProtocol) -> IProtocol:
        self._note(protocol)
        return protocol


class _Body(Protocol):
    """Collects a body up to a limit."""

    def __init__(self, max_octets: int) -> None:
        self.done: Deferred[bytes] = Deferred()
        self._max_octets = max_octets
        self._octets = bytearray()

    def dataReceived(self, data: bytes) -> None:
        if self.done.called:
            return
        self._octets += data
        if len(self._octets) > self._max_octets:
            self.done.errback(FetchFailed(f"it is larger than {self._max_octets} octets"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.done.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.done.callback(bytes(self._octets))
        else:
            self.done.errback(FetchFailed("it was cut off"))


def _body(response: IResponse, max_octets: int) -> Deferred[bytes]:
    collector = _Body(max_octets)
    response.deliverBody(collector)
    return collector.done


def _translated(failure: Failure) -> Failure:
    if failure.check(FetchFailed):
        return failure
    words = " ".join(failure.getErrorMessage().split())
    return Failure(FetchFailed(words or type(failure.value).__name__))
