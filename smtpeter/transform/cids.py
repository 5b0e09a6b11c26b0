"""Where an HTML text refers to other parts of its message, by their Content-ID (RFC 2392)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple
from urllib.parse import quote, unquote

from smtpeter.transform.markup import Attribute, Edit, spliced, tags
from smtpeter.transform.references import decoded

_SCHEME = "cid:"
_QUOTE = r"&(?:quot|apos|#0*+3[49]|#[xX]0*+2[27]);"
_CSS_URL = re.compile(
    rf"""url\(\s*+(?:["']|{_QUOTE})?+\s*+({_SCHEME}(?:[^\s"'()<>&]|(?!{_QUOTE})&)++)""",
    re.IGNORECASE,
)
_MENTION = re.compile(rf"""{_SCHEME}[^\s"'<>]++""", re.IGNORECASE)
_LIKELY = re.compile(r"cid|&#", re.IGNORECASE)
# An address is written between quotes of any kind, between parentheses, or without anything.
_UNSAFE = re.compile(r"""[\s"'()<>\\`]""")


class Reference(NamedTuple):
    """
    An address that names a part.

    Attributes:
        start: offset of its first character in the text.
        end: offset behind its last.
        address: with character references decoded.
        raw: it stands where there are no character references.
    """

    start: int
    end: int
    address: str
    raw: bool = False

    def content_ids(self) -> tuple[str, str]:
        """What it may mean: percent-encoding is decoded, but not everybody has encoded."""
        return _content_ids(self.address)


def references(html: str) -> Iterator[Reference]:
    """
    Find the images and backgrounds of an HTML text that are parts of its message.

    They are the `src` of `img`, the `background` of any element, and `url()` in a `style`
    attribute or element.
    """
    if _SCHEME not in html.lower():
        return
    style_starts = -1
    for tag in tags(html):
        if style_starts >= 0:
            for match in _CSS_URL.finditer(html, style_starts, tag.start):
                yield Reference(*match.span(1), match[1], raw=True)
        style_starts = tag.end if tag.name == "style" and not tag.closing else -1
        if tag.closing or not _LIKELY.search(html, tag.start, tag.end):
            continue
        for attribute in tag.attributes:
            if attribute.name == "style":
                yield from _in_style(html, attribute)
            elif attribute.name == "background" or (tag.name, attribute.name) == ("img", "src"):
                address = attribute.value.strip()
                if address.lower().startswith(_SCHEME):
                    yield Reference(attribute.value_start, attribute.value_end, address)


def _in_style(html: str, attribute: Attribute) -> Iterator[Reference]:
    for match in _CSS_URL.finditer(html, attribute.value_start, attribute.value_end):
        yield Reference(*match.span(1), decoded(match[1]))


def mentions(html: str) -> set[str]:
    """What looks like a Content-ID anywhere in the text; its end may be more than that."""
    found = set(_MENTION.findall(html))
    return {each for address in found for each in _content_ids(decoded(address))}


def with_addresses(
    html: str, found: Iterable[Reference], url: Callable[[Reference], str | None]
) -> str:
    """
    Put other addresses in the place of references.

    Args:
        found: the `references` of this text.
        url: gives the new address, None to leave a reference as it is.
    """
    return spliced(
        html,
        [
            Edit(each.start, each.end, _written(address, each))
            for each in found
            if (address := url(each)) is not None
        ],
    )


def _content_ids(address: str) -> tuple[str, str]:
    written = address[len(_SCHEME) :]
    return unquote(written), written


def _written(url: str, reference: Reference) -> str:
    safe = _UNSAFE.sub(lambda match: quote(match[0]), url)
    return safe if reference.raw else safe.replace("&", "&amp;")
