"""What DNS says about where mail goes (RFC 5321 section 5.1, RFC 7505)."""

from __future__ import annotations

import socket
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeAlias

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.interfaces import IReactorTime, IResolver
from twisted.logger import Logger
from twisted.names import client, dns, hosts, resolve
from twisted.names.error import DNSNameError

from smtpeter.expiring import Expiring
from smtpeter.values import frozen

CACHED_ANSWERS = 10_000
SHORTEST_TTL_SECONDS = 5
LONGEST_TTL_SECONDS = 3600
NO_ANSWER_TTL_SECONDS = 60  # for "no such name" and "no such record"
QUERY_SECONDS = (2, 4, 8)  # for each try at all servers
LOOKUP_SECONDS = 30

Lookup: TypeAlias = Callable[[str, Sequence[int]], Deferred[Any]]


class LookupFailed(Exception):
    """DNS gave no answer; it may do so later."""


class NoSuchName(Exception):
    """The name does not exist in DNS."""


@frozen
class MailExchanger:
    """One MX record. The name is in lower case without a final dot; "" is a null MX."""

    preference: int
    name: str


@frozen
class _Answer:
    """What is kept: the data of the records; `exists` is False for NXDOMAIN."""

    data: tuple[Any, ...]
    exists: bool = True


def system_resolver(reactor: Any) -> IResolver:
    """The resolver that the system is set up with: its hosts file, then its DNS servers."""
    asking = client.Resolver(resolv="/etc/resolv.conf", reactor=reactor)
    return resolve.ResolverChain([hosts.Resolver(), asking])


def configured_resolver(servers: Iterable[tuple[str, int]], reactor: Any) -> IResolver:
    """A resolver that asks the given servers, address and port, in their order."""
    return client.Resolver(servers=list(servers), reactor=reactor)


class MailResolver:
    """
    Looks up mail exchangers and addresses, and remembers them for as long as DNS allows.

    Names are A-labels (`Mailbox.domain_key`).
    """

    _log = Logger()

    def __init__(self, resolver: IResolver, clock: IReactorTime) -> None:
        self._resolver = resolver
        self._clock = clock
        self._answers: Expiring[tuple[int, str], _Answer] = Expiring(clock.seconds, CACHED_ANSWERS)

    async def mail_exchangers(self, domain: str) -> tuple[MailExchanger, ...]:
        """
        The MX records of a domain, in no order; none is no error.

        Raises:
            NoSuchName: the domain does not exist.
            LookupFailed: no answer.
        """
        answer = await self._look_up(dns.MX, domain, self._resolver.lookupMailExchange)
        if not answer.exists:
            raise NoSuchName(domain)
        return tuple(MailExchanger(record.preference, _name(record.name)) for record in answer.data)

    async def addresses(self, host: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """
        The IPv4 and the IPv6 addresses of a host; none is no error, nor is an unknown host.

        Raises:
            LookupFailed: no answer, and no address from the other lookup either.
        """
        results: Any = await DeferredList(
            [
                self._started(self._look_up(dns.A, host, self._resolver.lookupAddress)),
                self._started(self._look_up(dns.AAAA, host, self._resolver.lookupIPV6Address)),
            ],
            consumeErrors=True,
        )
        (v4_known, v4), (v6_known, v6) = results
        addresses_v4 = tuple(record.dottedQuad() for record in v4.data) if v4_known else ()
        addresses_v6 = tuple(_ipv6(record) for record in v6.data) if v6_known else ()
        if not addresses_v4 and not addresses_v6:
            for known, failure in results:
                if not known:
                    failure.raiseException()
        return addresses_v4, addresses_v6

    @staticmethod
    def _started(
        looking_up: Coroutine[Deferred[Any], Any, _Answer],
    ) -> Deferred[_Answer]:
        return Deferred.fromCoroutine(looking_up)

    async def _look_up(self, kind: int, name: str, lookup: Lookup) -> _Answer:
        key = (kind, name)
        known = self._answers.get(key)
        if known is None:
            known, ttl_seconds = await self._ask(kind, name, lookup)
            self._answers.put(key, known, ttl_seconds)
        return known

    async def _ask(self, kind: int, name: str, lookup: Lookup) -> tuple[_Answer, float]:
        try:
            records, _, _ = await lookup(name, QUERY_SECONDS).addTimeout(
                LOOKUP_SECONDS, self._clock
            )
        except DNSNameError:
            return _Answer((), exists=False), NO_ANSWER_TTL_SECONDS
        except CancelledError:
            raise
        except Exception as error:  # twisted.names has no common ancestor for its errors
            self._log.debug("no answer for {name}: {error!r}", name=name, error=error)
            raise LookupFailed(f"looking up {name}: {_reason(error)}") from error
        found = list(_following_aliases(records, kind, name))
        if not found:
            return _Answer(()), NO_ANSWER_TTL_SECONDS
        ttl_seconds = min(record.ttl for record in found)
        ttl_seconds = max(SHORTEST_TTL_SECONDS, min(ttl_seconds, LONGEST_TTL_SECONDS))
        wanted = tuple(_payload(record) for record in found if record.type == kind)
        return _Answer(wanted), ttl_seconds


def _following_aliases(
    records: Sequence[dns.RRHeader], kind: int, name: str
) -> Iterable[dns.RRHeader]:
    """The records of a kind at a name, and the CNAME records that lead there."""
    aliases = {_name(record.name): record for record in records if record.type == dns.CNAME}
    at = name.lower()
    while (alias := aliases.pop(at, None)) is not None:
        yield alias
        at = _name(_payload(alias).name)
    for record in records:
        if record.type == kind and _name(record.name) == at:
            yield record


def _payload(record: dns.RRHeader) -> Any:
    return record.payload


def _name(name: Any) -> str:
    text: str = name.name.decode("ascii", "replace")
    return text.lower().rstrip(".")


def _ipv6(record: dns.Record_AAAA) -> str:
    return socket.inet_ntop(socket.AF_INET6, record.address)


def _reason(error: Exception) -> str:
    return "no answer in time" if isinstance(error, TimedOut) else type(error).__name__
