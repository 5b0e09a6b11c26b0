"""Fetches what a URL names from a stranger's server: bounded in size, time and direction."""

# twisted.web has few type hints.
# mypy: allow-untyped-calls
from __future__ import annotations

from typing import Any
from urllib.parse import urljoin

from attrs import field
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.ssl import optionsForClientTLS
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, HTTPConnectionPool, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory, IResponse
from zope.interface import implementer

from smtpeter.publicaddresses import PublicReactor
from smtpeter.values import frozen

MAX_REDIRECTS = 5
CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 10.0
IDLE_SECONDS = 10
MAX_CONNECTIONS_PER_HOST = 4

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
    """

    def __init__(self, reactor: Any, *, private: bool = False, trust_root: Any = None) -> None:
        self._reactor = reactor
        pool = HTTPConnectionPool(reactor)
        pool.maxPersistentPerHost = MAX_CONNECTIONS_PER_HOST
        pool.cachedConnectionTimeout = IDLE_SECONDS
        pool.retryAutomatically = False
        endpoints = _Endpoints(reactor if private else PublicReactor(reactor), trust_root)
        self._agent = Agent.usingEndpointFactory(reactor, endpoints, pool)
        self._pool = pool

    def fetch(self, url: str, max_octets: int, media_type: str) -> Deferred[Fetched]:
        """
        Get what an absolute http or https URL names, after redirects.

        Fails with `FetchFailed` for whatever reason: also when the Content-Type does not
        begin with `media_type`, and after `TOTAL_SECONDS`.
        """
        fetching = Deferred.fromCoroutine(self._fetch(url, max_octets, media_type))
        fetching.addTimeout(TOTAL_SECONDS, self._reactor)
        return fetching.addErrback(_translated)

    def close(self) -> Deferred[None]:
        """Close the connections that wait for further requests."""
        closing: Deferred[None] = self._pool.closeCachedConnections()
        return closing

    async def _fetch(self, url: str, max_octets: int, media_type: str) -> Fetched:
        response = await self._ask(url, Headers({"accept": [f"{media_type}*"]}))
        headers = {
            name.decode("latin-1").lower(): values[-1].decode("latin-1")
            for name, values in response.headers.getAllRawHeaders()
        }
        reason = _objection(response, headers, max_octets, media_type)
        if reason:
            _abort(response)
            raise FetchFailed(reason)
        return Fetched(headers, await _body(response, max_octets))

    async def _ask(self, url: str, headers: Headers) -> IResponse:
        headers.setRawHeaders("user-agent", ["smtpeter"])
        for _ in range(1 + MAX_REDIRECTS):
            response: IResponse = await self._agent.request(b"GET", url.encode("ascii"), headers)
            if response.code not in _REDIRECTS:
                return response
            (location, *_) = response.headers.getRawHeaders("location", [""])
            _abort(response)
            url = urljoin(url, location)
        raise FetchFailed(f"it is behind more than {MAX_REDIRECTS} redirects")


def _objection(
    response: IResponse, headers: dict[str, str], max_octets: int, media_type: str
) -> str:
    if response.code != 200:
        return f"the server answered with status {response.code}"
    if not headers.get("content-type", "").lower().startswith(media_type):
        return f"it is {headers.get('content-type') or 'of no type'}, not {media_type}*"
    if headers.get("content-encoding", "identity").lower() != "identity":
        return f"it is encoded: {headers['content-encoding']}"
    if isinstance(response.length, int) and response.length > max_octets:
        return f"it is larger than {max_octets} octets"
    return ""


@implementer(IAgentEndpointFactory)
class _Endpoints:
    """Connects by names and addresses that the reactor's resolver lets pass."""

    def __init__(self, reactor: Any, trust_root: Any) -> None:
        self._reactor = reactor
        self._trust_root = trust_root

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        endpoint = HostnameEndpoint(self._reactor, uri.host, uri.port, CONNECT_SECONDS)
        if uri.scheme != b"https":
            return endpoint
        options = optionsForClientTLS(uri.host.decode("ascii"), self._trust_root)
        wrapped: IStreamClientEndpoint = wrapClientTLS(options, endpoint)
        return wrapped


class _Body(Protocol):
    """Collects a body up to a limit."""

    def __init__(self, max_octets: int) -> None:
        self.done: Deferred[bytes] = Deferred(lambda _: self._abort())
        self._max_octets = max_octets
        self._octets = bytearray()

    def dataReceived(self, data: bytes) -> None:
        self._octets += data
        if len(self._octets) > self._max_octets and not self.done.called:
            self._abort()
            self.done.errback(FetchFailed(f"it is larger than {self._max_octets} octets"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.done.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.done.callback(bytes(self._octets))
        else:
            self.done.errback(FetchFailed("it was cut off"))

    def _abort(self) -> None:
        self._octets.clear()
        abort = getattr(self.transport, "abortConnection", None)
        if abort is not None:
            abort()


def _body(response: IResponse, max_octets: int) -> Deferred[bytes]:
    collector = _Body(max_octets)
    response.deliverBody(collector)
    return collector.done


def _abort(response: IResponse) -> None:
    """Close the connection of an answer that nobody wants."""
    collector = _Body(0)
    collector.done.addErrback(lambda _: None)
    response.deliverBody(collector)
    collector.done.cancel()


def _translated(failure: Failure) -> Failure:
    if failure.check(FetchFailed):
        return failure
    words = " ".join(failure.getErrorMessage().split())
    return Failure(FetchFailed(words or type(failure.value).__name__))
