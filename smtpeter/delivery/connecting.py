"""From a receiver to an open connection: hosts, their addresses, with TLS and without."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Callable, Sequence
from typing import Any

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import (
    ConnectBindError,
    ConnectError,
    TCPTimedOutError,
    UserError,
)
from twisted.internet.error import TimeoutError as ConnectTimedOut
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure

from smtpeter.delivery.route import Route, Unroutable, Way
from smtpeter.delivery.security.tlsresult import TlsResult
from smtpeter.delivery.tls import HostTls, TlsPolicies, TlsPolicy
from smtpeter.message.outcome import Outcome, Verdict
from smtpeter.smtp.client import SmtpClient
from smtpeter.smtp.dialogue import Timeouts
from smtpeter.smtp.opening import ClientSettings, ConnectFailed, Credentials, Encryption
from smtpeter.smtp.peer import Peer
from smtpeter.values import frozen

CONNECT_SECONDS = 30
SEARCH_SECONDS = 900  # no further host or address is tried after that


@frozen
class _OurEnd:
    """Where a connection comes from, and who says so; "" for what is usual."""

    source: str
    name: str


class Connecting:
    """
    Opens connections.

    Args:
        reactor: connects, and tells the time.
        hostname: our own name, for EHLO.
        sources: the IP addresses of a pool to send from; hosts are then only reached over
            the IP versions of these. None leave the choice to the system.
        names: what a pool says with EHLO, "" for `hostname`.
        note: is told what became of the security of a session.
    """

    def __init__(
        self,
        reactor: Any,
        hostname: str,
        tls: TlsPolicies,
        *,
        credentials: Credentials | None = None,
        sources: Callable[[str], Sequence[str]] = lambda _: (),
        names: Callable[[str], str] = lambda _: "",
        timeouts: Timeouts | None = None,
        note: Callable[[HostTls, TlsResult], None] = lambda _host, _result: None,
    ) -> None:
        self._reactor = reactor
        self._tls = tls
        self._sources = sources
        self._names = names
        self._note = note
        self._given_up = False
        self._settings = ClientSettings(
            hostname,
            "",
            credentials=credentials,
            auth_in_clear=tls.policy is TlsPolicy.NONE,
            timeouts=timeouts or Timeouts(),
        )

    async def connect(self, route: Route, way: Way, pool: str = "") -> SmtpClient:
        """
        Try the hosts of a receiver, and the addresses of each, until one takes mail.

        Args:
            pool: of the addresses to send from.

        Raises:
            Unroutable: there is no host.
            ConnectFailed: none would have us; it tells of the last that was tried, or of
                the last that may have us later.
        """
        last: Outcome | None = None
        stop = self._reactor.seconds() + SEARCH_SECONDS
        if way.problem is not None:
            raise ConnectFailed(way.problem)
        sources = self._sources(pool)
        name = self._names(pool)
        for host in route.hosts(way):
            try:
                reachable = _reachable(host, await route.addresses(host), sources)
                tls = await self._tls.for_host(host, way.destination, way.demands)
                if tls.refusal is not None:
                    self._note(tls, tls.flaw)
                    last = _weightier(last, tls.refusal)
                    continue
                for address, source in reachable:
                    try:
                        return await self._open(tls, address, route.port, _OurEnd(source, name))
                    except ConnectFailed as failed:
                        last = _weightier(last, failed.outcome)
                        if self._useless_to_go_on(failed.outcome, stop):
                            raise ConnectFailed(last) from failed
            except Unroutable as failed:
                last = _weightier(last, failed.outcome)
        assert last is not None
        raise ConnectFailed(last)

    def give_up(self) -> None:
        """From now on no further host or address is tried."""
        self._given_up = True

    def _useless_to_go_on(self, outcome: Outcome, stop: float) -> bool:
        """Each further try with a wrong password brings a locked account nearer."""
        login = outcome.state.startswith("auth") and outcome.code != 0
        return login or self._given_up or self._reactor.seconds() >= stop

    async def _open(self, tls: HostTls, address: str, port: int, end: _OurEnd) -> SmtpClient:
        encryption = tls.make()
        try:
            client = await self._greet(tls.host, address, port, end, encryption)
        except ConnectFailed as failed:
            result = tls.failure(encryption, failed)
            if result is not None:
                self._note(tls, result)
            if not (failed.tls_failed and tls.clear_text_will_do) or self._given_up:
                raise tls.explained(failed) from failed
        else:
            self._note(tls, tls.result(encryption, client.peer.tls))
            client.for_one_domain = not tls.holds_for_others(encryption)
            return client
        client = await self._greet(tls.host, address, port, end, None)
        self._tls.works_without(tls.host)
        return client

    async def _greet(
        self, host: str, address: str, port: int, end: _OurEnd, encryption: Encryption | None
    ) -> SmtpClient:
        settings = attrs.evolve(
            self._settings,
            host=host,
            encryption=encryption,
            hostname=end.name or self._settings.hostname,
        )
        client = SmtpClient(settings, self._reactor)
        connection = _OneConnection(client)
        source = (end.source, 0) if end.source else None
        self._reactor.connectTCP(address, port, connection, CONNECT_SECONDS, source)
        try:
            await connection.made
        except ConnectBindError as error:
            raise _not_connected(host, address, "bind", "error", "4.3.5", error) from error
        except (ConnectTimedOut, TCPTimedOutError) as error:
            raise _not_connected(host, address, "connect", "timeout", "4.4.1", error) from error
        except UserError as error:  # we have given it up
            raise CancelledError from error
        except ConnectError as error:
            raise _not_connected(host, address, "connect", "lost", "4.4.1", error) from error
        return await client.ready


class _OneConnection(ClientFactory):
    """
    Gives the one protocol it was made for.

    Attributes:
        made: fires when there is a connection, or fails as the reactor says; to be cancelled.
    """

    noisy = False

    def __init__(self, client: SmtpClient) -> None:
        self.made: Deferred[None] = Deferred(lambda _: self._connector.stopConnecting())
        self._client: SmtpClient | None = client
        self._connector: Any = None

    def startedConnecting(self, connector: Any) -> None:
        self._connector = connector

    def buildProtocol(self, addr: IAddress | None) -> SmtpClient | None:  # noqa: ARG002
        self._connector = None
        client, self._client = self._client, None
        self.made.callback(None)
        return client

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:  # noqa: ARG002
        self._connector = None
        self.made.errback(reason)

    def clientConnectionLost(self, connector: Any, reason: Failure) -> None:  # noqa: ARG002
        # They know each other; else all there was of a connection would stay in memory until
        # Python looks for circles.
        connector.transport = None


def _reachable(
    host: str, addresses: Sequence[str], sources: Sequence[str]
) -> list[tuple[str, str]]:
    """The addresses that can be reached, each with one of ours to send from, "" for any."""
    if not sources:
        return [(each, "") for each in addresses]
    ours: dict[int, list[str]] = {}
    for each in sources:
        ours.setdefault(ipaddress.ip_address(each).version, []).append(each)
    found = [
        (each, random.choice(ours[version]))  # noqa: S311 - nobody has to be kept from guessing
        for each in addresses
        if (version := ipaddress.ip_address(each).version) in ours
    ]
    if not found:
        versions = " or ".join(f"IPv{version}" for version in sorted(ours))
        text = f"{host} has no {versions} address, as {', '.join(sources)} would need"
        raise Unroutable(Verdict.DEFERRED, "4.4.4", text, host=host)
    return found


def _weightier(before: Outcome | None, now: Outcome) -> Outcome:
    """A host that may take the message later counts more than one that never will."""
    temporary = before is not None and before.verdict is Verdict.DEFERRED
    return before if before and temporary and now.verdict is Verdict.FAILED else now


def _not_connected(
    host: str, address: str, state: str, kind: str, status: str, error: Exception
) -> ConnectFailed:
    peer = Peer(host, remote_address=address)
    return ConnectFailed(peer.ended(Verdict.DEFERRED, kind, state, status, str(error)))
