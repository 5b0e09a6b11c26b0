"""What the answers to readers have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

# A browser is told nothing that could help others to follow the reader, and never to guess.
_CAUTIOUS = {
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
    b"x-robots-tag": b"noindex",
}
REDIRECT = _CAUTIOUS | {b"cache-control": b"no-store"}

# An SVG image is a document, and could do what a page can. Mail is read at other sites.
_PICTURE = _CAUTIOUS | {
    b"content-security-policy": b"default-src 'none'; style-src 'unsafe-inline'; sandbox",
    b"cross-origin-resource-policy": b"cross-origin",
}
TRACKED_IMAGE = _PICTURE | {b"cache-control": b"no-cache, private"}
HOSTED_IMAGE = _PICTURE | {b"cache-control": b"public, max-age=31536000, immutable"}

# The HTML of a customer is shown at our address, but gets none of our rights there.
PAGE = _CAUTIOUS | {
    b"cache-control": b"no-cache, private",
    b"content-type": b"text/html; charset=utf-8",
    b"content-security-policy": (
        b"script-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'; sandbox "
        b"allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation"
    ),
}

# The smallest transparent GIF: 1 by 1.
PIXEL = bytes.fromhex(
    "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
)


class Answer(NamedTuple):
    """
    A status, header fields, and what the reader sees.

    Attributes:
        original: the URL for which this stands, "" for none.
    """

    status: int
    headers: Mapping[bytes, bytes]
    page: bytes = b""
    original: str = ""


def redirect(url: str) -> Answer:
    return Answer(302, REDIRECT | {b"location": url.encode("ascii")}, original=url)


def image(media_type: str, octets: bytes, headers: Mapping[bytes, bytes]) -> Answer:
    return Answer(200, {**headers, b"content-type": media_type.encode("latin-1")}, octets)


def nothing() -> Answer:
    return Answer(404, REDIRECT)


def not_now() -> Answer:
    """The store knows what to answer, and cannot be reached."""
    return Answer(503, REDIRECT | {b"retry-after": b"30"})
