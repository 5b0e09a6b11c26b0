"""From a receiver to an open connection."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectBindError, TCPTimedOutError
from twisted.internet.error import TimeoutError as ConnectTimedOut
from twisted.names import dns
from twisted.names.error import DNSServerError
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.connecting import Connecting
from smtpeter.delivery.dnsrecords import TLSA
from smtpeter.delivery.providers import receiver_name
from smtpeter.delivery.resolver import MailResolver
from smtpeter.delivery.route import MxRoute, Route, SmarthostRoute
from smtpeter.delivery.security.dane import Dane
from smtpeter.delivery.security.stspolicy import StsMode, StsPolicy
from smtpeter.delivery.security.tlsresult import TlsResult
from smtpeter.delivery.security.trust import Trust
from smtpeter.delivery.tls import TlsPolicies, TlsPolicy
from smtpeter.message.outcome import Outcome, Verdict
from smtpeter.smtp.client import SmtpClient
from smtpeter.smtp.opening import ConnectFailed, Credentials
from tests.delivery.internet import Internet
from tests.delivery.zone import Zone
from tests.smtp.mailhost import STARTTLS_OFFERED, MailHost
from tests.tlspipes import NAME, authority

FIRST, SECOND, THIRD = "192.0.2.1", "192.0.2.2", "192.0.2.3"


class ConnectingCase(SynchronousTestCase):
    """A domain with two mail exchangers, of which the first has two addresses."""

    def setUp(self) -> None:
        self.pool = ""
        self.zone = Zone()
        self.zone.mx("mailbox.example", (10, "mx1.mailbox.example"), (20, "mx2.mailbox.example"))
        self.zone.host("mx1.mailbox.example", FIRST, SECOND)
        self.zone.host("mx2.mailbox.example", THIRD)
        self.internet = Internet()
        self.reactor = self.internet.reactor
        self.resolver = MailResolver(self.zone, self.reactor)
        self.route: Route = MxRoute(
            self.resolver,
            "mail.shop.example",
            25,
            receiver_name,
            Random(1).shuffle,  # noqa: S311
        )
        self.use(TlsPolicy.OPPORTUNISTIC)

    def use(self, policy: TlsPolicy, **more: Any) -> None:
        """Connect in this way."""
        settings = {name: more.pop(name) for name in ("implicit", "trust", "dane") if name in more}
        self.tls = TlsPolicies(policy, self.reactor, **settings)
        self.noted: list[tuple[str, TlsResult]] = []
        self.connecting = Connecting(
            self.reactor,
            "mail.shop.example",
            self.tls,
            note=lambda tls, result: self.noted.append((tls.host, result)),
            **more,
        )

    def answers(self, address: str, replies: Mapping[str, str] | None = None) -> None:
        """A host at an address answers so."""
        self.internet.hosts[address] = lambda: MailHost(replies)

    def connect(self) -> Deferred[SmtpClient]:
        connected = Deferred.fromCoroutine(self._connect())
        self.internet.run()
        return connected

    async def _connect(self) -> SmtpClient:
        way = await self.route.way_to("mailbox.example")
        return await self.connecting.connect(self.route, way, self.pool)

    def connected(self) -> SmtpClient:
        """The connection, which comes about at once."""
        return self.successResultOf(self.connect())

    def failed(self, connecting: Deferred[SmtpClient] | None = None) -> Outcome:
        """What is told when there is none."""
        error = self.failureResultOf(connecting or self.connect(), ConnectFailed).value
        assert isinstance(error, ConnectFailed)
        return error.outcome


class SearchTests(ConnectingCase):
    """Hosts and addresses, one after the other."""

    def test_first(self) -> None:
        """The first host that answers is taken, at the port of the route."""
        self.answers(FIRST)
        self.assertTrue(self.connected().usable)
        self.assertEqual([FIRST], self.internet.tried)
        self.assertEqual(25, self.internet.calls[0][1])
        self.assertEqual(30, self.internet.calls[0][3])

    def test_next_address_and_next_host(self) -> None:
        """When connecting fails the next address is tried, then the next host."""
        self.answers(THIRD)
        self.assertEqual("mx2.mailbox.example", self.connected().peer.host)
        self.assertEqual([FIRST, SECOND, THIRD], self.internet.tried)

    def test_refusing_greetings(self) -> None:
        """A host that refuses at the greeting is passed over, for now or for good."""
        for line in ("421 busy", "450 busy", "554 no mail here"):
            self.internet.tried.clear()
            self.answers(FIRST, {"": line})
            self.answers(SECOND)
            self.connected()
            self.assertEqual([FIRST, SECOND], self.internet.tried)

    def test_silence(self) -> None:
        """A host that does not accept the connection, or does not greet, is passed over."""
        self.internet.hosts[FIRST] = ConnectTimedOut()
        self.answers(SECOND, {"": "silence"})
        self.answers(THIRD)
        connecting = self.connect()
        self.assertNoResult(connecting)
        self.internet.pass_seconds(300)
        self.assertEqual("mx2.mailbox.example", self.successResultOf(connecting).peer.host)

    def test_hosts_without_address(self) -> None:
        """A host that DNS does not know is passed over."""
        del self.zone.records["mx1.mailbox.example", dns.A]
        self.answers(THIRD)
        self.connected()
        self.assertEqual([THIRD], self.internet.tried)

    def test_all_refuse_to_connect(self) -> None:
        """When no host can be reached, the last is told of."""
        outcome = self.failed()
        self.assertEqual((Verdict.DEFERRED, "lost", "connect", "4.4.1"), (outcome.verdict,
                         outcome.type, outcome.state, outcome.status))  # fmt: skip
        self.assertEqual(("mx2.mailbox.example", THIRD), (outcome.host, outcome.remote_address))

    def test_kinds_of_failure(self) -> None:
        """Timeouts and faults of our own address are told apart."""
        for error, kind, state in (
            (ConnectTimedOut(), "timeout", "connect"),
            (TCPTimedOutError(), "timeout", "connect"),
            (ConnectBindError(), "error", "bind"),
        ):
            self.internet.hosts = dict.fromkeys([FIRST, SECOND, THIRD], error)
            outcome = self.failed()
            self.assertEqual(
                (Verdict.DEFERRED, kind, state), (outcome.verdict, outcome.type, outcome.state)
            )

    def test_last_refusal(self) -> None:
        """When all refuse for good, the last is told of."""
        for number, address in enumerate((FIRST, SECOND, THIRD)):
            self.answers(address, {"": f"554 number {number}"})
        outcome = self.failed()
        self.assertEqual((Verdict.FAILED, "number 2"), (outcome.verdict, outcome.text))

    def test_temporary_counts_more(self) -> None:
        """When one may take the message later, the message waits."""
        self.answers(FIRST, {"": "450 later"})
        self.answers(SECOND, {"": "554 never"})
        self.answers(THIRD, {"": "554 never"})
        outcome = self.failed()
        self.assertEqual((Verdict.DEFERRED, 450), (outcome.verdict, outcome.code))

    def test_unanswered_lookup_counts_more(self) -> None:
        """So does a host that DNS said nothing about."""
        self.zone.broken("mx1.mailbox.example", dns.A, DNSServerError(None))
        self.answers(THIRD, {"": "554 never"})
        outcome = self.failed()
        self.assertEqual((Verdict.DEFERRED, "dns"), (outcome.verdict, outcome.state))

    def test_limited_search(self) -> None:
        """After a quarter of an hour no further host is tried."""
        names = [f"mx{number}.example" for number in range(5)]
        self.zone.mx("mailbox.example", *((10, name) for name in names))
        for number, name in enumerate(names):
            address = f"192.0.2.{number + 10}"
            self.zone.host(name, address)
            self.answers(address, {"": "silence"})
        connecting = self.connect()
        for _ in range(3):
            self.assertNoResult(connecting)
            self.internet.pass_seconds(300)
        self.assertEqual("timeout", self.failed(connecting).type)
        self.assertEqual(3, len(self.internet.tried))

    def test_given_up(self) -> None:
        """When the service ends, no further host is tried."""
        self.answers(FIRST, {"": "silence"})
        self.answers(SECOND)
        connecting = self.connect()
        self.connecting.give_up()
        connecting.cancel()
        self.failed(connecting)
        self.assertEqual([FIRST], self.internet.tried)


class BindTests(ConnectingCase):
    """The address we send from."""

    def test_bound(self) -> None:
        """Connections come from the configured address."""
        self.use(TlsPolicy.OPPORTUNISTIC, sources=lambda _: ["192.0.2.99"])
        self.answers(FIRST)
        self.connected()
        self.assertEqual(("192.0.2.99", 0), self.internet.calls[0][4])

    def test_same_version(self) -> None:
        """Only hosts of the same IP version are tried."""
        self.zone.host("mx1.mailbox.example", FIRST, "2001:db8::1")
        self.use(TlsPolicy.OPPORTUNISTIC, sources=lambda _: ["2001:db8::99"])
        self.answers("2001:db8::1")
        self.connected()
        self.assertEqual(["2001:db8::1"], self.internet.tried)

    def test_pool(self) -> None:
        """A message of a pool is sent from one of the addresses of the pool."""
        pools = {"": ["192.0.2.99"], "news": ["192.0.2.100", "192.0.2.101", "2001:db8::99"]}
        self.use(TlsPolicy.OPPORTUNISTIC, sources=pools.__getitem__)
        self.answers(FIRST)
        self.pool = "news"
        for _ in range(40):
            self.connected()
        used = {call[4] for call in self.internet.calls}
        self.assertEqual({("192.0.2.100", 0), ("192.0.2.101", 0)}, used)

    def test_name_of_a_pool(self) -> None:
        """A pool may have a name of its own, which is said with EHLO."""
        said: list[bytes] = []

        class Listening(MailHost):
            """Keeps what it is told in clear."""

            def dataReceived(self, data: bytes) -> None:
                said.append(data)
                super().dataReceived(data)

        self.internet.hosts[FIRST] = Listening
        names = {"": "", "news": "news.shop.example"}
        self.use(TlsPolicy.NONE, names=names.__getitem__)
        for pool, name in (("", b"mail.shop.example"), ("news", b"news.shop.example")):
            said.clear()
            self.pool = pool
            self.connected()
            self.assertEqual(b"EHLO " + name + b"\r\n", said[0])

    def test_no_address_of_that_version(self) -> None:
        """Where there is none the message waits, and is told why."""
        self.use(TlsPolicy.OPPORTUNISTIC, sources=lambda _: ["2001:db8::99"])
        outcome = self.failed()
        self.assertEqual((Verdict.DEFERRED, "4.4.4"), (outcome.verdict, outcome.status))
        self.assertIn("IPv6", outcome.text)


class TlsTests(ConnectingCase):
    """TLS and what to do without."""

    def broken(self, address: str) -> None:
        """A host whose handshakes fail, and which takes mail in clear text."""

        class Broken(MailHost):
            """Hangs up instead of a handshake."""

            def _start_tls(self) -> None:
                self.transport.loseConnection()  # type: ignore[union-attr]

        self.internet.hosts[address] = lambda: Broken(STARTTLS_OFFERED)

    def test_used_when_offered(self) -> None:
        """Opportunistic TLS encrypts where it is offered."""
        self.answers(FIRST, STARTTLS_OFFERED)
        self.assertIn("TLSv1.3", self.connected().peer.tls)
        self.answers(FIRST)
        self.assertEqual("", self.connected().peer.tls)

    def test_broken(self) -> None:
        """After a failed handshake the same host is tried in clear text."""
        self.broken(FIRST)
        client = self.connected()
        self.assertEqual([FIRST, FIRST], self.internet.tried)
        self.assertEqual("", client.peer.tls)

    def test_stalled(self) -> None:
        """So it is after a handshake that stalls."""

        class Stalled(MailHost):
            """Says nothing any more."""

            def _start_tls(self) -> None:
                self.replies = dict.fromkeys(self.replies, "silence")

        self.internet.hosts[FIRST] = lambda: Stalled(STARTTLS_OFFERED)
        connecting = self.connect()
        self.internet.pass_seconds(30)
        self.assertEqual("", self.successResultOf(connecting).peer.tls)
        self.assertEqual([FIRST, FIRST], self.internet.tried)

    def test_remembered(self) -> None:
        """For an hour that host is then spared TLS."""
        self.broken(FIRST)
        self.connected()
        self.connected()
        self.assertEqual([FIRST] * 3, self.internet.tried)
        self.internet.pass_seconds(3600)
        self.connected()
        self.assertEqual([FIRST] * 5, self.internet.tried)

    def test_not_remembered_without_success(self) -> None:
        """A host that is broken in clear text too is not said to have a problem with TLS."""
        self.broken(FIRST)
        broken = self.internet.hosts[FIRST]
        attempts: list[None] = []
        assert callable(broken)

        def first_broken_then_busy() -> MailHost:
            attempts.append(None)
            return broken() if len(attempts) % 2 else MailHost({"": "450 busy"})

        self.internet.hosts[FIRST] = first_broken_then_busy
        self.failed()
        tls = self.successResultOf(Deferred.fromCoroutine(self.tls.for_host("mx1.mailbox.example")))
        self.assertIsNotNone(tls.make())

    def test_required(self) -> None:
        """Where TLS is required there is no clear text: the next host is tried."""
        self.use(TlsPolicy.REQUIRED)
        self.broken(FIRST)
        self.answers(SECOND)
        self.answers(THIRD, STARTTLS_OFFERED)
        self.assertIn("TLS", self.connected().peer.tls)
        self.assertEqual([FIRST, SECOND, THIRD], self.internet.tried)

    def test_verified(self) -> None:
        """A certificate of nobody we trust delays mail where it has to be verified."""
        self.use(TlsPolicy.VERIFIED, trust=Trust(None, in_no_thread, self.reactor))
        for address in (FIRST, SECOND, THIRD):
            self.answers(address, STARTTLS_OFFERED)
        outcome = self.failed()
        self.assertEqual((Verdict.DEFERRED, "starttls"), (outcome.verdict, outcome.state))
        self.assertEqual([FIRST, SECOND, THIRD], self.internet.tried)

    def test_none(self) -> None:
        """Where TLS is switched off it is not used."""
        self.use(TlsPolicy.NONE)
        self.answers(FIRST, STARTTLS_OFFERED)
        self.assertEqual("", self.connected().peer.tls)


class DemandTests(ConnectingCase):
    """What domains demand, of hosts at which every certificate is that of the first."""

    def setUp(self) -> None:
        super().setUp()
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        ca_file = Path(directory.name) / "authority.pem"
        ca_file.write_bytes(authority().dumpPEM())
        self.zone.mx("mailbox.example", (10, "mx1.mailbox.example"), (20, NAME))
        self.zone.host("mx1.mailbox.example", FIRST)
        self.zone.host(NAME, THIRD)
        self.use(
            TlsPolicy.OPPORTUNISTIC,
            trust=Trust(ca_file, in_no_thread, self.reactor),
            dane=Dane(self.resolver, 25),
        )
        for address in (FIRST, THIRD):
            self.answers(address, STARTTLS_OFFERED)

    def have(self, mode: StsMode, *mx: str) -> None:
        """The domain has a policy."""

        async def policy(domain: str) -> StsPolicy | None:
            self.assertEqual("mailbox.example", domain)
            return StsPolicy(mode, mx, 86_400)

        self.route = MxRoute(
            self.resolver,
            "mail.shop.example",
            25,
            receiver_name,
            Random(1).shuffle,  # noqa: S311
            policy,
        )

    def test_enforced(self) -> None:
        """A host with the certificate of another is passed over, the right one is verified."""
        self.have(StsMode.ENFORCE, "*.mailbox.example")
        client = self.connected()
        self.assertEqual(NAME, client.peer.host)
        self.assertTrue(client.peer.tls.endswith(" verified"), client.peer.tls)
        self.assertEqual([FIRST, THIRD], self.internet.tried)
        self.assertFalse(client.for_one_domain)
        self.assertEqual(
            [
                ("mx1.mailbox.example", TlsResult.CERTIFICATE_HOST_MISMATCH),
                (NAME, TlsResult.SUCCESS),
            ],
            self.noted,
        )

    def test_other_hosts(self) -> None:
        """Hosts that the policy does not name are not even connected to."""
        self.have(StsMode.ENFORCE, NAME)
        self.assertEqual(NAME, self.connected().peer.host)
        self.assertEqual([THIRD], self.internet.tried)
        self.assertEqual(
            [("mx1.mailbox.example", TlsResult.VALIDATION_FAILURE), (NAME, TlsResult.SUCCESS)],
            self.noted,
        )

    def test_never_in_clear(self) -> None:
        """A host with which TLS fails is not tried in clear text, known to be broken or not."""

        class Broken(MailHost):
            """Hangs up instead of a handshake."""

            def _start_tls(self) -> None:
                self.transport.loseConnection()  # type: ignore[union-attr]

        self.zone.mx("mailbox.example", (10, "mx1.mailbox.example"))
        self.have(StsMode.ENFORCE, "mx1.mailbox.example")
        self.internet.hosts[FIRST] = lambda: Broken(STARTTLS_OFFERED)
        for _ in range(2):
            self.assertEqual("starttls", self.failed().state)
            self.tls.works_without("mx1.mailbox.example")
        self.assertEqual([FIRST] * 2, self.internet.tried)
        self.assertEqual([TlsResult.VALIDATION_FAILURE] * 2, [each for _, each in self.noted])

    def test_none_is_good(self) -> None:
        """When no host is good the message waits, and is told why."""
        self.have(StsMode.ENFORCE, "mx1.mailbox.example")
        for replies, words in (
            (STARTTLS_OFFERED, "is one of another host"),
            ({}, "TLS is required and was not offered"),
        ):
            self.zone.mx("mailbox.example", (10, "mx1.mailbox.example"))
            self.answers(FIRST, replies)
            outcome = self.failed()
            self.assertEqual((Verdict.DEFERRED, "starttls"), (outcome.verdict, outcome.state))
            self.assertIn(words, outcome.text)
            self.assertIn("the MTA-STS policy of mailbox.example", outcome.text)

    def test_testing(self) -> None:
        """A policy that is only tested has failures noted, and mail delivered."""
        self.have(StsMode.TESTING, "mx1.mailbox.example")
        tls = self.connected().peer.tls
        self.assertIn("TLSv1.3", tls)
        self.assertNotIn("verified", tls)
        self.answers(FIRST, {})
        self.assertEqual("", self.connected().peer.tls)
        self.assertEqual(
            [
                ("mx1.mailbox.example", TlsResult.CERTIFICATE_HOST_MISMATCH),
                ("mx1.mailbox.example", TlsResult.STARTTLS_NOT_SUPPORTED),
            ],
            self.noted,
        )

    def test_no_demands(self) -> None:
        """Without demands sessions are noted as they come."""
        self.connected()
        self.answers(FIRST, {})
        self.connected()
        self.assertEqual(
            [TlsResult.SUCCESS, TlsResult.STARTTLS_NOT_SUPPORTED], [each for _, each in self.noted]
        )

    def test_records(self) -> None:
        """Hosts prove to be those of their TLSA records, or are passed over."""
        key = authority().getPublicKey().original.to_cryptography_key()
        digest = sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
        self.zone.insecure = set()
        self.zone.tlsa(f"_25._tcp.{NAME}", b"\3\1\1" + digest)
        self.zone.tlsa("_25._tcp.mx1.mailbox.example", b"\3\1\1" + sha256(b"other").digest())
        client = self.connected()
        self.assertEqual(NAME, client.peer.host)
        self.assertTrue(client.peer.tls.endswith(" verified"), client.peer.tls)
        self.assertEqual([FIRST, THIRD], self.internet.tried)
        self.assertEqual(
            [
                ("mx1.mailbox.example", TlsResult.CERTIFICATE_NOT_TRUSTED),
                (NAME, TlsResult.SUCCESS),
            ],
            self.noted,
        )

    def test_records_kept_from_us(self) -> None:
        """A host whose records cannot be looked up is passed over, without a connection."""
        self.zone.insecure = set()
        self.zone.broken("_25._tcp.mx1.mailbox.example", TLSA, DNSServerError(None))
        self.assertEqual(NAME, self.connected().peer.host)
        self.assertEqual([THIRD], self.internet.tried)
        self.assertEqual(("mx1.mailbox.example", TlsResult.DNSSEC_INVALID), self.noted[0])


def in_no_thread(function: Callable[..., Any], *args: Any) -> Deferred[Any]:
    """Call at once what would go into a thread."""
    return succeed(function(*args))


class SmarthostTests(ConnectingCase):
    """A smart host with a login."""

    def setUp(self) -> None:
        super().setUp()
        self.plain = {"EHLO": "250-x\r\n250-STARTTLS\r\n250 AUTH PLAIN"}
        self.route = SmarthostRoute(self.resolver, "mx1.mailbox.example", 587)
        self.login(TlsPolicy.OPPORTUNISTIC)

    def login(self, policy: TlsPolicy, **more: Any) -> None:
        self.use(policy, credentials=Credentials("ria", "secret"), **more)

    def verbs(self) -> list[str]:
        return self.internet.connections[-1][1].verbs

    def test_inside_tls(self) -> None:
        """The login is made inside TLS."""
        self.answers(FIRST, self.plain)
        self.connected()
        self.assertEqual(["STARTTLS", "EHLO", "AUTH"], self.verbs()[-3:])
        self.assertEqual(587, self.internet.calls[0][1])

    def test_not_in_clear_text(self) -> None:
        """Without TLS there is no login, unless the operator has switched TLS off."""
        self.zone.host("mx1.mailbox.example", FIRST)
        self.answers(FIRST, {"EHLO": "250-x\r\n250 AUTH PLAIN"})
        self.assertEqual("authplain", self.failed().state)
        self.assertNotIn("AUTH", self.verbs())
        self.login(TlsPolicy.NONE)
        self.connected()
        self.assertIn("AUTH", self.verbs())

    def test_wrong_password(self) -> None:
        """A refused login is not tried at the next address."""
        self.answers(FIRST, {**self.plain, "AUTH": "535 5.7.8 wrong"})
        self.answers(SECOND, self.plain)
        outcome = self.failed()
        self.assertEqual((Verdict.DEFERRED, "authplain"), (outcome.verdict, outcome.state))
        self.assertEqual([FIRST], self.internet.tried)

    def test_implicit_tls(self) -> None:
        """With implicit TLS the first octets are TLS, and clear text will not do."""
        self.login(TlsPolicy.OPPORTUNISTIC, implicit=True)
        self.internet.hosts[FIRST] = lambda: MailHost(self.plain, implicit_tls=True)
        self.assertNotEqual("", self.connected().peer.tls)
        self.assertNotIn("STARTTLS", self.verbs())
        self.answers(FIRST, self.plain)
        self.internet.hosts[SECOND] = None
        self.internet.tried.clear()
        self.connect()
        self.assertEqual([FIRST, SECOND], self.internet.tried)
