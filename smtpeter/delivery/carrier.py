"""What the queue asks of whoever takes messages out of the house."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol as Shape

from attrs import field
from twisted.internet.defer import Deferred
from zope.interface import Interface

from smtpeter.delivery.route import Way
from smtpeter.message.content import Content
from smtpeter.message.envelope import Envelope
from smtpeter.message.outcome import Outcome
from smtpeter.values import frozen


@frozen
class Carried:
    """
    What became of one message.

    Attributes:
        outcomes: one for each recipient of the envelope, in their order.
        release: to be called once, when the outcomes are safely recorded. Only then is
            the connection used for another message: a crash in between repeats one
            message at most.
    """

    outcomes: tuple[Outcome, ...]
    release: Callable[[], None] = field(repr=False)


class Allowance(Shape):
    """
    What a receiver may be given at the moment.

    Attributes:
        name: of the receiver; who has the same name has the same allowance.
        pool: of the addresses of ours that its mail is sent from, "" for the usual ones.
        connections: open at a time.
    """

    @property
    def name(self) -> str: ...

    @property
    def pool(self) -> str: ...

    @property
    def connections(self) -> int: ...

    def connection_used_up(self, messages: int) -> bool:
        """Whether a connection that has carried so many messages is to be closed."""

    def connection_ended(self, messages: int, idle_seconds: float) -> None:
        """Learn that the receiver ended a connection after so many messages and such a rest."""


class ICarrier(Interface):
    """Hands messages over to the servers that are to take them."""

    def destination_of(domain_key: str) -> str:
        """
        Name what mail for a domain waits under until it is known who takes it.

        Args:
            domain_key: as `Mailbox.domain_key`.
        """

    def way_to(destination: str) -> Deferred[Way]:
        """Find out where the mail for a destination goes now. The Deferred never fails."""

    def carry(
        way: Way, allowance: Allowance, envelope: Envelope, content: Content, message_id: str
    ) -> Deferred[Carried]:
        """
        Try once to hand a message to a receiver. The Deferred never fails.

        Args:
            way: to the destination of every recipient.
            allowance: of the receiver.
        """

    def idle_close() -> None:
        """Close the connections that wait for a next message."""

    def shutdown() -> Deferred[None]:
        """
        End: idle connections are closed, messages under way get a time of grace.

        Fires when no connection is left. What `carry` is given afterwards is deferred.
        """


def nothing_to_release() -> None:
    """Where no connection was used."""
