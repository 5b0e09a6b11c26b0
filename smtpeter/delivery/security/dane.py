"""The TLSA records of mail exchangers (RFC 7672 section 2.2)."""

from __future__ import annotations

from smtpeter.delivery.dnsrecords import TlsaRecord
from smtpeter.delivery.resolver import Addresses, MailResolver
from smtpeter.delivery.security.tlsa import usable
from smtpeter.values import frozen

SHOWN_RECORDS = 20
SHOWN_OCTETS = 64  # of a record: any digest


@frozen
class HostRecords:
    """
    What DNS says of a host for certain.

    Attributes:
        base: the name that the records are for: the host's, or what that is an alias of.
        records: all that there are, at least one.
    """

    base: str
    port: int
    records: tuple[TlsaRecord, ...]

    @property
    def usable(self) -> tuple[TlsaRecord, ...]:
        """Those that a certificate can be compared with; with none of them any will do."""
        return usable(self.records)

    def lines(self) -> tuple[str, ...]:
        """The records as a zone would have them, those of unusual length cut short."""
        return tuple(
            f"_{self.port}._tcp.{self.base}. IN TLSA {each.usage} {each.selector}"
            f" {each.matching} {each.data[:SHOWN_OCTETS].hex()}"
            for each in self.records[:SHOWN_RECORDS]
        )


class Dane:
    """Looks up what servers on a port have to present."""

    def __init__(self, resolver: MailResolver, port: int) -> None:
        self._resolver = resolver
        self._port = port

    async def records(self, host: str) -> HostRecords | None:
        """
        The records of a mail exchanger; None when it has none that are certain.

        Raises:
            LookupFailed: somebody may be keeping them from us. The host gets no mail now.
        """
        for base in await self._bases(await self._resolver.addresses_of(host), host):
            answer = await self._resolver.tlsa(f"_{self._port}._tcp.{base}")
            if answer.records and answer.authenticated:
                return HostRecords(base, self._port, answer.records)
        return None

    async def _bases(self, addresses: Addresses, host: str) -> tuple[str, ...]:
        """
        The names at which records count, the first that has some decides (section 2.2.3).

        A host whose addresses are not certain is not asked about: many a name server that
        knows nothing of DNSSEC does not answer questions for TLSA records either.
        """
        if addresses.authenticated:
            return tuple(dict.fromkeys((addresses.name, host)))
        if addresses.name != host:
            alias = await self._resolver.canonical_name(host)
            if alias.target and alias.authenticated:
                return (host,)
        return ()
