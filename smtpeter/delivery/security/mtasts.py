"""The policies of MTA-STS that are in force (RFC 8461 sections 3 and 5)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from sqlalchemy import Connection
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from smtpeter.delivery.resolver import LookupFailed, MailResolver
from smtpeter.delivery.security.stsfetching import PolicyNotFetched
from smtpeter.delivery.security.stspolicy import StsMode, StsPolicy, parse_policy, policy_id
from smtpeter.delivery.security.tlsresult import TlsFault
from smtpeter.expiring import Expiring
from smtpeter.store import stspolicies
from smtpeter.store.database import StoreError
from smtpeter.store.store import Store
from smtpeter.store.stspolicies import KeptPolicy
from smtpeter.store.writer import WriterBusy
from smtpeter.values import frozen

REMEMBERED_POLICIES = 10_000
FETCHES_AT_ONCE = 50
SHORTEST_AGE_SECONDS = 300.0  # spares the servers of those who want it shorter
FRESH_SECONDS = 86_400.0  # a policy that is older, or past half its time, is fetched again
FAILED_SECONDS = 600.0  # between tries of what has failed: section 3.3 has at least five minutes

Fetch: TypeAlias = Callable[[str], Coroutine[Deferred[Any], Any, StsPolicy]]


@frozen
class _Kept:
    """A policy with the id under which it was announced, and when it was fetched."""

    policy: StsPolicy
    announced: str
    fetched: float

    @property
    def expires(self) -> float:
        return self.fetched + max(self.policy.max_age_seconds, SHORTEST_AGE_SECONDS)

    @property
    def stale_from(self) -> float:
        return self.fetched + min((self.expires - self.fetched) / 2, FRESH_SECONDS)


class StsPolicies:
    """
    Finds the policies of domains, and keeps them, also from one start to the next.

    What was found stays in force until it expires, whatever becomes of the records and the
    web server of the domain: else who can reach into these could take it out of force.

    Args:
        fetch: as `PolicyFetcher.fetch`.
        failed: is told of policies that were announced and could not be had.
    """

    _log = Logger()

    def __init__(
        self,
        resolver: MailResolver,
        fetch: Fetch,
        store: Store,
        clock: IReactorTime,
        failed: Callable[[str, TlsFault], None] = lambda _domain, _fault: None,
    ) -> None:
        self._resolver = resolver
        self._fetch = fetch
        self._store = store
        self._clock = clock
        self._told = failed
        self._kept: Expiring[str, _Kept] = Expiring(clock.seconds, REMEMBERED_POLICIES)
        self._before: dict[str, _Kept] | None = None  # read at the start, and not asked for yet
        self._failed: Expiring[str, bool] = Expiring(clock.seconds, REMEMBERED_POLICIES)
        self._at_work: dict[str, list[Deferred[None]]] = {}
        self._slots = DeferredSemaphore(FETCHES_AT_ONCE)

    async def policy_for(self, domain: str) -> StsPolicy | None:
        """The policy that mail to a domain is brought by; None when there is none."""
        if self._before is None:
            await self._together("", self._load)
        announced = await self._announced(domain)
        kept = self._kept_of(domain)
        if announced is not None and not self._failed.get(domain):
            if kept is None or kept.announced != announced:
                await self._together(domain, lambda: self._fetch_anew(domain, announced))
                kept = self._kept_of(domain)
            elif kept.stale_from <= self._clock.seconds():  # nobody waits for it
                self._together(domain, lambda: self._fetch_anew(domain, announced))
        if kept is None or kept.policy.mode is StsMode.NONE:
            return None
        return kept.policy

    async def _announced(self, domain: str) -> str | None:
        try:
            return policy_id(await self._resolver.texts(f"_mta-sts.{domain}"))
        except LookupFailed:
            return None

    def _kept_of(self, domain: str) -> _Kept | None:
        before = self._before.pop(domain, None) if self._before else None
        if before is not None:
            self._keep(domain, before)
        return self._kept.get(domain)

    def _keep(self, domain: str, kept: _Kept) -> None:
        self._kept.put(domain, kept, kept.expires - self._clock.seconds())

    async def _fetch_anew(self, domain: str, announced: str) -> None:
        try:
            policy = await self._fetch(domain)
        except PolicyNotFetched as failed:
            self._failed.put(domain, True, FAILED_SECONDS)
            self._log.info(
                "{domain} announces a policy of MTA-STS that cannot be had: {why}",
                domain=domain,
                why=failed,
            )
            self._told(domain, failed.fault)
            return
        kept = _Kept(policy, announced, self._clock.seconds())
        self._keep(domain, kept)
        text = "\n".join(policy.lines())
        written = KeptPolicy(domain, announced, text, kept.fetched, kept.expires)
        self._store.commit(stspolicies.keep(written)).addErrback(self._not_written, domain)

    async def _load(self) -> None:
        try:
            self._before = await self._store.read(_read_kept, self._clock.seconds())
        except StoreError as error:
            self._log.error("the policies of before cannot be read: {error}", error=error)
            self._before = {}

    def _not_written(self, failure: Failure, domain: str) -> None:
        failure.trap(StoreError, WriterBusy)
        self._log.error(
            "the policy of {domain} is not kept beyond the next start: {error}",
            domain=domain,
            error=failure.value,
        )

    def _together(
        self, key: str, begin: Callable[[], Coroutine[Deferred[Any], Any, None]]
    ) -> Deferred[None]:
        """Fires when something is done, for all who want the same meanwhile; never fails."""
        done: Deferred[None] = Deferred()
        waiting = self._at_work.setdefault(key, [])
        waiting.append(done)
        if len(waiting) == 1:
            working = self._slots.run(lambda: Deferred.fromCoroutine(begin()))
            working.addErrback(self._unforeseen)
            working.addCallback(lambda _: self._done(key))
        return done

    def _unforeseen(self, failure: Failure) -> None:
        self._log.failure("looking for a policy", failure)

    def _done(self, key: str) -> None:
        for each in self._at_work.pop(key):
            each.callback(None)


def _read_kept(connection: Connection, now: float) -> dict[str, _Kept]:
    """The policies of before, by their domains."""
    return {
        each.domain: _Kept(parse_policy(each.policy.encode()), each.policy_id, each.fetched)
        for each in stspolicies.in_force(connection, now, REMEMBERED_POLICIES)
    }
