from __future__ import annotations

import re
from base64 import b64decode, b64encode
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message import dkimkeys
from smtpeter.message.dkimkeys import LONGEST_TEXT_CHARACTERS, Algorithm, DkimKey, DkimKeyError
from tests.verifying import signing_keys

PKCS1 = PrivateFormat.TraditionalOpenSSL
PKCS8 = PrivateFormat.PKCS8

# The example of RFC 8463, appendices A.1 and A.2.
RFC8463_PRIVATE = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
RFC8463_PUBLIC = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def pem(
    key: PrivateKeyTypes,
    form: PrivateFormat = PKCS8,
    encryption: KeySerializationEncryption | None = None,
) -> str:
    return key.private_bytes(Encoding.PEM, form, encryption or NoEncryption()).decode()


def bare(text: str) -> str:
    """The base64 of a PEM text in one line."""
    return "".join(line for line in text.splitlines() if "-----" not in line)


def forged_key() -> rsa.RSAPrivateKey:
    """A key whose numbers do not belong together."""
    numbers = rsa_key().private_numbers()
    forged = rsa.RSAPrivateNumbers(
        numbers.p, numbers.q, numbers.d + 2, numbers.dmp1, numbers.dmq1, numbers.iqmp,
        numbers.public_numbers,
    )  # fmt: skip
    return forged.private_key(unsafe_skip_rsa_key_validation=True)


