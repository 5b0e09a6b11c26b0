"""The certificate that listeners present, taken up anew when its files change."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from smtpeter.config import Config, ConfigError
from smtpeter.selfsigned import ensure_self_signed
from smtpeter.values import frozen

WATCH_SECONDS = 10.0
TICKET_KEY_SECONDS = 12 * 3600.0

# With TLS 1.2: ephemeral keys throughout, authenticated encryption first, and CBC with
# SHA-2 for mail servers on Windows Server 2012 with an RSA certificate.
CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES+SHA384:ECDHE+AES+SHA256"

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
FileMark = tuple[int, int, int]


@frozen
class KeyPair:
    """
    A certificate and its key.

    Attributes:
        chain: the host's certificate, then those that lead to its authority.
    """

    chain: tuple[x509.Certificate, ...]
    private_key: PrivateKey

    @classmethod
    def read(cls, certificate: Path, private_key: Path) -> KeyPair:
        """
        Read both from PEM files.

        Raises:
            ConfigError: one cannot be used, or they do not belong together.
        """
        chain = _read_chain(certificate)
        key = _read_private_key(private_key)
        if chain[0].public_key() != key.public_key():
            raise ConfigError(
                f"tls.private_key: {private_key} is not the key of the first certificate "
                f"in {certificate}"
            )
        return cls(chain, key)

    @property
    def expiry(self) -> dt.datetime:
        """Until when the host's certificate is good."""
        return self.chain[0].not_valid_after_utc

    def context(self, *, tickets: bool = True) -> SSL.Context:
        """
        The settings of a server that presents this certificate.

        Args:
            tickets: clients get some to resume their sessions by. Without, TLS 1.2 is all
                that is spoken: in TLS 1.3 OpenSSL sends tickets even when nobody can use
                them, and pyOpenSSL cannot stop it.

        Raises:
            SSL.Error: OpenSSL does not accept it, as with an RSA key of 1024 bits.
        """
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_options(
            SSL.OP_CIPHER_SERVER_PREFERENCE | SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION
        )
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        if not tickets:
            context.set_max_proto_version(SSL.TLS1_2_VERSION)
            context.set_options(SSL.OP_NO_TICKET)
        # idle sessions give their buffers back
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        context.set_cipher_list(CIPHERS)
        context.use_certificate(self.chain[0])
        for each in self.chain[1:]:
            context.add_extra_chain_cert(each)
        context.use_privatekey(self.private_key)
        return context


def read_pair(certificate: Path, private_key: Path) -> tuple[KeyPair, SSL.Context]:
    """
    A certificate and its key, and the settings of a server without tickets that presents them.

    Raises:
        ConfigError: they cannot be used.
    """
    pair = KeyPair.read(certificate, private_key)
    try:
        return pair, pair.context(tickets=False)
    except SSL.Error as error:
        reason = "; ".join(str(each[-1]) for each in error.args[0])
        raise ConfigError(f"tls.certificate: {certificate} cannot be used: {reason}") from error


