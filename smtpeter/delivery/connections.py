"""Carries messages over SMTP, on connections that are kept for the next one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from functools import partial
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.logger import Logger
from zope.interface import implementer

from smtpeter.delivery.carrier import Allowance, Carried, ICarrier, nothing_to_release
from smtpeter.delivery.connecting import Connecting
from smtpeter.delivery.idle import IdleConnections
from smtpeter.delivery.route import Route, Way
from smtpeter.message.content import Content
from smtpeter.message.envelope import Envelope
from smtpeter.message.outcome import Outcome, Verdict
from smtpeter.smtp.client import SmtpClient
from smtpeter.smtp.opening import ConnectFailed
from smtpeter.smtp.peer import Peer
from smtpeter.values import frozen


@frozen
class ConnectionLimits:
    """
    How many connections there are, and for how long.

    Attributes:
        total: connections in use, to come, and idle; the longest idle are closed to keep it.
        grace_seconds: for messages under way when the service stops.
    """

    total: int = 1000
    idle_seconds: float = 30
    grace_seconds: float = 20


@frozen
class _Errand:
    """One message to be handed over, and all that has to be known for it."""

    way: Way
    allowance: Allowance
    envelope: Envelope
    content: Content
    message_id: str

    @property
    def key(self) -> Hashable:
        """Connections with the same key are as good as each other."""
        return (self.allowance.name, self.way.alike)


@implementer(ICarrier)
class SmtpCarrier:
    """
    Hands messages over by SMTP.

    How many messages are under way at a time is the queue's to decide: each that finds
    no idle connection gets a new one.
    """

    _log = Logger()

    def __init__(
        self,
        route: Route,
        connecting: Connecting,
        clock: Any,
        limits: ConnectionLimits | None = None,
    ) -> None:
        self._route = route
        self._connecting = connecting
        self._clock = clock
        self._limits = limits or ConnectionLimits()
        self._idle = IdleConnections(clock, self._close, idle_seconds=self._limits.idle_seconds)
        self._open: Counter[str] = Counter()  # by receiver, those to come included
        self._open_to_all = 0
        self._busy: set[SmtpClient] = set()  # until released
        self._leaving: set[SmtpClient] = set()
        self._anew: set[Deferred[Carried]] = set()  # on their way to a connection of their own
        self._ending = False
        self._gone: Deferred[None] = Deferred()

    def destination_of(self, domain_key: str) -> str:
        return self._route.destination_of(domain_key)

    def way_to(self, destination: str) -> Deferred[Way]:
        return Deferred.fromCoroutine(self._route.way_to(destination))

    def carry(
        self,
        way: Way,
        allowance: Allowance,
        envelope: Envelope,
        content: Content,
        message_id: str,
    ) -> Deferred[Carried]:
        if self._ending:
            text = "the service is stopping"
            return succeed(_carried_nowhere(envelope, _ours(Verdict.DEFERRED, "4.3.2", text)))
        errand = _Errand(way, allowance, envelope, content, message_id)
        found = self._idle.take(errand.key)
        if found is None:
            return self._carry_anew(errand)
        client, idle_seconds = found
        self._busy.add(client)
        sent = client.send(envelope, content)
        return sent.addCallback(self._reused, client, idle_seconds, errand)

    def idle_close(self) -> None:
        self._idle.close_all()

    def shutdown(self) -> Deferred[None]:
        if not self._ending:
            self._ending = True
            grace = self._clock.callLater(self._limits.grace_seconds, self._give_up)
            self._gone.addCallback(lambda _: grace.cancel() if grace.active() else None)
            self._idle.close_all()
            self._look_whether_gone()
        return self._gone

    def _reused(
        self,
        outcomes: tuple[Outcome, ...],
        client: SmtpClient,
        idle_seconds: float,
        errand: _Errand,
    ) -> Carried | Deferred[Carried]:
        if client.mail_answered or self._ending:
            return Carried(outcomes, partial(self._release, errand, client))
        # The server had closed it while it was idle, or was about to.
        self._busy.discard(client)
        client.abort()
        self._closed(errand.allowance)
        carrying = self._carry_anew(errand)
        return carrying.addCallback(
            self._compared, errand.allowance, client.transactions - 1, idle_seconds
        )

    @staticmethod
    def _compared(
        carried: Carried, allowance: Allowance, messages: int, idle_seconds: float
    ) -> Carried:
        """Where a new connection does no better, the end of the old one was not about that one."""
        if carried.outcomes[0].verdict is Verdict.DELIVERED:
            allowance.connection_ended(messages, idle_seconds)
        return carried

    def _carry_anew(self, errand: _Errand) -> Deferred[Carried]:
        carrying = Deferred.fromCoroutine(self._over_new_connection(errand))
        if not carrying.called:
            self._anew.add(carrying)
            carrying.addCallback(self._carried_anew, carrying)
        return carrying

    def _carried_anew(self, carried: Carried, carrying: Deferred[Carried]) -> Carried:
        self._anew.discard(carrying)
        self._look_whether_gone()
        return carried

    async def _over_new_connection(self, errand: _Errand) -> Carried:
        envelope, allowance = errand.envelope, errand.allowance
        self._make_room(allowance)
        self._open[allowance.name] += 1
        self._open_to_all += 1
        client: SmtpClient | None = None
        try:
            client = await self._connecting.connect(self._route, errand.way, allowance.pool)
            self._busy.add(client)
            outcomes = await client.send(envelope, errand.content)
            return Carried(outcomes, partial(self._release, errand, client))
        except ConnectFailed as failed:
            failure = failed.outcome
        except CancelledError:
            failure = _ours(Verdict.DEFERRED, "4.3.2", "the attempt was given up")
        except Exception:
            self._log.failure("no attempt could be made for {id}", id=errand.message_id)
            failure = _ours(Verdict.DEFERRED, "4.3.0", "internal error")
        if client is not None:
            self._busy.discard(client)
            client.abort()
        self._closed(allowance)
        return _carried_nowhere(envelope, failure)

    def _make_room(self, allowance: Allowance) -> None:
        """Close idle connections: in favour of a new one to the same receiver, and over all."""
        if self._open[allowance.name] >= allowance.connections:
            self._idle.close_longest(allowance)
        while self._idle and self._open_to_all >= self._limits.total:
            self._idle.close_longest()

    def _release(self, errand: _Errand, client: SmtpClient) -> None:
        if client not in self._busy:
            return
        self._busy.discard(client)
        allowance = errand.allowance
        used_up = allowance.connection_used_up(client.transactions)
        too_many = self._open[allowance.name] > allowance.connections
        reusable = client.usable and not client.for_one_domain
        if reusable and not (self._ending or used_up or too_many):
            self._idle.keep(errand.key, allowance, client)
        else:
            self._close(client, allowance)
        self._look_whether_gone()

    def _close(self, client: SmtpClient, allowance: Allowance) -> None:
        """Say goodbye where that can be done; the receiver has one connection less."""
        if client.usable:
            self._leaving.add(client)
            client.quit().addCallback(self._left, client)
        self._closed(allowance)

    def _closed(self, allowance: Allowance) -> None:
        self._open_to_all -= 1
        self._open[allowance.name] -= 1
        if not self._open[allowance.name]:
            del self._open[allowance.name]

    def _left(self, _: None, client: SmtpClient) -> None:
        self._leaving.discard(client)
        self._look_whether_gone()

    def _give_up(self) -> None:
        """The time of grace is over."""
        self._connecting.give_up()
        for carrying in list(self._anew):
            carrying.cancel()
        for client in [*self._busy, *self._leaving]:
            client.abort()
        self._busy.clear()
        self._look_whether_gone()

    def _look_whether_gone(self) -> None:
        under_way = self._busy or self._leaving or self._anew
        if self._ending and not under_way and not self._gone.called:
            self._gone.callback(None)


def _carried_nowhere(envelope: Envelope, outcome: Outcome) -> Carried:
    return Carried((outcome,) * len(envelope.recipients), nothing_to_release)


def _ours(verdict: Verdict, status: str, text: str) -> Outcome:
    return Peer().ended(verdict, "error", "process", status, text)
