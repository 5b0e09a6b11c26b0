"""Which hosts take the mail."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.names import dns
from twisted.names.error import DNSServerError
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.providers import receiver_name
from smtpeter.delivery.resolver import MailExchanger, MailResolver
from smtpeter.delivery.route import (
    MxRoute,
    Route,
    SmarthostRoute,
    Unroutable,
    Way,
    in_order_of_preference,
    literal_address,
)
from smtpeter.delivery.security.demands import NO_DEMANDS, Demands
from smtpeter.delivery.security.stspolicy import StsMode, StsPolicy
from smtpeter.message.outcome import Verdict
from tests.delivery.zone import Zone

OURSELVES = "mail.shop.example"
EXCHANGERS = st.lists(
    st.builds(MailExchanger, st.integers(0, 3), st.sampled_from(["a", "b", "c", OURSELVES, ""]))
)


class PreferenceTests(SynchronousTestCase):
    """The order of mail exchangers."""

    def order(self, *exchangers: tuple[int, str]) -> list[str]:
        """The names in order."""
        records = [MailExchanger(*each) for each in exchangers]
        return [each.name for each in in_order_of_preference(records, OURSELVES)]

    def test_by_preference(self) -> None:
        """The lowest preference comes first."""
        self.assertEqual(["a", "b", "c"], self.order((30, "c"), (10, "a"), (20, "b")))

    def test_ourselves(self) -> None:
        """We and whoever is not preferred to us are left out."""
        records = ((10, "a"), (20, OURSELVES), (20, "b"), (30, "c"), (40, OURSELVES))
        self.assertEqual(["a"], self.order(*records))
        self.assertEqual([], self.order((10, OURSELVES), (20, "a")))

    @given(EXCHANGERS)
    def test_any_records(self, exchangers: list[MailExchanger]) -> None:
        """No host is named twice, none without a name, and the preferences ascend."""
        names = [each.name for each in in_order_of_preference(exchangers, OURSELVES)]
        self.assertEqual(len(set(names)), len(names))
        self.assertNotIn("", names)
        self.assertNotIn(OURSELVES, names)
        best = {name: min(e.preference for e in exchangers if e.name == name) for name in names}
        self.assertEqual(sorted(best.values()), list(best.values()))


class RouteCase(SynchronousTestCase):
    """With a zone of its own."""

    def setUp(self) -> None:
        self.zone = Zone()
        resolver = MailResolver(self.zone, Clock())
        self.mx = MxRoute(resolver, OURSELVES, 25, receiver_name, Random(1).shuffle)  # noqa: S311
        self.smarthost = SmarthostRoute(resolver, "relay.example", 587)

    def way(self, destination: str) -> Way:
        return self.successResultOf(Deferred.fromCoroutine(self.mx.way_to(destination)))

    def hosts(self, destination: str) -> Sequence[str]:
        return self.mx.hosts(self.way(destination))

    def no_hosts(self, destination: str) -> tuple[Verdict, str, str]:
        """Verdict, status and state of what is told when there are none."""
        way = self.way(destination)
        self.assertEqual((destination, ()), (way.receiver, way.exchangers))
        assert way.problem is not None
        return way.problem.verdict, way.problem.status, way.problem.state

    def addresses(self, route: Route, host: str) -> Sequence[str]:
        return self.successResultOf(Deferred.fromCoroutine(route.addresses(host)))

    def no_addresses(self, route: Route, host: str) -> tuple[Verdict, str, str]:
        """The same for the addresses of a host."""
        failure = self.failureResultOf(Deferred.fromCoroutine(route.addresses(host)), Unroutable)
        outcome = failure.value.outcome
        return outcome.verdict, outcome.status, outcome.state


class MxRouteTests(RouteCase):
    """To mail exchangers."""

    def test_destination(self) -> None:
        """Mail waits under its domain."""
        self.assertEqual("mailbox.example", self.mx.destination_of("mailbox.example"))

    def test_receiver(self) -> None:
        """Domains with the same mail exchangers have one receiver, others have others."""
        hosts = [(10, "mx1.hoster.example"), (20, "mx2.hoster.example")]
        self.zone.mx("a.example", *hosts)
        self.zone.mx("b.example", *reversed(hosts))
        self.zone.mx("c.example", hosts[0])
        here, there, elsewhere = (self.way(f"{each}.example") for each in "abc")
        self.assertEqual(here.receiver, there.receiver)
        self.assertEqual(here.exchangers, there.exchangers)
        self.assertEqual("mx1.hoster.example", elsewhere.receiver)
        self.assertNotEqual(here.receiver, elsewhere.receiver)

    def test_house(self) -> None:
        """Domains at a large house have one receiver, whatever the names of its hosts are."""
        self.zone.mx("a.example", (0, "a-example.mail.protection.outlook.com"))
        self.zone.mx("b.example", (0, "b-example.mail.protection.outlook.com"))
        here, there = self.way("a.example"), self.way("b.example")
        self.assertEqual(here.receiver, there.receiver)
        self.assertNotEqual(here.exchangers, there.exchangers)

    def test_demands(self) -> None:
        """A way knows whether its hosts are certain, and the policy of its domain."""
        policy = StsPolicy(StsMode.ENFORCE, ("a",), 86_400)
        asked: list[str] = []

        async def policy_of(domain: str) -> StsPolicy | None:
            asked.append(domain)
            return policy

        resolver = MailResolver(self.zone, Clock())
        shuffle = Random(1).shuffle  # noqa: S311
        self.mx = MxRoute(resolver, OURSELVES, 25, receiver_name, shuffle, policy_of)
        self.zone.insecure = {"other.example"}
        for domain, dane in (("mailbox.example", True), ("other.example", False)):
            self.zone.mx(domain, (5, "a"))
            self.assertEqual(Demands(dane, policy), self.way(domain).demands)
        self.assertEqual(NO_DEMANDS, self.way("[192.0.2.1]").demands)
        self.way("nowhere.example")
        self.assertEqual(["mailbox.example", "other.example"], asked)

    def test_equals_share(self) -> None:
        """Hosts of equal preference are tried in random order."""
        self.zone.mx("mailbox.example", (5, "a"), (5, "b"), (9, "c"))
        seen = {tuple(self.hosts("mailbox.example")) for _ in range(40)}
        self.assertEqual({("a", "b", "c"), ("b", "a", "c")}, seen)

    def test_hosts(self) -> None:
        """The mail exchangers are the hosts, five at most."""
        self.zone.mx("mailbox.example", *((number, f"mx{number}.example") for number in range(9)))
        self.assertEqual([f"mx{number}.example" for number in range(5)],
                         self.hosts("mailbox.example"))  # fmt: skip

    def test_no_mx(self) -> None:
        """A domain without MX records is its own host."""
        self.zone.host("plain.example", "192.0.2.1")
        self.assertEqual(["plain.example"], self.hosts("plain.example"))

    def test_null_mx(self) -> None:
        """A domain that says it takes no mail is not asked to."""
        self.zone.mx("silent.example", (0, "."))
        self.assertEqual((Verdict.FAILED, "5.1.10", "dns"), self.no_hosts("silent.example"))

    def test_null_mx_among_others(self) -> None:
        """A null MX beside other records counts for nothing."""
        self.zone.mx("odd.example", (0, "."), (10, "mx.example"))
        self.assertEqual(["mx.example"], self.hosts("odd.example"))

    def test_no_such_domain(self) -> None:
        """A domain that does not exist fails for good."""
        self.assertEqual((Verdict.FAILED, "5.1.2", "dns"), self.no_hosts("nowhere.example"))

    def test_no_answer(self) -> None:
        """When DNS does not answer, mail waits."""
        self.zone.broken("slow.example", dns.MX, DNSServerError(None))
        self.assertEqual((Verdict.DEFERRED, "4.4.3", "dns"), self.no_hosts("slow.example"))

    def test_loop(self) -> None:
        """Mail that would come back to us fails."""
        self.zone.mx("ours.example", (10, OURSELVES), (20, "mx.example"))
        self.assertEqual((Verdict.FAILED, "5.4.6", "dns"), self.no_hosts("ours.example"))
        self.zone.host(OURSELVES, "192.0.2.1")
        self.assertEqual((Verdict.FAILED, "5.4.6", "dns"), self.no_hosts(OURSELVES))

    def test_address_literal(self) -> None:
        """An address literal is its own host, and needs no DNS."""
        for literal, address in (
            ("[192.0.2.1]", "192.0.2.1"),
            ("[IPv6:2001:db8::1]", "2001:db8::1"),
        ):
            self.assertEqual([literal], self.hosts(literal))
            self.assertEqual((address,), self.addresses(self.mx, literal))
        self.assertEqual([], self.zone.asked)

    def test_addresses(self) -> None:
        """Two addresses of each family are tried, IPv4 first."""
        v4 = [f"192.0.2.{number}" for number in range(4)]
        v6 = [f"2001:db8::{number}" for number in range(1, 4)]
        self.zone.host("mx.example", *v6, *v4)
        self.assertEqual((*v4[:2], *v6[:2]), self.addresses(self.mx, "mx.example"))

    def test_no_addresses(self) -> None:
        """A mail exchanger without address fails for good, an unanswered question does not."""
        self.assertEqual(
            (Verdict.FAILED, "5.4.4", "dns"), self.no_addresses(self.mx, "nowhere.example")
        )
        self.zone.broken("slow.example", dns.A, DNSServerError(None))
        self.assertEqual(
            (Verdict.DEFERRED, "4.4.3", "dns"), self.no_addresses(self.mx, "slow.example")
        )


class SmarthostRouteTests(RouteCase):
    """To a smart host."""

    def test_one_for_all(self) -> None:
        """Every domain has the same receiver, and that has one host."""
        self.assertEqual("relay.example:587", self.smarthost.destination_of("mailbox.example"))
        finding = Deferred.fromCoroutine(self.smarthost.way_to("relay.example:587"))
        way = self.successResultOf(finding)
        self.assertEqual("relay.example:587", way.receiver)
        self.assertEqual(["relay.example"], self.smarthost.hosts(way))
        self.assertEqual(587, self.smarthost.port)

    def test_not_known(self) -> None:
        """A smart host that does not exist delays mail."""
        self.assertEqual(
            (Verdict.DEFERRED, "4.4.4", "dns"), self.no_addresses(self.smarthost, "relay.example")
        )

    def test_ip_address(self) -> None:
        """A smart host may be named by its address."""
        self.assertEqual(("127.0.0.1",), self.addresses(self.smarthost, "127.0.0.1"))


class LiteralTests(SynchronousTestCase):
    """Hosts that are addresses."""

    def test_literals(self) -> None:
        """Addresses and address literals are told from names."""
        for host, address in (
            ("192.0.2.1", "192.0.2.1"),
            ("::1", "::1"),
            ("[192.0.2.1]", "192.0.2.1"),
            ("[ipv6:2001:DB8::1]", "2001:db8::1"),
            ("mx.example", None),
            ("[x]", None),
            ("", None),
        ):
            self.assertEqual(address, literal_address(host), host)
