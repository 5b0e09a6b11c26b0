from __future__ import annotations

import re
import time
from collections.abc import Sequence

import attrs
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.content import Content
from smtpeter.message.dkim import (
    FIELD_NAME,
    SEALED,
    SEALED_WHEN_PRESENT,
    SIGNED_WHEN_PRESENT,
    SigningKey,
    sign,
)
from tests.cutting import CUTS, pieces
from tests.verifying import delivered, published, signing_keys, verdicts

NOW = time.time()  # the oracle reads the clock
LINE_CHARACTERS = 78  # RFC 5322 section 2.1.1

MESSAGE = (
    b"Received: from desk.shop.example\r\n"
    b"From: noor@shop.example\r\nTo: kees@mailbox.example\r\nSubject: Your\r\n  order\r\n"
    b"Date: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@shop.example>\r\n"
    b"List-Unsubscribe: <https://shop.example/out>\r\nX-Other: 1\r\n"
    b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nSender: shop@shop.example\r\n"
    b"Feedback-ID: 1:2:3:4\r\nReferences: <0@shop.example>\r\n"
    b"\r\n"
    b"Hello,\r\n\r\nit  is on its way.\r\n\r\n"
)
FIELD = re.compile(rb"(?m)^([A-Za-z-]+):.*\r\n(?:[ \t].*\r\n)*")

NAMES = st.sampled_from([
    b"From", b"FROM", b"to", b"To", b"cC", b"Subject", b"Reply-To", b"References", b"Sender",
    b"From ", b"MIME-Version", b"Content-Type", b"List-Unsubscribe", b"X-Other", b"Received", b"!",
    b"DKIM-Signatur", b"Subject ", b"to\t",
])  # fmt: skip
VALUES = st.lists(
    st.sampled_from(
        [b" ", b"\t", b"a", b"B:", b";", b"=", b"\r\n ", b"\r\n\t", b"\xc3\xbc", b"\xff"]
    )
).map(b"".join)
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=8).map(
    lambda fields: b"".join(b"%b:%b\r\n" % each for each in fields)
)
BODIES = st.lists(
    st.sampled_from(
        [b"a", b" ", b"\t", b"\r\n", b"\r\n\r\n", b".", b"\xe4", b"\x01", b"=", b"\xa0"]
    )
).map(b"".join)


def signed(octets: bytes, keys: Sequence[SigningKey] | None = None) -> bytes:
    """A message with its signatures, as it arrives."""
    content = Content.from_blocks([octets])
    fields = sign(content, signing_keys() if keys is None else keys, NOW)
    return delivered(bytes(content.prepended(fields)))


def holds(octets: bytes) -> list[bool]:
    keys = signing_keys()
    return verdicts(octets, len(keys), published(keys))


def tags(field: str) -> dict[str, str]:
    """The tags of a DKIM-Signature field, blanks taken out."""
    name, _, value = "".join(field.split()).partition(":")
    assert name == FIELD_NAME
    return dict(tag.split("=", 1) for tag in value.split(";"))


def signature(octets: bytes, lifetime_seconds: int | None = None, key: int = 0) -> str:
    content = Content.from_octets(octets)
    return sign(content, [signing_keys()[key]], 1_795_174_425.9, lifetime_seconds).decode("ascii")


