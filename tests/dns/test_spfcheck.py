from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.dns.names import NoAnswer
from smtpeter.dns.spfcheck import EXCHANGER_LIMIT, SpfFault, check_spf
from smtpeter.dns.spfrecord import LOOKUP_LIMIT
from tests.dns.fakes import FakeNames, result

SHOP = "shop.example"
OURS = "192.0.2.17"
OURS_V6 = "2001:db8::17"


class CheckTests(SynchronousTestCase):
    """Whether a record lets mail come from us."""

    def names(self, record: str) -> FakeNames:
        names = FakeNames(
            txt="inner.example v=spf1 ip4:192.0.2.0/24 -all\n"
            "outer.example v=spf1 include:inner.example ?all\n"
            "nobody.example v=spf1 -all\n"
            "loop.example v=spf1 include:loop.example -all\n"
            "faulty.example v=spf1 nonsense -all",
            a="mail.example 192.0.2.17\nmx.example 192.0.2.99",
            aaaa="mail.example 2001:db8::17",
            mx="shop.example 10 mx.example\nshop.example 20 mail.example",
        )
        names.add(SHOP, record)
        return names

    def fault(self, record: str, *sources: str, ours: tuple[str, ...] = ()) -> str:
        """Why it does not allow our addresses; "" when it does."""
        try:
            result(check_spf(self.names(record), SHOP, sources or (OURS,), (), ours))
        except SpfFault as fault:
            return str(fault)
        return ""

    def test_allowed(self) -> None:
        for record in (
            "v=spf1 ip4:192.0.2.17 -all",
            "v=spf1 ip4:192.0.2.0/24 -all",
            "v=spf1 ip4:198.51.100.1 -ip6:2001:db8::/32 +ip4:192.0.2.17 -all",
            "v=spf1 a:mail.example -all",
            "v=spf1 a:mx.example/24 -all",
            "v=spf1 mx -all",
            "v=spf1 mx/24 -all",
            "v=spf1 include:inner.example -all",
            "v=spf1 include:outer.example -all",
            "v=spf1 include:nobody.example include:outer.example",
            "v=spf1 exists:mail.example -all",
            "v=spf1 redirect=inner.example",
            "v=spf1 all",
            "v=spf1 exists:%{i}.example ptr ip4:192.0.2.17 -all",
        ):
            self.assertEqual("", self.fault(record), record)

    def test_not_allowed(self) -> None:
        for record in (
            "v=spf1",
            "v=spf1 -all",
            "v=spf1 ~all",
            "v=spf1 ?ip4:192.0.2.17 all",
            "v=spf1 -ip4:192.0.2.17 all",
            "v=spf1 ip4:192.0.2.16 -all",
            "v=spf1 a:mx.example -all",
            "v=spf1 include:nobody.example -all",
            "v=spf1 exists:%{i}.example -all",
            "v=spf1 exists:nowhere.example -all",
            "v=spf1 ptr -all",
            "v=spf1 redirect=nobody.example",
            "v=spf1 ~include:inner.example all",
        ):
            self.assertEqual(f"it does not allow {OURS}", self.fault(record), record)

    def test_faulty(self) -> None:
        """Faults are those that receivers find; they find them only when they get there."""
        for record, fault in (
            ("v=spf1 nonsense", "the record at shop.example is faulty: 'nonsense' is no mechanism"),
            ("v=spf1 include:faulty.example", "the record at faulty.example is faulty"),
            ("v=spf1 include:nowhere.example", "there is no SPF record at nowhere.example"),
            ("v=spf1 redirect=nowhere.example", "there is no SPF record at nowhere.example"),
            ("v=spf1 include:loop.example", f"look up more than {LOOKUP_LIMIT} names"),
            (f"v=spf1 {'a ' * (LOOKUP_LIMIT + 1)}all", f"more than {LOOKUP_LIMIT} names"),
        ):
            self.assertIn(fault, self.fault(record))
        self.assertEqual("", self.fault(f"v=spf1 {'a ' * LOOKUP_LIMIT}all"))
        self.assertEqual("", self.fault("v=spf1 ip4:192.0.2.17 include:nowhere.example"))

    def test_all_sources(self) -> None:
        """Each of our addresses has to be allowed, of both kinds."""
        self.assertEqual("", self.fault("v=spf1 a:mail.example -all", OURS, OURS_V6))
        self.assertEqual("", self.fault("v=spf1 a:mail.example//32 -all", "2001:db8:9::1"))
        self.assertIn(OURS_V6, self.fault("v=spf1 ip4:192.0.2.17 -all", OURS, OURS_V6))

    def test_ours(self) -> None:
        """A record of ours that is included allows what we send from, at whatever depth."""
        ours = ("spf7.dns.relay.example", "outer.example")
        for record in (
            "v=spf1 include:SPF7.dns.relay.example -all",
            "v=spf1 include:outer.example",
        ):
            self.assertEqual("", self.fault(record, "203.0.113.9", ours=ours))
        self.assertTrue(self.fault("v=spf1 -include:outer.example", "203.0.113.9", ours=ours))

    def test_sources_unknown(self) -> None:
        """Where our addresses are not known, the record has to hold what is wanted."""
        names = self.names("v=spf1 mx a:mail.example -all")
        result(check_spf(names, SHOP, (), ("a:mail.example", "mx")))
        with self.assertRaisesRegex(SpfFault, "it does not hold 'a:other.example'"):
            result(check_spf(names, SHOP, (), ("mx", "a:other.example")))
        with self.assertRaisesRegex(SpfFault, "our addresses are not known: 'localhost' is no"):
            result(check_spf(names, SHOP, (), ("a:localhost",)))

    def test_records(self) -> None:
        """There has to be exactly one; other texts do not count."""
        names = FakeNames(txt="shop.example verification=1")
        with self.assertRaisesRegex(SpfFault, "there is no SPF record at shop.example"):
            result(check_spf(names, SHOP, (OURS,), ()))
        names.add(SHOP, "v=spf1 all")
        result(check_spf(names, SHOP, (OURS,), ()))
        names.add(SHOP, "v=spf1 -all")
        with self.assertRaisesRegex(SpfFault, "there are 2 SPF records"):
            result(check_spf(names, SHOP, (OURS,), ()))

    def test_no_answer(self) -> None:
        """A DNS that is silent is no fault of the record."""
        names = self.names("v=spf1 include:silent.example all")
        names.silent("silent.example")
        with self.assertRaises(NoAnswer):
            result(check_spf(names, SHOP, (OURS,), ()))

    def test_exchangers_bounded(self) -> None:
        """No more exchangers are looked at than receivers look at."""
        names = FakeNames(txt="shop.example v=spf1 mx -all")
        for number in range(EXCHANGER_LIMIT + 1):
            names.add(SHOP, f"10 mx{number}.example", "MX")
        names.add(f"mx{EXCHANGER_LIMIT}.example", OURS, "A")
        with self.assertRaises(SpfFault):
            result(check_spf(names, SHOP, (OURS,), ()))
