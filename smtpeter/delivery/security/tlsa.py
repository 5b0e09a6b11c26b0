"""
Certificates and the TLSA records that speak for them (DANE: RFC 6698, RFC 7671, RFC 7672).

Usage 3 is about the server's own certificate: what else it says, its names and its term, does
not count. Usage 2 is about an authority, whose certificate the server has to send along. What
usages 0 and 1 ask for nobody could check: whose authorities would be meant?
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256, SHA512, Hash, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from OpenSSL.crypto import X509, X509Store, X509StoreContext, X509StoreContextError, X509StoreFlags

from smtpeter.delivery.dnsrecords import TlsaRecord
from smtpeter.delivery.security.identity import is_for

AUTHORITY, END_ENTITY = 2, 3
WHOLE_CERTIFICATE, PUBLIC_KEY = 0, 1
WHOLE = 0
DIGESTS: dict[int, Callable[[], HashAlgorithm]] = {1: SHA256, 2: SHA512}
DIGEST_OCTETS = {1: 32, 2: 64}

_SERVER_PURPOSES = {
    x509.oid.ExtendedKeyUsageOID.SERVER_AUTH,
    x509.oid.ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
}


def usable(records: Iterable[TlsaRecord]) -> tuple[TlsaRecord, ...]:
    """
    The records that a certificate can be compared with.

    Where a usage and a selector have digests of several kinds, those of the strongest are
    left (RFC 7671 section 9).
    """
    known = [each for each in dict.fromkeys(records) if _is_known(each)]
    strongest: dict[tuple[int, int], int] = {}
    for each in known:
        kind = (each.usage, each.selector)
        strongest[kind] = max(each.matching, strongest.get(kind, WHOLE))
    return tuple(
        each for each in known if each.matching in (WHOLE, strongest[each.usage, each.selector])
    )


def matches(record: TlsaRecord, certificate: x509.Certificate) -> bool:
    """Whether a usable record speaks for a certificate, whatever its usage."""
    if record.selector == WHOLE_CERTIFICATE:
        return _matching(record, certificate.public_bytes(Encoding.DER))
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return False
    return _matching(record, key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def proves(
    records: Sequence[TlsaRecord], chain: Sequence[x509.Certificate], names: Sequence[str]
) -> str | None:
    """
    By which name usable records prove a server to be the right one.

    Args:
        chain: what the server sent, its own certificate first.
        names: those by which an authority may know the server.

    Returns:
        The first of `names` that its certificate has; the first of all when the names do
        not count; None when nothing is proved.
    """
    if not chain:
        return None
    own = chain[0]
    if any(each.usage == END_ENTITY and matches(each, own) for each in records):
        return names[0]
    authorities = [each for each in records if each.usage == AUTHORITY]
    anchors = [
        certificate
        for certificate in (*chain[1:], *_published(authorities))
        if any(matches(each, certificate) for each in authorities)
    ]
    if not anchors or not _leads_to(anchors, chain) or not _is_for_servers(own):
        return None
    return next((name for name in names if is_for(own, name)), None)


def _is_known(record: TlsaRecord) -> bool:
    if record.usage not in (AUTHORITY, END_ENTITY):
        return False
    if record.selector not in (WHOLE_CERTIFICATE, PUBLIC_KEY):
        return False
    if record.matching == WHOLE:
        return bool(record.data)
    return DIGEST_OCTETS.get(record.matching) == len(record.data)


def _matching(record: TlsaRecord, octets: bytes) -> bool:
    if record.matching == WHOLE:
        return octets == record.data
    digest = Hash(DIGESTS[record.matching]())
    digest.update(octets)
    return digest.finalize() == record.data


def _published(records: Iterable[TlsaRecord]) -> Iterable[x509.Certificate]:
    """Authorities whose whole certificates are in DNS; a server need not send these."""
    for each in records:
        if (each.selector, each.matching) == (WHOLE_CERTIFICATE, WHOLE):
            try:
                yield x509.load_der_x509_certificate(each.data)
            except ValueError:
                continue


def _leads_to(anchors: Iterable[x509.Certificate], chain: Sequence[x509.Certificate]) -> bool:
    """Whether the first of the chain was signed for by an anchor, all of them in their terms."""
    store = X509Store()
    store.set_flags(X509StoreFlags.PARTIAL_CHAIN)  # an anchor need not be signed by itself
    for each in anchors:
        store.add_cert(X509.from_cryptography(each))
    own, *others = map(X509.from_cryptography, chain)
    try:
        X509StoreContext(store, own, others).verify_certificate()
    except X509StoreContextError:
        return False
    return True


def _is_for_servers(certificate: x509.Certificate) -> bool:
    try:
        purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    except ValueError:  # extensions that cannot be read
        return False
    return not _SERVER_PURPOSES.isdisjoint(purposes)
