"""Whose mail a message is: the domain of its author."""

from __future__ import annotations

import re

from smtpeter.message.address import AddressError
from smtpeter.message.addresslist import parse_address_list
from smtpeter.message.content import Content

# Every message is asked; a field with more in it than anybody means is not read.
LONGEST_FIELD_OCTETS = 4096

_FROM = re.compile(rb"from[ \t]*:([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)", re.IGNORECASE)


def author_domain(content: Content) -> str | None:
    """
    The domain of the first address of the From field, in lower case and A-label form.

    None when the first From field cannot be read, and for an address literal.
    """
    header = content.header
    # searched for like this, since a pattern would look at each octet of a large header
    lowered = header.lower()
    start = 0
    while True:
        match = _FROM.match(header, start) if lowered.startswith(b"from", start) else None
        if match is not None:
            return _first_domain(match[1])
        start = lowered.find(b"\nfrom", start) + 1
        if not start:
            return None


def _first_domain(raw: bytes) -> str | None:
    if len(raw) > LONGEST_FIELD_OCTETS:
        return None
    try:
        text = raw.decode("utf-8", "replace").strip()
        domain = parse_address_list(text)[0].mailbox.domain_key
    except AddressError:
        return None
    return None if domain.startswith("[") else domain
