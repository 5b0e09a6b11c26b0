"""Keys that sign mail: made, read, and their public half (RFC 6376, RFC 8301, RFC 8463)."""

from __future__ import annotations

import enum
import hashlib
from base64 import b64decode
from collections.abc import Iterator

from attrs import field
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
)

from smtpeter.values import frozen

RSA_BITS = 2048
LEAST_RSA_BITS = 1024  # RFC 8301 section 3.2: below it no verifier takes a signature
MOST_RSA_BITS = 4096  # the same section: above it none has to

LONGEST_TEXT_CHARACTERS = 16 * 1024  # a key of 4096 bits takes 3300

_RSA_EXPONENT = 65537
_ED25519_OCTETS = 32  # RFC 8032 section 5.1.5
_ED25519_BITS = 256

_ENCRYPTED = "it is encrypted; without a passphrase it can be used"


class Algorithm(enum.Enum):
    """How mail is signed: the a= tag."""

    RSA = "rsa-sha256"
    ED25519 = "ed25519-sha256"

    @property
    def kind(self) -> str:
        """The kind of its keys: the k= tag of what is published, "rsa" or "ed25519"."""
        return self.value.partition("-")[0]


class DkimKeyError(ValueError):
    """A text is no private key that can sign mail; the message of the exception says why."""


@frozen
class DkimKey:
    """
    A private key that signs mail. Two are equal when their public halves are.

    Attributes:
        public: the public half as the p= tag has it before it becomes base64: for RSA the DER
            of a SubjectPublicKeyInfo, for Ed25519 32 octets (RFC 8463 section 4.2).
    """

    _key: RSAPrivateKey | Ed25519PrivateKey = field(repr=False, eq=False)
    public: bytes = field(init=False, repr=False)

    @public.default
    def _public(self) -> bytes:
        if isinstance(self._key, Ed25519PrivateKey):
            return self._key.public_key().public_bytes_raw()
        return self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @classmethod
    def generate(cls, algorithm: Algorithm) -> DkimKey:
        """A new key; one for RSA takes a tenth of a second to a second."""
        if algorithm is Algorithm.ED25519:
            return cls(Ed25519PrivateKey.generate())
        return cls(generate_private_key(_RSA_EXPONENT, RSA_BITS))

    @classmethod
    def read(cls, text: str) -> DkimKey:
        """
        Read a private key that somebody handed in.

        It is proved to be one, which takes half a second for a long one.

        Args:
            text: PEM of PKCS#1 or PKCS#8, or the base64 of their DER alone, or that of the
                32 octets of an Ed25519 key.

        Raises:
            DkimKeyError: it is none of these, encrypted, of another kind, too short, or too long.
        """
        if len(text) > LONGEST_TEXT_CHARACTERS:
            raise DkimKeyError(f"it is longer than {LONGEST_TEXT_CHARACTERS} characters")
        der = _der(text)
        _signing(_loaded(der, prove=False))  # proving takes seconds for what is far too long
        return cls(_signing(_loaded(der, prove=True)))

    @classmethod
    def restored(cls, private_pem: str) -> DkimKey:
        """
        The key that gave this `private_pem`. Nothing is proved again, which takes microseconds.

        Raises:
            DkimKeyError: it is not from there.
        """
        try:
            octets = private_pem.encode()
            key = load_pem_private_key(octets, None, unsafe_skip_rsa_key_validation=True)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise DkimKeyError("it cannot be read") from None
        return cls(_signing(key))

    @property
    def private_pem(self) -> str:
        """The secret itself, to be stored: PKCS#8 in PEM, its last line complete."""
        octets = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return octets.decode("ascii")

    @property
    def algorithm(self) -> Algorithm:
        return Algorithm.RSA if isinstance(self._key, RSAPrivateKey) else Algorithm.ED25519

    @property
    def bits(self) -> int:
        return self._key.key_size if isinstance(self._key, RSAPrivateKey) else _ED25519_BITS

    @property
    def weak(self) -> bool:
        """True for RSA below 2048 bits: it counts, but should be replaced (RFC 8301 3.2)."""
        return isinstance(self._key, RSAPrivateKey) and self._key.key_size < RSA_BITS

    @property
    def public_pem(self) -> str:
        """The public half in PEM, its last line complete."""
        public = self._key.public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")

    def sign(self, octets: bytes) -> bytes:
        """The signature over the SHA-256 of these octets."""
        if isinstance(self._key, Ed25519PrivateKey):  # RFC 8463 section 3: it signs the hash
            return self._key.sign(hashlib.sha256(octets).digest())
        return self._key.sign(octets, PKCS1v15(), hashes.SHA256())


def _der(text: str) -> bytes:
    """The octets of the private key in PEM, or of base64 alone."""
    found = dict(_pem_blocks(text))
    if not found:
        return _decoded(text)
    label = next((each for each in found if each.endswith("PRIVATE KEY")), None)
    if label is None:
        first = next(iter(found))
        raise DkimKeyError(f"it is no private key, but says of itself {first!r}")
    if label == "OPENSSH PRIVATE KEY":
        raise DkimKeyError("it is in OpenSSH's own format; as PKCS#8 it can be used")
    if label == "ENCRYPTED PRIVATE KEY" or "ENCRYPTED" in found[label]:  # RFC 1421 section 4.6.1.1
        raise DkimKeyError(_ENCRYPTED)
    return _decoded(found[label])


def _pem_blocks(text: str) -> Iterator[tuple[str, str]]:
    """Labels, and what stands below them (RFC 7468)."""
    pieces = text.split("-----")
    for begin, body, end in zip(pieces[1:], pieces[2:], pieces[3:], strict=False):
        label = begin.removeprefix("BEGIN ")
        if label != begin and end == f"END {label}":
            yield label, body


def _decoded(text: str) -> bytes:
    try:
        return b64decode("".join(text.split()), validate=True)
    except ValueError:
        raise DkimKeyError("it is neither PEM nor base64") from None


def _loaded(der: bytes, *, prove: bool) -> PrivateKeyTypes:
    if len(der) == _ED25519_OCTETS:
        return Ed25519PrivateKey.from_private_bytes(der)
    try:
        return load_der_private_key(der, None, unsafe_skip_rsa_key_validation=not prove)
    except TypeError:
        raise DkimKeyError(_ENCRYPTED) from None
    except (ValueError, UnsupportedAlgorithm):
        if _is_public(der):
            raise DkimKeyError("it is a public key; the private one is needed") from None
        raise DkimKeyError("it is no sound private key of PKCS#1 or PKCS#8") from None


def _is_public(der: bytes) -> bool:
    try:
        load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True


def _signing(key: PrivateKeyTypes) -> RSAPrivateKey | Ed25519PrivateKey:
    """Return a key of a kind and size that verifiers take."""
    if isinstance(key, Ed25519PrivateKey):
        return key
    if isinstance(key, EllipticCurvePrivateKey):
        raise DkimKeyError(
            f"it is of the elliptic curve {key.curve.name}; DKIM has none but Ed25519"
        )
    if not isinstance(key, RSAPrivateKey):
        raise DkimKeyError("it is neither an RSA nor an Ed25519 key")
    if key.key_size < LEAST_RSA_BITS:
        raise DkimKeyError(
            f"it is an RSA key of {key.key_size} bits; below {LEAST_RSA_BITS} none counts"
        )
    if key.key_size > MOST_RSA_BITS:
        raise DkimKeyError(
            f"it is an RSA key of {key.key_size} bits; above {MOST_RSA_BITS} many cannot check it"
        )
    return key
