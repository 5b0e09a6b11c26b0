"""Certificates as tests need them, with authorities of their own."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Sequence
from functools import lru_cache

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from OpenSSL import SSL

DAY = dt.timedelta(days=1)
ORDINARY_TERM = (-DAY, DAY)
EXPIRED = (-2 * DAY, -DAY)


@attrs.frozen
class Issued:
    """
    A certificate with its key.

    Attributes:
        above: those that lead to its authority, which is the last, in their order.
    """

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    above: tuple[x509.Certificate, ...] = ()

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        return (self.certificate, *self.above)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def public_key(self) -> bytes:
        """As DER."""
        return self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def pem(self) -> bytes:
        """The certificates of the chain."""
        return b"".join(each.public_bytes(Encoding.PEM) for each in self.chain)

    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def server_context(self, *, chain: bool = True) -> SSL.Context:
        """The settings of a server that presents it, with those above it or without."""
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.use_certificate(self.certificate)
        context.use_privatekey(self.key)
        for each in self.above if chain else ():
            context.add_extra_chain_cert(each)
        return context


def authority(name: str = "authority", *, by: Issued | None = None) -> Issued:
    """A new authority: a root, or one below another."""
    return _issue(name, (), by, ORDINARY_TERM, purposes=(), is_authority=True)


def issued(
    *names: str,
    by: Issued | None = None,
    term: tuple[dt.timedelta, dt.timedelta] = ORDINARY_TERM,
    purposes: Sequence[x509.ObjectIdentifier] = (),
) -> Issued:
    """
    A new certificate of a host.

    Args:
        names: of the host, or its IP addresses.
        by: its authority; None for one that the host has signed itself.
        term: its begin and end, from now.
        purposes: what it may be used for; none for anything.
    """
    return _issue(names[0] if names else "nobody", names, by, term, purposes, is_authority=False)


@lru_cache
def ordinary_authority() -> Issued:
    """An authority for all tests that do not care for one of their own."""
    return authority()


@lru_cache
def ordinary(*names: str) -> Issued:
    """A certificate that is good in every way, of `ordinary_authority`."""
    return issued(*names, by=ordinary_authority())


def _issue(
    subject: str,
    names: Sequence[str],
    by: Issued | None,
    term: tuple[dt.timedelta, dt.timedelta],
    purposes: Sequence[x509.ObjectIdentifier],
    *,
    is_authority: bool,
) -> Issued:
    key = ec.generate_private_key(ec.SECP256R1())
    called = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)])
    begin, end = (dt.datetime.now(dt.UTC) + each for each in term)
    builder = (
        x509.CertificateBuilder()
        .subject_name(called)
        .issuer_name(by.certificate.subject if by else called)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
    )
    if names:
        alternatives = x509.SubjectAlternativeName([*map(_general_name, names)])
        builder = builder.add_extension(alternatives, critical=False)
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    signed = builder.sign(by.key if by else key, hashes.SHA256())
    return Issued(signed, key, by.chain if by else ())


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
