"""What the answers to readers have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

# A browser is told nothing that could help others to follow the reader, and never to guess.
_CAUTIOUS = (
    b"Referrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\nX-Robots-Tag: noindex\r\n"
)
REDIRECT = _CAUTIOUS + b"Cache-Control: no-store\r\n"

# An SVG image is a document, and could do what a page can. Mail is read at other sites.
_PICTURE = _CAUTIOUS + (
    b"Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; sandbox\r\n"
    b"Cross-Origin-Resource-Policy: cross-origin\r\n"
)
TRACKED_IMAGE = _PICTURE + b"Cache-Control: no-cache, private\r\n"
HOSTED_IMAGE = _PICTURE + b"Cache-Control: public, max-age=31536000, immutable\r\n"

# The HTML of a customer is shown at our address, but gets none of our rights there.
PAGE = _CAUTIOUS + (
    b"Cache-Control: no-cache, private\r\n"
    b"Content-Security-Policy: script-src 'none'; object-src 'none'; base-uri 'none'; "
    b"form-action 'none'; sandbox allow-popups allow-popups-to-escape-sandbox "
    b"allow-top-navigation-by-user-activation\r\n"
)

# The smallest transparent GIF: 1 by 1.
PIXEL = bytes.fromhex(
    "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
)


class Answer(NamedTuple):
    """
    What a reader gets.

    Attributes:
        fixed_fields: those of the header that are always the same, as they are written.
        fields: the others.
        original: the URL for which this stands, "" for none.
    """

    status: int
    fixed_fields: bytes
    fields: Mapping[bytes, bytes] = {}
    page: bytes = b""
    original: str = ""


def redirect(url: str) -> Answer:
    return Answer(302, REDIRECT, {b"location": url.encode("ascii")}, original=url)


def image(media_type: str, octets: bytes, fixed_fields: bytes) -> Answer:
    return Answer(200, fixed_fields, {b"content-type": media_type.encode("latin-1")}, octets)


def page(html: str) -> Answer:
    return Answer(200, PAGE, {b"content-type": b"text/html; charset=utf-8"}, html.encode())


def nothing() -> Answer:
    return Answer(404, REDIRECT)


def not_now() -> Answer:
    """The store knows what to answer, and cannot be reached."""
    return Answer(503, REDIRECT, {b"retry-after": b"30"})