def spki(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


class GenerateTests(SynchronousTestCase):
    """Keys that we make."""

    def test_rsa(self) -> None:
        key = signing_keys()[0].key
        self.assertEqual((Algorithm.RSA, 2048, False), (key.algorithm, key.bits, key.weak))
        public = load_der_public_key(key.public)
        assert isinstance(public, rsa.RSAPublicKey)
        public.verify(key.sign(b"octets"), b"octets", padding.PKCS1v15(), SHA256())

    def test_ed25519(self) -> None:
        key = signing_keys()[1].key
        self.assertEqual((Algorithm.ED25519, 256, False), (key.algorithm, key.bits, key.weak))
        self.assertEqual(32, len(key.public))

    def test_kinds(self) -> None:
        """An algorithm tells of what kind its keys are."""
        self.assertEqual(["rsa", "ed25519"], [each.key.algorithm.kind for each in signing_keys()])

    def test_another(self) -> None:
        """No two are the same."""
        self.assertNotEqual(
            DkimKey.generate(Algorithm.ED25519), DkimKey.generate(Algorithm.ED25519)
        )

    def test_public_pem(self) -> None:
        for each in signing_keys():
            public = load_pem_public_key(each.key.public_pem.encode())
            if isinstance(public, ed25519.Ed25519PublicKey):
                self.assertEqual(each.key.public, public.public_bytes_raw())
            else:
                der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
                self.assertEqual(each.key.public, der)

    def test_restored(self) -> None:
        """What is stored is the key itself."""
        for each in signing_keys():
            again = DkimKey.restored(each.key.private_pem)
            self.assertEqual(each.key, again)
            self.assertEqual(each.key.sign(b"octets"), again.sign(b"octets"))
            self.assertTrue(each.key.private_pem.endswith("-----END PRIVATE KEY-----\n"))
            self.assertEqual(hash(each.key), hash(again))

    def test_not_restored(self) -> None:
        """What is no key does not become one."""
        locked = pem(rsa_key(), PKCS8, BestAvailableEncryption(b"secret"))
        for text in ("", "a key", bare(pem(rsa_key())), locked):
            self.assertRaises(DkimKeyError, DkimKey.restored, text)

    def test_no_secret(self) -> None:
        """A key that is shown tells nothing."""
        for each in signing_keys():
            self.assertTrue(re.fullmatch(r"DkimKey\(\)", repr(each.key)), repr(each.key))


class ReadTests(SynchronousTestCase):
    """Keys that somebody hands in."""

    def refusal(self, text: str) -> str:
        return str(self.assertRaises(DkimKeyError, DkimKey.read, text))

    def test_rsa(self) -> None:
        """PKCS#1 and PKCS#8, in PEM or as bare base64, with any white space in it."""
        expected = spki(rsa_key())
        for form in (PKCS1, PKCS8):
            text = pem(rsa_key(), form)
            for each in (
                text,
                bare(text),
                text.replace("\n", "\r\n"),
                text.replace("\n", " "),
                "\n\n  " + text.replace("\n", "\n  "),
                "My key:\n" + text + "\nthe end",
                re.sub("(.{64})", "\\1\n\t", bare(text)),
            ):
                self.assertEqual(expected, DkimKey.read(each).public)

    def test_ed25519(self) -> None:
        """PKCS#8 in PEM or as bare base64, and the 32 octets alone."""
        key = ed25519.Ed25519PrivateKey.generate()
        seed = b64encode(key.private_bytes_raw()).decode()
        for each in (pem(key), bare(pem(key)), seed):
            self.assertEqual(key.public_key().public_bytes_raw(), DkimKey.read(each).public)

    def test_rfc_8463(self) -> None:
        """The key of the RFC."""
        self.assertEqual(b64decode(RFC8463_PUBLIC), DkimKey.read(RFC8463_PRIVATE).public)

    def test_beside_others(self) -> None:
        """A private key is found among other things in one file."""
        public = DkimKey.read(pem(rsa_key())).public_pem
        self.assertEqual(spki(rsa_key()), DkimKey.read(public + pem(rsa_key())).public)

    def test_weak(self) -> None:
        """RSA keys from 1024 bits on are taken; below 2048 they are weak."""
        key = DkimKey.read(pem(rsa_key(1024)))
        self.assertEqual((1024, True), (key.bits, key.weak))
        self.assertFalse(DkimKey.read(pem(rsa_key())).weak)
        self.assertFalse(DkimKey.read(RFC8463_PRIVATE).weak)

    def test_short(self) -> None:
        """An RSA key of less than 1024 bits is worth nothing."""
        self.patch(dkimkeys, "LEAST_RSA_BITS", 1025)
        self.assertEqual(
            "it is an RSA key of 1024 bits; below 1025 none counts",
            self.refusal(pem(rsa_key(1024))),
        )

    def test_long(self) -> None:
        """One that receivers need not check is none to sign with, and is not proved."""
        self.patch(dkimkeys, "MOST_RSA_BITS", 2047)
        self.assertEqual(
            "it is an RSA key of 2048 bits; above 2047 many cannot check it",
            self.refusal(pem(forged_key())),
        )
        self.assertEqual(
            "it is an RSA key of 2048 bits; above 2047 many cannot check it",
            self.refusal(pem(rsa_key())),
        )

    def test_limits(self) -> None:
        """The limits are those of RFC 8301 section 3.2."""
        self.assertEqual((1024, 4096), (dkimkeys.LEAST_RSA_BITS, dkimkeys.MOST_RSA_BITS))

    def test_encrypted(self) -> None:
        """A passphrase is nobody's business here."""
        encryption = BestAvailableEncryption(b"secret")
        expected = "it is encrypted; without a passphrase it can be used"
        for form in (PKCS1, PKCS8):
            self.assertEqual(expected, self.refusal(pem(rsa_key(), form, encryption)))
        self.assertEqual(expected, self.refusal(bare(pem(rsa_key(), PKCS8, encryption))))

    def test_other_kinds(self) -> None:
        """Keys of other kinds are refused by name."""
        curve = ec.generate_private_key(ec.SECP256R1())
        expected = "it is of the elliptic curve secp256r1; DKIM has none but Ed25519"
        for form in (PKCS1, PKCS8):
            self.assertEqual(expected, self.refusal(pem(curve, form)))
        parameters = (
            "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
        )
        self.assertEqual(expected, self.refusal(parameters + pem(curve, PKCS1)))
        neither = "it is neither an RSA nor an Ed25519 key"
        self.assertEqual(neither, self.refusal(pem(ed448.Ed448PrivateKey.generate())))

    def test_openssh(self) -> None:
        self.assertEqual(
            "it is in OpenSSH's own format; as PKCS#8 it can be used",
            self.refusal(pem(rsa_key(), PrivateFormat.OpenSSH)),
        )

    def test_public(self) -> None:
        """Who hands in the public half is told so."""
        key = DkimKey.read(pem(rsa_key()))
        self.assertEqual(
            "it is no private key, but says of itself 'PUBLIC KEY'", self.refusal(key.public_pem)
        )
        self.assertEqual(
            "it is a public key; the private one is needed", self.refusal(bare(key.public_pem))
        )

    def test_nothing_sensible(self) -> None:
        """Other texts are refused too."""
        text = pem(rsa_key())
        neither = "it is neither PEM nor base64"
        unsound = "it is no sound private key of PKCS#1 or PKCS#8"
        for each, expected in (
            ("", unsound),
            ("a key!", neither),
            ("schlüssel", neither),
            ("aGVsbG8=", unsound),
            (bare(text)[:-40], unsound),
            (text.replace("END", "End"), neither),
            (text.replace("\nM", "\n*"), neither),
            ("A" * (LONGEST_TEXT_CHARACTERS + 1), "it is longer than 16384 characters"),
        ):
            self.assertEqual(expected, self.refusal(each), each)

    def test_unsound(self) -> None:
        """A key whose numbers do not belong together is found out when it is handed in."""
        self.assertIn("no sound private key", self.refusal(pem(forged_key())))

    @given(
        st.text()
        | st.text("-BEGINPRVATKY \nA=", max_size=80)
        | st.binary().map(b64encode).map(bytes.decode)
    )
    def test_any(self, text: str) -> None:
        """Any text is a key or is refused; there are no other errors."""
        try:
            DkimKey.read(text)
        except DkimKeyError as error:
            self.assertTrue(str(error))
