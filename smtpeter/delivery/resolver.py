"""What DNS says about where mail goes (RFC 5321 section 5.1, RFC 7505)."""

from __future__ import annotations

import socket
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.interfaces import IReactorTime, IResolver
from twisted.logger import Logger
from twisted.names import dns, hosts, resolve
from twisted.names.error import DNSNameError

from smtpeter.delivery.dnsclient import AskingResolver, QuietResolver, Sections
from smtpeter.delivery.dnsrecords import CAA, TLSA, CaaRecord, TlsaRecord
from smtpeter.expiring import Expiring
from smtpeter.sharing import Shared
from smtpeter.values import frozen

CACHED_ANSWERS = 10_000
SHORTEST_TTL_SECONDS = 5
LONGEST_TTL_SECONDS = 3600
NO_ANSWER_TTL_SECONDS = 60  # for "no such name" and "no such record"
QUERY_SECONDS = (2, 4, 8)  # for each try at all servers
LOOKUP_SECONDS = 30


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
class Exchangers:
    """
    The MX records of a domain, in no order.

    Attributes:
        authenticated: validated by DNSSEC, as is all that has this attribute.
    """

    records: tuple[MailExchanger, ...]
    authenticated: bool = False


@frozen
class Addresses:
    """
    The IP addresses of a host.

    Attributes:
        name: where its aliases led; the host itself when it is none.
    """

    v4: tuple[str, ...]
    v6: tuple[str, ...]
    name: str
    authenticated: bool = False


@frozen
class CanonicalName:
    """What a name is an alias of, "" for nothing."""

    target: str
    authenticated: bool = False


@frozen
class TlsaAnswer:
    """The TLSA records at a name."""

    records: tuple[TlsaRecord, ...]
    authenticated: bool = False


@frozen
class _Answer:
    """
    What is kept.

    Attributes:
        data: of the records.
        name: at which they are.
        exists: False for NXDOMAIN.
    """

    data: tuple[Any, ...]
    name: str
    authenticated: bool = False
    exists: bool = True


def system_resolver(reactor: Any, *, validating: bool = False) -> IResolver:
    """
    The resolver that the system is set up with: its hosts file, then its DNS servers.

    Args:
        validating: the servers are believed when they say that they validated an answer.
    """
    kind = AskingResolver if validating else QuietResolver
    return resolve.ResolverChain(
        [hosts.Resolver(), kind(resolv="/etc/resolv.conf", reactor=reactor)]
    )


def configured_resolver(
    servers: Iterable[tuple[str, int]], reactor: Any, *, validating: bool = False
) -> IResolver:
    """A resolver that asks the given servers, address and port, in their order."""
    kind = AskingResolver if validating else QuietResolver
    return kind(servers=list(servers), reactor=reactor)


