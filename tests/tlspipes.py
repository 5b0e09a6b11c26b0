"""Real TLS between two protocols in memory."""

from __future__ import annotations

import datetime as dt
import ipaddress
from functools import lru_cache
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet import _newtls
from twisted.internet.interfaces import IProtocol, IReactorTime, ISSLTransport
from twisted.internet.ssl import Certificate, PrivateCertificate
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.test.iosim import FakeTransport
from zope.interface import directlyProvides

NAME = "mx.mailbox.example"


class TlsTransport(FakeTransport):
    """iosim's transport, whose own TLS is only played, with the TLS of Twisted's sockets."""

    TLS = False
    connected = True

    def __init__(self, protocol: IProtocol, clock: IReactorTime, *, is_server: bool) -> None:
        super().__init__(protocol, is_server)
        self._clock = clock
        self.aborted = False

    def startTLS(self, contextFactory: Any, beNormal: bool = True) -> None:  # noqa: FBT001, FBT002
        layers = TLSMemoryBIOFactory(
            contextFactory, self.isServer ^ beNormal, cast("Any", None), clock=self._clock
        )
        layer = layers.protocol(layers, self.protocol, False)
        self.protocol = layer
        self.TLS = True
        self.getHandle = layer.getHandle
        directlyProvides(self, ISSLTransport)
        layer.makeConnection(_newtls._BypassTLS(FakeTransport, self))

    def write(self, data: bytes) -> None:
        if self.TLS:
            self.protocol.write(data)
        else:
            super().write(data)

    def writeSequence(self, iovec: Any) -> None:
        self.write(b"".join(iovec))

    def loseConnection(self) -> None:
        if self.TLS:
            self.protocol.loseConnection()
        else:
            super().loseConnection()

    def abortConnection(self) -> None:
        self.aborted = True
        FakeTransport.loseConnection(self)

    def registerProducer(self, producer: Any, streaming: bool) -> None:  # noqa: FBT001
        if self.TLS:
            self.protocol.registerProducer(producer, streaming)
        else:
            super().registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        if self.TLS:
            self.protocol.unregisterProducer()
        else:
            super().unregisterProducer()


@lru_cache
def certificate() -> PrivateCertificate:
    """A self-signed certificate for `NAME` and 192.0.2.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = dt.datetime.now(dt.UTC)
    names = [x509.DNSName(NAME), x509.IPAddress(ipaddress.ip_address("192.0.2.1"))]
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = signed.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    loaded: PrivateCertificate = PrivateCertificate.loadPEM(pem)
    return loaded


def authority() -> Certificate:
    """What to trust so that `certificate` is verified."""
    return Certificate(certificate().original)