@implementer(IOpenSSLServerConnectionCreator)
class ServerTLS:
    """
    What listeners and `startTLS` are given: each handshake gets the newest certificate.

    Clients get tickets: whoever comes again with one costs a seventh less. With TLS 1.2 the
    key of the tickets opens all sessions that they belong to, so it is changed now and then.

    Args:
        certificate: a PEM file, the host's own certificate first.
        private_key: a PEM file without a passphrase.
        seconds: a clock that never goes back.

    Attributes:
        without_tickets: the same for listeners that other mail servers come to. Exchange
            Online drops connections on which a ticket arrives before it expects one.

    Raises:
        ConfigError: they cannot be used; the text names the key of the configuration.
    """

    _log = Logger()

    def __init__(
        self,
        certificate: Path,
        private_key: Path,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._certificate = certificate
        self._private_key = private_key
        self._seconds = seconds
        self._marks = self._current_marks()
        self.without_tickets = ServerWithoutTickets(self._take_up())

    def serverConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:  # noqa: ARG002
        return SSL.Connection(self._context, None)

    def reload(self) -> bool:
        """
        Take up the files if they changed; if they cannot be used, say so and keep the old.

        Sessions that are open keep what they have.

        Returns:
            True when there is a new certificate from now on.
        """
        marks = self._current_marks()
        if marks == self._marks:
            if self._seconds() - self._keys_made >= TICKET_KEY_SECONDS:
                self._make_keys()
            return False
        self._marks = marks
        try:
            self.without_tickets.context = self._take_up()
        except ConfigError as error:
            self._log.error(
                "The certificate changed and cannot be used; the old one stays: {error}",
                error=str(error),
            )
            return False
        self._log.info("New certificate from {file}", file=str(self._certificate))
        return True

    def _take_up(self) -> SSL.Context:
        """Read both files; returns the settings of servers without tickets."""
        pair, context = read_pair(self._certificate, self._private_key)
        if pair.expiry < dt.datetime.now(dt.UTC):
            self._log.warn(
                "The certificate in {file} expired on {expiry}",
                file=str(self._certificate),
                expiry=pair.expiry.date().isoformat(),
            )
        self._pair = pair
        self._make_keys()
        return context

    def _make_keys(self) -> None:
        """OpenSSL makes new keys for the tickets of each context."""
        self._context = self._pair.context()
        self._keys_made = self._seconds()

    def _current_marks(self) -> tuple[FileMark | None, FileMark | None]:
        return _mark(self._certificate), _mark(self._private_key)


@implementer(IOpenSSLServerConnectionCreator)
class ServerWithoutTickets:
    """Like `ServerTLS`, for sessions that nobody resumes."""

    def __init__(self, context: SSL.Context) -> None:
        self.context = context

    def serverConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:  # noqa: ARG002
        return SSL.Connection(self.context, None)


class CertificateWatch(Service):
    """Looks now and then whether the certificate's files changed."""

    def __init__(self, tls: ServerTLS, clock: IReactorTime) -> None:
        self._loop = LoopingCall(tls.reload)
        self._loop.clock = clock
        self._stopped: Deferred[LoopingCall] | None = None

    def startService(self) -> None:
        Service.startService(self)
        self._stopped = self._loop.start(WATCH_SECONDS, now=False)

    def stopService(self) -> Deferred[LoopingCall] | None:
        Service.stopService(self)
        if self._loop.running:
            self._loop.stop()
        return self._stopped


def server_tls(config: Config, now: dt.datetime) -> ServerTLS:
    """
    The configured certificate, or the self-signed one of the state directory, which exists.

    Raises:
        ConfigError: it cannot be used, or not be made.
    """
    if config.tls.certificate and config.tls.private_key:
        return ServerTLS(config.tls.certificate, config.tls.private_key)
    try:
        files = ensure_self_signed(config.state_dir, config.hostname, now)
    except OSError as error:
        raise ConfigError(
            f"state_dir: no certificate can be made in {config.state_dir}: {error.strerror}"
        ) from error
    return ServerTLS(*files)


def _read_chain(file: Path) -> tuple[x509.Certificate, ...]:
    try:
        return tuple(x509.load_pem_x509_certificates(file.read_bytes()))
    except OSError as error:
        raise ConfigError(f"tls.certificate: {file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"tls.certificate: {file} holds no certificate in PEM form") from error


def _read_private_key(file: Path) -> PrivateKey:
    try:
        key = load_pem_private_key(file.read_bytes(), None)
    except OSError as error:
        raise ConfigError(f"tls.private_key: {file} cannot be read: {error.strerror}") from error
    except TypeError as error:
        raise ConfigError(
            f"tls.private_key: {file} has a passphrase; allowed: a key without one"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"tls.private_key: {file} holds no private key in PEM form") from error
    if not isinstance(key, PrivateKey):
        raise ConfigError(f"tls.private_key: {file} is of an unusual kind; allowed: ECDSA or RSA")
    return key


def _mark(file: Path) -> FileMark | None:
    """What differs after a file was changed or replaced; None when there is none."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size