class MailResolver:
    """
    Looks up what has to do with mail, and remembers it for as long as DNS allows.

    Names are A-labels (`Mailbox.domain_key`). Each lookup can raise `LookupFailed`.
    """

    _log = Logger()

    def __init__(self, resolver: IResolver, clock: IReactorTime) -> None:
        self._resolver = resolver
        self._clock = clock
        self._answers: Expiring[tuple[int, str], _Answer] = Expiring(clock.seconds, CACHED_ANSWERS)
        self._under_way: Shared[tuple[int, str], _Answer] = Shared(0, lambda _: 1)

    async def mail_exchangers(self, domain: str) -> tuple[MailExchanger, ...]:
        """
        The MX records of a domain, in no order; none is no error.

        Raises:
            NoSuchName: the domain does not exist.
        """
        return (await self.exchangers(domain)).records

    async def exchangers(self, domain: str) -> Exchangers:
        """The same, with whether it is authenticated."""
        answer = await self._look_up(dns.MX, domain)
        if not answer.exists:
            raise NoSuchName(domain)
        records = tuple(MailExchanger(each.preference, _name(each.name)) for each in answer.data)
        return Exchangers(records, answer.authenticated)

    async def addresses(self, host: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """
        The IPv4 and the IPv6 addresses of a host; none is no error, nor is an unknown host.

        It fails only when there is no address from the other lookup either.
        """
        found = await self.addresses_of(host)
        return found.v4, found.v6

    async def addresses_of(self, host: str) -> Addresses:
        """The same, with whether it is authenticated, and where aliases led."""
        results: Any = await DeferredList(
            [self._started(self._look_up(kind, host)) for kind in (dns.A, dns.AAAA)],
            consumeErrors=True,
        )
        (v4_known, v4), (v6_known, v6) = results
        addresses_v4 = tuple(record.dottedQuad() for record in v4.data) if v4_known else ()
        addresses_v6 = tuple(_ipv6(record) for record in v6.data) if v6_known else ()
        if not addresses_v4 and not addresses_v6:
            for known, failure in results:
                if not known:
                    failure.raiseException()
        return Addresses(
            addresses_v4,
            addresses_v6,
            v4.name if addresses_v4 else v6.name,
            all(answer.authenticated for known, answer in results if known),
        )

    async def texts(self, name: str) -> tuple[str, ...]:
        """The TXT records at a name, the strings of each joined; none is no error."""
        answer = await self._look_up(dns.TXT, name)
        return tuple(b"".join(each.data).decode("utf-8", "replace") for each in answer.data)

    async def canonical_name(self, name: str) -> CanonicalName:
        """What the CNAME record at a name leads to, one step of it; none is no error."""
        answer = await self._look_up(dns.CNAME, name)
        target = _name(answer.data[0].name) if answer.data else ""
        return CanonicalName(target, answer.authenticated)

    async def tlsa(self, name: str) -> TlsaAnswer:
        """The TLSA records at a name such as `_25._tcp.mx.mailbox.example`; none is no error."""
        answer = await self._look_up(TLSA, name)
        records = tuple(TlsaRecord.from_wire(each.data) for each in answer.data)
        return TlsaAnswer(records, answer.authenticated)

    async def certification_authorities(self, name: str) -> tuple[CaaRecord, ...]:
        """The CAA records at this very name; none is no error."""
        answer = await self._look_up(CAA, name)
        return tuple(CaaRecord.from_wire(each.data) for each in answer.data)

    @staticmethod
    def _started(
        looking_up: Coroutine[Deferred[Any], Any, _Answer],
    ) -> Deferred[_Answer]:
        return Deferred.fromCoroutine(looking_up)

    async def _look_up(self, kind: int, name: str) -> _Answer:
        key = (kind, name)
        known = self._answers.get(key)
        if known is not None:
            return known
        # The resolver has one question under way for all who ask the same; were one of them
        # cancelled, all would be.
        return await self._under_way.get(key, lambda: self._asked(kind, name))

    async def _asked(self, kind: int, name: str) -> _Answer:
        answer, ttl_seconds = await self._ask(kind, name)
        self._answers.put((kind, name), answer, ttl_seconds)
        return answer

    async def _ask(self, kind: int, name: str) -> tuple[_Answer, float]:
        try:
            query = dns.Query(name.encode("ascii"), kind, dns.IN)
            asked: Deferred[Any] = self._resolver.query(query, QUERY_SECONDS)
            sections = await asked.addTimeout(LOOKUP_SECONDS, self._clock)
        except DNSNameError:
            return _Answer((), name, exists=False), NO_ANSWER_TTL_SECONDS
        except CancelledError:
            raise
        except Exception as error:  # twisted.names has no common ancestor for its errors
            self._log.debug("no answer for {name}: {error!r}", name=name, error=error)
            raise LookupFailed(f"looking up {name}: {_reason(error)}") from error
        return _answer(sections, kind, name)


def _answer(sections: Any, kind: int, name: str) -> tuple[_Answer, float]:
    """What was answered to a question, and for how many seconds it holds good."""
    authenticated = isinstance(sections, Sections) and sections.authenticated
    found = list(_following_aliases(sections[0], kind, name))
    wanted = [record for record in found if record.type == kind]
    data = tuple(_payload(record) for record in wanted)
    at = _name(wanted[0].name) if wanted else name
    if not found:
        return _Answer((), at, authenticated), NO_ANSWER_TTL_SECONDS
    ttl_seconds = min(record.ttl for record in found)
    ttl_seconds = max(SHORTEST_TTL_SECONDS, min(ttl_seconds, LONGEST_TTL_SECONDS))
    return _Answer(data, at, authenticated), ttl_seconds


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
