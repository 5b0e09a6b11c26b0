"""What DNS says."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.names import dns
from twisted.names.client import Resolver
from twisted.names.error import DNSQueryRefusedError, DNSServerError
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.dnsclient import AskingResolver
from smtpeter.delivery.dnsrecords import CAA, CaaRecord, TlsaRecord
from smtpeter.delivery.resolver import (
    Addresses,
    CanonicalName,
    LookupFailed,
    MailExchanger,
    MailResolver,
    NoSuchName,
    TlsaAnswer,
    configured_resolver,
)
from tests.delivery.zone import Zone

T = TypeVar("T")


class ResolverTests(SynchronousTestCase):
    """Mail exchangers and addresses."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.zone = Zone()
        self.resolver = MailResolver(self.zone, self.clock)

    def ask(self, question: Coroutine[Deferred[Any], Any, T]) -> T:
        """The answer, which is there at once."""
        return self.successResultOf(Deferred.fromCoroutine(question))

    def fails(self, question: Coroutine[Deferred[Any], Any, Any], error: type[Exception]) -> str:
        """What the failure says."""
        failure = self.failureResultOf(Deferred.fromCoroutine(question), error)
        return str(failure.value)

    def test_mail_exchangers(self) -> None:
        """MX records are read, in small letters and without a final dot."""
        self.zone.mx("mailbox.example", (10, "MX1.Mailbox.example."), (20, "mx2.mailbox.example"))
        self.assertEqual(
            (MailExchanger(10, "mx1.mailbox.example"), MailExchanger(20, "mx2.mailbox.example")),
            self.ask(self.resolver.mail_exchangers("mailbox.example")),
        )

    def test_null_mx(self) -> None:
        """A null MX is a record with an empty name."""
        self.zone.mx("silent.example", (0, "."))
        self.assertEqual(
            (MailExchanger(0, ""),), self.ask(self.resolver.mail_exchangers("silent.example"))
        )

    def test_none(self) -> None:
        """A domain without MX records has none; one that does not exist is an error."""
        self.zone.host("plain.example", "192.0.2.1")
        self.assertEqual((), self.ask(self.resolver.mail_exchangers("plain.example")))
        self.fails(self.resolver.mail_exchangers("nowhere.example"), NoSuchName)

    def test_alias(self) -> None:
        """CNAME records in the answer are followed, and only those that belong to it."""
        self.zone.names.add("alias.example")
        self.zone.records["alias.example", dns.MX] = [
            ("Alias.example", dns.CNAME, dns.Record_CNAME("b.example"), 300),
            ("b.example", dns.CNAME, dns.Record_CNAME("C.example"), 300),
            ("c.example", dns.MX, dns.Record_MX(10, "mx.c.example"), 300),
            ("evil.example", dns.MX, dns.Record_MX(1, "mx.evil.example"), 300),
        ]
        self.assertEqual(
            (MailExchanger(10, "mx.c.example"),),
            self.ask(self.resolver.mail_exchangers("alias.example")),
        )

    def test_alias_in_a_circle(self) -> None:
        """CNAME records that lead in a circle lead nowhere."""
        self.zone.names.add("a.example")
        self.zone.records["a.example", dns.MX] = [
            ("a.example", dns.CNAME, dns.Record_CNAME("b.example"), 300),
            ("b.example", dns.CNAME, dns.Record_CNAME("a.example"), 300),
        ]
        self.assertEqual((), self.ask(self.resolver.mail_exchangers("a.example")))

    def test_temporary(self) -> None:
        """Whatever is no answer is temporary, and not remembered."""
        errors = (DNSServerError(None), DNSQueryRefusedError(None), ConnectionDone(), OSError())
        for error in errors:
            self.zone.broken("broken.example", dns.MX, error)
            self.fails(self.resolver.mail_exchangers("broken.example"), LookupFailed)
        self.zone.mx("broken.example", (10, "mx.example"))
        self.assertEqual(1, len(self.ask(self.resolver.mail_exchangers("broken.example"))))

    def test_no_answer_in_time(self) -> None:
        """A resolver that never answers is given up after half a minute."""
        self.zone.broken("slow.example", dns.MX, None)
        asked = Deferred.fromCoroutine(self.resolver.mail_exchangers("slow.example"))
        self.clock.advance(29)
        self.assertNoResult(asked)
        self.clock.advance(1)
        error = self.failureResultOf(asked, LookupFailed).value
        self.assertEqual("looking up slow.example: no answer in time", str(error))

    def test_asked_once(self) -> None:
        """Who asks the same at once shares one question, and one who gives up ends nobody's."""
        self.zone.broken("mailbox.example", dns.MX, None)
        first, second = (
            Deferred.fromCoroutine(self.resolver.mail_exchangers("mailbox.example"))
            for _ in range(2)
        )
        self.assertEqual([("mailbox.example", dns.MX)], self.zone.asked)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.clock.advance(30)
        self.failureResultOf(second, LookupFailed)

    def test_addresses(self) -> None:
        """Both families are looked up."""
        self.zone.host("mx.example", "192.0.2.1", "2001:db8::1", "192.0.2.2")
        self.assertEqual(
            (("192.0.2.1", "192.0.2.2"), ("2001:db8::1",)),
            self.ask(self.resolver.addresses("mx.example")),
        )

    def test_no_address(self) -> None:
        """A host without addresses, or that does not exist, has none."""
        self.zone.names.add("empty.example")
        self.assertEqual(((), ()), self.ask(self.resolver.addresses("empty.example")))
        self.assertEqual(((), ()), self.ask(self.resolver.addresses("nowhere.example")))

    def test_one_family_fails(self) -> None:
        """When one lookup fails the addresses of the other will do; without any it is an error."""
        self.zone.host("mx.example", "192.0.2.1")
        self.zone.broken("mx.example", dns.AAAA, DNSServerError(None))
        self.assertEqual((("192.0.2.1",), ()), self.ask(self.resolver.addresses("mx.example")))
        self.zone.host("mx2.example")
        self.zone.broken("mx2.example", dns.AAAA, DNSServerError(None))
        self.fails(self.resolver.addresses("mx2.example"), LookupFailed)

    def remembered(self, ttl_seconds: int, after_seconds: float) -> bool:
        """Whether an answer is still remembered after some time."""
        self.zone.mx("mailbox.example", (10, "mx.mailbox.example"), ttl=ttl_seconds)
        resolver = MailResolver(self.zone, self.clock)
        self.ask(resolver.mail_exchangers("mailbox.example"))
        self.zone.asked.clear()
        self.clock.advance(after_seconds)
        self.ask(resolver.mail_exchangers("mailbox.example"))
        return not self.zone.asked

    def test_remembered(self) -> None:
        """An answer is remembered for its TTL, but from five seconds to an hour."""
        for ttl_seconds, seconds in ((300, 300), (0, 5), (1, 5), (86_400, 3600)):
            self.assertTrue(self.remembered(ttl_seconds, seconds - 1))
            self.assertFalse(self.remembered(ttl_seconds, seconds))

    def test_absence_is_remembered(self) -> None:
        """That a name does not exist is remembered for a minute."""
        for seconds, questions in ((59, 1), (1, 2)):
            self.fails(self.resolver.mail_exchangers("nowhere.example"), NoSuchName)
            self.clock.advance(seconds)
            self.fails(self.resolver.mail_exchangers("nowhere.example"), NoSuchName)
            self.assertEqual(questions, len(self.zone.asked))

    def test_texts(self) -> None:
        """The strings of a TXT record belong together; none is no error."""
        self.zone.text("mailbox.example", "v=spf1 \t-all", "other")
        self.assertEqual(("v=spf1 -all", "other"), self.ask(self.resolver.texts("mailbox.example")))
        self.assertEqual((), self.ask(self.resolver.texts("nowhere.example")))

    def test_canonical_name(self) -> None:
        """An alias leads one step on."""
        self.zone.alias("clicks.shop.example", "Clicks.Relay.example")
        self.zone.host("plain.example", "192.0.2.1")
        for name, target in (
            ("clicks.shop.example", "clicks.relay.example"),
            ("plain.example", ""),
            ("nowhere.example", ""),
        ):
            found = self.ask(self.resolver.canonical_name(name))
            self.assertEqual(CanonicalName(target), found)

    def test_tlsa(self) -> None:
        """TLSA records are read; one that is cut short is of no known usage."""
        name = "_25._tcp.mx.example"
        self.zone.tlsa(name, b"\x03\x01\x01digest", b"\x03\x01")
        self.assertEqual(
            TlsaAnswer((TlsaRecord(3, 1, 1, b"digest"), TlsaRecord(255, 255, 255, b""))),
            self.ask(self.resolver.tlsa(name)),
        )
        self.assertEqual(TlsaAnswer(()), self.ask(self.resolver.tlsa("_25._tcp.other.example")))

    def test_certification_authorities(self) -> None:
        """CAA records are read; one that is cut short is critical and says nothing known."""
        self.zone.wire(
            CAA, "shop.example", b"\x00\x05issueca.example", b"\x80\x03TBS", b"\x00\x09issue", b""
        )
        self.assertEqual(
            (
                CaaRecord(critical=False, tag="issue", value="ca.example"),
                CaaRecord(critical=True, tag="tbs", value=""),
                CaaRecord(critical=True, tag="", value=""),
                CaaRecord(critical=True, tag="", value=""),
            ),
            self.ask(self.resolver.certification_authorities("shop.example")),
        )

    def test_impossible_name(self) -> None:
        """A name that is none of DNS is not asked for."""
        self.fails(self.resolver.texts("\N{REPLACEMENT CHARACTER}.example"), LookupFailed)
        self.assertEqual([], self.zone.asked)


