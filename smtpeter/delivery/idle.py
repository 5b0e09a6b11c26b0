"""Open connections that wait for a next message."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from smtpeter.delivery.carrier import Allowance
from smtpeter.smtp.client import SmtpClient
from smtpeter.values import frozen

_T = TypeVar("_T")


@frozen
class _Waiting:
    """Attributes: owner: who is to be told when the connection is closed."""

    key: Hashable
    owner: Allowance
    since: float


class IdleConnections:
    """
    Keeps connections by where they lead, each for a limited time.

    Args:
        close: is given each connection that is not kept any longer, and its owner.
        idle_seconds: how long one may wait. Servers are patient for five minutes or
            more, but a connection is of use to them only while mail comes.
    """

    def __init__(
        self,
        clock: IReactorTime,
        close: Callable[[SmtpClient, Allowance], None],
        *,
        idle_seconds: float,
    ) -> None:
        self._clock = clock
        self._close = close
        self._idle_seconds = idle_seconds
        self._waiting: OrderedDict[SmtpClient, _Waiting] = OrderedDict()  # the longest first
        self._by_key: dict[Hashable, list[SmtpClient]] = {}
        self._by_owner: dict[str, list[SmtpClient]] = {}
        self._timer: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, key: Hashable) -> tuple[SmtpClient, float] | None:
        """The connection that was used last, and for how many seconds it has been idle."""
        while clients := self._by_key.get(key):
            client = clients[-1]
            waiting = self._forget(client)
            if client.usable:
                return client, self._clock.seconds() - waiting.since
            self._close(client, waiting.owner)
        return None

    def keep(self, key: Hashable, owner: Allowance, client: SmtpClient) -> None:
        """Let a connection wait for the next message that goes where it leads."""
        self._by_key.setdefault(key, []).append(client)
        self._by_owner.setdefault(owner.name, []).append(client)
        self._waiting[client] = _Waiting(key, owner, self._clock.seconds())
        if self._timer is None:
            self._timer = self._clock.callLater(self._idle_seconds, self._close_expired)

    def close_longest(self, owner: Allowance | None = None) -> bool:
        """Close the connection that has waited longest, of one owner or of all; if there is one."""
        clients = self._waiting if owner is None else self._by_owner.get(owner.name, ())
        for client in clients:
            self._let_go(client)
            return True
        return False

    def close_all(self) -> None:
        while self._waiting:
            self.close_longest()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _let_go(self, client: SmtpClient) -> None:
        self._close(client, self._forget(client).owner)

    def _forget(self, client: SmtpClient) -> _Waiting:
        waiting = self._waiting.pop(client)
        _remove(self._by_key, waiting.key, client)
        _remove(self._by_owner, waiting.owner.name, client)
        return waiting

    def _close_expired(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        for client, waiting in list(self._waiting.items()):
            until = waiting.since + self._idle_seconds
            if until > now:
                self._timer = self._clock.callLater(until - now, self._close_expired)
                break
            self._let_go(client)


def _remove(index: dict[_T, list[SmtpClient]], key: _T, client: SmtpClient) -> None:
    clients = index[key]
    clients.remove(client)
    if not clients:
        del index[key]
