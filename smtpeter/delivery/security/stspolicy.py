"""Policies by which a domain has its mail come over verified TLS (MTA-STS, RFC 8461)."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable

from smtpeter.values import frozen

MAX_POLICY_OCTETS = 64 * 1024  # RFC 8461 section 3.3
MAX_AGE_SECONDS = 31_557_600  # section 3.2
MAX_PATTERNS = 100

# Section 3.1: blanks may stand around semicolons, and one may stand at the end.
_VERSION = re.compile(r"v=STSv1[ \t]*;")
_FIELD = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31})=([\x21-\x3a\x3c\x3e-\x7e]+)")
_ID = re.compile(r"[A-Za-z0-9]{1,32}")
_LINE = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31})[ \t]*:[ \t]*(.*?)[ \t]*")
_AGE = re.compile(r"[0-9]{1,10}")
_PATTERN = re.compile(r"(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9-]{1,63}")


class InvalidPolicy(ValueError):
    """It is no policy; the text says why, in one line."""


class StsMode(enum.Enum):
    """What follows when a host does not keep to the policy."""

    ENFORCE = "enforce"  # it gets no mail
    TESTING = "testing"  # the domain wants to hear of it
    NONE = "none"  # nothing


@frozen
class StsPolicy:
    """
    A policy.

    Attributes:
        mx: patterns of host names, in lower case.
        max_age_seconds: how long it may be kept.
    """

    mode: StsMode
    mx: tuple[str, ...]
    max_age_seconds: int

    def admits(self, host: str) -> bool:
        """
        Whether a host, in lower case, is one of those that take mail for the domain.

        A `*` stands for one whole label (section 4.1).
        """
        _, _, parent = host.partition(".")
        return host in self.mx or (bool(parent) and f"*.{parent}" in self.mx)

    def lines(self) -> tuple[str, ...]:
        """The policy written out, without what does not count."""
        return (
            "version: STSv1",
            f"mode: {self.mode.value}",
            *(f"mx: {pattern}" for pattern in self.mx),
            f"max_age: {self.max_age_seconds}",
        )


def policy_id(texts: Iterable[str]) -> str | None:
    """
    The id in the TXT records at `_mta-sts.DOMAIN`; None when they announce no policy.

    Records that are not about MTA-STS do not count; of those that are there must be one.
    """
    records = [text for text in texts if _VERSION.match(text)]
    if len(records) != 1:
        return None
    found: dict[str, str] = {}
    fields = [field.strip(" \t") for field in records[0].split(";")[1:]]
    if fields and not fields[-1]:
        fields.pop()
    for field in fields:
        match = _FIELD.fullmatch(field)
        if match is None:
            return None
        found.setdefault(match[1], match[2])
    known = found.get("id", "")
    return known if _ID.fullmatch(known) else None


def parse_policy(octets: bytes) -> StsPolicy:
    """
    Read a policy file.

    Of fields that may stand once the first counts, and those that nobody knows do not.

    Raises:
        InvalidPolicy: it is none.
    """
    if len(octets) > MAX_POLICY_OCTETS:
        raise InvalidPolicy("it is too long")
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidPolicy("it is no text in UTF-8") from None
    fields: dict[str, str] = {}
    patterns: list[str] = []
    for line in text.replace("\r\n", "\n").rstrip("\n").split("\n"):
        match = _LINE.fullmatch(line)
        if match is None:
            raise InvalidPolicy(f"it has a line that is no field: {line[:40]!r}")
        if match[1] == "mx":
            patterns.append(_pattern(match[2]))
        else:
            fields.setdefault(match[1], match[2])
    return _policy(fields, tuple(dict.fromkeys(patterns)))


def _policy(fields: dict[str, str], patterns: tuple[str, ...]) -> StsPolicy:
    if fields.get("version") != "STSv1":
        raise InvalidPolicy("it has no version, or one that nobody knows")
    try:
        mode = StsMode(fields.get("mode"))
    except ValueError:
        raise InvalidPolicy("its mode is none of enforce, testing and none") from None
    age = fields.get("max_age", "")
    if not _AGE.fullmatch(age):
        raise InvalidPolicy("its max_age is no number")
    if not patterns and mode is not StsMode.NONE:
        raise InvalidPolicy("it names no mx")
    if len(patterns) > MAX_PATTERNS:
        raise InvalidPolicy(f"it names more than {MAX_PATTERNS} mx")
    return StsPolicy(mode, patterns, min(int(age), MAX_AGE_SECONDS))


def _pattern(text: str) -> str:
    pattern = text.lower().rstrip(".")
    if len(pattern) > 255 or not _PATTERN.fullmatch(pattern):
        raise InvalidPolicy(f"its mx is no name of a host: {text[:40]!r}")
    return pattern
