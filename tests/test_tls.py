import contextlib
import datetime as dt
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from OpenSSL import SSL
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import Certificate, optionsForClientTLS
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.test.iosim import FakeTransport, connect
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.config import Config, ConfigError, Tls
from smtpeter.selfsigned import ensure_self_signed
from smtpeter.tls import (
    TICKET_KEY_SECONDS,
    WATCH_SECONDS,
    CertificateWatch,
    ServerTLS,
    ServerWithoutTickets,
    server_tls,
)

HANDSHAKE_RECORD = 22
NEW_SESSION_TICKET = 4

NOW = dt.datetime.now(dt.UTC)


class Greeter(Protocol):
    """Says one word when connected."""

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"hello")


class Listener(Protocol):
    """Remembers what it heard."""

    heard = b""
    peer = ""

    def dataReceived(self, data: bytes) -> None:
        self.heard += data
        certificate = self.transport.getPeerCertificate()  # type: ignore[union-attr]
        self.peer = certificate.digest("sha256")


def connected(tls: ServerTLS | ServerWithoutTickets, authority: Path) -> tuple[Listener, Any]:
    """A client that trusts one certificate has met a server, in memory; with a way to go on."""
    trust = Certificate.loadPEM(authority.read_bytes())
    client_options = optionsForClientTLS("localhost", trustRoot=trust)
    clock = Clock()
    server = TLSMemoryBIOFactory(tls, False, Factory.forProtocol(Greeter), clock)
    client = TLSMemoryBIOFactory(client_options, True, Factory.forProtocol(Listener), clock)
    server_protocol: Any = server.buildProtocol(None)
    client_protocol: Any = client.buildProtocol(None)
    pump = connect(
        server_protocol,
        FakeTransport(server_protocol, isServer=True),
        client_protocol,
        FakeTransport(client_protocol, isServer=False),
    )

    def exchange(further: bytes = b"") -> None:
        server_protocol.wrappedProtocol.transport.write(further)
        clock.advance(0)  # small writes are gathered
        pump.flush()

    exchange()
    return client_protocol.wrappedProtocol, exchange


def write_pair(directory: Path, key: Any, *, chained: bool = False) -> tuple[Path, Path]:
    """A certificate for localhost with its key; where asked for, with one more behind it."""
    certificate, private_key = directory / "cert.pem", directory / "key.pem"
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - dt.timedelta(days=1))
        .not_valid_after(NOW + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    )
    octets = made.public_bytes(serialization.Encoding.PEM)
    certificate.write_bytes(octets * 2 if chained else octets)
    private_key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, private_key