class AuthenticatedTests(SynchronousTestCase):
    """What is known to be validated, with a resolver that says so."""

    def setUp(self) -> None:
        self.zone = Zone()
        self.zone.insecure = set()
        self.zone.mx("mailbox.example", (10, "mx.mailbox.example"))
        self.zone.host("mx.mailbox.example", "192.0.2.1", "2001:db8::1")
        self.zone.tlsa("_25._tcp.mx.mailbox.example", b"\x03\x01\x01digest")
        self.resolver = MailResolver(self.zone, Clock())

    def flags(self) -> tuple[bool, ...]:
        """Of exchangers, addresses and TLSA records."""
        asked: tuple[Coroutine[Deferred[Any], Any, Any], ...] = (
            self.resolver.exchangers("mailbox.example"),
            self.resolver.addresses_of("mx.mailbox.example"),
            self.resolver.tlsa("_25._tcp.mx.mailbox.example"),
        )
        return tuple(
            self.successResultOf(Deferred.fromCoroutine(each)).authenticated for each in asked
        )

    def test_validated(self) -> None:
        """The resolver says so for every answer, and it is remembered."""
        self.assertEqual((True, True, True), self.flags())
        questions = len(self.zone.asked)
        self.assertEqual((True, True, True), self.flags())
        self.assertEqual(questions, len(self.zone.asked))

    def test_insecure(self) -> None:
        """Each answer stands for itself."""
        self.zone.insecure = {"mx.mailbox.example"}
        self.assertEqual((True, False, True), self.flags())

    def test_aliased_addresses(self) -> None:
        """Addresses tell the name that they belong to."""
        self.zone.names.add("mx.alias.example")
        self.zone.records["mx.alias.example", dns.A] = [
            ("mx.alias.example", dns.CNAME, dns.Record_CNAME("mx.mailbox.example"), 300),
            ("mx.mailbox.example", dns.A, dns.Record_A("192.0.2.1"), 300),
        ]
        self.assertEqual(
            Addresses(("192.0.2.1",), (), "mx.mailbox.example", authenticated=True),
            self.successResultOf(
                Deferred.fromCoroutine(self.resolver.addresses_of("mx.alias.example"))
            ),
        )


class ConfiguredResolverTests(SynchronousTestCase):
    """The resolver that asks over the network."""

    def test_servers(self) -> None:
        """The configured servers are asked, in their order."""
        servers = [("127.0.0.1", 5300), ("127.0.0.2", 53)]
        resolver = configured_resolver(servers, MemoryReactorClock())
        assert isinstance(resolver, Resolver)
        self.assertEqual(servers, resolver.servers)
        self.assertNotIsInstance(resolver, AskingResolver)

    def test_validating(self) -> None:
        """Servers that validate are asked whether they did."""
        servers = [("127.0.0.1", 5300)]
        resolver = configured_resolver(servers, MemoryReactorClock(), validating=True)
        assert isinstance(resolver, AskingResolver)
        self.assertEqual(servers, resolver.servers)
