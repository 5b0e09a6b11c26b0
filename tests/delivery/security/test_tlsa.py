"""Certificates and TLSA records."""

from __future__ import annotations

from hashlib import sha256, sha512

from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.dnsrecords import TlsaRecord
from smtpeter.delivery.security.tlsa import matches, proves, usable
from tests.certificates import EXPIRED, Issued, authority, issued

HOST = "mx.mailbox.example"
NAMES = (HOST, "mailbox.example")
RECORDS = st.builds(
    TlsaRecord,
    st.integers(0, 4),
    st.integers(0, 2),
    st.integers(0, 3),
    st.sampled_from([b"", b"x", b"y" * 32, b"z" * 64]),
)


def record(
    usage: int, of: Issued, *, selector: int = 1, matching: int = 1, data: bytes | None = None
) -> TlsaRecord:
    """What an operator would publish."""
    octets = of.public_key if selector else of.der
    digests = {0: octets, 1: sha256(octets).digest(), 2: sha512(octets).digest()}
    return TlsaRecord(usage, selector, matching, digests[matching] if data is None else data)


class UsableTests(SynchronousTestCase):
    """Records that can be compared."""

    def test_usable(self) -> None:
        """Usages 2 and 3 are of use, with both selectors and the three ways of matching."""
        own = issued(HOST)
        records = [
            record(usage, own, selector=selector, matching=matching)
            for usage in (2, 3)
            for selector in (0, 1)
            for matching in (0, 1)
        ]
        self.assertEqual(tuple(records), usable(records))

    def test_of_no_use(self) -> None:
        """Usages 0 and 1, what nobody knows, and what has a wrong length is of no use."""
        own = issued(HOST)
        for each in (
            record(0, own),
            record(1, own),
            record(4, own),
            record(3, own, selector=1, data=b""),
            record(3, own, data=b"x" * 31),
            record(3, own, matching=2, data=b"x" * 32),
            record(3, own, matching=0, data=b""),
            TlsaRecord(3, 2, 1, b"x" * 32),
            TlsaRecord(3, 1, 3, b"x" * 32),
            TlsaRecord(255, 255, 255, b""),
        ):
            self.assertEqual((), usable([each]), each)

    def test_strongest(self) -> None:
        """Of digests of the same thing the strongest kind counts."""
        own, other = issued(HOST), issued(HOST)
        weak, strong = record(3, own), record(3, other, matching=2)
        whole, another = record(3, own, matching=0), record(3, own, selector=0)
        self.assertEqual((strong, whole, another), usable([weak, strong, whole, another, strong]))

    @given(st.lists(RECORDS, max_size=6))
    def test_any_records(self, records: list[TlsaRecord]) -> None:
        """What is of use is a part of what was given, and all of it is of use again."""
        found = usable(records)
        self.assertLessEqual(set(found), set(records))
        self.assertEqual(found, usable(found))


class EndEntityTests(SynchronousTestCase):
    """Usage 3."""

    def test_matching(self) -> None:
        """The certificate or its key is compared, whole or by a digest."""
        own, other = issued(HOST), issued(HOST)
        for selector in (0, 1):
            for matching in (0, 1, 2):
                each = record(3, own, selector=selector, matching=matching)
                self.assertTrue(matches(each, own.certificate))
                self.assertFalse(matches(each, other.certificate))
                self.assertEqual(HOST, proves([each], own.chain, NAMES))
                self.assertIsNone(proves([each], other.chain, NAMES))

    def test_nothing_else_counts(self) -> None:
        """Neither its names nor its term count, nor who has signed it."""
        own = issued("other.example", by=authority(), term=EXPIRED)
        self.assertEqual(HOST, proves([record(3, own)], own.chain[:1], NAMES))

    def test_own_certificate_alone(self) -> None:
        """A certificate that the server sends besides its own proves nothing."""
        root = authority()
        own = issued(HOST, by=root)
        self.assertIsNone(proves([record(3, root)], own.chain, NAMES))

    def test_one_of_several(self) -> None:
        """One record that matches is enough: keys are changed that way."""
        own, next_key = issued(HOST), issued(HOST)
        self.assertEqual(HOST, proves([record(3, next_key), record(3, own)], own.chain, NAMES))

    def test_no_certificate(self) -> None:
        """Without a certificate nothing is proved."""
        self.assertIsNone(proves([record(3, issued(HOST))], (), NAMES))


class AuthorityTests(SynchronousTestCase):
    """Usage 2."""

    def setUp(self) -> None:
        self.root = authority("root")
        self.middle = authority("middle", by=self.root)
        self.own = issued(HOST, by=self.middle)

    def proves(self, *records: TlsaRecord, own: Issued | None = None, sent: int = 3) -> str | None:
        """By which name, when the server sends so many certificates."""
        return proves(records, (own or self.own).chain[:sent], NAMES)

    def test_matching(self) -> None:
        """Any authority in the chain is an anchor, by certificate or key."""
        for anchor in (self.root, self.middle):
            for selector in (0, 1):
                for matching in (0, 1, 2):
                    each = record(2, anchor, selector=selector, matching=matching)
                    self.assertEqual(HOST, self.proves(each))

    def test_stranger(self) -> None:
        """An authority that is not in the chain, or the server's own certificate, is none."""
        self.assertIsNone(self.proves(record(2, authority("root"))))
        self.assertIsNone(self.proves(record(2, self.own)))

    def test_slipped_in(self) -> None:
        """An anchor that is sent along and has signed nothing proves nothing."""
        impostor = issued(HOST, by=authority("impostor"))
        chain = (*impostor.chain, self.root.certificate)
        self.assertIsNone(proves([record(2, self.root)], chain, NAMES))

    def test_not_sent(self) -> None:
        """An anchor that is not sent will do when DNS has the whole of it."""
        self.assertIsNone(self.proves(record(2, self.root), sent=2))
        whole = record(2, self.root, selector=0, matching=0)
        self.assertEqual(HOST, self.proves(whole, sent=2))
        self.assertIsNone(self.proves(record(2, self.root, selector=0, matching=0), sent=1))
        self.assertIsNone(self.proves(TlsaRecord(2, 0, 0, b"noise")))

    def test_names(self) -> None:
        """The certificate has one of the names, and the first that it has is told."""
        anchor = record(2, self.root)
        for names, expected in (
            ((HOST,), HOST),
            (("mailbox.example",), "mailbox.example"),
            (("*.mailbox.example",), HOST),
            (("other.example",), None),
            ((), None),
        ):
            own = issued(*names, by=self.middle)
            self.assertEqual(expected, self.proves(anchor, own=own), names)

    def test_term(self) -> None:
        """A certificate that has expired proves nothing."""
        self.assertIsNone(
            self.proves(record(2, self.root), own=issued(HOST, by=self.middle, term=EXPIRED))
        )

    def test_purpose(self) -> None:
        """A certificate that is not for servers proves nothing."""
        for purpose, expected in (
            (ExtendedKeyUsageOID.SERVER_AUTH, HOST),
            (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE, HOST),
            (ExtendedKeyUsageOID.CLIENT_AUTH, None),
        ):
            own = issued(HOST, by=self.middle, purposes=[purpose])
            self.assertEqual(expected, self.proves(record(2, self.root), own=own))

    def test_no_authority(self) -> None:
        """Who has no right to sign for others does not sign for anybody."""
        own = issued(HOST, by=issued("mx.other.example", by=self.root))
        self.assertIsNone(self.proves(record(2, self.root), own=own))
