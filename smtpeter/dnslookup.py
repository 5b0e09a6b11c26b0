"""The DNS, as those ask it who check what sender domains publish."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.interfaces import IReactorTime
from twisted.names import client

from smtpeter.config import Config
from smtpeter.delivery.dnsrecords import CaaRecord
from smtpeter.delivery.resolver import (
    LookupFailed,
    MailResolver,
    NoSuchName,
    configured_resolver,
)
from smtpeter.dns.names import NoAnswer

ANSWER_SECONDS = 5.0  # two tries at each server
ALIASES = 8  # that are followed where an answer leaves out what they lead to
CRITICAL = 128


class DnsNames:
    """
    The names of `smtpeter.dns.names.Names`, by a resolver.

    Args:
        seconds: how long an answer is waited for.
    """

    def __init__(
        self, resolver: MailResolver, clock: IReactorTime, seconds: float = ANSWER_SECONDS
    ) -> None:
        self._resolver = resolver
        self._clock = clock
        self._seconds = seconds

    async def look_up(self, name: str, kind: str) -> tuple[str, ...]:
        looking: Deferred[tuple[str, ...]] = Deferred.fromCoroutine(self._look_up(name, kind))
        try:
            return await looking.addTimeout(self._seconds, self._clock)
        # of several who ask the same, the others hear of it when one of them gives up
        except (TimedOut, CancelledError):
            raise NoAnswer(f"looking up {name}: no answer in time") from None
        except LookupFailed as error:
            raise NoAnswer(str(error)) from None

    async def _look_up(self, name: str, kind: str) -> tuple[str, ...]:
        for _ in range(ALIASES):
            found = await self._records(name, kind)
            if found or kind == "CNAME":
                return found
            name = (await self._resolver.canonical_name(name)).target
            if not name:
                break
        return ()

    def _records(self, name: str, kind: str) -> Coroutine[Any, Any, tuple[str, ...]]:
        match kind:
            case "A" | "AAAA":
                return self._addresses(name, kind)
            case "CAA":
                return self._authorities(name)
            case "CNAME":
                return self._alias(name)
            case "MX":
                return self._exchangers(name)
            case "TXT":
                return self._resolver.texts(name)
            case _:
                raise ValueError(f"no records of type {kind} are looked up")

    async def _addresses(self, name: str, kind: str) -> tuple[str, ...]:
        found = await self._resolver.addresses_of(name)
        return found.v4 if kind == "A" else found.v6

    async def _authorities(self, name: str) -> tuple[str, ...]:
        return tuple(map(_caa, await self._resolver.certification_authorities(name)))

    async def _alias(self, name: str) -> tuple[str, ...]:
        target = (await self._resolver.canonical_name(name)).target
        return (target,) if target else ()

    async def _exchangers(self, name: str) -> tuple[str, ...]:
        try:
            found = await self._resolver.mail_exchangers(name)
        except NoSuchName:
            return ()
        ordered = sorted(found, key=lambda each: (each.preference, each.name))
        return tuple(f"{each.preference} {each.name}" for each in ordered)


def dns_names(config: Config, reactor: Any) -> DnsNames:
    """
    The DNS by the servers of a configuration.

    The hosts file of the system is left out: it says nothing of what others find.
    """
    servers = [(each.host, each.port) for each in config.delivery.resolvers]
    if servers:
        asking = configured_resolver(servers, reactor)
    else:
        asking = client.Resolver(resolv="/etc/resolv.conf", reactor=reactor)
    return DnsNames(MailResolver(asking, reactor), reactor)


def _caa(record: CaaRecord) -> str:
    return f"{CRITICAL if record.critical else 0} {record.tag} {record.value}"