class FieldTests(SynchronousTestCase):
    """The DKIM-Signature field (RFC 6376 section 3.5)."""

    def test_tags(self) -> None:
        """What it says, in the order in which it says it; no i=, no l=."""
        rsa, ed25519 = tags(signature(MESSAGE)), tags(signature(MESSAGE, key=1))
        self.assertEqual(["v", "a", "c", "d", "s", "t", "h", "bh", "b"], list(rsa))
        common = {"v": "1", "c": "relaxed/relaxed", "d": "shop.example", "t": "1795174425"}
        self.assertEqual(common, {name: rsa[name] for name in common})
        self.assertEqual(common, {name: ed25519[name] for name in common})
        self.assertEqual(("rsa-sha256", "zero"), (rsa["a"], rsa["s"]))
        self.assertEqual(("ed25519-sha256", "one"), (ed25519["a"], ed25519["s"]))

    def test_body_hash(self) -> None:
        """An empty body has the hash of nothing (RFC 6376 section 3.4.4)."""
        for body in (b"", b"\r\n", b"\r\n \r\n\r\n"):
            found = tags(signature(b"From: a@shop.example\r\n" + body))["bh"]
            self.assertEqual("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", found)

    def test_lifetime(self) -> None:
        """It may end."""
        self.assertEqual("1795261225", tags(signature(MESSAGE, 86_800))["x"])

    def test_header(self) -> None:
        """What is there is named, and once more where nothing may be added."""
        self.assertEqual(
            "from:from:to:to:cc:subject:subject:date:date:message-id:message-id:reply-to:"
            "mime-version:content-type:content-transfer-encoding:"
            "list-unsubscribe:list-unsubscribe:list-unsubscribe-post:list-unsubscribe-post:"
            "feedback-id:references:sender",
            tags(signature(MESSAGE))["h"],
        )

    def test_no_header(self) -> None:
        """A From that is not there is named as well: RFC 6376 section 5.4 wants it in any case."""
        for octets in (b"", b"\r\n", b"\r\nHello\r\n"):
            self.assertEqual(":".join(SEALED), tags(signature(octets))["h"])

    def test_lines(self) -> None:
        """No line is longer than it may be; names and values are not cut in two."""
        octets = MESSAGE + b"Hello\r\n" * 9
        for key in (0, 1):
            field = signature(b"To: a\r\n" * 30 + octets, 60, key)
            *lines, end = field.split("\r\n")
            self.assertEqual("", end)
            self.assertLessEqual(max(map(len, lines)), LINE_CHARACTERS)
            self.assertTrue(all(re.match(r" [^ ]", line) for line in lines[1:]), field)
            names = "".join(lines).partition(" h=")[2].partition(";")[0].split(":")
            self.assertLess(30, len(names))
            self.assertTrue(all(re.fullmatch(r" ?[a-z-]+", name) for name in names), names)

    def test_long_domain(self) -> None:
        """A domain is never cut, however long it is; the signature holds."""
        domain = ".".join(["a" * 61] * 4)
        keys = [attrs.evolve(each, domain=domain) for each in signing_keys()]
        octets = signed(MESSAGE, keys)
        self.assertIn(b" d=%b;\r\n" % domain.encode(), octets)
        self.assertEqual([True, True], verdicts(octets, 2, published(keys)))

    def test_no_keys(self) -> None:
        """Without keys there is no signature."""
        self.assertEqual(b"", sign(Content.from_octets(MESSAGE), [], NOW))


class VerifiedTests(SynchronousTestCase):
    """What dkimpy says of signed messages."""

    @given(FIELDS, BODIES)
    def test_any(self, fields: bytes, body: bytes) -> None:
        """Both signatures of any message hold when nothing changes."""
        self.assertEqual(
            [True, True], holds(signed(b"From: a@b.example\r\n" + fields + b"\r\n" + body))
        )

    @given(FIELDS)
    def test_header_only(self, fields: bytes) -> None:
        """A message without an empty line is header throughout."""
        octets = (fields + b"From: a@b.example\r\n").removesuffix(b"\r\n")
        self.assertEqual([True, True], holds(signed(octets)))

    @given(CUTS)
    def test_blocks(self, cuts: list[int]) -> None:
        """It makes no difference where blocks of the body begin."""
        header, _, body = MESSAGE.partition(b"\r\n\r\n")
        first, *rest = pieces(body, cuts)
        content = Content.from_blocks([header + b"\r\n\r\n" + first, *rest])
        self.assertEqual(
            sign(Content.from_octets(MESSAGE), signing_keys(), NOW),
            sign(content, signing_keys(), NOW),
        )

    def test_blanks_before_colons(self) -> None:
        """A field is the same with blanks before its colon (RFC 5322 section 4.5.8)."""
        plain = b"From: a@shop.example\r\nTo: b@mailbox.example\r\n\r\nHello\r\n"
        octets = signed(plain.replace(b"From:", b"From\t :").replace(b"To:", b"To :"))
        self.assertEqual([True, True], holds(octets))
        fields = sign(Content.from_octets(plain), signing_keys(), NOW)
        self.assertEqual(fields, octets[: len(fields)])

    def test_signed_before(self) -> None:
        """Signatures that a message has stay where they are, and hold where they did."""
        once = signed(MESSAGE)
        twice = signed(once)
        self.assertTrue(twice.endswith(once))
        self.assertEqual([True] * 4, verdicts(twice, 4, published(signing_keys())))

    def test_traces(self) -> None:
        """What others put in front on the way does no harm."""
        octets = b"Received: from a\r\n by b\r\nX-Other: 2\r\nReturn-Path: <>\r\n" + signed(MESSAGE)
        keys = published(signing_keys())
        self.assertEqual([True, True], verdicts(octets, 2, keys))

    def test_relaxed(self) -> None:
        """Blanks and folds may change."""
        octets = signed(MESSAGE).replace(b"Subject: Your\r\n  order", b"SUBJECT:Your \t order ")
        octets = octets.replace(b"it  is on its way.", b"it is\ton its way. ") + b"\r\n"
        self.assertEqual([True, True], holds(octets))


