from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.names import dns
from twisted.names.error import DNSServerError
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.dnsrecords import CAA
from smtpeter.delivery.resolver import MailResolver
from smtpeter.dns.names import NoAnswer
from smtpeter.dnslookup import ALIASES, ANSWER_SECONDS, DnsNames
from tests.delivery.zone import Zone

SHOP = "shop.example"


class DnsNamesTests(SynchronousTestCase):
    """Records as texts."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.zone = Zone()
        self.names = DnsNames(MailResolver(self.zone, self.clock), self.clock)

    def ask(self, name: str, kind: str) -> Deferred[tuple[str, ...]]:
        return Deferred.fromCoroutine(self.names.look_up(name, kind))

    def found(self, name: str, kind: str) -> tuple[str, ...]:
        return self.successResultOf(self.ask(name, kind))

    def test_kinds(self) -> None:
        self.zone.host(SHOP, "192.0.2.1", "2001:db8::1")
        self.zone.text(SHOP, "v=spf1\t -all", "other")
        self.zone.mx(SHOP, (20, "mx2.shop.example"), (10, "MX1.shop.example"), (10, "a.example"))
        self.zone.wire(CAA, SHOP, b"\x00\x05issuea.example", b"\x80\x05issue;")
        self.zone.alias("www.shop.example", "Shop.example")
        for name, kind, values in (
            (SHOP, "A", ("192.0.2.1",)),
            (SHOP, "AAAA", ("2001:db8::1",)),
            (SHOP, "TXT", ("v=spf1 -all", "other")),
            (SHOP, "MX", ("10 a.example", "10 mx1.shop.example", "20 mx2.shop.example")),
            (SHOP, "CAA", ("0 issue a.example", "128 issue ;")),
            (SHOP, "CNAME", ()),
            ("www.shop.example", "CNAME", (SHOP,)),
        ):
            self.assertEqual(values, self.found(name, kind), kind)

    def test_nothing(self) -> None:
        """A name that is not there has no records, and is no error."""
        for kind in ("A", "AAAA", "TXT", "MX", "CAA", "CNAME"):
            self.assertEqual((), self.found("nowhere.example", kind))

    def test_aliases(self) -> None:
        """They are followed also where a server leaves that to who asks, and not for ever."""
        self.zone.alias("a.example", "b.example")
        self.zone.alias("b.example", SHOP)
        self.zone.text(SHOP, "hello")
        self.assertEqual(("hello",), self.found("a.example", "TXT"))
        self.zone.alias("c.example", "d.example")
        self.zone.alias("d.example", "c.example")
        self.zone.asked.clear()
        self.assertEqual((), self.found("c.example", "TXT"))
        self.assertLessEqual(len(self.zone.asked), 2 * ALIASES)

    def test_no_answer(self) -> None:
        """Silence and errors of servers are told apart from nothing."""
        self.zone.broken(SHOP, dns.TXT, DNSServerError(None))
        self.failureResultOf(self.ask(SHOP, "TXT"), NoAnswer)
        self.zone.broken("slow.example", dns.TXT, None)
        asking = self.ask("slow.example", "TXT")
        self.assertNoResult(asking)
        self.clock.advance(ANSWER_SECONDS)
        error = self.failureResultOf(asking, NoAnswer)
        self.assertIn("slow.example: no answer in time", error.getErrorMessage())

    def test_given_up_together(self) -> None:
        """Who asks what somebody else has asked before gets no answer when that one gives up."""
        self.zone.broken(SHOP, dns.TXT, CancelledError())
        self.failureResultOf(self.ask(SHOP, "TXT"), NoAnswer)

    def test_other_kinds(self) -> None:
        """Nothing else is looked up."""
        self.failureResultOf(self.ask(SHOP, "PTR"), ValueError)
