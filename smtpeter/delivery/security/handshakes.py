"""The client's side of TLS handshakes, and what a server has to prove in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography.x509 import Certificate
from OpenSSL import SSL
from OpenSSL.crypto import X509
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.logger import Logger
from zope.interface import implementer

from smtpeter.delivery.dnsrecords import TlsaRecord
from smtpeter.delivery.security.identity import is_for
from smtpeter.delivery.security.tlsa import proves
from smtpeter.delivery.security.tlsresult import TlsFault, TlsResult
from smtpeter.units import is_ip_address

# Of OpenSSL's X509_V_ERR_...; whatever else is wrong comes down to trust.
_TERM_ERRORS = {9: "is not good yet", 10: "has expired"}
_TRUST_ERRORS = {18: "is signed by nobody else", 19: "is of an authority that is not trusted"}

_log = Logger()


def client_context(*, modern: bool) -> SSL.Context:
    """
    The settings of a client that takes any certificate.

    No session is resumed: there is little to gain where connections are kept, and a ticket
    would tell a server that we have been there before.

    Args:
        modern: it speaks nothing older than TLS 1.2; else whatever OpenSSL still speaks, as
            clear text would be worse.
    """
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_options(SSL.OP_NO_TICKET)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    if modern:
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
    return context


def verifying_context(ca_file: Path | None) -> SSL.Context:
    """
    The settings for `VerifiedTls`: the authorities that the system trusts, and some more.

    Reading them takes longer than the reactor may wait.

    Args:
        ca_file: PEM certificates of the further ones.

    Raises:
        SSL.Error: the file cannot be read.
    """
    context = client_context(modern=True)
    context.set_default_verify_paths()
    if ca_file is not None:
        context.load_verify_locations(str(ca_file))
    return context


@implementer(IOpenSSLClientConnectionCreator)
class UnverifiedTls:
    """Makes TLS connections that name the host they want and take any certificate."""

    def __init__(self, context: SSL.Context, host: str) -> None:
        self._context = context
        self._host = host

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:  # noqa: ARG002
        return connection_to(self._host, self._context)


@implementer(IOpenSSLClientConnectionCreator)
class VerifiedTls:
    """
    Makes one TLS connection, to a server that has to prove its name by an authority's word.

    Args:
        context: as `verifying_context` makes them.
        host: its name, or its IP address.
        strict: a server that proves nothing is left in the middle of the handshake.

    Attributes:
        proved: the handshake is done, and the server has proved its name.
        fault: what was wrong with its certificate.
    """

    def __init__(self, context: SSL.Context, host: str, *, strict: bool = True) -> None:
        self.fault: TlsFault | None = None
        self._context = context
        self._host = host
        self._strict = strict
        self._seen = False

    @property
    def proved(self) -> bool:
        return self._seen and self.fault is None

    @property
    def objection(self) -> str:
        return self.fault.text if self.fault is not None and self._strict else ""

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:  # noqa: ARG002
        connection = connection_to(self._host, self._context)
        connection.set_verify(SSL.VERIFY_PEER, self._judge)
        return connection

    def examine(self, connection: SSL.Connection) -> None:  # noqa: ARG002
        """All was looked at during the handshake, if there was anything to look at."""
        if not self._seen:
            text = f"{self._host} presents no certificate"
            self._note(TlsFault(TlsResult.VALIDATION_FAILURE, text))

    def _judge(
        self, _: SSL.Connection, certificate: X509, error: int, depth: int, _ok: int
    ) -> bool:
        """Look at one certificate of the chain, with what OpenSSL finds wrong with it."""
        if error:
            self._note(_fault_of(self._host, error))
        elif depth == 0:
            self._seen = True
            if not _names(certificate, self._host):
                text = f"the certificate of {self._host} is one of another host"
                self._note(TlsFault(TlsResult.CERTIFICATE_HOST_MISMATCH, text))
        return self.fault is None or not self._strict

    def _note(self, fault: TlsFault) -> None:
        """The first is told."""
        self.fault = self.fault or fault


@implementer(IOpenSSLClientConnectionCreator)
class DaneTls:
    """
    Makes one TLS connection, to a server of which DNS says what it has to present.

    Args:
        context: as `client_context` makes them.
        records: that can be used; at least one.
        names: by which an authority may know the server, the one to be named to it first.

    Attributes:
        proved, fault: as those of `VerifiedTls`.
        proved_name: the one of `names` that the server has proved.
        base: the first of `names`.
    """

    def __init__(
        self, context: SSL.Context, records: Sequence[TlsaRecord], names: Sequence[str]
    ) -> None:
        self.fault: TlsFault | None = None
        self.proved_name: str | None = None
        self.base = names[0]
        self._context = context
        self._records = records
        self._names = names

    @property
    def proved(self) -> bool:
        return self.proved_name is not None

    @property
    def objection(self) -> str:
        return self.fault.text if self.fault is not None else ""

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:  # noqa: ARG002
        return connection_to(self.base, self._context)

    def examine(self, connection: SSL.Connection) -> None:
        """Compare what the server has sent with the records."""
        try:
            chain: Sequence[Certificate] = (
                connection.get_peer_cert_chain(as_cryptography=True) or ()
            )
            self.proved_name = proves(self._records, chain, self._names)
        except Exception as error:  # whatever cannot be read proves nothing
            _log.info("a certificate cannot be read: {error!r}", error=error)
        if not self.proved:
            text = f"the certificate of {self.base} is not the one of its TLSA records"
            self.fault = TlsFault(TlsResult.CERTIFICATE_NOT_TRUSTED, text)


def connection_to(host: str, context: SSL.Context) -> SSL.Connection:
    """The beginning of a connection to a host that is named in the handshake."""
    connection = SSL.Connection(context, None)
    if not is_ip_address(host):  # RFC 6066 section 3: names only
        connection.set_tlsext_host_name(host.encode("ascii"))
    return connection


def _names(certificate: X509, host: str) -> bool:
    try:
        return is_for(certificate.to_cryptography(), host)
    except ValueError:  # it cannot be read
        return False


def _fault_of(host: str, error: int) -> TlsFault:
    if error in _TERM_ERRORS:
        text = f"the certificate of {host} {_TERM_ERRORS[error]}"
        return TlsFault(TlsResult.CERTIFICATE_EXPIRED, text)
    words = _TRUST_ERRORS.get(error, f"is not trusted (OpenSSL says {error})")
    return TlsFault(TlsResult.CERTIFICATE_NOT_TRUSTED, f"the certificate of {host} {words}")
