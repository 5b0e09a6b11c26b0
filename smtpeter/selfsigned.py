"""A self-signed certificate for a service that was given none."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from smtpeter.units import is_ip_address

CERTIFICATE_FILE = "certificate.pem"
PRIVATE_KEY_FILE = "private_key.pem"
LIFETIME = dt.timedelta(days=3652)
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")

_MAX_COMMON_NAME_CHARACTERS = 64  # RFC 5280 appendix A.1, ub-common-name


def ensure_self_signed(directory: Path, hostname: str, now: dt.datetime) -> tuple[Path, Path]:
    """
    Keep the self-signed certificate of a directory, or make one.

    It is made anew when it is missing, has expired, or does not name the host.

    Args:
        directory: exists already.
        hostname: a name or an IP address.
        now: with its time zone.

    Returns:
        The files of the certificate and of its key; the key's can be read by its owner only.

    Raises:
        OSError: the files cannot be read or written.
    """
    certificate, private_key = directory / CERTIFICATE_FILE, directory / PRIVATE_KEY_FILE
    if not private_key.exists() or not _serves(certificate, hostname, now):
        key = ec.generate_private_key(ec.SECP256R1())
        # the key first: should the process end in between, the pair is made anew
        certificate.unlink(missing_ok=True)
        _write(private_key, _pem(key))
        _write(certificate, _certificate(key, hostname, now))
    return certificate, private_key


def _serves(file: Path, hostname: str, now: dt.datetime) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (FileNotFoundError, ValueError, x509.ExtensionNotFound):
        return False
    return _general_name(hostname) in names.value and now < certificate.not_valid_after_utc


def _certificate(key: ec.EllipticCurvePrivateKey, hostname: str, now: dt.datetime) -> bytes:
    name = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, hostname[:_MAX_COMMON_NAME_CHARACTERS])]
    )
    names = dict.fromkeys((hostname, *LOCAL_NAMES))
    # an authority for nothing but itself: so clients can be told to trust exactly this one
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))  # for clocks that are behind
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectAlternativeName(map(_general_name, names)), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )


def _general_name(host: str) -> x509.GeneralName:
    if is_ip_address(host):
        return x509.IPAddress(ipaddress.ip_address(host))
    return x509.DNSName(host)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write(file: Path, octets: bytes) -> None:
    """Replace a file in one step; it is complete on the disk, or as it was before."""
    draft = file.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(octets)
        opened.flush()
        os.fsync(opened.fileno())
    draft.replace(file)
    directory = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
