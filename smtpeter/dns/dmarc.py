"""What a domain wants receivers to do with mail that is not from it (RFC 7489)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from urllib.parse import quote, unquote

from smtpeter.values import frozen

VERSION = "DMARC1"
POLICIES = ("none", "quarantine", "reject")
WHOLE_PERCENTAGE = 100

# What of an address stays as it is in a URI besides letters, digits and "-._~": commas stand
# between addresses, "!" before a size (RFC 7489 section 6.2), "?" before fields (RFC 6068).
_PLAIN = "@+"
_SIZE = re.compile(r"!\d+[kmgt]?$", re.IGNORECASE)
_TAG_NAME = re.compile(r"[A-Za-z]+")


@frozen
class Dmarc:
    """
    What an account wants to be published for its domain.

    Attributes:
        policy: one of `POLICIES`.
        percentage: of mail that the policy is for; from 0 to 100.
        startdate: until here the percentage is 0; None for no beginning.
        enddate: from here it is whole; in between it grows day by day.
    """

    policy: str = "none"
    percentage: int = WHOLE_PERCENTAGE
    startdate: date | None = None
    enddate: date | None = None

    def percentage_on(self, day: date) -> int:
        """The percentage of one day, rounded down."""
        if self.startdate is None:
            return self.percentage
        if day < self.startdate:
            return 0
        if self.enddate is None or day >= self.enddate:
            return self.percentage
        days = (self.enddate - self.startdate).days
        return self.percentage * (day - self.startdate).days // days


def record_name(domain: str) -> str:
    """Where receivers look for it."""
    return f"_dmarc.{domain}"


def dmarc_record(dmarc: Dmarc, addresses: Sequence[str], day: date) -> str:
    """
    The text of the TXT record on one day.

    Args:
        addresses: that get reports.
    """
    record = f"v={VERSION}; p={dmarc.policy}; pct={dmarc.percentage_on(day)}"
    if not addresses:
        return record
    return f"{record}; rua={','.join(f'mailto:{quote(each, safe=_PLAIN)}' for each in addresses)}"


def is_dmarc_record(text: str) -> bool:
    """Whether a TXT record is one of these; others at the same name mean nothing."""
    return re.match(rf"v\s*=\s*{VERSION}\s*(;|$)", text) is not None


def dmarc_fault(text: str, dmarc: Dmarc, addresses: Sequence[str], day: date) -> str:
    """
    Why a record does not say what is wanted on that day: "" when it does.

    That it says more, such as `sp=`, or has reports sent elsewhere too, is no fault.
    """
    tags = _tags(text)
    if tags is None or not is_dmarc_record(text):
        return f"it is no list of tags such as 'v={VERSION}; p=none'"
    policy = tags.get("p", "").lower()
    if policy != dmarc.policy:
        return f"its policy is {policy!r} (p=) instead of {dmarc.policy!r}"
    percentage = tags.get("pct", str(WHOLE_PERCENTAGE))
    if percentage != str(dmarc.percentage_on(day)):
        return f"its percentage is {percentage!r} (pct=) instead of {dmarc.percentage_on(day)}"
    told = {each.lower() for each in _addresses(tags.get("rua", ""))}
    missing = [each for each in addresses if each.lower() not in told]
    return f"no reports go to {' and '.join(missing)} (rua=)" if missing else ""


def _addresses(uris: str) -> list[str]:
    plain = (_SIZE.sub("", each.strip()) for each in uris.split(","))
    return [unquote(each[7:]) for each in plain if each[:7].lower() == "mailto:"]


def _tags(text: str) -> Mapping[str, str] | None:
    """Read a list of tags (RFC 7489 section 6.4); None when it is none."""
    tags: dict[str, str] = {}
    for piece in text.strip().removesuffix(";").split(";"):
        name, equals, value = piece.partition("=")
        name = name.strip().lower()
        if not equals or not _TAG_NAME.fullmatch(name) or name in tags:
            return None
        tags[name] = value.strip()
    return tags
