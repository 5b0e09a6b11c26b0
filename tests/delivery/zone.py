"""DNS from a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.names import dns
from twisted.names.common import ResolverBase
from twisted.names.error import DNSNameError

from smtpeter.delivery.dnsclient import Sections, ValidatedSections
from smtpeter.delivery.dnsrecords import TLSA

TTL_SECONDS = 300


class Zone(ResolverBase):
    """
    A resolver that knows what a test tells it.

    Attributes:
        records: by name and type: records as (name, type, payload, ttl), an exception to
            fail with, or None for no answer at all. A name without any entry does not exist.
        asked: every question.
        insecure: names whose records nobody has validated; None for all names.
        insecure_kinds: names with types; likewise.
    """

    def __init__(self) -> None:
        super().__init__()
        self.records: dict[tuple[str, int], Any] = {}
        self.names: set[str] = set()
        self.asked: list[tuple[str, int]] = []
        self.insecure: set[str] | None = None
        self.insecure_kinds: set[tuple[str, int]] = set()

    def mx(self, domain: str, *exchangers: tuple[int, str], ttl: int = TTL_SECONDS) -> None:
        self.names.add(domain)
        self.records[domain, dns.MX] = [
            (domain, dns.MX, dns.Record_MX(preference, name.removeprefix(".").encode()), ttl)
            for preference, name in exchangers
        ]

    def host(self, name: str, *addresses: str, ttl: int = TTL_SECONDS) -> None:
        self.names.add(name)
        v6 = [each for each in addresses if ":" in each]
        v4 = [each for each in addresses if ":" not in each]
        self.records[name, dns.A] = [(name, dns.A, dns.Record_A(each), ttl) for each in v4]
        self.records[name, dns.AAAA] = [(name, dns.AAAA, dns.Record_AAAA(each), ttl) for each in v6]

    def text(self, name: str, *texts: str, ttl: int = TTL_SECONDS) -> None:
        """Each text becomes a record; a tab divides its strings."""
        self.names.add(name)
        self.records[name, dns.TXT] = [
            (name, dns.TXT, dns.Record_TXT(*(each.encode() for each in text.split("\t"))), ttl)
            for text in texts
        ]

    def alias(self, name: str, target: str, ttl: int = TTL_SECONDS) -> None:
        self.names.add(name)
        self.records[name, dns.CNAME] = [(name, dns.CNAME, dns.Record_CNAME(target), ttl)]

    def tlsa(self, name: str, *records: bytes, ttl: int = TTL_SECONDS) -> None:
        """The data of each record, as it goes over the wire."""
        self.wire(TLSA, name, *records, ttl=ttl)

    def wire(self, kind: int, name: str, *records: bytes, ttl: int = TTL_SECONDS) -> None:
        self.names.add(name)
        self.records[name, kind] = [(name, kind, dns.UnknownRecord(each), ttl) for each in records]

    def broken(self, name: str, kind: int, error: Exception | None) -> None:
        self.names.add(name)
        self.records[name, kind] = error

    def _lookup(
        self,
        name: bytes,
        cls: int,  # noqa: ARG002
        type: int,  # noqa: A002
        timeout: Sequence[int] | None,  # noqa: ARG002
    ) -> Deferred[Any]:
        text = name.decode().lower()
        self.asked.append((text, type))
        if text not in self.names:
            return fail(DNSNameError(None))
        found = self.records.get((text, type), [])
        if found is None:
            return Deferred()
        if isinstance(found, Exception):
            return fail(found)
        answers = [dns.RRHeader(at, kind, ttl=ttl, payload=data) for at, kind, data, ttl in found]
        secure = self.insecure is not None and text not in self.insecure
        secure = secure and (text, type) not in self.insecure_kinds
        return succeed((ValidatedSections if secure else Sections)((answers, [], [])))
