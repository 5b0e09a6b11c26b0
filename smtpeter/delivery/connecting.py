"""From a receiver to an open connection: hosts, their addresses, with TLS and without."""

from __future__ import annotations

import ipaddress
from typing import Any

import attrs
from twisted.internet.defer import CancelledError
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import (
    ConnectBindError,
    ConnectError,
    ConnectingCancelledError,
    TCPTimedOutError,
)
from twisted.internet.error import TimeoutError as ConnectTimedOut
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory

from smtpeter.delivery.route import Route, Unroutable
from smtpeter.delivery.tls import TlsPolicies, TlsPolicy
from smtpeter.message.outcome import Outcome, Verdict
from smtpeter.smtp.client import SmtpClient
from smtpeter.smtp.dialogue import Timeouts
from smtpeter.smtp.opening import ClientSettings, ConnectFailed, Credentials, Encryption
from smtpeter.smtp.peer import Peer

CONNECT_SECONDS = 30
SEARCH_SECONDS = 900  # no further host or address is tried after that


class Connecting:
    """
    Opens connections.

    Args:
        reactor: connects, and tells the time.
        hostname: our own name, for EHLO.
        bind_address: the IP address to send from; hosts are then only reached over its
            own IP version. None leaves the choice to the system.
    """

    def __init__(
        self,
        reactor: Any,
        hostname: str,
        tls: TlsPolicies,
        *,
        credentials: Credentials | None = None,
        bind_address: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        self._reactor = reactor
        self._tls = tls
        self._bind_address = bind_address
        self._given_up = False
        self._settings = ClientSettings(
            hostname,
            "",
            credentials=credentials,
            auth_in_clear=tls.policy is TlsPolicy.NONE,
            timeouts=timeouts or Timeouts(),
        )

    async def connect(self, route: Route, receiver: str) -> SmtpClient:
        """
        Try the hosts of a receiver, and the addresses of each, until one takes mail.

        Raises:
            Unroutable: there is no host.
            ConnectFailed: none would have us; it tells of the last that was tried, or of
                the last that may have us later.
        """
        last: Outcome | None = None
        stop = self._reactor.seconds() + SEARCH_SECONDS
        for host in await route.hosts(receiver):
            try:
                for address in self._reachable(host, await route.addresses(host)):
                    try:
                        return await self._open(host, address, route.port)
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

    def _reachable(self, host: str, addresses: Any) -> list[str]:
        if self._bind_address is None:
            return list(addresses)
        version = ipaddress.ip_address(self._bind_address).version
        found = [each for each in addresses if ipaddress.ip_address(each).version == version]
        if not found:
            text = f"{host} has no IPv{version} address, as {self._bind_address} is"
            raise Unroutable(Verdict.DEFERRED, "4.4.4", text, host=host)
        return found

    async def _open(self, host: str, address: str, port: int) -> SmtpClient:
        try:
            return await self._greet(host, address, port, self._tls.for_host(host))
        except ConnectFailed as failed:
            if not (failed.tls_failed and self._tls.clear_text_will_do) or self._given_up:
                raise
        client = await self._greet(host, address, port, None)
        self._tls.works_without(host)
        return client

    async def _greet(
        self, host: str, address: str, port: int, encryption: Encryption | None
    ) -> SmtpClient:
        settings = attrs.evolve(self._settings, host=host, encryption=encryption)
        client = SmtpClient(settings, self._reactor)
        version6 = ":" in address
        endpoint = (TCP6ClientEndpoint if version6 else TCP4ClientEndpoint)(
            self._reactor,
            address,
            port,
            timeout=CONNECT_SECONDS,
            bindAddress=(self._bind_address, 0) if self._bind_address else None,
        )
        try:
            await endpoint.connect(_OneConnection(client))
        except ConnectingCancelledError as error:
            raise CancelledError from error
        except ConnectBindError as error:
            raise _not_connected(host, address, "bind", "error", "4.3.5", error) from error
        except (ConnectTimedOut, TCPTimedOutError) as error:
            raise _not_connected(host, address, "connect", "timeout", "4.4.1", error) from error
        except ConnectError as error:
            raise _not_connected(host, address, "connect", "lost", "4.4.1", error) from error
        return await client.ready


class _OneConnection(Factory):
    """Gives the one protocol it was made for."""

    noisy = False

    def __init__(self, client: SmtpClient) -> None:
        self._client = client

    def buildProtocol(self, addr: IAddress | None) -> SmtpClient:  # noqa: ARG002
        return self._client


def _weightier(before: Outcome | None, now: Outcome) -> Outcome:
    """A host that may take the message later counts more than one that never will."""
    temporary = before is not None and before.verdict is Verdict.DEFERRED
    return before if before and temporary and now.verdict is Verdict.FAILED else now


def _not_connected(
    host: str, address: str, state: str, kind: str, status: str, error: Exception
) -> ConnectFailed:
    peer = Peer(host, remote_address=address)
    return ConnectFailed(peer.ended(Verdict.DEFERRED, kind, state, status, str(error)))
