"""Where an HTML text refers to other parts of its message, by their Content-ID (RFC 2392)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple
from urllib.parse import quote, unquote

from smtpeter.transform.markup import Document, Edit, spliced
from smtpeter.transform.references import decoded
from smtpeter.transform.starttag import attributes

_SCHEME = "cid:"
_QUOTE = r"&(?:quot|apos|#0*+3[49]|#[xX]0*+2[27]);"
_CSS_URL = re.compile(
    rf"""url\(\s*+(?:["']|{_QUOTE})?+\s*+({_SCHEME}(?:[^\s"'()<>&]|(?!{_QUOTE})&)++)""",
    re.IGNORECASE,
)
_MENTION = re.compile(rf"""{_SCHEME}[^\s"'<>]++""", re.IGNORECASE)
# An address is written between quotes of any kind, between parentheses, or without anything.
_UNSAFE = re.compile(r"""[\s"'()<>\\`]""")


class Reference(NamedTuple):
    """
    An address that names a part.

    Attributes:
        piece: the number of the piece of the document that it stands in.
        start: offset of its first character in that.
        end: offset behind its last.
        address: with character references decoded.
        raw: it stands where there are no character references.
    """

    piece: int
    start: int
    end: int
    address: str
    raw: bool = False

    def content_ids(self) -> tuple[str, str]:
        """What it may mean: percent-encoding is decoded, but not everybody has encoded."""
        return _content_ids(self.address)


def references(document: Document) -> Iterator[Reference]:
    """
    Find the images and backgrounds of an HTML text that are parts of its message.

    They are the `src` of `img`, the `background` of any element, and `url()` in a `style`
    attribute or element.
    """
    if not _mentioned(str(document)):
        return
    pieces, names = document.pieces, document.names
    for number, tag in enumerate(pieces[1::2]):
        name = names[number]
        written = tag.lower()
        if ("cid" in written or "&#" in written) and name[:1] != "/":
            yield from _in_tag(2 * number + 1, name, tag)
        if name == "style" and number + 1 < len(names):  # one that never ends is no sheet
            sheet = pieces[2 * number + 2]
            for match in _CSS_URL.finditer(sheet) if _mentioned(sheet) else ():
                yield Reference(2 * number + 2, *match.span(1), match[1], raw=True)


def _in_tag(piece: int, name: str, tag: str) -> Iterator[Reference]:
    for each in attributes(tag):
        if each.name == "style":
            for match in _CSS_URL.finditer(tag, each.value_start, each.value_end):
                yield Reference(piece, *match.span(1), decoded(match[1]))
        elif each.name == "background" or (name, each.name) == ("img", "src"):
            address = each.value.strip()
            if address.lower().startswith(_SCHEME):
                yield Reference(piece, each.value_start, each.value_end, address)


def mentions(html: str) -> set[str]:
    """What looks like a Content-ID anywhere in the text; its end may be more than that."""
    if not _mentioned(html):
        return set()
    found = set(_MENTION.findall(html))
    return {each for address in found for each in _content_ids(decoded(address))}


def _mentioned(text: str) -> bool:
    """Whether the scheme stands anywhere in a text; octets are lowered much faster."""
    return _SCHEME.encode() in text.encode("utf-8", "surrogatepass").lower()


def with_addresses(
    document: Document, found: Iterable[Reference], url: Callable[[Reference], str | None]
) -> Document:
    """
    Put other addresses in the place of references.

    Args:
        found: the `references` of this document.
        url: gives the new address, None to leave a reference as it is.
    """
    edits: defaultdict[int, list[Edit]] = defaultdict(list)
    for each in found:
        address = url(each)
        if address is not None:
            edits[each.piece].append(Edit(each.start, each.end, _written(address, each)))
    return document.changed(
        {number: spliced(document.pieces[number], those) for number, those in edits.items()}
    )


def _content_ids(address: str) -> tuple[str, str]:
    written = address[len(_SCHEME) :]
    return unquote(written), written


def _written(url: str, reference: Reference) -> str:
    safe = _UNSAFE.sub(lambda match: quote(match[0]), url)
    return safe if reference.raw else safe.replace("&", "&amp;")
