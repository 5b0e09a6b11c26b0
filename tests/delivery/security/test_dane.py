"""The TLSA records of mail exchangers."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.names import dns
from twisted.names.error import DNSServerError
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.dnsrecords import TLSA, TlsaRecord
from smtpeter.delivery.resolver import LookupFailed, MailResolver
from smtpeter.delivery.security.dane import Dane, HostRecords
from tests.delivery.zone import Zone

HOST, REAL = "mx.mailbox.example", "mx7.relay.example"
DIGEST = sha256(b"key").digest()
WIRE = b"\3\1\1" + DIGEST
RECORD = TlsaRecord(3, 1, 1, DIGEST)


class DaneTests(SynchronousTestCase):
    """What is found for a host."""

    def setUp(self) -> None:
        self.zone = Zone()
        self.zone.insecure = set()
        self.zone.host(HOST, "192.0.2.1")
        self.dane = Dane(MailResolver(self.zone, Clock()), 25)

    def asked(self) -> Deferred[Any]:
        return Deferred.fromCoroutine(self.dane.records(HOST))

    def found(self) -> HostRecords | None:
        found: HostRecords | None = self.successResultOf(self.asked())
        return found

    def alias(self) -> None:
        """Make the host an alias."""
        self.zone.alias(HOST, REAL)
        self.zone.records[HOST, dns.A] = [
            (HOST, dns.CNAME, dns.Record_CNAME(REAL), 300),
            (REAL, dns.A, dns.Record_A("192.0.2.7"), 300),
        ]
        self.zone.records[HOST, dns.AAAA] = []

    def test_records(self) -> None:
        """Records that are certain are found, at the port."""
        self.zone.tlsa(f"_25._tcp.{HOST}", WIRE, b"\1\1\1" + DIGEST)
        found = self.found()
        assert found is not None
        self.assertEqual((HOST, (RECORD,)), (found.base, found.usable))
        self.assertEqual(2, len(found.records))
        self.assertEqual(
            f"_25._tcp.{HOST}. IN TLSA 3 1 1 {DIGEST.hex()}",
            found.lines()[0],
        )

    def test_none(self) -> None:
        """A host without records has none."""
        self.assertIsNone(self.found())

    def test_not_certain(self) -> None:
        """Records that nobody has validated are none."""
        self.zone.tlsa(f"_25._tcp.{HOST}", WIRE)
        self.zone.insecure = {f"_25._tcp.{HOST}"}
        self.assertIsNone(self.found())

    def test_addresses_not_certain(self) -> None:
        """Where the addresses are not certain nobody is asked for records."""
        self.zone.tlsa(f"_25._tcp.{HOST}", WIRE)
        self.zone.insecure = {HOST}
        self.assertIsNone(self.found())
        self.assertNotIn(TLSA, [kind for _, kind in self.zone.asked])

    def test_no_answer(self) -> None:
        """When there is no answer, or a forged one, the host cannot be used."""
        self.zone.broken(f"_25._tcp.{HOST}", TLSA, DNSServerError(None))
        self.failureResultOf(self.asked(), LookupFailed)

    def test_alias(self) -> None:
        """Records for what the host is an alias of come first, then those for the alias."""
        self.alias()
        self.zone.tlsa(f"_25._tcp.{HOST}", WIRE)
        found = self.found()
        assert found is not None
        self.assertEqual(HOST, found.base)
        self.setUp()
        self.alias()
        self.zone.tlsa(f"_25._tcp.{HOST}", WIRE)
        self.zone.tlsa(f"_25._tcp.{REAL}", WIRE)
        found = self.found()
        assert found is not None
        self.assertEqual(REAL, found.base)

    def test_alias_to_where_nothing_is_certain(self) -> None:
        """An alias that is certain can have records itself; one that is not cannot."""
        for insecure, expected in ((set(), HOST), ({HOST}, None)):
            self.setUp()
            self.alias()
            self.zone.tlsa(f"_25._tcp.{HOST}", WIRE)
            self.zone.insecure = insecure
            self.zone.insecure_kinds = {(HOST, dns.A), (HOST, dns.AAAA)}
            found = self.found()
            self.assertEqual(expected, found.base if found else None)
