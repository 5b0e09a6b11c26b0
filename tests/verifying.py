"""Keys that sign in tests, and dkimpy, which verifies what they signed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache

import dkim  # type: ignore[import-untyped]

from smtpeter.message.dkim import SigningKey
from smtpeter.message.dkimkeys import Algorithm, DkimKey
from smtpeter.message.dkimrecord import key_record, record_name

DOMAIN = "shop.example"

_BLANKS_BEFORE_COLON = re.compile(rb"^([!-9;-~]+)[ \t]+:", re.MULTILINE)


@cache
def signing_keys() -> tuple[SigningKey, SigningKey]:
    """One for RSA with the selector "zero", one for Ed25519 with "one"."""
    return (
        SigningKey(DOMAIN, "zero", DkimKey.generate(Algorithm.RSA)),
        SigningKey(DOMAIN, "one", DkimKey.generate(Algorithm.ED25519)),
    )


def published(keys: Iterable[SigningKey]) -> dict[str, str]:
    """What DNS has of them: name to the text of the TXT record."""
    return {record_name(each.selector, each.domain): key_record(each.key) for each in keys}


def delivered(octets: bytes) -> bytes:
    """A message as it arrives: the final dot makes a full line of the last."""
    return octets if octets.endswith(b"\r\n") else octets + b"\r\n"


def verdicts(octets: bytes, count: int, records: Mapping[str, str]) -> list[bool]:
    """
    Whether the first signatures of a message hold, by dkimpy.

    Args:
        octets: as delivered.
        count: how many to look at, from the top.
    """
    verifier = dkim.DKIM(_readable(octets))
    return [_holds(verifier, index, records) for index in range(count)]


def _holds(verifier: dkim.DKIM, index: int, records: Mapping[str, str]) -> bool:
    def record(name: bytes, timeout: int = 5) -> bytes:  # noqa: ARG001
        return records[name.decode().removesuffix(".")].encode()

    try:
        return bool(verifier.verify(idx=index, dnsfunc=record))
    except dkim.ValidationError:
        return False


def _readable(octets: bytes) -> bytes:
    """
    The same without blanks before colons, which dkimpy cannot read.

    They are not signed (RFC 6376 section 3.4.2), so a verdict is the same without them.
    """
    header, end, body = octets.partition(b"\r\n\r\n")
    return _BLANKS_BEFORE_COLON.sub(rb"\1:", header) + end + body
