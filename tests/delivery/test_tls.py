"""How TLS is used with which host."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.names.error import DNSServerError
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.dnsrecords import TLSA
from smtpeter.delivery.resolver import MailResolver
from smtpeter.delivery.security.dane import Dane
from smtpeter.delivery.security.demands import NO_DEMANDS, Demands
from smtpeter.delivery.security.handshakes import DaneTls, UnverifiedTls, VerifiedTls
from smtpeter.delivery.security.stspolicy import StsMode, StsPolicy
from smtpeter.delivery.security.tlsresult import PolicyType, TlsFault, TlsResult
from smtpeter.delivery.security.trust import Trust
from smtpeter.delivery.tls import REMEMBERED_HOSTS, HostTls, TlsPolicies, TlsPolicy
from smtpeter.message.outcome import Verdict
from smtpeter.smtp.opening import ConnectFailed, Encryption
from smtpeter.smtp.peer import Peer
from tests.delivery.zone import Zone

HOST, DOMAIN = "mx.mailbox.example", "mailbox.example"
TLSA_NAME = f"_25._tcp.{HOST}"
USABLE = b"\3\1\1" + sha256(b"key").digest()
UNUSABLE = b"\1\1\1" + sha256(b"key").digest()


def sts(mode: StsMode = StsMode.ENFORCE, mx: str = HOST) -> StsPolicy:
    """The policy of the domain."""
    return StsPolicy(mode, (mx,), 86_400)


class TlsCase(SynchronousTestCase):
    """A host in DNS, and policies that may look at that."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.zone = Zone()
        self.zone.insecure = set()
        self.zone.host(HOST, "192.0.2.1")
        self.dane = Dane(MailResolver(self.zone, self.clock), 25)
        self.trust = Trust(None, lambda function, *args: succeed(function(*args)), self.clock)
        self.use(TlsPolicy.OPPORTUNISTIC)

    def use(self, policy: TlsPolicy, **more: Any) -> None:
        """Have this policy."""
        self.policies = TlsPolicies(policy, self.clock, trust=self.trust, dane=self.dane, **more)

    def tls(self, demands: Demands = NO_DEMANDS, host: str = HOST) -> HostTls:
        """What is decided for a host."""
        finding = Deferred.fromCoroutine(self.policies.for_host(host, DOMAIN, demands))
        return self.successResultOf(finding)

    def encryption(self, demands: Demands = NO_DEMANDS, host: str = HOST) -> Encryption:
        """What secures the next connection to it."""
        encryption = self.tls(demands, host).make()
        assert encryption is not None
        return encryption


class PolicyTests(TlsCase):
    """What the operator asks for, where nobody else does."""

    def test_none(self) -> None:
        """Without TLS there is no encryption, whatever a domain demands."""
        self.use(TlsPolicy.NONE)
        for demands in (NO_DEMANDS, Demands(dane=True, sts=sts())):
            tls = self.tls(demands)
            self.assertIsNone(tls.make())
            self.assertTrue(tls.clear_text_will_do)
            self.assertIsNone(tls.refusal)

    def test_opportunistic(self) -> None:
        """Opportunistic TLS is neither required nor verified."""
        encryption = self.encryption()
        self.assertEqual((False, None), (encryption.required, encryption.proof))
        self.assertIsInstance(encryption.creator, UnverifiedTls)
        tls = self.tls()
        self.assertTrue(tls.clear_text_will_do)
        self.assertEqual(PolicyType.NONE, tls.policy_type)

    def test_required(self) -> None:
        """Required TLS is not verified, and nothing else will do."""
        self.use(TlsPolicy.REQUIRED)
        encryption = self.encryption()
        self.assertEqual((True, None), (encryption.required, encryption.proof))
        self.assertFalse(self.tls().clear_text_will_do)

    def test_verified(self) -> None:
        """Verified TLS is required too, and each connection has a proof of its own."""
        self.use(TlsPolicy.VERIFIED)
        encryption = self.encryption()
        self.assertTrue(encryption.required)
        self.assertIsInstance(encryption.proof, VerifiedTls)
        self.assertIs(encryption.creator, encryption.proof)
        self.assertIsNot(encryption.proof, self.encryption().proof)
        self.assertFalse(self.tls().clear_text_will_do)

    def test_implicit(self) -> None:
        """Implicit TLS leaves no clear text to fall back on."""
        for policy in (TlsPolicy.OPPORTUNISTIC, TlsPolicy.VERIFIED):
            self.use(policy, implicit=True)
            encryption = self.encryption()
            self.assertEqual((True, True), (encryption.required, encryption.implicit))
            self.assertFalse(self.tls().clear_text_will_do)

    def test_broken_hosts(self) -> None:
        """Broken hosts are remembered for an hour, and not without bound."""
        self.policies.works_without(HOST)
        self.assertIsNone(self.tls().make())
        self.assertIsNotNone(self.tls(host="other.example").make())
        self.clock.advance(3600)
        self.assertIsNotNone(self.tls().make())
        self.policies.works_without(HOST)
        for number in range(REMEMBERED_HOSTS):
            self.policies.works_without(f"mx{number}.example")
        self.assertIsNotNone(self.tls().make())

    def test_addresses(self) -> None:
        """An address is proved as such, and not named in the handshake."""
        self.use(TlsPolicy.REQUIRED)
        for host in ("192.0.2.1", "[192.0.2.1]", "[IPv6:2001:db8::1]"):
            creator = self.encryption(host=host).creator
            connection = creator.clientConnectionForTLS(None)  # type: ignore[arg-type]
            self.assertIsNone(connection.get_servername())


