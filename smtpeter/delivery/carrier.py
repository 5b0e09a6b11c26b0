"""What the queue asks of whoever takes messages out of the house."""

from __future__ import annotations

from collections.abc import Callable

from attrs import field
from twisted.internet.defer import Deferred
from zope.interface import Interface

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


class ICarrier(Interface):
    """Hands messages over to the servers that are to take them."""

    def destination_of(domain_key: str) -> str:
        """
        Name the receiver that takes mail for a domain; limits and connections are per receiver.

        Args:
            domain_key: as `Mailbox.domain_key`.
        """

    def carry(
        receiver: str, envelope: Envelope, content: Content, message_id: str
    ) -> Deferred[Carried]:
        """
        Try once to hand a message to a receiver. The Deferred never fails.

        `receiver` is what `destination_of` gave for the domain of every recipient.
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
