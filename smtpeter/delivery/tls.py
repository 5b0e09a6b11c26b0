"""How TLS is used with which host."""

from __future__ import annotations

import enum

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IReactorTime
from twisted.internet.ssl import optionsForClientTLS
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from smtpeter.delivery.route import literal_address
from smtpeter.expiring import Expiring
from smtpeter.smtp.opening import Encryption

REMEMBERED_HOSTS = 10_000
BROKEN_SECONDS = 3600
VERIFYING_SECONDS = 3600  # then the trusted certificates are read again


class TlsPolicy(enum.Enum):
    """
    What is asked of connections.

    Opportunistic and required encrypt without looking at the certificate: a server of
    receivers that nobody told us about can prove nothing by it (RFC 7435).
    """

    NONE = "none"
    OPPORTUNISTIC = "opportunistic"
    REQUIRED = "required"
    VERIFIED = "verified"


class TlsPolicies:
    """
    Decides for each host how TLS is used, and remembers with whom it does not work.

    Args:
        implicit: TLS comes before the greeting.
    """

    def __init__(self, policy: TlsPolicy, clock: IReactorTime, *, implicit: bool = False) -> None:
        self.policy = policy
        self._implicit = implicit
        self._broken: Expiring[str, bool] = Expiring(clock.seconds, REMEMBERED_HOSTS)
        self._verifying: Expiring[str, Encryption] = Expiring(clock.seconds, REMEMBERED_HOSTS)
        self._context = _unverified_context(policy)

    def for_host(self, host: str) -> Encryption | None:
        """How to secure a connection to a host; None for clear text."""
        if self.policy is TlsPolicy.NONE:
            return None
        if self.policy is TlsPolicy.VERIFIED:
            return self._verified(host)
        if self.clear_text_will_do and self._broken.get(host):
            return None
        required = not self.clear_text_will_do
        creator = UnverifiedTls(self._context, host)
        return Encryption(creator, required=required, implicit=self._implicit)

    @property
    def clear_text_will_do(self) -> bool:
        """Whether a host may be spoken to in clear text when TLS with it does not work."""
        return self.policy is TlsPolicy.OPPORTUNISTIC and not self._implicit

    def works_without(self, host: str) -> None:
        """TLS with a host has failed and clear text has not: spare it the next attempts."""
        self._broken.put(host, True, BROKEN_SECONDS)

    def _verified(self, host: str) -> Encryption:
        known = self._verifying.get(host)
        if known is None:
            creator = optionsForClientTLS(literal_address(host) or host)
            known = Encryption(creator, required=True, verified=True, implicit=self._implicit)
            self._verifying.put(host, known, VERIFYING_SECONDS)
        return known


@implementer(IOpenSSLClientConnectionCreator)
class UnverifiedTls:
    """Makes TLS connections that name the host they want and take any certificate."""

    def __init__(self, context: SSL.Context, host: str) -> None:
        self._context = context
        self._host = host

    def clientConnectionForTLS(
        self,
        tlsProtocol: TLSMemoryBIOProtocol,  # noqa: ARG002
    ) -> SSL.Connection:
        connection = SSL.Connection(self._context, None)
        if literal_address(self._host) is None:  # RFC 6066 section 3: names only
            connection.set_tlsext_host_name(self._host.encode("ascii"))
        return connection


def _unverified_context(policy: TlsPolicy) -> SSL.Context:
    """Opportunistic takes whatever OpenSSL still speaks: clear text would be worse."""
    context = SSL.Context(SSL.TLS_METHOD)
    if policy is not TlsPolicy.OPPORTUNISTIC:
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
    return context