class StsTests(TlsCase):
    """What a policy of MTA-STS demands."""

    def test_enforced(self) -> None:
        """A policy in force asks for TLS, and for proof."""
        tls = self.tls(Demands(sts=sts()))
        encryption = tls.make()
        assert encryption is not None
        self.assertTrue(encryption.required)
        assert isinstance(encryption.proof, VerifiedTls)
        encryption.proof.fault = TlsFault(TlsResult.CERTIFICATE_EXPIRED, "it has expired")
        self.assertEqual("it has expired", encryption.proof.objection)
        self.assertFalse(tls.clear_text_will_do)
        self.assertEqual((PolicyType.STS, sts().lines()), (tls.policy_type, tls.policy))

    def test_never_in_clear(self) -> None:
        """A host that is known to be broken is not spoken to in clear text."""
        self.policies.works_without(HOST)
        self.assertTrue(self.encryption(Demands(sts=sts())).required)

    def test_other_hosts(self) -> None:
        """A host that the policy does not name gets no mail."""
        refusal = self.tls(Demands(sts=sts(mx="*.other.example"))).refusal
        assert refusal is not None
        self.assertEqual(
            (Verdict.DEFERRED, "starttls", HOST), (refusal.verdict, refusal.state, refusal.host)
        )
        self.assertIn("the MTA-STS policy of mailbox.example", refusal.text)

    def test_testing(self) -> None:
        """A policy that is only tested refuses nothing, and what is wrong is noted."""
        tls = self.tls(Demands(sts=sts(StsMode.TESTING, "*.other.example")))
        self.assertIsNone(tls.refusal)
        self.assertTrue(tls.clear_text_will_do)
        self.assertEqual(TlsResult.VALIDATION_FAILURE, tls.result(None, "TLSv1.3"))
        encryption = tls.make()
        assert encryption is not None
        self.assertFalse(encryption.required)
        assert isinstance(encryption.proof, VerifiedTls)
        encryption.proof.fault = TlsFault(TlsResult.CERTIFICATE_EXPIRED, "it has expired")
        self.assertEqual("", encryption.proof.objection)
        self.assertEqual(TlsResult.CERTIFICATE_EXPIRED, tls.result(encryption, "TLSv1.3"))
        self.policies.works_without(HOST)
        self.assertIsNone(tls.make())

    def test_testing_takes_nothing_away(self) -> None:
        """What the operator asks for stands beside a policy that is only tested."""
        demands = Demands(sts=sts(StsMode.TESTING))
        for policy in (TlsPolicy.REQUIRED, TlsPolicy.VERIFIED):
            self.use(policy)
            self.assertTrue(self.encryption(demands).required)
            self.assertFalse(self.tls(demands).clear_text_will_do)
        proof = self.encryption(demands).proof
        assert isinstance(proof, VerifiedTls)
        proof.fault = TlsFault(TlsResult.CERTIFICATE_EXPIRED, "it has expired")
        self.assertNotEqual("", proof.objection)


