"""What a sender domain should have in the DNS, by our settings, and what it has there."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Mapping, Sequence
from datetime import date
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.interfaces import IReactorTime

from smtpeter.config import Config
from smtpeter.dns.checking import Checked, Status, check, check_authorities, summary
from smtpeter.dns.names import Names, NoAnswer, addresses_of
from smtpeter.dns.records import Advice, Facts, Installation, recommended, selfhosted
from smtpeter.dns.spfrecord import address_terms
from smtpeter.domains import report_address_of
from smtpeter.message.dkimkeys import DkimKey
from smtpeter.store.domains import SenderDomain
from smtpeter.units import is_ip_address
from smtpeter.values import frozen

CHECK_SECONDS = 15.0

T = TypeVar("T")


@frozen
class Examined:
    """
    A sender domain and the DNS.

    Attributes:
        summary: "ok" or "error" for each of several purposes.
    """

    facts: Facts
    checked: tuple[Checked, ...]
    summary: Mapping[str, str]


def sources_by_settings(config: Config, pool: str) -> tuple[str, ...] | None:
    """
    The addresses that mail of a pool is sent from; None when only the DNS knows.

    Through a smart host it comes from addresses that nobody here knows.
    """
    if config.delivery.mode == "smarthost":
        return ()
    sources = config.delivery.sources(pool)
    if sources:
        return sources
    if is_ip_address(config.hostname):
        return (config.hostname,)
    return None if "." in config.hostname else ()


async def sources_of(config: Config, pool: str, names: Names) -> tuple[str, ...]:
    """The same, by the DNS where need be; empty when nobody knows."""
    known = sources_by_settings(config, pool)
    if known is not None:
        return known
    return await _or_nothing(addresses_of(names, config.hostname))


def spf_terms(config: Config, sources: Sequence[str], more: Sequence[str]) -> tuple[str, ...]:
    """
    The terms of an SPF record.

    Args:
        more: terms that somebody wants to have in it.
    """
    if sources:
        return (*address_terms(sources), *more)
    smarthost = config.delivery.smarthost
    if config.delivery.mode != "smarthost" or smarthost is None:
        return (f"a:{config.hostname}", *more)
    if more:
        return tuple(more)
    return tuple(
        address_terms([smarthost.host]) if smarthost.is_address else [f"a:{smarthost.host}"]
    )


async def facts_of(
    config: Config, domain: SenderDomain, keys: Mapping[str, DkimKey], pool: str, names: Names
) -> Facts:
    """
    What is known of a sender domain.

    Args:
        keys: its own, by selector.
        pool: of source addresses, of its account.
    """
    sources = await sources_of(config, domain.pool or pool, names)
    return Facts(
        domain.id,
        domain.name,
        domain.approved is not None,
        domain.proof,
        domain.tracking_host,
        domain.bounce_host,
        keys,
        domain.selector,
        domain.dmarc,
        report_addresses(config, domain),
        sources,
        spf_terms(config, sources, domain.mechanisms),
    )


def report_addresses(config: Config, domain: SenderDomain) -> tuple[str, ...]:
    """The addresses that get DMARC reports on mail of a domain, our own first."""
    return (report_address_of(config.tracking.bounce_host), *domain.addresses)


async def installation_of(config: Config, names: Names) -> Installation:
    """What sender domains have to lead to."""
    host = config.tracking.host
    addresses = (host,) if is_ip_address(host) else await _or_nothing(addresses_of(names, host))
    zone = config.dns.zone if config.dns.hosted else ""
    return Installation(config.hostname, host, addresses, zone, config.dns.certificate_authority)


class Advisor:
    """
    Compares sender domains with the DNS, all records of one side by side.

    Args:
        day: for policies that grow day by day.
    """

    def __init__(self, config: Config, names: Names, day: date, clock: IReactorTime) -> None:
        self._config = config
        self._names = names
        self._day = day
        self._clock = clock

    async def examine(
        self,
        domain: SenderDomain,
        keys: Mapping[str, DkimKey],
        pool: str,
        *,
        literally: bool = False,
    ) -> Examined:
        """
        Look up every record that a domain should have.

        Args:
            keys: its own, by selector.
            pool: of source addresses, of its account.
            literally: without names that lead to ours.
        """
        facts, ours = await gathered(
            facts_of(self._config, domain, keys, pool, self._names),
            installation_of(self._config, self._names),
        )
        form = selfhosted if literally else recommended
        advice = form(facts, ours, self._day)
        *checked, authorities = await gathered(
            *(self._checked(each, facts, ours) for each in advice),
            self._authorities(facts, ours),
        )
        return Examined(facts, tuple(checked), summary(facts, checked, authorities=authorities))

    async def _checked(self, advice: Advice, facts: Facts, ours: Installation) -> Checked:
        try:
            return await self._in_time(check(advice, facts, ours, self._names, self._day))
        except NoAnswer as error:
            return Checked(advice, Status.ERROR, problem=str(error))

    async def _authorities(self, facts: Facts, ours: Installation) -> bool:
        try:
            return await self._in_time(check_authorities(facts, ours, self._names))
        except NoAnswer:
            return False

    async def _in_time(self, checking: Coroutine[Any, Any, T]) -> T:
        waiting: Deferred[T] = Deferred.fromCoroutine(checking)
        try:
            return await waiting.addTimeout(CHECK_SECONDS, self._clock)
        except TimedOut:
            raise NoAnswer("the DNS takes too long") from None


async def gathered(*coroutines: Coroutine[Any, Any, Any]) -> list[Any]:
    """The results of coroutines that run side by side; the first error goes on."""
    started = [Deferred.fromCoroutine(each) for each in coroutines]
    results: list[Any] = await gatherResults(started, consumeErrors=True)
    return results


async def _or_nothing(asking: Awaitable[tuple[str, ...]]) -> tuple[str, ...]:
    try:
        return await asking
    except NoAnswer:
        return ()
