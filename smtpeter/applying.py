"""Which sender domain is for a message: for its links, its bounces and its signatures."""

from __future__ import annotations

import time
from collections.abc import Callable

from smtpeter.accounts.identities import IDENTITY_SECONDS
from smtpeter.lookups import Lookups
from smtpeter.message.author import author_domain
from smtpeter.message.content import Content
from smtpeter.store import domains
from smtpeter.store.domains import SenderDomain
from smtpeter.store.store import Store

DOMAINS = 10_000


class ApplyingDomains:
    """
    The sender domain for each message, by whose it is and where it comes from.

    All who need it ask the same one of these, so that the store is asked once for them.

    Args:
        monotonic: a clock that never goes back.
    """

    def __init__(self, store: Store, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._known: Lookups[tuple[int, str], SenderDomain | None] = Lookups(
            self._look_up, monotonic, DOMAINS, IDENTITY_SECONDS
        )

    async def of(self, account_id: int | None, content: Content) -> SenderDomain | None:
        """
        The approved domain of the account that is for mail of the author; None for none.

        Args:
            account_id: whose message it is; None for reports of our own.

        Raises:
            StoreError: the store has to be asked, and cannot be.
        """
        if account_id is None:
            return None
        author = author_domain(content)
        if author is None:
            return None
        return await self._known.get((account_id, author))

    async def _look_up(self, key: tuple[int, str]) -> SenderDomain | None:
        return await self._store.read(domains.applying_domain, *key)
