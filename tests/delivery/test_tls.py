"""How TLS is used with which host."""

from __future__ import annotations

from typing import cast

from OpenSSL import SSL
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.tls import REMEMBERED_HOSTS, TlsPolicies, TlsPolicy, UnverifiedTls

HOST = "mx.mailbox.example"


class PolicyTests(SynchronousTestCase):
    """What each policy asks for."""

    def test_none(self) -> None:
        """Without TLS there is no encryption."""
        self.assertIsNone(TlsPolicies(TlsPolicy.NONE, Clock()).for_host(HOST))

    def test_opportunistic(self) -> None:
        """Opportunistic TLS is neither required nor verified."""
        policies = TlsPolicies(TlsPolicy.OPPORTUNISTIC, Clock())
        encryption = policies.for_host(HOST)
        assert encryption is not None
        self.assertEqual((False, False), (encryption.required, encryption.verified))
        self.assertTrue(policies.clear_text_will_do)

    def test_required(self) -> None:
        """Required TLS is not verified, and nothing else will do."""
        policies = TlsPolicies(TlsPolicy.REQUIRED, Clock())
        encryption = policies.for_host(HOST)
        assert encryption is not None
        self.assertEqual((True, False), (encryption.required, encryption.verified))
        self.assertFalse(policies.clear_text_will_do)

    def test_verified(self) -> None:
        """Verified TLS is required too; what checks a host is made once an hour."""
        clock = Clock()
        policies = TlsPolicies(TlsPolicy.VERIFIED, clock)
        encryption = policies.for_host(HOST)
        assert encryption is not None
        self.assertEqual((True, True), (encryption.required, encryption.verified))
        self.assertIs(encryption, policies.for_host(HOST))
        clock.advance(3600)
        self.assertIsNot(encryption, policies.for_host(HOST))

    def test_implicit(self) -> None:
        """Implicit TLS leaves no clear text to fall back on."""
        policies = TlsPolicies(TlsPolicy.OPPORTUNISTIC, Clock(), implicit=True)
        encryption = policies.for_host(HOST)
        assert encryption is not None
        self.assertEqual((True, True), (encryption.required, encryption.implicit))
        self.assertFalse(policies.clear_text_will_do)

    def test_broken_hosts(self) -> None:
        """Broken hosts are remembered for an hour, and not without bound."""
        clock = Clock()
        policies = TlsPolicies(TlsPolicy.OPPORTUNISTIC, clock)
        policies.works_without(HOST)
        self.assertIsNone(policies.for_host(HOST))
        self.assertIsNotNone(policies.for_host("other.example"))
        clock.advance(3600)
        self.assertIsNotNone(policies.for_host(HOST))
        policies.works_without(HOST)
        for number in range(REMEMBERED_HOSTS):
            policies.works_without(f"mx{number}.example")
        self.assertIsNotNone(policies.for_host(HOST))


class UnverifiedTests(SynchronousTestCase):
    """Connections that take any certificate."""

    def server_name(self, host: str) -> bytes | None:
        """What a connection to a host says in the handshake."""
        asked = UnverifiedTls(SSL.Context(SSL.TLS_METHOD), host)
        client = asked.clientConnectionForTLS(cast("TLSMemoryBIOProtocol", None))
        return client.get_servername()

    def test_server_name(self) -> None:
        """The host is named in the handshake, but no address is."""
        self.assertEqual(HOST.encode(), self.server_name(HOST))
        for address in ("192.0.2.1", "[192.0.2.1]", "[IPv6:2001:db8::1]"):
            self.assertIsNone(self.server_name(address))
