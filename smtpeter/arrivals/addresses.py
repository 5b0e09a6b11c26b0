"""Which addresses are our own, and what each is for."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from smtpeter.accounts.identities import IDENTITY_SECONDS
from smtpeter.domains import DomainError, domain_name
from smtpeter.lookups import Lookups
from smtpeter.message.address import Mailbox
from smtpeter.message.bounceaddress import BounceAddresses, Flaw
from smtpeter.store.arrivals import Purpose, is_bounce_host
from smtpeter.store.store import Store
from smtpeter.values import frozen

HOSTS = 10_000
# RFC 5321 section 4.5.1, RFC 2142 section 4; and where DMARC reports go.
LOCAL_PARTS = {
    "postmaster": Purpose.POSTMASTER,
    "abuse": Purpose.POSTMASTER,
    "dmarc": Purpose.REPORT,
}


@frozen
class Ours:
    """
    An address of our own.

    Attributes:
        message: the id of the message that has been sent with it, "" for none.
    """

    purpose: Purpose
    message: str = ""


class OwnAddresses:
    """
    Tells our own addresses from all others.

    Args:
        hosts: names of this house, as `Mailbox.domain_key` has them.
        monotonic: a clock that never goes back.
        seconds: the wall clock, seconds since the epoch.
    """

    def __init__(
        self,
        store: Store,
        hosts: Collection[str],
        bounces: BounceAddresses,
        monotonic: Callable[[], float] = time.monotonic,
        seconds: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        # a bare "postmaster" has no host
        self._hosts = frozenset((*hosts, ""))
        self._bounces = bounces
        self._seconds = seconds
        self._known: Lookups[str, bool] = Lookups(self._look_up, monotonic, HOSTS, IDENTITY_SECONDS)

    async def at(self, mailbox: Mailbox) -> Ours | Flaw:
        """
        What an address is for, or why it is none of ours.

        Raises:
            StoreError: the store has to be asked, and cannot be.
        """
        host = mailbox.domain_key
        if host in self._hosts or (_is_domain(host) and await self._known.get(host)):
            return self.here(mailbox)
        return Flaw.FOREIGN

    def here(self, mailbox: Mailbox) -> Ours | Flaw:
        """The same for an address whose host is known to be ours."""
        purpose = LOCAL_PARTS.get(mailbox.local.lower())
        if purpose is not None:
            return Ours(purpose)
        claim = self._bounces.read(mailbox.local, self._seconds())
        return claim if isinstance(claim, Flaw) else Ours(Purpose.BOUNCE, claim.message_id)

    async def _look_up(self, host: str) -> bool:
        return await self._store.read(is_bounce_host, host)


def _is_domain(name: str) -> bool:
    """False for what no sender domain could have, and for what a store could not compare."""
    try:
        return domain_name(name) == name
    except DomainError:
        return False
