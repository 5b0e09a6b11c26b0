"""Under which envelope a message leaves: where bounces are tracked, they come back to us."""

from __future__ import annotations

from attrs import evolve

from smtpeter.applying import ApplyingDomains
from smtpeter.message.address import Mailbox
from smtpeter.message.bounceaddress import BounceAddresses
from smtpeter.message.content import Content
from smtpeter.message.deliverystatus import mail_domain
from smtpeter.message.envelope import DEFAULT_NOTIFY, Envelope, Recipient
from smtpeter.store.arrivals import ARRIVAL
from smtpeter.store.messages import Message

HEADERS_ONLY = "HDRS"
_ON_REQUEST = frozenset({"SUCCESS", "DELAY"})


async def as_handed_in(message: Message, content: Content) -> Envelope:  # noqa: ARG001
    """The envelope as the sender wishes it."""
    return message.envelope()


class Envelopes:
    """
    Makes envelopes for messages that leave.

    Args:
        domains: tells which sender domain is for a message.
        addresses: makes the local parts of bounce addresses.
        bounce_host: the domain of these for mail without a sender domain.
    """

    def __init__(
        self, domains: ApplyingDomains, addresses: BounceAddresses, bounce_host: str
    ) -> None:
        self._domains = domains
        self._addresses = addresses
        self._bounce_domain = mail_domain(bounce_host)

    async def envelope_for(self, message: Message, content: Content) -> Envelope:
        """
        The envelope of one message, for each of its attempts the same.

        Args:
            content: as it was handed in.

        Raises:
            StoreError: the store has to be asked, and cannot be.
        """
        parcel = message.parcel
        if parcel.origin == ARRIVAL:  # whoever sent it, it leads to no report
            return evolve(message.envelope(), sender=None)
        if not parcel.features.trackbounces or parcel.account_id is None:
            return message.envelope()
        domain = await self._domains.of(parcel.account_id, content)
        host = self._bounce_domain if domain is None else domain.bounce_host
        local = self._addresses.make(message.id, parcel.received)
        return evolve(
            message.envelope(),
            sender=Mailbox(local, host, host),
            recipients=(_with_failures(message.recipient),),
            ret=parcel.ret or HEADERS_ONLY,
        )


def _with_failures(recipient: Recipient) -> Recipient:
    """
    The recipient with wishes by which we hear of failures, whatever the sender wants of them.

    What the sender is told is decided when a report comes back. Of delays and successes we hear
    where the sender has asked for it (RFC 3461 section 4.1).
    """
    wished = (recipient.notify or frozenset()) & _ON_REQUEST
    return evolve(recipient, notify=DEFAULT_NOTIFY | wished)