class TamperingTests(SynchronousTestCase):
    """Whoever changes what is signed breaks the signatures."""

    def setUp(self) -> None:
        self.octets = signed(MESSAGE)
        self.top = self.octets.removesuffix(MESSAGE)
        assert self.top + MESSAGE == self.octets

    def fields(self) -> dict[str, bytes]:
        """The fields of the message: name to octets."""
        header = MESSAGE.partition(b"\r\n\r\n")[0] + b"\r\n"
        return {match[1].decode().lower(): match[0] for match in FIELD.finditer(header)}

    def test_untouched(self) -> None:
        self.assertEqual([True, True], holds(self.octets))

    def test_changed_fields(self) -> None:
        """A field that is signed neither goes nor changes; others may."""
        names = {*SEALED, *SEALED_WHEN_PRESENT, *SIGNED_WHEN_PRESENT}
        for name, octets in self.fields().items():
            expected = [name not in names] * 2
            gone = MESSAGE.replace(octets, b"")
            changed = MESSAGE.replace(octets, octets.replace(b"\r\n", b"1\r\n", 1))
            self.assertEqual(expected, holds(self.top + gone), name)
            self.assertEqual(expected, holds(self.top + changed), name)

    def test_added_fields(self) -> None:
        """Where a field changes what readers see, none is added, on top or below."""
        sealed = {*SEALED, *SEALED_WHEN_PRESENT}
        for name in (*sealed, *SIGNED_WHEN_PRESENT, "received", "list-id"):
            added = b"%b: b@elsewhere.example\r\n" % name.encode()
            self.assertEqual([name not in sealed] * 2, holds(added + self.octets), name)
        for name in (*sealed, "received", "list-id"):
            added = b"\r\n%b: b@elsewhere.example\r\n\r\n" % name.encode()
            below = self.octets.replace(b"\r\n\r\n", added, 1)
            self.assertEqual([name not in sealed] * 2, holds(below), name)

    def test_mailing_list(self) -> None:
        """A mailing list may add its fields to a message that has none of them."""
        octets = signed(b"From: a@shop.example\r\n\r\nHello\r\n")
        added = b"List-Unsubscribe: <mailto:a@list.example>\r\nSender: b@list.example\r\n"
        self.assertEqual([True, True], holds(added + octets))

    def test_order(self) -> None:
        """Several fields of a kind do not change places."""
        message = b"From: a@shop.example\r\nSubject: 1\r\nSubject: 2\r\n\r\n"
        octets = signed(message)
        self.assertEqual([True, True], holds(octets))
        swapped = octets.replace(b"Subject: 1\r\nSubject: 2\r\n", b"Subject: 2\r\nSubject: 1\r\n")
        self.assertEqual([False, False], holds(swapped))

    @given(st.data())
    def test_body(self, data: st.DataObject) -> None:
        """No visible octet of the body changes, and none is added or goes."""
        start = len(self.octets) - len(b"Hello,\r\n\r\nit  is on its way.\r\n\r\n")
        visible = [at for at in range(start, len(self.octets)) if self.octets[at] > ord(" ")]
        at = data.draw(st.sampled_from(visible))
        before, after = self.octets[:at], self.octets[at:]
        for changed in (b"#" + after[1:], after[1:], b"#" + after):
            self.assertEqual([False, False], holds(before + changed))

    def test_own_field(self) -> None:
        """The signature field itself is signed."""
        content = Content.from_octets(MESSAGE)
        octets = sign(content, signing_keys()[:1], NOW) + MESSAGE
        records = published(signing_keys())
        self.assertEqual([True], verdicts(octets, 1, records))
        for old, new in ((b"t=1", b"t=0"), (b"s=zero", b"s=Zero"), (b" h=from:from", b" h=from")):
            known = {
                **records,
                "Zero._domainkey.shop.example": records["zero._domainkey.shop.example"],
            }
            self.assertIn(old, octets)
            self.assertEqual([False], verdicts(octets.replace(old, new, 1), 1, known))
