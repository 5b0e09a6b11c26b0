"""Sender domains: their names, and the hosts that go with one."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import idna

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

LONGEST_NAME = 253  # RFC 1035 section 2.3.4, without the final dot
TRACKING_LABEL = "clicks"
BOUNCES_LABEL = "bounces"
REPORTS_LOCAL_PART = "dmarc"

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


class DomainError(ValueError):
    """A name cannot be what it should be; the message of the exception says why."""


def domain_name(text: str) -> str:
    """
    A domain name in lower case and A-label form, without a final dot.

    Raises:
        DomainError: it is none, or has a single label.
    """
    name = text.removesuffix(".")
    if not name.isascii() and len(name) <= LONGEST_NAME:
        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise DomainError(f"{text!r} is no international domain name: {error}") from None
    name = name.lower()
    if len(name) > LONGEST_NAME:
        raise DomainError(f"a domain name is longer than {LONGEST_NAME} characters")
    *labels, last = name.split(".")
    # a name that ends in digits would be read as an IPv4 address
    if last.isdigit() or not all(map(_LABEL.fullmatch, (*labels, last))):
        raise DomainError(f"{text!r} is no domain name such as 'shop.example'")
    if not labels:
        raise DomainError(f"{text!r} has no dot; a domain name is one such as 'shop.example'")
    return name


def sender_domain_name(text: str) -> str:
    """
    The name of a domain that somebody can send from, as `domain_name` gives it.

    Raises:
        DomainError: it is none, or a public suffix, below which anybody may have a name.
    """
    name = domain_name(text)
    if organizational_domain(name) is None:
        raise DomainError(f"{name!r} is a public suffix; a sender domain is a name below it")
    return name


def organizational_domain(name: str) -> str | None:
    """
    The name that was registered, by the public suffix list; None for a public suffix itself.

    Args:
        name: as `domain_name` gives it.
    """
    return _suffixes().privatesuffix(name)


def host_for(name: str, text: str) -> str:
    """
    A host that may appear in mail of a sender domain.

    Args:
        name: of the sender domain.
        text: the host, as somebody typed it.

    Raises:
        DomainError: it is no host name, or has another organizational domain, or none.
    """
    host = domain_name(text)
    organization = organizational_domain(sender_domain_name(name))
    if organizational_domain(host) != organization:
        raise DomainError(
            f"{host!r} does not belong to {name!r}; "
            f"allowed are {organization!r} and the names below it"
        )
    return host


def tracking_host_of(name: str) -> str:
    """Where tracked links of a sender domain point when nothing else is said."""
    return f"{TRACKING_LABEL}.{name}"


def bounce_host_of(name: str) -> str:
    """Where bounces of a sender domain go when nothing else is said."""
    return f"{BOUNCES_LABEL}.{name}"


def report_address_of(host: str) -> str:
    """
    Where reports go that receivers make on mail of all sender domains (RFC 7489 section 7).

    Args:
        host: the domain of the service's own bounce addresses.
    """
    return f"{REPORTS_LOCAL_PART}@{host}"


def with_parents(name: str) -> list[str]:
    """A domain and all above it, the closest first."""
    labels = name.split(".")
    return [".".join(labels[start:]) for start in range(len(labels))]


@cache
def _suffixes() -> PublicSuffixList:
    """The list, read when it is first needed: that takes longer than the reactor may wait."""
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415

    return PublicSuffixList()
