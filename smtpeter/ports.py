"""
Ports: claimed before anything starts, served when its turn has come.

Claiming happens before the process becomes a daemon and gives up its privileges. So a port
that is taken ends the start on the terminal, and clients that come early wait in the queue
of the system until there is somebody to serve them.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IReactorSocket

from smtpeter.config import ConfigError
from smtpeter.units import Endpoint

BACKLOG = 1024  # connections that wait to be accepted

_REASONS = {
    errno.EADDRINUSE: "is taken by another program",
    errno.EACCES: "is reserved for the system, and this user may not listen on it",
    errno.EADDRNOTAVAIL: "cannot be had: this machine does not have that address",
}


def claim(endpoint: Endpoint, key: str) -> socket.socket:
    """
    Listen on a port: `bound`, and clients may connect.

    Raises:
        ConfigError: as `bound`.
    """
    claimed = bound(endpoint, key)
    try:
        claimed.listen(BACKLOG)
    except OSError as error:
        claimed.close()
        raise _refusal(endpoint, key, error) from error
    return claimed


def bound(endpoint: Endpoint, key: str) -> socket.socket:
    """
    Have an IP address and port. An IPv6 address takes no IPv4 connections.

    Args:
        endpoint: its host is an IP address.
        key: the key of the configuration that lists it.

    Raises:
        ConfigError: the port cannot be had; the text names it and the key.
    """
    family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
    try:
        claimed = socket.socket(family, socket.SOCK_STREAM)
        try:
            claimed.setblocking(False)
            claimed.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                claimed.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            claimed.bind((endpoint.host, endpoint.port))
        except OSError:
            claimed.close()
            raise
    except OSError as error:
        raise _refusal(endpoint, key, error) from error
    return claimed


def _refusal(endpoint: Endpoint, key: str, error: OSError) -> ConfigError:
    number = error.errno or 0
    reason = _REASONS.get(number, f"cannot be had: {os.strerror(number)}")
    return ConfigError(f"{key}: port {endpoint.port} on {endpoint.host} {reason}")


class PortService(Service):
    """Serves a claimed port from its start to its stop."""

    def __init__(
        self, reactor: IReactorSocket, claimed: socket.socket, factory: IProtocolFactory
    ) -> None:
        self._reactor = reactor
        self._claimed = claimed
        self._factory = factory
        self._port: IListeningPort | None = None

    def startService(self) -> None:
        Service.startService(self)
        factory: Any = self._factory  # Twisted annotates it more narrowly than it has to
        with self._claimed as claimed:  # the reactor makes a copy of its own
            self._port = self._reactor.adoptStreamPort(claimed.fileno(), claimed.family, factory)

    def stopService(self) -> Deferred[None] | None:
        """Nobody can connect any more once this has fired. Connections stay."""
        Service.stopService(self)
        self._claimed.close()
        port, self._port = self._port, None
        return port.stopListening() if port else None
