"""Signs messages (RFC 6376, RFC 8463)."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from smtpeter.message.content import Content, Field
from smtpeter.message.dkimcanonical import relaxed_body, relaxed_field
from smtpeter.message.dkimkeys import DkimKey
from smtpeter.message.headers import LINE_CHARACTERS, folded
from smtpeter.values import frozen

FIELD_NAME = "DKIM-Signature"

# Signed, whether they stand in a message or not: nobody can add a further one (RFC 6376
# sections 5.4.2 and 8.15). Each of them changes what a reader sees: from whom, to whom, about
# what and when, where an answer goes, and what is made of the body. A message has one of each at
# most (RFC 5322 section 3.6, RFC 2045 section 3), and Date and Message-ID were supplied before,
# so that no relay has a reason to.
SEALED = (
    "from", "to", "cc", "subject", "date", "message-id", "reply-to", "mime-version",
    "content-type", "content-transfer-encoding",
)  # fmt: skip

# Sealed only where they stand in a message: a mailing list may well add its own to a message
# without them (RFC 2369), and that need not cost the signature. In a newsletter a second one
# would lead readers who want no more of it to somebody else.
SEALED_WHEN_PRESENT = ("list-unsubscribe", "list-unsubscribe-post")

# Signed where they stand in a message, and no more than that.
SIGNED_WHEN_PRESENT = ("feedback-id", "in-reply-to", "references", "sender")

_WORD_CHARACTERS = LINE_CHARACTERS - len(" ")


@frozen
class SigningKey:
    """
    A key, and where its public half is found.

    Attributes:
        domain: the d= tag, as `domain_name` gives it.
        selector: the s= tag, as `selector_name` gives it.
    """

    domain: str
    selector: str
    key: DkimKey


def sign(
    content: Content,
    keys: Sequence[SigningKey],
    now: float,
    lifetime_seconds: int | None = None,
) -> bytes:
    """
    Sign all of a message as it is. Whatever changes it afterwards but fields in front breaks that.

    The fields are folded in lines of up to 76 characters; a longer domain is not cut.

    Args:
        now: seconds since the epoch, the t= tag.
        lifetime_seconds: how long the signatures count, the x= tag; None for ever.

    Returns:
        A DKIM-Signature field for each key, in order, to be put in front of the message. They
        are ASCII.
    """
    if not keys:
        return b""
    body_hash = _body_hash(content)
    names, header = _signed_header(content.fields())
    times = [f"t={int(now)};"]
    if lifetime_seconds is not None:
        times.append(f"x={int(now) + lifetime_seconds};")
    signed = [*times, *_words(f"h={':'.join(names)};", ":"), f"bh={body_hash};"]
    return b"".join(_signature(each, signed, header) for each in keys)


def _body_hash(content: Content) -> str:
    hasher = hashlib.sha256()
    for piece in relaxed_body(_body(content)):
        hasher.update(piece)
    return _base64(hasher.digest())


def _body(content: Content) -> Iterator[bytes]:
    yield from (block[content.header_octets :] for block in content.blocks[:1])
    yield from content.blocks[1:]


def _signed_header(fields: Iterable[Field]) -> tuple[list[str], bytes]:
    """
    What is signed of a header.

    Returns:
        The names for the h= tag, and the fields in that order: several of one name from the
        last to the first (RFC 6376 section 5.4.2). A name beyond those that are there stands
        for a field that is not.
    """
    by_name: defaultdict[str, list[Field]] = defaultdict(list)
    for each in fields:
        by_name[each.name].append(each)
    names: list[str] = []
    octets: list[bytes] = []
    for name in (*SEALED, *SEALED_WHEN_PRESENT, *SIGNED_WHEN_PRESENT):
        present = by_name[name]
        sealed = name in SEALED or (name in SEALED_WHEN_PRESENT and bool(present))
        names += [name] * (len(present) + sealed)
        octets += (relaxed_field(name, each.raw) for each in reversed(present))
    return names, b"".join(octets)


def _signature(signing: SigningKey, signed: Sequence[str], header: bytes) -> bytes:
    """
    One DKIM-Signature field.

    It is signed itself, without its own signature (RFC 6376 section 3.7). Folding is no
    matter there: with one blank between words it is in its relaxed form.
    """
    algorithm = f"a={signing.key.algorithm.value};"
    place = (f"d={signing.domain};", f"s={signing.selector};")
    words = ["v=1;", algorithm, "c=relaxed/relaxed;", *place, *signed]
    itself = f"{FIELD_NAME.lower()}:{' '.join(words)} b="
    signature = signing.key.sign(header + itself.encode("ascii"))
    return folded(FIELD_NAME, [*words, *_words(f"b={_base64(signature)}")]).encode("ascii")


def _words(text: str, joint: str = "") -> Iterator[str]:
    """
    Cut what is too long for a line into words of up to a line.

    Args:
        joint: the character behind which it may be cut; "" for anywhere.
    """
    start = 0
    while len(text) - start > _WORD_CHARACTERS:
        end = start + _WORD_CHARACTERS
        if joint:
            end = text.rindex(joint, start, end) + 1
        yield text[start:end]
        start = end
    yield text[start:]


def _base64(octets: bytes) -> str:
    return b64encode(octets).decode("ascii")
