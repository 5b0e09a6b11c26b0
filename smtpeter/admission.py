"""Whether the mail of an account may go, to whom, and from where: what does not depend on it."""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Mapping
from typing import Protocol

from attrs import field
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from smtpeter.accounts.interfaces import SenderInfo
from smtpeter.message.addresslist import NamedMailbox
from smtpeter.message.content import Content
from smtpeter.message.envelope import Recipient
from smtpeter.message.reply import Refused, Reply
from smtpeter.store import suppressions
from smtpeter.store.domains import SenderDomain
from smtpeter.store.store import Store
from smtpeter.store.suppressions import Suppression, address_key
from smtpeter.values import frozen

MAX_WARNED = 1000


class DomainsOfMail(Protocol):
    """The part of `smtpeter.applying.ApplyingDomains` that is needed here."""

    def of(self, account_id: int | None, content: Content) -> Awaitable[SenderDomain | None]: ...


@frozen
class Admission:
    """
    What has been found out for a submission that may go.

    Attributes:
        pool: of the addresses of ours that it is sent from, "" for the usual ones.
        suppressed: entries of the suppression list, by the keys of the recipients' addresses.
    """

    pool: str = ""
    suppressed: Mapping[str, Suppression] = field(factory=dict)


@frozen
class AdmissionRules:
    """
    What the configuration says.

    Attributes:
        require_sender_domain: mail comes from approved sender domains only.
        pools: that there are.
    """

    require_sender_domain: bool = False
    pools: Collection[str] = ()


class AdmissionDesk:
    """
    Looks at submissions before they are stored.

    Most accounts have nothing that has to be asked for; then nobody waits.
    """

    _log = Logger()

    def __init__(self, store: Store, domains: DomainsOfMail, rules: AdmissionRules) -> None:
        self._store = store
        self._domains = domains
        self._rules = rules
        self._warned: set[str] = set()

    def at_once(self, who: SenderInfo) -> Admission | None:
        """What holds for all mail of somebody; None when its admission depends on the mail."""
        standing = who.standing
        if standing.suppresses or standing.has_domains or self._rules.require_sender_domain:
            return None
        return Admission(self._known(standing.pool)) if standing.pool else ADMITTED

    async def admit(
        self,
        who: SenderInfo,
        author: NamedMailbox,
        content: Content,
        recipients: Collection[Recipient],
        now: float,
    ) -> Admission:
        """
        Ask for what `at_once` cannot tell.

        Args:
            author: of the content.
            now: seconds since the epoch.

        Raises:
            Refused: it is not from a sender domain, as it has to be.
            StoreError: the store cannot be asked.
        """
        standing = who.standing
        domain = await self._domains.of(who.account_id, content) if standing.has_domains else None
        if domain is None and self._rules.require_sender_domain:
            raise no_sender_domain(author.mailbox.domain_key)
        found: Mapping[str, Suppression] = {}
        if standing.suppresses:
            found = await self._suppressed(who.account_id, recipients, now)
        pool = domain.pool if domain is not None and domain.pool else standing.pool
        return Admission(self._known(pool), found)

    def _suppressed(
        self, account_id: int, recipients: Collection[Recipient], now: float
    ) -> Deferred[dict[str, Suppression]]:
        addresses = [address_key(each.mailbox) for each in recipients]
        return self._store.read(suppressions.suppressed, account_id, addresses, now)

    def _known(self, pool: str) -> str:
        """A pool, or the usual one where the configuration has it no more."""
        if not pool or pool in self._rules.pools:
            return pool
        if pool not in self._warned and len(self._warned) < MAX_WARNED:
            self._warned.add(pool)
            self._log.warn(
                "there is no delivery.pools.{pool}: mail that is bound to it goes as other mail",
                pool=pool,
            )
        return ""


ADMITTED = Admission()


def no_sender_domain(domain: str) -> Refused:
    """The account has no approved sender domain for the author of a message."""
    text = f"You cannot send mailings from {domain} without configuring it as sender domain"
    return Refused(Reply(550, "5.7.1", text), 403)
