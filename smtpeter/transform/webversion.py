"""The web version: its address in a message, and its page where there is no HTML."""

from __future__ import annotations

import re
from html import escape

from smtpeter.message.parts import Part
from smtpeter.transform.markup import Document, Edit, spliced
from smtpeter.transform.starttag import attribute, attribute_value

PLACEHOLDER = "{$webversion}"

# Without it no text has a place for the address.
WORD = "webversion"

# Editors percent-encode in an address what an address may not hold.
_IN_ADDRESS = re.compile(r"(?:\{|%7[Bb])(?:\$|%24)webversion(?:\}|%7[Dd])")


def webversion_url(base: str, identifier: str) -> str:
    """
    The address of the web version of a message.

    Args:
        base: scheme and host of ours: `https://clicks.shop.example`.
    """
    return f"{base}/webversion/{identifier}"


def fill_in_text(text: str, url: str) -> str:
    """Put an address in every place for it in a plain text."""
    return text.replace(PLACEHOLDER, url)


def fill_in_html(document: Document, url: str) -> Document:
    """
    Put an address in every place for it in a document, comments and attributes included.

    Within an `href` the dollar sign and the braces may be percent-encoded.
    """
    changed: dict[int, str] = {}
    pieces = document.pieces
    for number in [each for each, piece in enumerate(pieces) if WORD in piece]:
        piece = pieces[number]
        filled = _in_href(piece, url) if number % 2 else piece
        filled = filled.replace(PLACEHOLDER, escape(url))
        if filled != piece:
            changed[number] = filled
    return document.changed(changed)


def _in_href(tag: str, url: str) -> str:
    href = attribute(tag, "href")
    if href is None:
        return tag
    value = attribute_value(url, href.quote or '"')
    return spliced(
        tag,
        (
            Edit(*place.span(), value)
            for place in _IN_ADDRESS.finditer(tag, href.value_start, href.value_end)
        ),
    )


def text_parts(root: Part) -> list[Part]:
    """The text/plain parts that a reader sees as the message, in order; no attachments."""
    return [
        part
        for part in root.walk()
        if part.media_type == "text/plain"
        and not part.filename
        and part.disposition != "attachment"
    ]


def text_page(text: str, title: str = "") -> str:
    """A page that shows a plain text as it was written."""
    return (
        "<!DOCTYPE html>\n"
        '<html><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title></head>\n"
        f'<body><pre style="white-space: pre-wrap">\n{escape(text)}</pre></body></html>\n'
    )
