from __future__ import annotations

from base64 import b64encode

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.dkimkeys import Algorithm, DkimKey
from smtpeter.message.dkimrecord import (
    SelectorError,
    key_record,
    record_fault,
    record_name,
    selector_name,
)
from tests.verifying import signing_keys

OTHER = DkimKey.generate(Algorithm.ED25519)


def base64(octets: bytes) -> str:
    return b64encode(octets).decode()


class SelectorTests(SynchronousTestCase):
    """Selectors (RFC 6376 section 3.1)."""

    def test_selectors(self) -> None:
        for text in ("zero", "2026-11", "a.b", "s1"):
            self.assertEqual(text, selector_name(text))
        self.assertEqual("zero", selector_name("ZERO"))
        self.assertEqual("a" * 63, selector_name("a" * 63))

    def test_none(self) -> None:
        for text in (
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "-a",
            "a-",
            "a_b",
            "a b",
            "a;",
            "ä",
            "a\n",
            "a" * 64,
        ):
            self.assertRaises(SelectorError, selector_name, text)

    def test_record_name(self) -> None:
        self.assertEqual("zero._domainkey.shop.example", record_name("zero", "shop.example"))


class KeyRecordTests(SynchronousTestCase):
    """What is published (RFC 6376 section 3.6.1)."""

    def test_rsa(self) -> None:
        """An RSA key is a SubjectPublicKeyInfo."""
        key = signing_keys()[0].key
        self.assertEqual(f"v=DKIM1; k=rsa; p={base64(key.public)}", key_record(key))

    def test_ed25519(self) -> None:
        """An Ed25519 key is its 32 octets (RFC 8463 appendix A.2)."""
        key = DkimKey.read("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
        self.assertEqual(
            "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", key_record(key)
        )


class RecordFaultTests(SynchronousTestCase):
    """Records as they are found, compared with a key."""

    def setUp(self) -> None:
        self.rsa, self.ed25519 = (each.key for each in signing_keys())
        self.p = base64(self.ed25519.public)

    def fault(self, record: str) -> str:
        return record_fault(record, self.ed25519)

    def test_ours(self) -> None:
        for key in (self.rsa, self.ed25519):
            self.assertEqual("", record_fault(key_record(key), key))

    def test_written_otherwise(self) -> None:
        """What means the same is the same: blanks, defaults, tags that nobody knows."""
        p = base64(self.rsa.public)
        for record in (
            f"p={p}",
            f"v=DKIM1;k=rsa;p={p};",
            f" v = DKIM1 ;\tk = rsa ; n = any words, : ; p = {p[:60]} {p[60:]} ; ",
            f"v=DKIM1; h=sha1:sha256; s=other:email; t=s; g=*; p={p}",
            f"v=DKIM1; s=*; t=s : other; h = sha256; p={p}; x_1=",
        ):
            self.assertEqual("", record_fault(record, self.rsa), record)

    def test_bare_rsa(self) -> None:
        """An RSA key may be published without its algorithm, as the RFC has it."""
        public = load_der_public_key(self.rsa.public)
        p = base64(public.public_bytes(Encoding.DER, PublicFormat.PKCS1))
        self.assertEqual("", record_fault(f"v=DKIM1; p={p}", self.rsa))

    def test_another_key(self) -> None:
        self.assertEqual("it holds another key", self.fault(key_record(OTHER)))
        elliptic = ec.generate_private_key(ec.SECP256R1()).public_key()
        der = elliptic.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        for octets in (b"", b"octets", self.rsa.public[:-1], der):
            record = f"v=DKIM1; k=rsa; p={base64(octets) or 'AAAA'}"
            self.assertEqual("it holds another key", record_fault(record, self.rsa))

    def test_another_kind(self) -> None:
        self.assertEqual(
            "it holds a key of kind 'rsa' (k=) instead of 'ed25519'",
            self.fault(key_record(self.rsa)),
        )
        self.assertEqual(
            "it holds a key of kind 'rsa' (k=) instead of 'ed25519'", self.fault(f"p={self.p}")
        )
        self.assertEqual(
            "it holds a key of kind 'ed25519' (k=) instead of 'rsa'",
            record_fault(key_record(self.ed25519), self.rsa),
        )

    def test_no_key(self) -> None:
        self.assertEqual("it holds no key (p=)", self.fault("v=DKIM1; k=ed25519"))
        self.assertEqual("the key is revoked: p= is empty", self.fault("v=DKIM1; k=ed25519; p="))
        for p in ("a", "ab*=", "schlüssel"):
            self.assertEqual("its key is no base64 (p=)", self.fault(f"k=ed25519; p={p}"))

    def test_another_version(self) -> None:
        expected = "it does not begin with v=DKIM1"
        for record in ("v=DKIM2; k=ed25519; p=", "k=ed25519; v=DKIM1; p=", "v=spf1; p="):
            self.assertEqual(expected, self.fault(record))

    def test_limits(self) -> None:
        """A record can say that the key is not for this."""
        for tag, expected in (
            ("h=sha1", "it does not allow sha256 (h=)"),
            ("s=other", "it is not for mail (s=)"),
            ("t=s:y", "it says that signatures are a test (t=y), so they do not count"),
        ):
            self.assertEqual(expected, self.fault(f"v=DKIM1; k=ed25519; {tag}; p={self.p}"))

    def test_no_tags(self) -> None:
        """What is no list of tags, or has one twice, is no record."""
        for record in (
            "", ";", "hello", "v=spf1 include:relay.example -all", "v=DKIM1;; p=", "=a", "1=a",
            "v=DKIM1; k=ed25519; p=; p=", '"v=DKIM1"; "p="',
        ):  # fmt: skip
            expected = (
                "it does not begin with v=DKIM1"
                if record.startswith("v=spf1")
                else "it is no list of tags such as 'v=DKIM1; k=rsa; p=...'"
            )
            self.assertEqual(expected, self.fault(record), record)

    @given(st.text() | st.text("vkp=; DKIM1hst", max_size=40))
    def test_any(self, record: str) -> None:
        """No other text is taken for ours."""
        self.assertTrue(self.fault(record))
