"""Where the public half of a key is published, and as what (RFC 6376 section 3.6)."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from smtpeter.message.dkimkeys import Algorithm, DkimKey

VERSION = "DKIM1"
LONGEST_SELECTOR = 63

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_TAG_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class SelectorError(ValueError):
    """A text is no selector; the message of the exception says why."""


def selector_name(text: str) -> str:
    """
    A selector in lower case (RFC 6376 section 3.1): labels with dots between them.

    Raises:
        SelectorError: it is none, or longer than `LONGEST_SELECTOR`.
    """
    selector = text.lower()
    if len(selector) > LONGEST_SELECTOR:
        raise SelectorError(f"a selector has {LONGEST_SELECTOR} characters at most")
    if not all(map(_LABEL.fullmatch, selector.split("."))):
        raise SelectorError(f"{text!r} is no selector; one is made of letters, digits and hyphens")
    return selector


def record_name(selector: str, domain: str) -> str:
    """The name at which verifiers look for the key (RFC 6376 section 3.6.2.1)."""
    return f"{selector}._domainkey.{domain}"


def key_record(key: DkimKey) -> str:
    """
    The text of the TXT record.

    For RSA it has some 400 characters, and in DNS one string holds 255: it goes into several,
    which verifiers put together again.
    """
    public = b64encode(key.public).decode("ascii")
    return f"v={VERSION}; k={key.algorithm.kind}; p={public}"


def record_fault(record: str, key: DkimKey) -> str:
    """
    Why mail that the key signs would not verify with a record: "" when it would.

    Args:
        record: the text of a TXT record, its strings put together.
    """
    tags = _tags(record)
    if tags is None:
        return "it is no list of tags such as 'v=DKIM1; k=rsa; p=...'"
    if tags.get("v", VERSION) != VERSION or ("v" in tags and next(iter(tags)) != "v"):
        return f"it does not begin with v={VERSION}"
    return _fault_of_key(tags, key) or _fault_of_limits(tags)


def _fault_of_key(tags: Mapping[str, str], key: DkimKey) -> str:
    kind, expected = tags.get("k", Algorithm.RSA.kind), key.algorithm.kind
    if kind != expected:
        return f"it holds a key of kind {kind!r} (k=) instead of {expected!r}"
    if "p" not in tags:
        return "it holds no key (p=)"
    if not tags["p"]:
        return "the key is revoked: p= is empty"
    try:
        published = b64decode(tags["p"], validate=True)
    except ValueError:
        return "its key is no base64 (p=)"
    return "" if key.public in (published, _with_algorithm(published)) else "it holds another key"


def _fault_of_limits(tags: Mapping[str, str]) -> str:
    """What narrows the use of a key; unknown words mean nothing (RFC 6376 section 3.6.1)."""
    if "h" in tags and "sha256" not in tags["h"].split(":"):
        return "it does not allow sha256 (h=)"
    if not {"*", "email"}.intersection(tags.get("s", "*").split(":")):
        return "it is not for mail (s=)"
    if "y" in tags.get("t", "").split(":"):
        return "it says that signatures are a test (t=y), so they do not count"
    return ""


def _tags(record: str) -> dict[str, str] | None:
    """Read a tag list (RFC 6376 section 3.2), blanks taken out of values; None when it is none."""
    tags: dict[str, str] = {}
    for piece in record.strip().removesuffix(";").split(";"):
        name, equals, value = piece.partition("=")
        name = name.strip()
        if not equals or not _TAG_NAME.fullmatch(name) or name in tags:
            return None
        tags[name] = "".join(value.split())
    return tags


def _with_algorithm(public: bytes) -> bytes:
    """A key as SubjectPublicKeyInfo: RFC 6376 section 3.6.1 has RSA keys without that, too."""
    try:
        key = load_der_public_key(public)
    except (ValueError, UnsupportedAlgorithm):
        return b""
    if not isinstance(key, RSAPublicKey):
        return b""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
