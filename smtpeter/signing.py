"""Signs each message on its way out, with the keys that its account has for its author."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from smtpeter.accounts.identities import IDENTITY_SECONDS
from smtpeter.lookups import Lookups
from smtpeter.message.author import author_domain
from smtpeter.message.dkim import SigningKey
from smtpeter.sharing import Shared
from smtpeter.store import dkimkeys
from smtpeter.store.domains import SenderDomain
from smtpeter.store.store import Store
from smtpeter.transform.draft import Draft
from smtpeter.transform.signing import signed

ACCOUNTS = 10_000
AUTHORS = 10_000


class Signing:
    """
    The stage that signs.

    Args:
        in_thread: calls a function in a thread: a signature takes a millisecond or more.
        monotonic: a clock that never goes back.
        seconds: the wall clock, seconds since the epoch.
    """

    def __init__(
        self,
        store: Store,
        in_thread: Callable[..., Deferred[Any]],
        monotonic: Callable[[], float] = time.monotonic,
        seconds: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._in_thread = in_thread
        self._seconds = seconds
        self._signers: Lookups[int, bool] = Lookups(
            self._may_sign, monotonic, ACCOUNTS, IDENTITY_SECONDS
        )
        self._known: Lookups[tuple[int, str], tuple[SigningKey, ...]] = Lookups(
            self._look_up, monotonic, AUTHORS, IDENTITY_SECONDS
        )
        # not kept: it is made once, and then it is in the store
        self._being_made: Shared[int, None] = Shared(0, lambda _: 1)

    def apply(self, draft: Draft) -> Draft | Deferred[Draft]:
        """
        Sign a message. Without an account it stays as it is: reports of our own, and what came
        by mail and is sent on, whose author may be forged.

        Fails with `StoreError`, and as calling a thread fails.
        """
        if draft.account_id is None or self._signers.known(draft.account_id) is False:
            return draft
        return Deferred.fromCoroutine(self._apply(draft, draft.account_id))

    async def _apply(self, draft: Draft, account_id: int) -> Draft:
        if not await self._signers.get(account_id):
            return draft
        author = author_domain(draft.content) or ""
        keys = await self._known.get((account_id, author))
        if not keys:
            return draft
        result: Draft = await self._in_thread(signed, draft, keys, self._seconds())
        return result

    async def _may_sign(self, account_id: int) -> bool:
        return await self._store.read(dkimkeys.may_sign, account_id)

    async def _look_up(self, key: tuple[int, str]) -> tuple[SigningKey, ...]:
        signers = await self._store.read(dkimkeys.signing_keys, *key, self._seconds())
        domain = signers.keyless
        if domain is None:
            return signers.keys
        await self._being_made.get(domain.id, lambda: self._make_keys(domain))
        signers = await self._store.read(dkimkeys.signing_keys, *key, self._seconds())
        return signers.keys

    async def _make_keys(self, domain: SenderDomain) -> None:
        """Give a domain its keys that came without."""
        made = await self._in_thread(dkimkeys.new_keys)
        await self._store.transact(dkimkeys.add_own_keys, domain, made, self._seconds())
