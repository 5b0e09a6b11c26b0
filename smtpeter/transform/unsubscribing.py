"""Where a message says that one can unsubscribe (RFC 2369 section 3.2)."""

from __future__ import annotations

import re

from smtpeter.message.content import Content

_URL = re.compile(r"<\s*(https?:[^<>]*?)\s*>", re.IGNORECASE)
_BLANKS = re.compile(r"\s+")


def unsubscribe_addresses(content: Content) -> frozenset[str]:
    """The web addresses of the List-Unsubscribe fields."""
    if b"unsubscribe" not in content.header.lower():
        return frozenset()
    return frozenset(
        _BLANKS.sub("", match[1])
        for field in content.fields()
        if field.name == "list-unsubscribe"
        for match in _URL.finditer(field.value)
    )