class TlsTestCase(SynchronousTestCase):
    """Has a directory with a self-signed pair."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.certificate, self.private_key = ensure_self_signed(self.directory, "localhost", NOW)

    def replace(self) -> None:
        """Put another pair in the place of the first."""
        other = self.directory / "other"
        other.mkdir(exist_ok=True)
        for made, file in zip(
            ensure_self_signed(other, "localhost", NOW),
            (self.certificate, self.private_key),
            strict=True,
        ):
            made.replace(file)
        shutil.rmtree(other)


class HandshakeTests(TlsTestCase):
    """What a client meets."""

    def test_encrypted(self) -> None:
        """A client that trusts the certificate is served."""
        client, _ = connected(ServerTLS(self.certificate, self.private_key), self.certificate)
        self.assertEqual(b"hello", client.heard)

    def test_rsa(self) -> None:
        """RSA keys serve as well as ECDSA keys."""
        files = write_pair(self.directory, rsa.generate_private_key(65537, 2048))
        client, _ = connected(ServerTLS(*files), files[0])
        self.assertEqual(b"hello", client.heard)

    def test_full_chain(self) -> None:
        """Every certificate of the file is sent."""
        files = write_pair(self.directory, ec.generate_private_key(ec.SECP256R1()), chained=True)
        client, _ = connected(ServerTLS(*files), files[0])
        chain = client.transport.getHandle().get_peer_cert_chain()  # type: ignore[union-attr]
        self.assertEqual(2, len(chain))

    def test_old_protocols(self) -> None:
        """A client that speaks nothing newer than TLS 1.1 is turned away."""
        tls = ServerTLS(self.certificate, self.private_key)
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_cipher_list(b"ALL:@SECLEVEL=0")
        context.set_max_proto_version(SSL.TLS1_1_VERSION)
        self.assertRaises(SSL.Error, handshake, tls, context)

    def test_tls_1_2(self) -> None:
        """A client that speaks TLS 1.2 is served, with ephemeral keys."""
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        cipher = handshake(ServerTLS(self.certificate, self.private_key), context)
        assert cipher is not None
        self.assertTrue(cipher.startswith("ECDHE-ECDSA-"), cipher)

    def test_no_static_keys(self) -> None:
        """A client that cannot do without static RSA keys is turned away."""
        files = write_pair(self.directory, rsa.generate_private_key(65537, 2048))
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        context.set_cipher_list(b"AES256-GCM-SHA384")
        self.assertRaises(SSL.Error, handshake, ServerTLS(*files), context)


def handshake(tls: ServerTLS, context: SSL.Context) -> str | None:
    """A client greets a server; returns the cipher."""
    client = SSL.Connection(context, None)
    shake_hands(client, tls.serverConnectionForTLS(cast("Any", None)))
    return client.get_cipher_name()


class TicketTests(TlsTestCase):
    """Sessions that are resumed, and those that are not."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.tls = ServerTLS(self.certificate, self.private_key, self.clock.seconds)

    def resumed(
        self,
        creator: Any,
        version: int = SSL.TLS1_3_VERSION,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> bool:
        """Whether a client that comes a second time resumes its session: then no key is sent."""
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_max_proto_version(version)
        known: SSL.Session | None = None
        octets = []
        for _ in range(2):
            client = SSL.Connection(context, None)
            if known is not None:
                client.set_session(known)
            server = creator.serverConnectionForTLS(None)
            octets.append(len(shake_hands(client, server)))
            server.send(b"220")
            client.bio_write(server.bio_read(65536))
            self.assertEqual(b"220", client.recv(3))
            known = client.get_session()
            client.shutdown()  # or OpenSSL would not resume it
            meanwhile()
        first, second = octets
        certificate = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        return first - second > len(certificate.public_bytes(serialization.Encoding.DER))

    def test_tickets(self) -> None:
        """Sessions are resumed, but not without tickets."""
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            self.assertTrue(self.resumed(self.tls, version))
            self.assertFalse(self.resumed(self.tls.without_tickets, version))

    def test_sent_within_the_handshake(self) -> None:
        """With TLS 1.2 a ticket comes before the server's last message."""
        for creator, version in (
            (self.tls, SSL.TLS1_2_VERSION),
            (self.tls.without_tickets, SSL.TLS1_2_VERSION),
            (self.tls.without_tickets, SSL.TLS1_3_VERSION),
        ):
            context = SSL.Context(SSL.TLS_CLIENT_METHOD)
            context.set_max_proto_version(version)
            client = SSL.Connection(context, None)
            server = creator.serverConnectionForTLS(cast("Any", None))
            sent = shake_hands(client, server)
            self.assertEqual("TLSv1.2", client.get_protocol_version_name())
            self.assertEqual(creator is self.tls, NEW_SESSION_TICKET in messages_in_clear(sent))
            self.assertEqual(b"", pending(server))

    def test_sent_after_the_handshake(self) -> None:
        """With TLS 1.3 tickets are what the server says first."""
        client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
        server = self.tls.serverConnectionForTLS(cast("Any", None))
        shake_hands(client, server, rounds=1)
        server.bio_write(pending(client))
        server.do_handshake()
        self.assertEqual("TLSv1.3", client.get_protocol_version_name())
        self.assertNotEqual(b"", pending(server))

    def test_keys_of_tickets(self) -> None:
        """After half a day the keys are new, and tickets from before are worth nothing."""

        def later(seconds: float) -> None:
            self.clock.advance(seconds)
            self.assertFalse(self.tls.reload())

        self.assertTrue(self.resumed(self.tls, meanwhile=lambda: later(TICKET_KEY_SECONDS / 3)))
        self.assertFalse(self.resumed(self.tls, meanwhile=lambda: later(TICKET_KEY_SECONDS / 3)))

    def test_new_certificate(self) -> None:
        """Both kinds of sessions meet a new certificate."""
        before, _ = connected(self.tls, self.certificate)
        self.replace()
        self.assertTrue(self.tls.reload())
        for creator in (self.tls, self.tls.without_tickets):
            after, _ = connected(creator, self.certificate)
            self.assertNotEqual(before.peer, after.peer)


def shake_hands(client: SSL.Connection, server: SSL.Connection, rounds: int = 4) -> bytes:
    """Two OpenSSL connections greet each other; returns what the server sent."""
    server.set_accept_state()
    client.set_connect_state()
    sent = b""
    for _ in range(rounds):
        for here, there in ((client, server), (server, client)):
            with contextlib.suppress(SSL.WantReadError):
                here.do_handshake()
            octets = pending(here)
            if octets:
                there.bio_write(octets)
            sent += octets if here is server else b""
    with contextlib.suppress(SSL.WantReadError):
        client.do_handshake()
    return sent


def pending(connection: SSL.Connection) -> bytes:
    """What a connection has to say."""
    try:
        return connection.bio_read(65536)
    except SSL.WantReadError:
        return b""


def messages_in_clear(octets: bytes) -> list[int]:
    """The types of handshake messages before anything is encrypted (RFC 5246 section 7.4)."""
    types = []
    while octets and octets[0] == HANDSHAKE_RECORD:
        length = int.from_bytes(octets[3:5], "big")
        record, octets = octets[5 : 5 + length], octets[5 + length :]
        while record:
            types.append(record[0])
            record = record[4 + int.from_bytes(record[1:4], "big") :]
    return types


class ReloadTests(TlsTestCase):
    """Certificates that are renewed."""

    def test_unchanged(self) -> None:
        """Files that did not change are not read again."""
        self.assertFalse(ServerTLS(self.certificate, self.private_key).reload())

    def test_renewed(self) -> None:
        """New sessions meet the new certificate, and old sessions go on with theirs."""
        tls = ServerTLS(self.certificate, self.private_key)
        old, exchange = connected(tls, self.certificate)
        self.replace()
        self.assertTrue(tls.reload())
        new, _ = connected(tls, self.certificate)
        self.assertNotEqual(old.peer, new.peer)
        exchange(b" again")
        self.assertEqual(b"hello again", old.heard)

    def test_same_size_in_place(self) -> None:
        """A file that was rewritten in place counts as changed by its time alone."""
        tls = ServerTLS(self.certificate, self.private_key)
        status = self.certificate.stat()
        os.utime(self.certificate, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
        self.assertTrue(tls.reload())

    def test_broken(self) -> None:
        """A pair that cannot be used is reported once, and the old one stays."""
        tls = ServerTLS(self.certificate, self.private_key)
        authority = self.directory / "authority.pem"
        shutil.copy(self.certificate, authority)
        for damage in (
            lambda: self.certificate.write_text("damaged"),
            self.certificate.unlink,
            lambda: write_pair(self.directory, ec.generate_private_key(ec.SECP256R1()))[0].replace(
                self.certificate
            ),
        ):
            damage()
            self.assertFalse(tls.reload())
            self.assertFalse(tls.reload())
            client, _ = connected(tls, authority)
            self.assertEqual(b"hello", client.heard)

    def test_mended(self) -> None:
        """After a half replaced pair the complete one is taken up."""
        tls = ServerTLS(self.certificate, self.private_key)
        certificate = self.certificate.read_bytes()
        self.certificate.write_text("damaged")
        self.assertFalse(tls.reload())
        self.certificate.write_bytes(certificate)
        self.assertTrue(tls.reload())

    def test_watch(self) -> None:
        """The watch looks every few seconds, and not after it was stopped."""
        tls = ServerTLS(self.certificate, self.private_key)
        clock = Clock()
        watch = CertificateWatch(tls, clock)
        watch.startService()
        before, _ = connected(tls, self.certificate)
        self.replace()
        clock.advance(WATCH_SECONDS)
        after, _ = connected(tls, self.certificate)
        self.assertNotEqual(before.peer, after.peer)
        stopped = watch.stopService()
        assert stopped is not None
        self.successResultOf(stopped)
        self.assertEqual([], clock.getDelayedCalls())


class StartTests(TlsTestCase):
    """What is said about a certificate that cannot be used at the start."""

    def refusal(self, certificate: Path, private_key: Path) -> str:
        return str(self.assertRaises(ConfigError, ServerTLS, certificate, private_key))

    def test_missing(self) -> None:
        """A file that is not there is named with its key."""
        nothing = self.directory / "nothing.pem"
        reason = f"{nothing} cannot be read: No such file or directory"
        self.assertEqual(f"tls.certificate: {reason}", self.refusal(nothing, self.private_key))
        self.assertEqual(f"tls.private_key: {reason}", self.refusal(self.certificate, nothing))

    def test_not_pem(self) -> None:
        """A file with something else in it is named with its key."""
        noise = self.directory / "noise.pem"
        noise.write_bytes(b"\x00\xff noise")
        self.assertEqual(
            f"tls.certificate: {noise} holds no certificate in PEM form",
            self.refusal(noise, self.private_key),
        )
        self.assertEqual(
            f"tls.private_key: {noise} holds no private key in PEM form",
            self.refusal(self.certificate, noise),
        )

    def test_swapped(self) -> None:
        """A key in the place of the certificate is no certificate."""
        self.assertIn("tls.certificate: ", self.refusal(self.private_key, self.certificate))

    def test_strangers(self) -> None:
        """A key that belongs to another certificate is refused."""
        _, other_key = write_pair(self.directory, ec.generate_private_key(ec.SECP256R1()))
        self.assertIn("is not the key of", self.refusal(self.certificate, other_key))

    def test_passphrase(self) -> None:
        """A key with a passphrase is refused, and nobody is asked for it."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate, private_key = write_pair(self.directory, key)
        private_key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"secret"),
            )
        )
        self.assertIn("has a passphrase", self.refusal(certificate, private_key))

    def test_unusual_key(self) -> None:
        """A key that mail clients do not know is refused."""
        files = write_pair(self.directory, ed25519.Ed25519PrivateKey.generate())
        self.assertIn("allowed: ECDSA or RSA", self.refusal(*files))

    def test_weak_key(self) -> None:
        """A key that OpenSSL finds too short is refused in one line."""
        key = rsa.generate_private_key(65537, 1024)  # noqa: S505
        self.assertIn("cannot be used: ", self.refusal(*write_pair(self.directory, key)))

    def test_configured(self) -> None:
        """Configured files are used, and no certificate is made."""
        state_dir = self.directory / "state"
        state_dir.mkdir()
        config = attrs.evolve(
            Config(), state_dir=state_dir, tls=Tls(self.certificate, self.private_key)
        )
        client, _ = connected(server_tls(config, NOW), self.certificate)
        self.assertEqual(b"hello", client.heard)
        self.assertEqual([], list(state_dir.iterdir()))

    def test_made(self) -> None:
        """Without configured files a certificate is made in the state directory."""
        state_dir = self.directory / "state"
        state_dir.mkdir()
        tls = server_tls(attrs.evolve(Config(), state_dir=state_dir), NOW)
        client, _ = connected(tls, state_dir / "certificate.pem")
        self.assertEqual(b"hello", client.heard)

    def test_not_writable(self) -> None:
        """A state directory that takes no files is a fault of its key."""
        config = attrs.evolve(Config(), state_dir=self.directory / "missing")
        error = self.assertRaises(ConfigError, server_tls, config, NOW)
        self.assertTrue(str(error).startswith("state_dir: "), error)
