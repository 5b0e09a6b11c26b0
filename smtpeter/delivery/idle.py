"""Open connections that wait for a next message."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from smtpeter.smtp.client import SmtpClient
from smtpeter.values import frozen


@frozen
class _Waiting:
    receiver: str
    until: float


class IdleConnections:
    """
    Keeps connections by receiver, each for a limited time.

    Args:
        close: is given each connection that is not kept any longer.
        idle_seconds: how long one may wait. Servers are patient for five minutes or
            more, but a connection is of use to them only while mail comes.
        per_receiver: how many may wait for one receiver.
    """

    def __init__(
        self,
        clock: IReactorTime,
        close: Callable[[SmtpClient], None],
        *,
        idle_seconds: float,
        per_receiver: int,
    ) -> None:
        self._clock = clock
        self._close = close
        self._idle_seconds = idle_seconds
        self._per_receiver = per_receiver
        self._waiting: OrderedDict[SmtpClient, _Waiting] = OrderedDict()  # the longest first
        self._of_receiver: dict[str, list[SmtpClient]] = {}
        self._timer: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, receiver: str) -> SmtpClient | None:
        """The connection to a receiver that was used last; it is not idle any more."""
        while clients := self._of_receiver.get(receiver):
            client = clients[-1]
            self._forget(client)
            if client.usable:
                return client
        return None

    def keep(self, receiver: str, client: SmtpClient) -> None:
        """Let a connection wait for the next message to its receiver."""
        clients = self._of_receiver.setdefault(receiver, [])
        if len(clients) >= self._per_receiver:
            self._let_go(clients[0])
            clients = self._of_receiver.setdefault(receiver, [])
        clients.append(client)
        self._waiting[client] = _Waiting(receiver, self._clock.seconds() + self._idle_seconds)
        if self._timer is None:
            self._timer = self._clock.callLater(self._idle_seconds, self._close_expired)

    def close_longest(self) -> None:
        """Close the connection that has waited longest, if there is one."""
        for client in self._waiting:
            self._let_go(client)
            return

    def close_all(self) -> None:
        while self._waiting:
            self.close_longest()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _let_go(self, client: SmtpClient) -> None:
        self._forget(client)
        if client.usable:
            self._close(client)

    def _forget(self, client: SmtpClient) -> None:
        receiver = self._waiting.pop(client).receiver
        clients = self._of_receiver[receiver]
        clients.remove(client)
        if not clients:
            del self._of_receiver[receiver]

    def _close_expired(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        for client, waiting in list(self._waiting.items()):
            if waiting.until > now:
                self._timer = self._clock.callLater(waiting.until - now, self._close_expired)
                break
            self._let_go(client)