class DaneTests(TlsCase):
    """What TLSA records demand."""

    secure = Demands(dane=True)

    def test_records(self) -> None:
        """Usable records ask for TLS, and for proof."""
        self.zone.tlsa(TLSA_NAME, UNUSABLE, USABLE)
        tls = self.tls(self.secure)
        encryption = tls.make()
        assert encryption is not None
        self.assertTrue(encryption.required)
        self.assertIsInstance(encryption.proof, DaneTls)
        self.assertFalse(tls.clear_text_will_do)
        self.assertEqual((PolicyType.TLSA, 2), (tls.policy_type, len(tls.policy)))
        self.assertEqual(TlsResult.SUCCESS, tls.result(encryption, "TLSv1.3"))

    def test_of_no_use(self) -> None:
        """Records of no use ask for TLS alone."""
        self.zone.tlsa(TLSA_NAME, UNUSABLE)
        tls = self.tls(self.secure)
        encryption = tls.make()
        assert encryption is not None
        self.assertEqual((True, None), (encryption.required, encryption.proof))
        self.assertFalse(tls.clear_text_will_do)
        self.assertEqual(TlsResult.TLSA_INVALID, tls.result(encryption, "TLSv1.3"))

    def test_none(self) -> None:
        """Without records nothing is asked."""
        self.assertTrue(self.tls(self.secure).clear_text_will_do)

    def test_not_believed(self) -> None:
        """Records do not count when the exchangers are not certain, or DNS is not believed."""
        self.zone.tlsa(TLSA_NAME, USABLE)
        self.assertTrue(self.tls().clear_text_will_do)
        self.policies = TlsPolicies(TlsPolicy.OPPORTUNISTIC, self.clock)
        self.assertTrue(self.tls(self.secure).clear_text_will_do)

    def test_no_answer(self) -> None:
        """Without an answer the host gets no mail."""
        self.zone.broken(TLSA_NAME, TLSA, DNSServerError(None))
        tls = self.tls(self.secure)
        assert tls.refusal is not None
        self.assertEqual(
            (Verdict.DEFERRED, "starttls", HOST),
            (tls.refusal.verdict, tls.refusal.state, tls.refusal.host),
        )
        self.assertIn(TLSA_NAME, tls.refusal.text)
        self.assertEqual(TlsResult.DNSSEC_INVALID, tls.flaw)

    def test_before_sts(self) -> None:
        """Usable records decide, also against a policy; records of no use do not."""
        demands = Demands(dane=True, sts=sts(mx="*.other.example"))
        self.zone.tlsa(TLSA_NAME, USABLE)
        self.assertIsNone(self.tls(demands).refusal)
        self.setUp()
        self.zone.tlsa(TLSA_NAME, UNUSABLE)
        self.assertIsNotNone(self.tls(demands).refusal)
        self.assertEqual(PolicyType.STS, self.tls(demands).policy_type)

    def test_for_one_domain(self) -> None:
        """What is proved by the name of the domain alone does not hold for others."""
        self.zone.tlsa(TLSA_NAME, USABLE)
        tls = self.tls(self.secure)
        encryption = tls.make()
        assert encryption is not None
        assert isinstance(encryption.proof, DaneTls)
        for name, holds in ((HOST, True), (DOMAIN, False)):
            encryption.proof.proved_name = name
            self.assertEqual(holds, tls.holds_for_others(encryption))
        self.assertTrue(tls.holds_for_others(None))


class ResultTests(TlsCase):
    """What is said of sessions."""

    def failed(self, state: str, *, tls: bool) -> ConnectFailed:
        outcome = Peer(HOST).ended(Verdict.DEFERRED, "error", state, "4.7.0", "so it was")
        return ConnectFailed(outcome, tls_failed=tls)

    def test_success(self) -> None:
        """A session with TLS is one, and one in clear text is not."""
        tls, encryption = self.tls(), self.encryption()
        self.assertEqual(TlsResult.SUCCESS, tls.result(encryption, "TLSv1.3"))
        self.assertEqual(TlsResult.STARTTLS_NOT_SUPPORTED, tls.result(encryption, ""))
        self.assertEqual(TlsResult.VALIDATION_FAILURE, tls.result(None, ""))

    def test_failures(self) -> None:
        """A failed session is told by its fault, and one that failed before TLS by nothing."""
        tls = self.tls(Demands(sts=sts()))
        encryption = tls.make()
        assert encryption is not None
        assert isinstance(encryption.proof, VerifiedTls)
        for state, tls_failed, result in (
            ("starttls", True, TlsResult.VALIDATION_FAILURE),
            ("starttls", False, TlsResult.STARTTLS_NOT_SUPPORTED),
            ("ehlo", True, TlsResult.VALIDATION_FAILURE),
            ("ehlo", False, None),
            ("connect", False, None),
        ):
            failed = self.failed(state, tls=tls_failed)
            self.assertEqual(result, tls.failure(encryption, failed), state)
        encryption.proof.fault = TlsFault(TlsResult.CERTIFICATE_EXPIRED, "it has expired")
        failed = self.failed("starttls", tls=True)
        self.assertEqual(TlsResult.CERTIFICATE_EXPIRED, tls.failure(encryption, failed))

    def test_explained(self) -> None:
        """Failures of TLS tell who demanded it."""
        tls = self.tls(Demands(sts=sts()))
        for state, tls_failed, told in (
            ("starttls", True, True),
            ("starttls", False, True),
            ("ehlo", True, True),
            ("ehlo", False, False),
        ):
            failed = tls.explained(self.failed(state, tls=tls_failed))
            self.assertEqual(told, "; the MTA-STS policy of" in failed.outcome.text)
            self.assertEqual(tls_failed, failed.tls_failed)
        failed = self.failed("starttls", tls=True)
        self.assertIs(failed, self.tls().explained(failed))
