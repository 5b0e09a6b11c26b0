"""Carries messages over SMTP, on connections that are kept for the next one."""

from __future__ import annotations

from functools import partial
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.logger import Logger
from zope.interface import implementer

from smtpeter.delivery.carrier import Carried, ICarrier, nothing_to_release
from smtpeter.delivery.connecting import Connecting
from smtpeter.delivery.idle import IdleConnections
from smtpeter.delivery.route import Route, Unroutable
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
        total: connections in use and idle ones; the longest idle are closed to keep it.
        idle_per_receiver: kept for one receiver.
        messages: sent over one connection at most.
        grace_seconds: for messages under way when the service stops.
    """

    total: int = 1000
    idle_per_receiver: int = 20
    idle_seconds: float = 30
    messages: int = 1000
    grace_seconds: float = 20


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
        self._idle = IdleConnections(
            clock,
            self._quit,
            idle_seconds=self._limits.idle_seconds,
            per_receiver=self._limits.idle_per_receiver,
        )
        self._busy: set[SmtpClient] = set()  # until released
        self._leaving: set[SmtpClient] = set()
        self._anew: set[Deferred[Carried]] = set()  # on their way to a connection of their own
        self._ending = False
        self._gone: Deferred[None] = Deferred()

    def destination_of(self, domain_key: str) -> str:
        return self._route.destination_of(domain_key)

    def carry(
        self,
        receiver: str,
        envelope: Envelope,
        content: Content,
        message_id: str,
    ) -> Deferred[Carried]:
        if self._ending:
            text = "the service is stopping"
            return succeed(_carried_nowhere(envelope, _ours(Verdict.DEFERRED, "4.3.2", text)))
        client = self._idle.take(receiver)
        if client is None:
            return self._carry_anew(receiver, envelope, content, message_id)
        self._busy.add(client)
        sent = client.send(envelope, content)
        return sent.addCallback(self._reused, client, receiver, envelope, content, message_id)

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
        receiver: str,
        envelope: Envelope,
        content: Content,
        message_id: str,
    ) -> Carried | Deferred[Carried]:
        if client.mail_answered or self._ending:
            return Carried(outcomes, partial(self._release, receiver, client))
        # The server had closed it while it was idle, or was about to.
        self._busy.discard(client)
        client.abort()
        return self._carry_anew(receiver, envelope, content, message_id)

    def _carry_anew(
        self, receiver: str, envelope: Envelope, content: Content, message_id: str
    ) -> Deferred[Carried]:
        carrying = Deferred.fromCoroutine(
            self._over_new_connection(receiver, envelope, content, message_id)
        )
        if not carrying.called:
            self._anew.add(carrying)
            carrying.addCallback(self._carried_anew, carrying)
        return carrying

    def _carried_anew(self, carried: Carried, carrying: Deferred[Carried]) -> Carried:
        self._anew.discard(carrying)
        self._look_whether_gone()
        return carried

    async def _over_new_connection(
        self, receiver: str, envelope: Envelope, content: Content, message_id: str
    ) -> Carried:
        try:
            while self._idle and len(self._idle) + len(self._busy) >= self._limits.total:
                self._idle.close_longest()
            client = await self._connecting.connect(self._route, receiver)
            self._busy.add(client)
            outcomes = await client.send(envelope, content)
            return Carried(outcomes, partial(self._release, receiver, client))
        except (ConnectFailed, Unroutable) as failed:
            return _carried_nowhere(envelope, failed.outcome)
        except CancelledError:
            text = "the attempt was given up"
            return _carried_nowhere(envelope, _ours(Verdict.DEFERRED, "4.3.2", text))
        except Exception:
            self._log.failure("no attempt could be made for {message_id}", message_id=message_id)
            text = "internal error"
            return _carried_nowhere(envelope, _ours(Verdict.DEFERRED, "4.3.0", text))

    def _release(self, receiver: str, client: SmtpClient) -> None:
        if client not in self._busy:
            return
        self._busy.discard(client)
        if client.usable:
            if self._ending or client.transactions >= self._limits.messages:
                self._quit(client)
            else:
                self._idle.keep(receiver, client)
        self._look_whether_gone()

    def _quit(self, client: SmtpClient) -> None:
        self._leaving.add(client)
        client.quit().addCallback(self._left, client)

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
