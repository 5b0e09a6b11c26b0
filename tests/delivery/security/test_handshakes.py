"""What servers have to prove in a handshake, with OpenSSL at both ends."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.config import ConfigError
from smtpeter.delivery.dnsrecords import TlsaRecord
from smtpeter.delivery.security.handshakes import (
    DaneTls,
    UnverifiedTls,
    VerifiedTls,
    client_context,
    verifying_context,
)
from smtpeter.delivery.security.tlsresult import TlsResult
from smtpeter.delivery.security.trust import READ_SECONDS, Trust
from tests.certificates import EXPIRED, Issued, authority, issued, ordinary, ordinary_authority

HOST = "mx.mailbox.example"


def shake_hands(client: SSL.Connection, server_context: SSL.Context) -> SSL.Connection:
    """Let a client meet a server; returns the server's end. Raises what the client raises."""
    server = SSL.Connection(server_context, None)
    client.set_connect_state()
    server.set_accept_state()
    for _ in range(4):
        for here, there in ((client, server), (server, client)):
            with contextlib.suppress(SSL.WantReadError):
                here.do_handshake()
            with contextlib.suppress(SSL.WantReadError):
                there.bio_write(here.bio_read(65536))
    return server


class HandshakeCase(SynchronousTestCase):
    """Has a file with the ordinary authority."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.ca_file = Path(directory.name) / "authorities.pem"
        self.ca_file.write_bytes(ordinary_authority().pem())
        self.context = verifying_context(self.ca_file)


class VerifiedTests(HandshakeCase):
    """Servers that an authority has to know."""

    def meet(self, server: Issued, host: str = HOST, *, strict: bool = True) -> VerifiedTls:
        """Greet a server; True when it came to an end that both find good."""
        tls = VerifiedTls(self.context, host, strict=strict)
        connection = tls.clientConnectionForTLS(None)
        try:
            shake_hands(connection, server.server_context())
        except SSL.Error:
            self.assertFalse(tls.proved)
            self.assertNotEqual("", tls.objection)
        else:
            tls.examine(connection)
        return tls

    def test_proved(self) -> None:
        """A certificate of a known authority for the host proves it."""
        for names, host in (
            ((HOST,), HOST),
            (("*.mailbox.example",), HOST),
            (("192.0.2.1",), "192.0.2.1"),
            (("2001:db8::1",), "2001:db8::1"),
        ):
            tls = self.meet(ordinary(*names), host)
            self.assertTrue(tls.proved)
            self.assertIsNone(tls.fault)
            self.assertEqual("", tls.objection)

    def test_below_another(self) -> None:
        """The authority may have signed through another, which the server sends along."""
        own = issued(HOST, by=authority("middle", by=ordinary_authority()))
        self.assertTrue(self.meet(own).proved)

    def test_faults(self) -> None:
        """What is wrong is told, and it is left to the caller whether it matters."""
        known = ordinary_authority()
        for server, result, words in (
            (issued("other.example", by=known), TlsResult.CERTIFICATE_HOST_MISMATCH, "another"),
            (issued(by=known), TlsResult.CERTIFICATE_HOST_MISMATCH, "another"),
            (issued("192.0.2.1", by=known), TlsResult.CERTIFICATE_HOST_MISMATCH, "another"),
            (issued(HOST, by=known, term=EXPIRED), TlsResult.CERTIFICATE_EXPIRED, "expired"),
            (issued(HOST), TlsResult.CERTIFICATE_NOT_TRUSTED, "nobody else"),
            (issued(HOST, by=authority()), TlsResult.CERTIFICATE_NOT_TRUSTED, "not trusted"),
        ):
            for strict in (True, False):
                tls = self.meet(server, strict=strict)
                assert tls.fault is not None
                self.assertEqual(result, tls.fault.result)
                self.assertIn(words, tls.fault.text)
                self.assertFalse(tls.proved)
                self.assertEqual(tls.fault.text if strict else "", tls.objection)

    def test_left(self) -> None:
        """A strict client does not end the handshake, and the server hears why."""
        tls = VerifiedTls(self.context, HOST)
        server = issued("other.example", by=ordinary_authority()).server_context()
        self.assertRaises(SSL.Error, shake_hands, tls.clientConnectionForTLS(None), server)

    def test_name_is_said(self) -> None:
        """The host is named in the handshake, but no address is."""
        for host, said in ((HOST, HOST.encode()), ("192.0.2.1", None)):
            connection = VerifiedTls(self.context, host).clientConnectionForTLS(None)
            self.assertEqual(said, connection.get_servername())


class DaneTests(SynchronousTestCase):
    """Servers that DNS knows."""

    def meet(
        self, server: Issued, *records: TlsaRecord, names: tuple[str, ...] = (HOST,)
    ) -> DaneTls:
        """Greet a server, and look at what it has sent."""
        tls = DaneTls(client_context(modern=True), records, names)
        connection = tls.clientConnectionForTLS(None)
        self.assertEqual(names[0].encode(), connection.get_servername())
        shake_hands(connection, server.server_context())
        tls.examine(connection)
        return tls

    def test_proved(self) -> None:
        """A server that presents what the records speak of has proved to be the right one."""
        root = authority()
        server = issued("mailbox.example", by=root)
        own = TlsaRecord(3, 1, 1, sha256(server.public_key).digest())
        above = TlsaRecord(2, 1, 1, sha256(root.public_key).digest())
        for record, name in ((own, HOST), (above, "mailbox.example")):
            tls = self.meet(server, record, names=(HOST, "mailbox.example"))
            self.assertTrue(tls.proved)
            self.assertEqual((name, "", None), (tls.proved_name, tls.objection, tls.fault))

    def test_not_proved(self) -> None:
        """A server that presents something else has not."""
        other = TlsaRecord(3, 1, 1, sha256(issued(HOST).public_key).digest())
        tls = self.meet(ordinary(HOST), other)
        self.assertFalse(tls.proved)
        assert tls.fault is not None
        self.assertEqual(TlsResult.CERTIFICATE_NOT_TRUSTED, tls.fault.result)
        self.assertIn("TLSA", tls.objection)

    def test_before_the_handshake(self) -> None:
        """Nothing is proved before anything was seen."""
        tls = DaneTls(client_context(modern=True), (), (HOST,))
        connection = tls.clientConnectionForTLS(None)
        self.assertFalse(tls.proved)
        tls.examine(connection)
        self.assertFalse(tls.proved)
        self.assertNotEqual("", tls.objection)


class UnverifiedTests(SynchronousTestCase):
    """Connections that take any certificate."""

    def test_any(self) -> None:
        """Nothing is wrong with any certificate."""
        for context in (client_context(modern=True), client_context(modern=False)):
            connection = UnverifiedTls(context, HOST).clientConnectionForTLS(None)
            shake_hands(connection, issued("other.example", term=EXPIRED).server_context())
            self.assertIsNotNone(connection.get_cipher_name())
            self.assertEqual(HOST.encode(), connection.get_servername())

    def test_no_tickets(self) -> None:
        """A client asks for no ticket where it can choose."""
        connection = UnverifiedTls(client_context(modern=False), HOST).clientConnectionForTLS(None)
        connection.set_connect_state()
        self.assertRaises(SSL.WantReadError, connection.do_handshake)
        asked = extensions(connection.bio_read(65536))
        self.assertIn(SERVER_NAME, asked)
        self.assertNotIn(SESSION_TICKET, asked)


SERVER_NAME = 0  # RFC 6066
SESSION_TICKET = 35  # RFC 5077


def extensions(hello: bytes) -> list[int]:
    """The numbers of the extensions of a ClientHello (RFC 8446 section 4.1.2), in one record."""
    at = 5 + 4 + 2 + 32
    at += 1 + hello[at]  # session id
    at += 2 + int.from_bytes(hello[at : at + 2], "big")  # ciphers
    at += 1 + hello[at]  # compression
    end = at + 2 + int.from_bytes(hello[at : at + 2], "big")
    at += 2
    found = []
    while at < end:
        found.append(int.from_bytes(hello[at : at + 2], "big"))
        at += 4 + int.from_bytes(hello[at + 2 : at + 4], "big")
    return found


class TrustTests(HandshakeCase):
    """The authorities in force."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.started: list[Deferred[Any]] = []
        self.trust = Trust(self.ca_file, self.in_thread, self.clock)

    def in_thread(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        """Call it when the test fires what is noted."""
        begin: Deferred[Any] = Deferred()
        begin.addCallback(lambda _: function(*args))
        self.started.append(begin)
        return begin

    def trusted(self, server: Issued) -> bool:
        tls = self.trust.verified(HOST)
        with contextlib.suppress(SSL.Error):
            shake_hands(tls.clientConnectionForTLS(None), server.server_context())
        return tls.proved

    def test_read_again(self) -> None:
        """After an hour the file is read again, once, and meanwhile the old ones are in force."""
        later = authority()
        server = issued(HOST, by=later)
        self.assertFalse(self.trusted(server))
        self.ca_file.write_bytes(later.pem())
        self.clock.advance(READ_SECONDS)
        self.assertFalse(self.trusted(server))
        self.assertFalse(self.trusted(server))
        (reading,) = self.started
        reading.callback(None)
        self.assertTrue(self.trusted(server))
        self.assertEqual(1, len(self.started))

    def test_broken(self) -> None:
        """A file that cannot be read leaves all as it was, and is looked at again later."""
        self.ca_file.write_text("noise")
        self.clock.advance(READ_SECONDS)
        self.assertTrue(self.trusted(ordinary(HOST)))
        self.started.pop().callback(None)
        self.assertTrue(self.trusted(ordinary(HOST)))
        self.assertEqual([], self.started)
        self.clock.advance(READ_SECONDS)
        self.assertTrue(self.trusted(ordinary(HOST)))
        self.assertEqual(1, len(self.started))

    def test_broken_at_the_start(self) -> None:
        """At the start it is a fault of the configuration."""
        self.ca_file.write_text("noise")
        error = self.assertRaises(ConfigError, Trust, self.ca_file, self.in_thread, self.clock)
        self.assertIn("delivery.ca_file", str(error))
