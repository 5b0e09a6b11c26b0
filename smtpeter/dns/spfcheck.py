"""Whether the SPF record of a domain allows mail from our addresses (RFC 7208 section 4)."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Sequence

from smtpeter.dns.names import Names, addresses_of
from smtpeter.dns.spfrecord import (
    LOOKUP_LIMIT,
    LOOKUP_MECHANISMS,
    Mechanism,
    SpfError,
    SpfRecord,
    is_spf_record,
    read_spf_record,
    spf_record,
)

# Names of mail exchangers that are looked at for one term (RFC 7208 section 4.6.4).
EXCHANGER_LIMIT = 10

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class SpfFault(Exception):
    """A record does not allow what it should; the text says why."""


async def check_spf(
    names: Names,
    domain: str,
    sources: Sequence[str],
    terms: Sequence[str],
    ours: Collection[str] = (),
) -> None:
    """
    See whether a domain lets mail come from all of our addresses.

    Args:
        sources: the addresses that mail is sent from; empty when they are not known.
        terms: what its record should hold; that is looked at when there are no sources.
        ours: names whose records we publish; who includes one allows what we send from.

    Raises:
        SpfFault: it does not, or its record is faulty.
        NoAnswer: the DNS does not say.
    """
    record = await _record(names, domain)
    if not sources:
        _check_terms(record, terms)
    for each in sources:
        address = ipaddress.ip_address(each)
        if await _Evaluation(names, address, ours).qualifier(domain, record) != "+":
            raise SpfFault(f"it does not allow {each}")


async def _record(names: Names, domain: str) -> SpfRecord:
    found = [text for text in await names.look_up(domain, "TXT") if is_spf_record(text)]
    if not found:
        raise SpfFault(f"there is no SPF record at {domain}")
    if len(found) > 1:
        raise SpfFault(f"there are {len(found)} SPF records at {domain}; more than one is a fault")
    try:
        return read_spf_record(found[0])
    except SpfError as error:
        raise SpfFault(f"the record at {domain} is faulty: {error}") from None


def _check_terms(record: SpfRecord, terms: Sequence[str]) -> None:
    try:
        wanted = read_spf_record(spf_record(terms)).mechanisms
    except SpfError as error:
        raise SpfFault(f"our addresses are not known: {error}") from None
    for term, mechanism in zip(terms, wanted, strict=False):
        if mechanism not in record.mechanisms:
            raise SpfFault(f"it does not hold {term!r}")


class _Evaluation:
    """The result for one address."""

    def __init__(self, names: Names, address: Address, ours: Collection[str]) -> None:
        self._names = names
        self._address = address
        self._ours = ours
        self._lookups = 0

    async def qualifier(self, domain: str, record: SpfRecord) -> str:
        """What the record of a domain says of the address: that of its first match."""
        for each in record.mechanisms:
            if await self._matches(domain, each):
                return each.qualifier
        if not record.redirect:
            return "?"
        self._count()
        target = record.redirect.lower()
        return await self.qualifier(target, await _record(self._names, target))

    async def _matches(self, domain: str, mechanism: Mechanism) -> bool:
        if mechanism.network is not None:
            return self._address in mechanism.network
        if mechanism.name not in LOOKUP_MECHANISMS:
            return True  # it is "all"
        self._count()
        return await self._matches_in_dns((mechanism.domain or domain).lower(), mechanism)

    async def _matches_in_dns(self, target: str, mechanism: Mechanism) -> bool:
        # What macros stand for depends on the sender, and "ptr" on who asks.
        if "%" in target or mechanism.name == "ptr":
            return False
        match mechanism.name:
            case "include":
                return await self._included(target)
            case "a":
                return await self._is_one_of(target, mechanism)
            case "mx":
                return await self._is_exchanger(target, mechanism)
            case _:
                return bool(await self._names.look_up(target, "A"))

    async def _included(self, target: str) -> bool:
        if target in self._ours:
            return True
        return await self.qualifier(target, await _record(self._names, target)) == "+"

    async def _is_exchanger(self, target: str, mechanism: Mechanism) -> bool:
        exchangers = await self._names.look_up(target, "MX")
        for each in exchangers[:EXCHANGER_LIMIT]:
            if await self._is_one_of(each.partition(" ")[2], mechanism):
                return True
        return False

    async def _is_one_of(self, host: str, mechanism: Mechanism) -> bool:
        bits = mechanism.prefix[0 if self._address.version == 4 else 1]
        networks = (
            ipaddress.ip_network(f"{each}/{bits}", strict=False)
            for each in await addresses_of(self._names, host)
            if (":" in each) == (self._address.version == 6)
        )
        return any(self._address in each for each in networks)

    def _count(self) -> None:
        self._lookups += 1
        if self._lookups > LOOKUP_LIMIT:
            raise SpfFault(f"it has receivers look up more than {LOOKUP_LIMIT} names")
